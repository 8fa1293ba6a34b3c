//! A task that was never accepted is checked again from the beginning: what stood in its way may have gone since.

use crate::api::conditions::{ConditionStatus, ConditionType};
use crate::api::reasons::ConditionReason;
use crate::api::spec::{Items, MapTaskSpec, Rerun};
use crate::api::status::{PendingRerun, RerunDone};
use crate::core::ids::{Attempt, PodRole, Time};
use crate::core::port::{ExchangeRefusal, TaskSeen};
use crate::core::record::number;
use crate::core::record::progress::Progress;
use crate::core::task::rerun::LIST;
use crate::core::task::{Stage, Task};

impl Task {
    /// Keeps the spec of a task that is to be checked again once it has ended: it has no items, or is to have others.
    pub(super) fn keep_for_check(&mut self, seen: &TaskSeen) {
        let never_accepted = !self.summary.has_items && self.summary.unreadable.is_none();
        let refused = never_accepted && !matches!(self.stage, Stage::Running(_)) && self.pending_rerun().is_some();
        // The end may be known from an answer, so that the task is not seen again before it starts.
        let lists = self.awaits_list() && has_outer_list(&seen.spec.items);
        self.unchecked = (refused || lists).then(|| Box::new(seen.spec.clone()));
    }

    /// Whether a rerun is requested that gives the task another list.
    pub(super) fn awaits_list(&self) -> bool {
        self.pending_rerun().is_some_and(|rerun| rerun.items == LIST)
    }

    /// Checks the task again. Nothing is asked of the API server before it is recorded that it has not ended any more.
    pub(super) fn check_again(&mut self, now: Time, rerun: &Rerun, spec: &MapTaskSpec) {
        let (words, what) = if self.forget_list(now) {
            ("the list of the items is read or computed again", "the list")
        } else {
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

    /// Forgets the items of the task, if it has any: another list replaces theirs. Their pods are finished pods now,
    /// and no pod of the next list has the name of one of them.
    fn forget_list(&mut self, now: Time) -> bool {
        let Stage::Ended { run, .. } = &mut self.stage else { return false };
        let Some(mut run) = run.take() else { return false };
        self.replies.extend(run.close_exchanges(ExchangeRefusal::NotAWorker));
        self.all_indeterminate = self.all_indeterminate.max(run.pods().indeterminate().until_all());
        self.summary.workers = run.workers_status().or(self.summary.workers);
        let highest = run.items().all_tries().highest().max(Attempt(run.last_worker()));
        self.summary.attempt_base = Some(number(highest.0));
        // Its items are not written as they were before any more.
        self.summary.unreadable = None;
        self.summary.has_items = false;
        self.summary.listed = None;
        self.summary.progress = Progress::default();
        self.damage.clear();
        let words = "they were of a former list";
        self.summary.unset(now, ConditionType::ResultsDamaged, ConditionReason::Rerun, words);
        true
    }

    /// The first attempt of the items of the current list.
    pub(super) fn first_attempt(&self) -> Attempt {
        Attempt::first_after(self.summary.attempt_base)
    }

    /// Whether this pod had an item of a former list, or items.
    pub(super) fn is_of_former_list(&self, role: PodRole) -> bool {
        match role {
            PodRole::Item(_, attempt) => attempt < self.first_attempt(),
            PodRole::Worker(number) => Attempt(number) < self.first_attempt(),
            PodRole::Reduce(_) | PodRole::List(_) => false,
        }
    }

    /// Whether the check may begin: what it leads to comes after the record that the task has not ended.
    pub(super) fn may_check(&self) -> bool {
        self.writer.is_written(self.check_after) && !self.templates.stale_check
    }

    /// What the status says of a rerun that is yet to start.
    pub(super) fn rerun_ahead(&self) -> Option<PendingRerun> {
        let rerun = self.pending_rerun()?;
        let words = match &self.stage {
            // Counts as done at acceptance.
            Stage::Listing(_) | Stage::Fetching(_) | Stage::Checking { .. } => return None,
            Stage::Running(run) => match super::rerun::problem(rerun, run) {
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

/// Whether the list is not in the task itself, so that it may be another one by now.
fn has_outer_list(items: &Items) -> bool {
    items.config_map.is_some() || items.results_of.is_some() || items.pod.is_some()
}
