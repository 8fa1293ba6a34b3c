//! Requests about the Workload of a task: one at a time, not too often, and later after one that did not work.

use crate::core::backoff::Backoff;
use crate::core::ids::{TaskKey, Time};
use crate::core::port::{Action, ChangeWorkload, WorkloadChange, WorkloadOutcome};
use crate::core::workload::{Step, WorkloadSeen};

/// The time between two requests about a Workload, in milliseconds: its list may run out item by item.
const PACE_MILLIS: u64 = 1_000;
/// The longest delay before a request is repeated that did not work, in milliseconds.
const LONGEST_MILLIS: u64 = 60_000;

/// What is known of the requests about one Workload.
#[derive(Debug)]
pub(super) struct WorkloadRequests {
    asked: bool,
    again: Backoff,
    problem: Option<String>,
}

impl Default for WorkloadRequests {
    fn default() -> Self {
        Self { asked: false, again: Backoff::new(PACE_MILLIS, LONGEST_MILLIS), problem: None }
    }
}

impl WorkloadRequests {
    /// Whether the delay is over, which then ends.
    pub(super) fn are_due(&mut self, now: Time) -> bool {
        let due = self.again.is_due(now);
        if due {
            self.again.clear_delay();
        }
        due
    }

    /// Whether one has not been answered.
    pub(super) fn are_on_their_way(&self) -> bool {
        self.asked
    }

    /// One is made, about the Workload of this name.
    pub(super) fn begin(&mut self, key: &TaskKey, uid: &str, name: String, change: WorkloadChange) -> Action {
        self.asked = true;
        let (key, uid) = (key.clone(), uid.to_owned());
        Action::ChangeWorkload(Box::new(ChangeWorkload { key, uid, name, change }))
    }

    /// It was answered.
    pub(super) fn answered(&mut self, now: Time, outcome: WorkloadOutcome) {
        self.asked = false;
        match outcome {
            WorkloadOutcome::Done => {
                self.problem = None;
                self.again.reset();
                self.again.wait_until(now.plus_millis(PACE_MILLIS));
            }
            WorkloadOutcome::Refused(message) => self.failed(now, message),
            WorkloadOutcome::Indeterminate => drop(self.again.failed(now)),
        }
    }

    /// What was asked for is not to be had now.
    pub(super) fn failed(&mut self, now: Time, problem: String) {
        self.problem = Some(problem);
        self.again.failed(now);
    }

    /// What was asked for is there.
    pub(super) fn solved(&mut self) {
        self.problem = None;
    }

    /// Why the last one did not work.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// When the delay is over, unless an answer comes first.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.again.until().filter(|_| !self.asked)
    }
}

/// The request for a step that changes a Workload that there is.
pub(super) fn to_known(seen: &WorkloadSeen, step: Step) -> Option<WorkloadChange> {
    match step {
        Step::Create => None,
        Step::Delete => Some(WorkloadChange::Delete(seen.uid.clone())),
        Step::Patch(status) => Some(WorkloadChange::Patch(seen.version, status)),
    }
}
