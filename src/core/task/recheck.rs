//! A task that was never accepted is checked again from the beginning: what stood in its way may have gone since.

use crate::api::conditions::{ConditionStatus, ConditionType};
use crate::api::reasons::ConditionReason;
use crate::api::spec::{MapTaskSpec, Rerun};
use crate::api::status::{PendingRerun, RerunDone};
use crate::core::ids::Time;
use crate::core::port::TaskSeen;
use crate::core::spec::selection;
use crate::core::task::{Stage, Task};

impl Task {
    /// Keeps the spec of a task that is to be checked again once it has ended: it has no items, or is to have others.
    pub(super) fn keep_for_check(&mut self, seen: &TaskSeen) {
        let never_accepted = !self.summary.has_items && self.summary.unreadable.is_none();
        let refused = never_accepted && !matches!(self.stage, Stage::Running(_)) && self.pending_rerun().is_some();
        // The end may be known from an answer, so that the task is not seen again before it starts.
        let lists = self.awaits_list() && seen.spec.items.are_elsewhere();
        self.unchecked = (refused || lists).then(|| Box::new(seen.spec.clone()));
    }

    /// Checks the task again. Nothing is asked of the API server before it is recorded that it has not ended any more.
    pub(super) fn check_again(&mut self, now: Time, rerun: &Rerun, spec: &MapTaskSpec) {
        let (words, what) = if self.forget_list(now) {
            ("the list of the items is read or computed again", "the list")
        } else {
            self.disown_pods();
            ("the task was never accepted, so it is checked again", "the check of the task")
        };
        self.summary.rerun = Some(RerunDone {
            id: rerun.id.clone(),
            items: 0,
            explicit_selection: false,
            message: Some(words.to_owned()),
        });
        self.begin_again(now, rerun, what, &[ConditionType::SuccessCriteriaMet, ConditionType::FailureTarget]);
        self.summary.start_time = None;
        // The templates that the task has now are to be accepted.
        self.templates.accept_others();
        let message = format!("rerun {}: {words}", rerun.id);
        self.summary.set(now, ConditionType::Accepted, ConditionStatus::False, ConditionReason::Rerun, &message);
        self.check_after = self.writer.change_urgently();
        // A list that was refused would be refused again: its pod computes another one.
        if let Some(listing) = &mut self.summary.listing {
            listing.list = None;
        }
        self.accept_spec(now, spec);
    }

    /// Whether the check may begin: what it leads to comes after the record that the task has not ended.
    pub(super) fn may_check(&self) -> bool {
        self.writer.is_written(self.check_after) && !self.templates.has_stale_check()
    }

    /// What the status says of a rerun that is yet to start.
    pub(super) fn rerun_ahead(&self) -> Option<PendingRerun> {
        let rerun = self.pending_rerun()?;
        let words = match &self.stage {
            // Counts as done at acceptance.
            Stage::Listing(_) | Stage::Fetching(_) | Stage::Checking { .. } => return None,
            Stage::Running(run) => match selection::problem(rerun, run.spec()) {
                Some(problem) => format!("will be refused once the task has ended: {problem}"),
                None if self.mutable.cancel => "starts once the task has ended and spec.cancel is false".to_owned(),
                None => "starts once the task has ended".to_owned(),
            },
            Stage::Ended { .. } if self.mutable.cancel => "starts once spec.cancel is false".to_owned(),
            Stage::Ended { .. } => "starts now that the task has ended".to_owned(),
        };
        Some(PendingRerun { id: rerun.id.clone(), message: crate::text::cut(&words, 512) })
    }
}
