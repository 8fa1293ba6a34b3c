//! The turns in a task's life: accepted or refused, decided, ended.

use std::sync::Arc;

use crate::api::conditions::{ConditionStatus, ConditionType};
use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::status::{BlockedEvent, TaskPhase, Waiting};
use crate::core::failures::Failed;
use crate::core::ids::Time;
use crate::core::pod::EventType;
use crate::core::record::meta_time;
use crate::core::run::{Run, Workers};
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::{FailReason, Outcome, Remainder};
use crate::core::task::{Stage, Task};

/// The shortest time between two Events that say that a task is held back, in milliseconds.
const BLOCKED_EVENT_MILLIS: u64 = 600_000;

/// Most characters of what a task waited for in the message of its deadline.
const WAITED_LIMIT: usize = 200;

impl Task {
    /// The task's items may start.
    pub(super) fn accept(&mut self, now: Time, spec: Arc<AcceptedSpec>) {
        if let Some(lister) = &spec.lister {
            return self.begin_listing(now, Arc::clone(lister));
        }
        let nameless =
            |keys: &String| format!("; these keys have no variable of their own, only MAPTASK_ITEM has them: {keys}");
        let nameless = spec.nameless_keys.as_ref().map(nameless).unwrap_or_default();
        let note = format!("{} items; {} must succeed{nameless}", spec.count().get(), spec.required);
        self.summary.start_time.get_or_insert_with(|| meta_time(now));
        self.summary.message = None;
        self.summary.has_items = true;
        self.summary.template_hash = Some(spec.template_hash.clone());
        self.summary.rerun = self.summary.rerun.take().or_else(|| self.mutable.rerun_at_acceptance());
        // A rerun that came during the check runs the items again, and not the check, unless it is of the list.
        if !self.awaits_list() {
            self.unchecked = None;
        }
        self.summary.set(now, ConditionType::Accepted, ConditionStatus::True, ConditionReason::Accepted, &note);
        self.emit_recorded(EventReason::Accepted, EventType::Normal, &note);
        let revision = self.writer.change_urgently();
        let epoch = Workers::next_epoch(self.summary.workers.take());
        let mut run = Run::new(spec, self.first_attempt(), epoch, self.all_indeterminate);
        run.record_epoch_with(revision);
        // Which text the items are of must be recorded before one of them starts: the text may change. No create for an
        // item of a former list may come after that.
        if run.spec().source.is_some() {
            run.start_after(revision, self.former_list_until().map_or(now, |until| until.max(now)));
        }
        self.stage = Stage::Running(Box::new(run));
        self.decide(now);
    }

    /// The task ends before anything has started.
    pub(super) fn refuse(&mut self, now: Time, reason: ConditionReason, message: &str) {
        self.fail_unaccepted(now, reason, EventReason::Refused, message);
    }

    /// The task ends before its items were accepted.
    pub(super) fn fail_unaccepted(&mut self, now: Time, reason: ConditionReason, event: EventReason, message: &str) {
        // What was asked for before there was anything to check again counts as done.
        self.summary.rerun = self.summary.rerun.take().or_else(|| self.mutable.rerun_at_acceptance());
        self.summary.set(now, ConditionType::Accepted, ConditionStatus::False, reason, message);
        self.emit_recorded(event, EventType::Warning, message);
        self.end(now, TaskPhase::Failed, reason, message);
    }

    /// The task ends since its own record can't be read.
    pub(super) fn give_up(&mut self, now: Time, message: &str) {
        self.emit_recorded(EventReason::Failed, EventType::Warning, message);
        self.end(now, TaskPhase::Failed, ConditionReason::StatusUnreadable, message);
    }

    /// Decides the task if it can be, and ends it once it is decided and idle.
    pub(super) fn decide(&mut self, now: Time) {
        let late = self.deadline().is_some_and(|deadline| deadline <= now);
        let active = self.mutable.active_deadline_seconds();
        let waited = self.words_of_waiting();
        let late_message =
            || format!("the task has run for longer than spec.activeDeadlineSeconds, {active} s{waited}");
        if self.is_listing() {
            return self.decide_listing(now, late.then(late_message), &waited);
        }
        if self.reduction.is_some() {
            let too_long = self.reduce_deadline().is_some_and(|deadline| deadline <= now);
            let reduce_message = || format!("it has run for longer than spec.reduce.activeDeadlineSeconds{waited}");
            let late =
                late.then(late_message).or(too_long.then(reduce_message)).or_else(|| self.damage_before_reduce());
            let late = late.map(|message| (FailReason::DeadlineExceeded, message));
            return self.decide_reduction(now, self.cancels_solo().or(late));
        }
        self.decide_map(now, late.then(late_message));
    }

    /// Decides the list or the reduce that runs, whose next attempt is cancelled if none is needed. `stop`: why it may
    /// not go on. Returns its run once nothing of it runs any more.
    pub(super) fn settle_solo(&mut self, now: Time, stop: Option<(FailReason, String)>) -> Option<&Run> {
        let has_list = matches!(&self.stage, Stage::Listing(listing) if listing.has_list());
        let (run, mut context) = self.context(now);
        let run = run?;
        if let Some((reason, message)) = stop {
            run.force_end(reason, message);
        }
        run.decide();
        if has_list || !run.remainder().starts() {
            run.cancel_pending(&mut context);
        }
        (!run.is_busy()).then_some(run)
    }

    /// Decides the task while its items run. `late`: why nothing may run on.
    fn decide_map(&mut self, now: Time, late: Option<String>) {
        let (Some(run), mut context) = self.context(now) else { return };
        if let Some(message) = late {
            run.force_end(FailReason::DeadlineExceeded, message);
        }
        let news = run.decide();
        if !run.remainder().starts() {
            run.cancel_pending(&mut context);
        }
        let is_busy = run.is_busy();
        let Some(outcome) = run.outcome().cloned() else { return };
        if news {
            self.record_decision(now, &outcome);
        }
        if !is_busy {
            self.end_decided(now, outcome);
        }
    }

    /// Says how the task was decided, in the write that records what has decided it.
    fn record_decision(&mut self, now: Time, outcome: &Outcome) {
        let summary = self.summary();
        match outcome {
            Outcome::Successful => {
                self.summary.set(
                    now,
                    ConditionType::SuccessCriteriaMet,
                    ConditionStatus::True,
                    ConditionReason::EnoughSuccesses,
                    &summary,
                );
            }
            Outcome::Failed(reason, message) => {
                self.summary.set(now, ConditionType::FailureTarget, ConditionStatus::True, reason.condition(), message);
            }
        }
        let runs_on = self.active().is_some_and(|run| run.is_busy() && run.remainder() == Remainder::Run);
        self.summary.message = runs_on.then(|| match outcome {
            Outcome::Successful => {
                format!("{summary}; the remaining items run, since spec.remainingItems.onSuccess is Run")
            }
            Outcome::Failed(_, message) => {
                format!("{message}; the remaining items run, since spec.remainingItems.onFailure is Run")
            }
        });
        let revision = self.writer.change_urgently();
        if let Some(run) = self.active_mut() {
            run.decided_with(revision);
        }
    }

    /// Nothing of the map runs any more: the task ends, or its results are reduced.
    fn end_decided(&mut self, now: Time, outcome: Outcome) {
        let Some(run) = self.active() else { return };
        let (summary, counts, reducer) = (run.summary(), run.items().counts(), run.spec().reduce.clone());
        let most_often =
            run.items().failures().most_often(Failed::Items).map(|words| format!("; {words}")).unwrap_or_default();
        match (outcome, reducer) {
            (Outcome::Successful, Some(_)) if self.mutable.cancel => self.end_before_reduce(now),
            (Outcome::Successful, Some(reducer)) => self.begin_reduction(now, &reducer, counts),
            (Outcome::Successful, None) => {
                self.emit_recorded(EventReason::Succeeded, EventType::Normal, &summary);
                self.end(now, TaskPhase::Succeeded, ConditionReason::EnoughSuccesses, &summary);
            }
            (Outcome::Failed(reason, message), _) => {
                let message = match reason {
                    FailReason::TooManyFailures => format!("{summary}{most_often}"),
                    // The rule's message names the failure.
                    FailReason::FailTaskRule => format!("{message}; {summary}"),
                    _ => format!("{message}; {summary}{most_often}"),
                };
                self.emit_recorded(EventReason::Failed, EventType::Warning, &message);
                self.end(now, TaskPhase::Failed, reason.condition(), &message);
            }
        }
    }

    /// What a task waits for whose deadline has passed.
    fn words_of_waiting(&self) -> String {
        match &self.summary.waiting {
            None => String::new(),
            Some(Waiting { reason, message: None, .. }) => format!(", and waits for {}", reason.as_str()),
            Some(Waiting { reason, message: Some(message), .. }) => {
                format!(", and waits for {}: {}", reason.as_str(), crate::text::cut(message, WAITED_LIMIT))
            }
        }
    }

    /// How the items ended, in words.
    pub(super) fn summary(&self) -> String {
        self.map().map(Run::summary).unwrap_or_default()
    }

    /// When `spec.activeDeadlineSeconds` is over. Time in suspension, or in a queue, does not count.
    pub(super) fn deadline(&self) -> Option<Time> {
        let millis = self.mutable.active_deadline_millis?;
        let start = self.summary.start_time.as_ref()?;
        (matches!(self.stage, Stage::Running(_) | Stage::Listing(_)) && self.is_clock_running())
            .then(|| Time(start.0.as_millisecond()).plus_millis(millis))
    }

    /// Whether time counts for the deadlines: it does not in suspension, nor in a queue.
    pub(super) fn is_clock_running(&self) -> bool {
        !self.mutable.suspend && self.may_start_by_queue()
    }

    /// The suspension is over, or the wait in a queue: deadlines count from here, as a Job's does.
    pub(super) fn restart_clocks(&mut self, now: Time) {
        self.summary.start_time = Some(meta_time(now));
        if let Stage::Listing(listing) = &mut self.stage {
            listing.solo_mut().restart_clock(now);
        }
        if let Some(reduction) = &mut self.reduction {
            reduction.restart_clock(now);
        }
    }

    /// When the task is to be deleted, once it has ended and that is recorded, or when that is to be tried again.
    pub(super) fn expiry(&self) -> Option<Time> {
        let millis = self.mutable.ttl_millis?;
        let end = self.summary.completion_time.as_ref()?;
        let time = Time(end.0.as_millisecond()).plus_millis(millis);
        // One that another cluster has sent is deleted by MultiKueue, once its end has arrived there.
        let expires = self.is_settled() && self.pending_rerun().is_none() && !self.admission.is_from_another_cluster();
        expires.then(|| time.max(self.expiring.unwrap_or(time)))
    }

    pub(super) fn emit_blocked(&mut self, now: Time, waiting: &Waiting) {
        let (type_, words) = match waiting.reason.event() {
            BlockedEvent::None => return,
            BlockedEvent::Normal(words) => (EventType::Normal, words),
            BlockedEvent::Warning(words) => (EventType::Warning, words),
        };
        if !self.may_emit_blocked(now) {
            return;
        }
        let note = match &waiting.message {
            Some(message) => format!("{words}: {message}"),
            None => words.to_owned(),
        };
        self.emit(EventReason::Blocked, type_, &note);
    }

    /// Whether no such Event was written lately. If so, one counts as written now.
    pub(super) fn may_emit_blocked(&mut self, now: Time) -> bool {
        let recently = self.last_blocked.is_some_and(|last| now.millis_since(last) < BLOCKED_EVENT_MILLIS);
        if !recently {
            self.last_blocked = Some(now);
        }
        !recently
    }

    pub(super) fn end(&mut self, now: Time, phase: TaskPhase, reason: ConditionReason, message: &str) {
        let type_ = if phase == TaskPhase::Succeeded { ConditionType::Complete } else { ConditionType::Failed };
        self.summary.set(now, type_, ConditionStatus::True, reason, message);
        self.summary.set(now, ConditionType::Finished, ConditionStatus::True, reason, message);
        self.summary.completion_time = Some(meta_time(now));
        self.summary.waiting = None;
        self.summary.message = Some(crate::text::cut(message, 512));
        let old = std::mem::replace(&mut self.stage, Stage::Ended { phase, run: None });
        if let (Stage::Running(ran), Stage::Ended { run, .. }) = (old, &mut self.stage) {
            *run = Some(ran);
        }
        self.writer.change_urgently();
    }
}
