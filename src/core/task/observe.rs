//! What has happened to a task: events of the watches, and answers to its actions.

use std::sync::Arc;

use super::{PollContext, Stage, Task};
use crate::api::conditions::{ConditionStatus, ConditionType};
use crate::api::reasons::{ConditionReason, EventReason};
use crate::core::failures::Alike;
use crate::core::ids::{PodRole, Time};
use crate::core::pod::{EventType, PodSeen, Progress, detail, lives, progress};
use crate::core::pods::Pods;
use crate::core::pods::retention::FinishedPod;
use crate::core::port::{CheckOutcome, INDETERMINATE_MILLIS, WriteOutcome};
use crate::core::queue::quota;
use crate::core::task::workers::RETIRE_MILLIS;

impl Task {
    /// The watch shows a pod of this task.
    pub fn handle_pod(&mut self, poll: &PollContext, role: PodRole, pod: &PodSeen) {
        if pod.owner_uid.as_deref() != Some(&self.uid) || self.deleting {
            return;
        }
        // Nothing is reduced before the check: its pod is of the list before.
        let is_reduce_before = role.is_reduce() && matches!(self.stage, Stage::Checking { .. } | Stage::Listing(_));
        if role.is_list() && !self.is_listing() || self.is_of_former_list(role) || is_reduce_before {
            return self.retain_after_end(poll, role, pod);
        }
        // The first pod may be there before the task is accepted: the operator died in between.
        if let Stage::Checking { spec, .. } = &self.stage {
            let spec = Arc::clone(spec);
            self.accept(poll.now, spec);
        }
        // Before its items are read it can only have been accepted by somebody else, whose status is on its way.
        let is_early = matches!(self.stage, Stage::Fetching(_));
        let is_of_run = match self.context(poll.now) {
            (Some(run), mut context) => run.observe(&mut context, role, pod, poll.epoch),
            (None, _) => false,
        };
        if !is_early && !is_of_run {
            self.retain_after_end(poll, role, pod);
        }
    }

    fn retain_after_end(&mut self, poll: &PollContext, role: PodRole, pod: &PodSeen) {
        let container = self.main_containers.of_pod(role);
        let progress = progress(pod, container);
        let failure = match &progress {
            Progress::Ended(end) => Alike::of(end, &detail(pod, container)),
            _ => None,
        };
        let (uid, version) = (pod.uid.clone(), pod.version);
        let finished_pod = FinishedPod { role, uid, version, ended: false, failure, not_before: poll.now };
        match progress {
            // Its other containers live on, and need not wait for what no create can bring back.
            Progress::Ended(_) if lives(pod) => {
                let map = self.map().filter(|_| role.index().is_some() || role.is_worker());
                let until = map.map_or(self.all_indeterminate, |run| run.pods().indeterminate().until(role));
                let not_before = until.map_or(poll.now, |until| until.max(poll.now));
                self.retention.put(self.writer.revision(), FinishedPod { not_before, ..finished_pod });
            }
            Progress::Ended(_) => {
                let not_before = poll.now.plus_millis(INDETERMINATE_MILLIS);
                self.retention.put(self.writer.revision(), FinishedPod { ended: true, not_before, ..finished_pod });
            }
            // Nothing of a task runs after its end. Workers have been asked to end by themselves.
            Progress::Pending(_) | Progress::Started if role.is_worker() => {
                let not_before = poll.now.plus_millis(RETIRE_MILLIS);
                self.retention.delete_now(FinishedPod { not_before, ..finished_pod });
            }
            Progress::Pending(_) | Progress::Started => self.retention.delete_now(finished_pod),
        }
    }

    /// The watch shows that a pod is gone.
    pub fn handle_pod_gone(&mut self, now: Time, role: PodRole, pod: &PodSeen) {
        if pod.owner_uid.as_deref() != Some(&self.uid) {
            // One that had the name, such as of a task of the same name that was there before.
            if let (Some(run), _) = self.context(now) {
                run.name_is_free(now, role);
                self.name_taken = None;
            }
            return;
        }
        self.retention.gone(role, &pod.uid);
        if self.is_of_former_list(role) {
            return;
        }
        if let (Some(run), mut context) = self.context(now) {
            run.gone(&mut context, role, pod);
        }
    }

    /// A complete list of pods did not show a pod that was there before.
    pub fn handle_pod_missed(&mut self, role: PodRole) {
        self.retention.forget(role);
    }

    /// A complete list of pods was shown: those that it did not show are asked for.
    pub fn handle_resync(&mut self, poll: &PollContext) {
        if let Some(run) = self.active_mut() {
            run.pods_mut().suspect_before(poll.now, poll.epoch);
        }
    }

    /// Pods that an answer has reported and these do not show are asked for again.
    pub fn suspect_unseen(&mut self, now: Time, pods: &Pods) {
        if let Some(run) = self.active_mut() {
            run.pods_mut().suspect_unseen(now, pods);
        }
    }

    /// The dry run was answered.
    pub fn handle_checked(&mut self, now: Time, outcome: CheckOutcome) {
        let of_another = self.templates.end_stale_check();
        let Stage::Checking { spec, request, problem } = &mut self.stage else { return };
        request.answered();
        if of_another {
            return;
        }
        match outcome {
            CheckOutcome::Good => {
                let spec = Arc::clone(spec);
                self.accept(now, spec);
            }
            CheckOutcome::Quota(message) => {
                if let Some(why) = quota::never_fits(&message) {
                    self.refuse(now, ConditionReason::NeverFits, &why);
                } else {
                    // There may be room by the time the pod is wanted.
                    let spec = Arc::clone(spec);
                    self.accept(now, spec);
                }
            }
            CheckOutcome::Invalid(message) => self.refuse(now, ConditionReason::TemplateRefused, &message),
            CheckOutcome::Refused(message) if quota::is_limit_range(&message) => {
                self.refuse(now, ConditionReason::NeverFits, &message);
            }
            // What the cluster lacks today may be there tomorrow.
            CheckOutcome::Refused(message) | CheckOutcome::Indeterminate(message) => {
                request.failed(now);
                *problem = Some(message.clone());
                self.not_accepted_yet(now, &message);
            }
        }
    }

    fn not_accepted_yet(&mut self, now: Time, message: &str) {
        let reason = ConditionReason::FailedCreate;
        self.summary.set(now, ConditionType::Accepted, ConditionStatus::False, reason, message);
        self.summary.message = Some(not_accepted_message(message));
        self.writer.change();
    }

    /// A note was answered: whatever became of it, the write that it stands for is sent again.
    pub fn handle_noted(&mut self, now: Time, outcome: &WriteOutcome) {
        match outcome {
            WriteOutcome::Written { version, .. } => self.writer.noted(Some(*version)),
            WriteOutcome::Conflict => self.writer.conflicted(now),
            WriteOutcome::Gone
            | WriteOutcome::Damaged(_)
            | WriteOutcome::NotStored { .. }
            | WriteOutcome::Failed(_) => self.writer.noted(None),
        }
        self.settle_record();
    }

    /// A status write was answered.
    pub fn handle_written(&mut self, now: Time, outcome: &WriteOutcome, pods: &Pods) {
        let (storing, emptying) = (std::mem::take(&mut self.storing), std::mem::take(&mut self.emptying));
        match outcome {
            WriteOutcome::Written { version, rewritten, uncached } => {
                self.writer.succeeded(*version, *rewritten);
                self.unstored = None;
                if emptying {
                    self.summary.former_results = None;
                }
                if let Some(message) = uncached.as_ref().filter(|_| self.may_emit_blocked(now)) {
                    self.emit(
                        EventReason::NotCached,
                        EventType::Warning,
                        &format!("results are stored, but not in the cache: {message}"),
                    );
                }
                if let Stage::Running(run) | Stage::Ended { run: Some(run), .. } = &mut self.stage {
                    run.items_mut().results_stored(&storing);
                }
            }
            WriteOutcome::Conflict => self.writer.conflicted(now),
            WriteOutcome::Gone => self.writer.failed(now),
            WriteOutcome::Damaged(damage) => self.handle_damaged(now, damage, pods),
            WriteOutcome::NotStored { message, refused } => {
                self.writer.not_sent(now);
                if *refused { self.not_stored(now, message) } else { self.may_not_be_stored(now, message) }
            }
            WriteOutcome::Failed(message) => {
                self.writer.failed(now);
                self.may_not_be_stored(now, message);
            }
        }
        // The watch may have shown the write before its answer came.
        self.settle_record();
    }
}

/// The message of a task that is not accepted until a retry succeeds.
pub(super) fn not_accepted_message(cause: &str) -> String {
    format!("not accepted yet, will retry: {}", crate::text::cut(cause, 400))
}
