//! `spec.cancel`: the task ends with what it has.

use crate::api::TaskPhase;
use crate::api::reasons::{ConditionReason, EventReason};
use crate::core::ids::Time;
use crate::core::pod::EventType;
use crate::core::spec::outcome::FailReason;
use crate::core::task::{Stage, Task};

/// What a user reads of a task that was accepted.
const MESSAGE: &str = "spec.cancel is true";
/// Of one that was not.
const BEFORE_ACCEPTANCE: &str = "spec.cancel is true: the task ended before it was accepted";
/// Of one whose reduce did not begin.
const BEFORE_REDUCE: &str = "spec.cancel is true: the results are not reduced";

impl Task {
    /// Ends the task, if that is asked for. Like a deadline, it stops what still runs and takes back no decision.
    pub(super) fn poll_cancel(&mut self, now: Time) {
        if !self.mutable.cancel {
            return;
        }
        match &mut self.stage {
            Stage::Fetching(_) | Stage::Checking { .. } => {
                self.refuse(now, ConditionReason::Cancelled, BEFORE_ACCEPTANCE);
            }
            Stage::Running(run) if self.reduction.is_none() => {
                run.force_end(FailReason::Cancelled, MESSAGE.to_owned());
            }
            // Of a list or a reduce that runs, see `decide_listing` and `decide_reduction`.
            Stage::Listing(_) | Stage::Running(_) | Stage::Ended { .. } => {}
        }
    }

    /// Why a list or a reduce that runs may not go on.
    pub(super) fn cancels_solo(&self) -> Option<(FailReason, String)> {
        self.mutable.cancel.then(|| (FailReason::Cancelled, MESSAGE.to_owned()))
    }

    /// The items have succeeded, and their results are not to be reduced any more.
    pub(super) fn end_before_reduce(&mut self, now: Time) {
        let message = format!("{BEFORE_REDUCE}; {}", self.summary());
        self.emit_recorded(EventReason::Failed, EventType::Warning, &message);
        self.end(now, TaskPhase::Failed, ConditionReason::Cancelled, &message);
    }
}
