//! An attempt has ended: what becomes of its item?

use crate::core::blueprint::Blueprint;
use crate::core::failures::sample::sample;
use crate::core::ids::{Index, PodRole};
use crate::core::phases::{ItemPhase, Tries};
use crate::core::pod::{Detail, AttemptOutcome, artifacts};
use crate::core::pods::flight::{Stop, Unwanted};
use crate::core::run::{Context, Run};
use crate::core::spec::outcome::{FailReason, Remainder};
use crate::core::spec::retry::Next;

/// Most characters of a pod's own words in the message of a task that a rule fails.
const RULE_WORDS_LIMIT: usize = 300;

impl Run {
    /// The item's attempt has ended: it succeeds, gets another attempt, fails or is cancelled. Answers the ending as it
    /// counts. `pod_remains`: the attempt's name is still taken. `never`: no further attempt can do better.
    pub fn finish(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        ending: AttemptOutcome,
        mut detail: Detail,
        pod_remains: bool,
        never: bool,
    ) -> AttemptOutcome {
        let remainder = self.remainder();
        let flight = self.take_flight(index);
        // Another create made the pod, or may have: the one that has no answer yet may be carried out once the pod is gone.
        if flight.as_ref().is_some_and(|flight| flight.creating) && self.indeterminate.may_have_made(context.now, index)
        {
            self.indeterminate.add(context.now, index);
        }
        let stopped = flight.as_ref().is_some_and(|flight| flight.stop == Stop::Asked);
        let mut ending = self.take_result(index, ending);
        if ending.is_success() {
            self.set(context, index, ItemPhase::Succeeded);
            return ending;
        }
        let started = flight.as_ref().is_some_and(|flight| flight.starting.is_none());
        if ending == AttemptOutcome::Deadline
            && let Some(blocker) = flight.as_ref().and_then(|flight| flight.blocker.as_ref().filter(|_| !started))
        {
            let words = detail.message.take().unwrap_or_default();
            detail.message = Some(format!("{words}; it had not started: {}", blocker.message));
        }
        if let AttemptOutcome::Evicted { started: ran } | AttemptOutcome::Preempted { started: ran } = &mut ending {
            *ran |= started;
        }
        // What a deletion brings about has the reason of the deletion; a pod may have ended by itself before.
        if matches!(ending, AttemptOutcome::Deleted | AttemptOutcome::NodeLost) {
            match flight.as_ref().and_then(|flight| flight.unwanted).filter(|_| stopped) {
                Some(Unwanted::NeverStarted(blocker)) => {
                    ending = AttemptOutcome::NeverStarted { blocker };
                    // The last words before the deletion; after it the kubelet only says that there is no container.
                    detail.reason = None;
                    detail.message = flight.and_then(|flight| flight.blocker).map(|blocker| blocker.message);
                }
                Some(Unwanted::Suspended) => ending = AttemptOutcome::Stopped,
                // Stopped by an operator that died before it could take that down.
                None if self.suspending && ending == AttemptOutcome::NodeLost => ending = AttemptOutcome::Stopped,
                None => {}
            }
        }
        // An operator that died since may have asked for it.
        let taken = matches!(ending, AttemptOutcome::Deleted | AttemptOutcome::NodeLost);
        if remainder == Remainder::Cancel && (stopped || taken) {
            self.set(context, index, ItemPhase::Cancelled);
            return ending;
        }
        let tries = self.tries.get(index);
        if let Some(category) = ending.category() {
            self.explain(&ending, tries, &mut detail);
            self.failures.add(index, tries.attempt, category, &ending, &detail);
        }
        let next = if never { Next::FailItem } else { self.spec.policy.next(tries, &ending) };
        match next {
            Next::Again(again) if remainder.starts() => self.try_again(context, index, &ending, again, pod_remains),
            Next::Again(_) => self.set(context, index, ItemPhase::Cancelled),
            Next::FailItem => self.set(context, index, ItemPhase::Failed),
            Next::FailTask => {
                self.set(context, index, ItemPhase::Failed);
                let container = ending.container().map(|name| format!(" in container {name}")).unwrap_or_default();
                let words = detail.message.as_deref().map(|m| format!(": {}", sample(m, RULE_WORDS_LIMIT)));
                let words = words.unwrap_or_default();
                let message = format!(
                    "a rule of spec.retryPolicy fails the task: item {index} ended as {ending}{container}{words}"
                );
                self.forced_failure.get_or_insert((FailReason::FailTaskRule, crate::text::cut(&message, 512)));
            }
        }
        ending
    }

    fn try_again(&mut self, context: &mut Context<'_>, index: Index, ending: &AttemptOutcome, tries: Tries, pod_remains: bool) {
        let before = self.tries.get(index);
        self.tries.set(index, tries);
        self.set(context, index, ItemPhase::Pending);
        // The next attempt starts only once this one's end is recorded: whoever reads the status can tell
        // which pods are of the past, and an operator that was overtaken fails at the write.
        let revision = context.writer.change();
        let mut time = match ending {
            AttemptOutcome::Stopped => context.now,
            _ => self.spec.policy.not_before(context.now, context.seed, index, before, tries),
        };
        if !pod_remains {
            // Nothing stands in the way of a late create of the attempt that ended: its time must have passed.
            time = time.max(self.indeterminate.until(index));
        }
        self.waitlist.settle(index, revision, time);
    }

    /// Says in words what the pod does not.
    fn explain(&self, ending: &AttemptOutcome, tries: Tries, detail: &mut Detail) {
        match ending {
            AttemptOutcome::ResultTooLarge { size, cut: Some(limit) } => {
                detail.message = Some(format!("the result has {size} bytes and may have lost some: {limit}"));
            }
            AttemptOutcome::ResultTooLarge { size, cut: None } => {
                let most = self.spec.results.map_or(0, crate::core::results::Layout::max_bytes_per_item);
                detail.message =
                    Some(format!("the result has {size} bytes; spec.results.maxBytesPerItem allows {most}"));
            }
            AttemptOutcome::OutOfMemory { container, .. } => {
                if let Some(why) = self.spec.policy.growth.why_not(container, tries.memory_raises) {
                    let words = detail.message.take().map(|words| format!("{words}\n")).unwrap_or_default();
                    detail.message = Some(format!("{words}{why}"));
                }
            }
            AttemptOutcome::NeverStarted { .. } => {
                let seconds = self.spec.start_deadline_millis.unwrap_or(0) / 1_000;
                detail.message.get_or_insert_with(|| format!("the pod did not start within {seconds} s"));
            }
            _ => {}
        }
    }

    /// Notes the line of a success. One that says nothing but has written files is where they are.
    pub fn take_result(&mut self, index: Index, ending: AttemptOutcome) -> AttemptOutcome {
        let (AttemptOutcome::Succeeded { message }, Some(layout)) = (&ending, self.spec.results) else { return ending };
        let said = message.as_ref().filter(|message| !message.is_blank());
        let cut = said.filter(|message| message.may_be_cut()).map(|message| message.limit);
        let said = said.map(|message| message.text.clone());
        let attempt = self.tries.get(index).attempt;
        let files = || {
            let Blueprint { key, uid, template, .. } = &*self.spec.blueprint;
            template.keeps_artifacts().then(|| artifacts::directory(key, uid, PodRole::Item(index, attempt)))
        };
        // Also nothing is a line: where a success is recorded, its ConfigMap is there, or somebody has deleted it.
        match layout.line(&said.or_else(files).unwrap_or_default(), cut.is_some()) {
            Ok(line) => {
                self.results.insert(index, line);
                ending
            }
            Err(size) => AttemptOutcome::ResultTooLarge { size, cut },
        }
    }
}
