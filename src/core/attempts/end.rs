//! What happens to an item when its attempt has ended.

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::table::{ItemTable, Step};
use crate::core::failures::Alike;
use crate::core::failures::sample::sample;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::phases::{ItemPhase, Tries};
use crate::core::pod::{Detail, artifacts};
use crate::core::results::Layout;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::Remainder;
use crate::core::spec::retry::Next;

/// Most characters of a pod's own words in the message of a task that a rule fails.
const RULE_WORDS_LIMIT: usize = 300;
/// Most characters of the message of a task that a rule fails.
const RULE_MESSAGE_LIMIT: usize = 512;

/// Whether another attempt could do better than one that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It may: the retry policy decides.
    MayHelp,
    /// It would end in the same way.
    IsFutile,
}

/// What counts besides how the attempt ended.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// What happens to the items that are left.
    pub remainder: Remainder,
    /// Whether the operator has stopped the attempt.
    pub stopped: bool,
    /// Whether another attempt could do better.
    pub retry: Retry,
    /// When nothing of this attempt stands in the way of the next one any more.
    pub clear_at: Time,
}

/// What an attempt's end has brought about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How the attempt has failed, if it has and that counts.
    pub failure: Option<Alike>,
    /// Why the task fails, if a rule of the retry policy says so.
    pub fails_task: Option<String>,
}

impl ItemTable {
    /// The item's attempt has ended: the item succeeds, gets another attempt, fails or is cancelled.
    pub fn end(
        &mut self,
        step: &mut Step<'_>,
        spec: &AcceptedSpec,
        index: Index,
        end: AttemptEnd,
        at: &Circumstances,
    ) -> Ended {
        self.assignments.release(index);
        let AttemptEnd { outcome, detail } = end;
        let outcome = self.take_result(spec, index, outcome);
        step.outcomes.add(&outcome);
        if outcome.is_success() {
            self.set(step, index, ItemPhase::Succeeded);
            return Ended { failure: None, fails_task: None };
        }
        // An operator that died since may have asked for the deletion.
        let taken = matches!(outcome, AttemptOutcome::Deleted | AttemptOutcome::NodeLost);
        if at.remainder == Remainder::Cancel && (at.stopped || taken) {
            self.set(step, index, ItemPhase::Cancelled);
            return Ended { failure: None, fails_task: None };
        }
        self.fail(step, spec, index, &outcome, detail, at)
    }

    /// The attempt did not succeed, and that counts.
    fn fail(
        &mut self,
        step: &mut Step<'_>,
        spec: &AcceptedSpec,
        index: Index,
        outcome: &AttemptOutcome,
        mut detail: Detail,
        at: &Circumstances,
    ) -> Ended {
        let mut ended = Ended { failure: None, fails_task: None };
        let mut tries = self.tries.get(index);
        if let Some(category) = outcome.category() {
            explain(spec, outcome, tries, &mut detail);
            ended.failure = Some(self.failures.add(index, &mut tries, category, outcome, &detail));
        }
        let next = match at.retry {
            Retry::MayHelp => spec.policy.next(tries, outcome),
            Retry::IsFutile => Next::FailItem,
        };
        match next {
            Next::Again(again) if at.remainder.starts() => {
                self.try_again(step, spec, index, outcome, again, at.clear_at);
            }
            Next::Again(_) => self.set(step, index, ItemPhase::Cancelled),
            Next::FailItem => self.set(step, index, ItemPhase::Failed),
            Next::FailTask => {
                self.set(step, index, ItemPhase::Failed);
                ended.fails_task = Some(rule_message(index, outcome, &detail));
            }
        }
        ended
    }

    fn try_again(
        &mut self,
        step: &mut Step<'_>,
        spec: &AcceptedSpec,
        index: Index,
        outcome: &AttemptOutcome,
        tries: Tries,
        clear_at: Time,
    ) {
        let before = self.tries.get(index);
        self.tries.set(index, tries);
        self.set(step, index, ItemPhase::Pending);
        // The next attempt starts only once this one's end is recorded: an operator that reads the status can tell
        // which pods are of the past, and an operator that was overtaken fails at the write.
        let revision = step.changes.change();
        let time = match outcome {
            AttemptOutcome::Stopped => step.now,
            _ => spec.policy.not_before(step.now, step.seed, index, before, tries),
        };
        self.waitlist.settle(index, revision, time.max(clear_at));
    }

    /// Notes the line of a success. One that says nothing but has written files is where they are.
    pub fn take_result(&mut self, spec: &AcceptedSpec, index: Index, outcome: AttemptOutcome) -> AttemptOutcome {
        let (AttemptOutcome::Succeeded { message }, Some(layout)) = (&outcome, spec.results) else { return outcome };
        let said = message.as_ref().filter(|message| !message.is_blank());
        let cut = said.filter(|message| message.may_be_cut()).map(|message| message.limit);
        let said = said.map(|message| message.text.clone());
        let attempt = self.attempt(index);
        let files = || {
            let of = &spec.blueprint;
            let directory = || artifacts::directory(&of.key, &of.uid, PodRole::Item(index, attempt));
            of.template.keeps_artifacts().then(directory)
        };
        // Also nothing is a line: where a success is recorded, its ConfigMap is there, or somebody has deleted it.
        let said = said.or_else(files).unwrap_or_default();
        match if cut.is_some() { layout.line_of_cut(&said) } else { layout.line(&said) } {
            Ok(line) => {
                self.results.insert(index, line);
                outcome
            }
            Err(size) => AttemptOutcome::ResultTooLarge { size, cut },
        }
    }
}

/// The message of a task that a rule of its retry policy fails.
fn rule_message(index: Index, outcome: &AttemptOutcome, detail: &Detail) -> String {
    let container = outcome.container().map(|name| format!(" in container {name}")).unwrap_or_default();
    let words = detail.message.as_deref().map(|m| format!(": {}", sample(m, RULE_WORDS_LIMIT))).unwrap_or_default();
    let message =
        format!("a rule of spec.retryPolicy fails the task: item {index} ended as {outcome}{container}{words}");
    crate::text::cut(&message, RULE_MESSAGE_LIMIT)
}

/// Says in words what the pod does not.
fn explain(spec: &AcceptedSpec, outcome: &AttemptOutcome, tries: Tries, detail: &mut Detail) {
    match outcome {
        AttemptOutcome::ResultTooLarge { size, cut: Some(limit) } => {
            detail.message = Some(format!("the result has {size} bytes and may be truncated: {limit}"));
        }
        AttemptOutcome::ResultTooLarge { size, cut: None } => {
            let most = spec.results.map_or(0, Layout::max_bytes_per_item);
            detail.message = Some(format!("the result has {size} bytes; spec.results.maxBytesPerItem allows {most}"));
        }
        AttemptOutcome::OutOfMemory { container, .. } => {
            if let Some(why) = spec.policy.growth.why_not(container, tries.memory_raises) {
                let words = detail.message.take().map(|words| format!("{words}\n")).unwrap_or_default();
                detail.message = Some(format!("{words}{why}"));
            }
        }
        AttemptOutcome::NeverStarted { .. } => {
            let seconds = spec.start_deadline_millis.unwrap_or(0) / 1_000;
            detail.message.get_or_insert_with(|| format!("the pod did not start within {seconds} s"));
        }
        _ => {}
    }
}
