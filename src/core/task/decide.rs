//! The turns in a task's life: accepted or refused, successful or hopeless, ended.

use std::sync::Arc;

use crate::api::conditions::ConditionType;
use crate::api::status::{TaskPhase, Waiting, WaitingReason};
use crate::core::ids::Time;
use crate::core::task::accept::Job;
use crate::core::task::report::meta_time;
use crate::core::task::run::Run;
use crate::core::task::success::Verdict;
use crate::core::task::{Stage, Task};

/// The user is told at most this often that a task is held back, in milliseconds.
const HELD_BACK_MILLIS: u64 = 600_000;

/// So many failed writes in a row are told.
const FAILURES_TO_TELL: u32 = 3;

impl Task {
    /// The task's items may start.
    pub(super) fn accept(&mut self, now: Time, job: Arc<Job>) {
        let note = format!("{} items; {} must succeed", job.count().get(), job.required);
        self.headline.start_time.get_or_insert_with(|| meta_time(now));
        self.headline.message = None;
        self.headline.set(now, ConditionType::Accepted, true, "Accepted", &note);
        self.tell("Accepted", false, &note);
        self.stage = Stage::Running(Box::new(Run::new(job, self.all_unclear)));
        self.ledger.change_urgently();
        self.decide(now);
    }

    /// The task ends before anything has started.
    pub(super) fn refuse(&mut self, now: Time, reason: &str, message: &str) {
        self.headline.set(now, ConditionType::Accepted, false, reason, message);
        self.tell("Refused", true, message);
        self.end(now, TaskPhase::Failed, reason, message);
    }

    /// The task ends since its own record can't be read.
    pub(super) fn give_up(&mut self, now: Time, message: &str) {
        self.tell("Failed", true, message);
        self.end(now, TaskPhase::Failed, "StatusUnreadable", message);
    }

    /// Acts on what the counts say.
    pub(super) fn decide(&mut self, now: Time) {
        let (Some(run), mut scene) = self.scene(now) else { return };
        let verdict = run.verdict();
        if verdict == Verdict::Open {
            return;
        }
        run.cancel_waiting(&mut scene);
        let flying = !run.flights.is_empty();
        let counts = run.phases.counts();
        let (count, required) = (run.job.count().get(), run.job.required);
        let good = counts.succeeded + counts.cached;
        let summary = format!("{good} of {count} items succeeded, {required} were required, {} failed", counts.failed);
        if verdict == Verdict::Successful {
            let met = crate::api::conditions::is_true(&self.headline.conditions, ConditionType::SuccessCriteriaMet);
            if !met {
                self.headline.set(now, ConditionType::SuccessCriteriaMet, true, "EnoughSuccesses", &summary);
                self.ledger.change_urgently();
            }
        }
        if flying {
            return;
        }
        match verdict {
            Verdict::Successful => {
                self.tell("Succeeded", false, &summary);
                self.end(now, TaskPhase::Succeeded, "EnoughSuccesses", &summary);
            }
            Verdict::Hopeless => {
                self.tell("Failed", true, &summary);
                self.end(now, TaskPhase::Failed, "TooManyFailures", &summary);
            }
            Verdict::Open => {}
        }
    }

    pub(super) fn tell_held_back(&mut self, now: Time, waiting: &Waiting) {
        let words = match waiting.reason {
            WaitingReason::Quota => "waits for room in the namespace's quota",
            WaitingReason::OperatorLimit => "waits for the operator's limit on pods",
            WaitingReason::NameTaken => "waits for a pod's name that another object has",
            WaitingReason::Concurrency | WaitingReason::Backoff | WaitingReason::Throttled => return,
        };
        if !self.may_tell_held_back(now) {
            return;
        }
        let note = match &waiting.message {
            Some(message) => format!("{words}: {message}"),
            None => words.to_owned(),
        };
        self.tell("HeldBack", waiting.reason == WaitingReason::NameTaken, &note);
    }

    /// A status that can't be written can't say so itself. One failure is nothing; several in a row call for attention.
    pub(super) fn tell_not_stored(&mut self, now: Time, message: &str) {
        if self.ledger.failures() >= FAILURES_TO_TELL && self.may_tell_held_back(now) {
            self.tell("HeldBack", true, &format!("results or status can't be stored: {message}"));
        }
    }

    /// Whether the user was not told lately; counts as telling now, if so.
    fn may_tell_held_back(&mut self, now: Time) -> bool {
        let recently = self.held_back.is_some_and(|last| now.millis_since(last) < HELD_BACK_MILLIS);
        if !recently {
            self.held_back = Some(now);
        }
        !recently
    }

    fn end(&mut self, now: Time, phase: TaskPhase, reason: &str, message: &str) {
        let type_ = if phase == TaskPhase::Succeeded { ConditionType::Complete } else { ConditionType::Failed };
        self.headline.set(now, type_, true, reason, message);
        self.headline.completion_time = Some(meta_time(now));
        self.headline.waiting = None;
        self.headline.message = Some(crate::text::cut(message, 512));
        let old = std::mem::replace(&mut self.stage, Stage::Ended { phase, run: None });
        if let (Stage::Running(ran), Stage::Ended { run, .. }) = (old, &mut self.stage) {
            *run = Some(ran);
        }
        self.ledger.change_urgently();
    }
}
