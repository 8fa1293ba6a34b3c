//! Requests about the Workload of a task: one at a time, not too often, and later after one that did not work.

use crate::core::backoff::RetriedRequest;
use crate::core::ids::{TaskKey, Time};
use crate::core::port::{Action, ChangeWorkload, INDETERMINATE_MILLIS, WorkloadChange, WorkloadOutcome};
use crate::core::workload::{StatusPatch, Step, WorkloadSeen, granted_with};

/// The time between two requests about a Workload, in milliseconds: its list may run out item by item.
const PACE_MILLIS: u64 = 1_000;
/// The longest delay before a request is repeated that did not work, in milliseconds.
const LONGEST_MILLIS: u64 = 60_000;

/// The watch shows within this many milliseconds what a request has changed, if it has changed anything.
const SHOWN_MILLIS: u64 = 30_000;

/// What is known of the requests about one Workload.
#[derive(Debug)]
pub(super) struct WorkloadRequests {
    request: RetriedRequest,
    problem: Option<String>,
    /// By these, what it has may yet be taken from it. The last one may be unanswered.
    changes: Vec<Change>,
}

/// A request that changes or deletes a Workload, and whose result was not shown yet.
#[derive(Debug)]
struct Change {
    /// How its status changes; of one that is deleted, nothing is left.
    patch: Option<StatusPatch>,
    /// UID and version of the Workload: from any other this request can take nothing.
    of: (String, u64),
    /// It has had its effect by then, if it has one. Unknown before the answer.
    until: Option<Time>,
}

impl Default for WorkloadRequests {
    fn default() -> Self {
        Self { request: RetriedRequest::new(PACE_MILLIS, LONGEST_MILLIS), problem: None, changes: Vec::new() }
    }
}

impl WorkloadRequests {
    /// Whether the delay is over, which then ends.
    pub(super) fn are_due(&mut self, now: Time) -> bool {
        let due = self.request.is_delay_over(now);
        if due {
            self.request.clear_delay();
        }
        due
    }

    /// Whether one has not been answered.
    pub(super) fn are_on_their_way(&self) -> bool {
        self.request.is_pending()
    }

    /// One is made, about the Workload of this name; `seen` is as it is known.
    pub(super) fn begin(
        &mut self,
        key: &TaskKey,
        uid: &str,
        name: String,
        seen: Option<&WorkloadSeen>,
        change: WorkloadChange,
    ) -> Action {
        self.request.send();
        let patch = match &change {
            WorkloadChange::Patch(_, patch) => Some(Some(patch.clone())),
            WorkloadChange::Delete(_) => Some(None),
            WorkloadChange::Create(_) | WorkloadChange::Adopt(_) => None,
        };
        let of = seen.map(|seen| (seen.uid.clone(), seen.version));
        self.changes.extend(patch.zip(of).map(|(patch, of)| Change { patch, of, until: None }));
        let (key, uid) = (key.clone(), uid.to_owned());
        Action::ChangeWorkload(Box::new(ChangeWorkload { key, uid, name, change }))
    }

    /// It was answered.
    pub(super) fn answered(&mut self, now: Time, outcome: WorkloadOutcome) {
        self.request.answered();
        let takes_effect = match outcome {
            WorkloadOutcome::Done => SHOWN_MILLIS,
            WorkloadOutcome::Indeterminate => INDETERMINATE_MILLIS,
            WorkloadOutcome::Refused(_) => 0,
        };
        for change in self.changes.iter_mut().filter(|change| change.until.is_none()) {
            change.until = Some(now.plus_millis(takes_effect));
        }
        match outcome {
            WorkloadOutcome::Done => {
                self.problem = None;
                self.request.succeeded();
                self.request.wait_until(now.plus_millis(PACE_MILLIS));
            }
            WorkloadOutcome::Refused(message) => self.failed(now, message),
            WorkloadOutcome::Indeterminate => self.request.failed(now),
        }
    }

    /// What was asked for is not to be had now.
    pub(super) fn failed(&mut self, now: Time, problem: String) {
        self.problem = Some(problem);
        self.request.failed(now);
    }

    /// What was asked for is there.
    pub(super) fn solved(&mut self) {
        self.problem = None;
    }

    /// Why the last one did not work.
    pub(super) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Notes the time, and the Workload as it is.
    pub(super) fn advance(&mut self, now: Time, seen: Option<&WorkloadSeen>) {
        let is_seen = |(uid, version): &(String, u64)| seen.is_some_and(|seen| seen.revision() == (uid, *version));
        self.changes.retain(|change| is_seen(&change.of) && change.until.is_none_or(|until| until > now));
    }

    /// How many pods of a set may exist whichever of the requests has its effect, if there is one that may.
    pub(super) fn left(&self, seen: Option<&WorkloadSeen>, set: &str) -> Option<u32> {
        let seen = seen?;
        let left = |change: &Change| change.patch.as_ref().map_or(0, |patch| granted_with(seen, patch, set));
        self.changes.iter().map(left).min()
    }

    /// When the delay is over, unless an answer comes first.
    pub(super) fn next_wake(&self) -> Option<Time> {
        let shown = self.changes.iter().filter_map(|change| change.until).min();
        let shown = shown.filter(|_| !self.request.is_pending());
        self.request.next_wake().into_iter().chain(shown).min()
    }
}

/// The request for a step that changes a Workload that there is.
pub(super) fn to_known(seen: &WorkloadSeen, step: Step) -> Option<WorkloadChange> {
    match step {
        Step::Create => None,
        Step::Delete => Some(WorkloadChange::Delete(seen.uid.clone())),
        Step::Patch(patch) => Some(WorkloadChange::Patch(seen.version, patch)),
    }
}
