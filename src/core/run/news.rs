//! What follows from news of a pod, which come from the watch or from the answer to a GET. Once the pod is over, so are
//! the attempts that it held, and it stays for a while, or goes.

use crate::core::attempt_end::AttemptEnd;
use crate::core::attempts::{Circumstances, Retry, StartAgain, blame};
use crate::core::failures::Alike;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::phases::ItemPhase;
use crate::core::pod::{Detail, PodOutcome, PodSeen, Progress, detail, lives, outcome_when_gone, progress};
use crate::core::pods::retention::FinishedPod;
use crate::core::pods::{Absent, News, PodState};
use crate::core::run::{Context, Run};
use crate::core::spec::outcome::FailReason;
use crate::core::workers::Holdings;

/// The time between two GETs of a pod that the watch does not show, in milliseconds: its end is seen within seconds, at
/// the cost of some requests.
const FOLLOW_MILLIS: u64 = 10_000;

/// What is left after a pod is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// Whether the pod is still there, so that no create can make another one of its name.
    pub pod_remains: bool,
    /// Whether another attempt could do better.
    pub retry: Retry,
}

/// What a worker holds that was found. Its program speaks before the kubelet reports that it runs.
fn holdings(pod: &PodSeen, progress: &Progress) -> Holdings {
    match progress {
        Progress::Started => Holdings::Unknown,
        Progress::Pending(_) if pod.node.is_some() => Holdings::Unknown,
        Progress::Pending(_) | Progress::Ended(_) => Holdings::None,
    }
}

/// Whether this is news of a pod, as far as it is known.
fn news(known: Option<&PodState>, context: &Context<'_>, role: PodRole, pod: &PodSeen) -> News {
    let version = known.and_then(PodState::version);
    News::of(pod.version, version.or_else(|| context.retention.version(role)))
}

impl Run {
    /// A pod of this task is there. Returns whether it is of this run.
    pub fn observe(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen, epoch: u32) -> bool {
        let index = self.index_of(role);
        if index.is_none() && !self.is_worker(role) {
            return false;
        }
        let phase = index.and_then(|index| self.items.phases().get(index));
        if index.is_some() && phase.is_none() {
            return true;
        }
        let progress = progress(pod, self.spec.blueprint.template.main_container());
        if self.is_obsolete(role, index.zip(phase)) {
            self.leave(context, role, pod, &progress);
            return true;
        }
        let known = self.pods.get(role);
        let is_new = known.is_none();
        if news(known, context, role, pod) == News::Stale {
            self.pods.listed(role, &pod.uid, epoch);
            return true;
        }
        if matches!(progress, Progress::Ended(_)) && self.pods.may_be_made_again(context.now, role) {
            self.pods.put_off_end(role, context.now.plus_millis(FOLLOW_MILLIS));
            return true;
        }
        if let Some(index) = index {
            // Only a status that was set back can bring about that it is of a later attempt; the pod is the better
            // witness.
            self.items.advance_to(index, role.attempt());
        }
        if is_new {
            // The task was loaded again from a record in which it counts.
            context.retention.forget(role);
            self.find(context.now, role, pod, &progress);
        }
        self.pods.show(context.now, role, pod, epoch, &progress);
        self.show_worker(context.now, role, pod);
        if let Some(index) = index {
            self.show_item(context, index, role, pod);
        }
        if let Progress::Ended(end) = progress {
            self.finish_seen(context, role, end, pod);
        }
        true
    }

    /// The pod of this attempt at an item is shown.
    fn show_item(&mut self, context: &mut Context<'_>, index: Index, role: PodRole, pod: &PodSeen) {
        // A gated pod is no more than a place in a queue: nobody may run it yet. Without its label no list shows it,
        // and an operator that takes over asks by name only for those of items that are recorded as running.
        if self.pods.is_gated(role) && pod.labelled {
            self.items.held_back(&mut context.step(), index);
        } else {
            self.items.runs(&mut context.step(), index);
        }
    }

    /// Whether it no longer counts how this pod ends: that of its item is recorded, or it is of a run before.
    fn is_obsolete(&self, role: PodRole, item: Option<(Index, ItemPhase)>) -> bool {
        match item {
            Some((index, phase)) => phase.is_terminal() || role.attempt() < self.items.attempt(index),
            None => self.is_of_run_before(role),
        }
    }

    /// A pod that was not known is about to be shown.
    fn find(&mut self, now: Time, role: PodRole, pod: &PodSeen, progress: &Progress) {
        match self.index_of(role) {
            Some(index) => self.assign(index, role),
            None => self.add_worker(now, role, holdings(pod, progress)),
        }
        self.pods.find(pod.created.map_or(now, |created| created.min(now)), role);
    }

    /// A pod is gone, as the watch says; its last state. Unless it was seen to end, it is asked for by name before
    /// another pod of the item may start: it may only have lost its label.
    pub fn gone(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen) {
        let Some(known) = self.pods.get(role).filter(|known| known.is_present()) else { return };
        // A pod that is gone does not come back: of the same one even the oldest news counts.
        if known.uid() != Some(&pod.uid) && news(Some(known), context, role, pod) == News::Stale {
            return;
        }
        let has_ended = matches!(progress(pod, self.spec.blueprint.template.main_container()), Progress::Ended(_));
        if has_ended && !self.pods.may_be_made_again(context.now, role) {
            self.finish_gone(context, role, Some(pod));
        } else {
            self.pods.suspect_gone(context.now, role, pod);
        }
    }

    /// A pod that was asked for is not there.
    pub fn not_found(&mut self, context: &mut Context<'_>, role: PodRole) {
        if self.pods.may_be_made_again(context.now, role) {
            return self.pods.put_off_end(role, context.now.plus_millis(FOLLOW_MILLIS));
        }
        match self.pods.absent(role) {
            Some(Absent::Gone(last)) => self.finish_gone(context, role, last.as_deref()),
            Some(Absent::NeverCreated) => self.wait_again(context.now, role, StartAgain::InTurn),
            Some(Absent::Requested) | None => {}
        }
    }

    /// A pod that the watch does not show is asked for from time to time.
    pub fn follow(&mut self, now: Time, role: PodRole) {
        self.pods.ask_again(role, now.plus_millis(FOLLOW_MILLIS));
    }

    /// The deletion of a pod did not work, and may be sent again from that time on.
    pub fn stop_failed(&mut self, again: Time, role: PodRole) {
        self.pods.stop_failed(again, role, self.suspension.stops);
    }

    /// The pod is over, and with it the attempts that it held. Returns how one of them has failed, if one has.
    pub(super) fn finish(
        &mut self,
        context: &mut Context<'_>,
        role: PodRole,
        outcome: PodOutcome,
        detail: Detail,
        rest: Rest,
    ) -> Option<Alike> {
        let (now, remainder) = (context.now, self.remainder());
        let (outcome, detail) = self.judge(outcome, detail);
        if self.is_worker(role) {
            let failure = Alike::of(&outcome, &detail);
            let end = self.pods.end(role, outcome, detail)?;
            self.finish_worker(context, role, end);
            return failure;
        }
        let index = self.index_of(role)?;
        let end = self.pods.end(role, outcome, detail)?;
        // Nothing stands in the way of a late create of a pod that is gone: its time must have passed.
        let clear_at = self.pods.indeterminate().until(role).filter(|_| !rest.pod_remains).unwrap_or(now);
        let at = Circumstances { remainder, stopped: end.stop.is_some(), retry: rest.retry, clear_at };
        let mut failure = None;
        for (index, end) in blame(end, self.suspension.stops, &[index]) {
            failure = failure.or(self.end_item(context, index, end, &at));
        }
        failure
    }

    /// A success that lacks what it was for is a failure.
    fn judge(&self, outcome: PodOutcome, detail: Detail) -> (PodOutcome, Detail) {
        let Some(lacking) = self.lacking.filter(|_| outcome.is_success()) else { return (outcome, detail) };
        let container = self.spec.blueprint.template.container().to_owned();
        (PodOutcome::Failed { exit_code: 0, container }, Detail { message: Some(lacking.to_owned()), ..detail })
    }

    /// An attempt at an item has ended, whatever ran it. Returns how it has failed, if it has.
    pub(super) fn end_item(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        end: AttemptEnd,
        at: &Circumstances,
    ) -> Option<Alike> {
        let was_raised = self.counts_as_raised(index);
        let ended = self.items.end(&mut context.step(), &self.spec, index, end, at);
        self.recount_size(index, was_raised);
        if let Some(message) = ended.fails_task {
            self.decision.force_failure(FailReason::FailTaskRule, message);
        }
        ended.failure
    }

    /// The pod has ended, and is there to be looked at.
    pub(super) fn finish_seen(&mut self, context: &mut Context<'_>, role: PodRole, outcome: PodOutcome, pod: &PodSeen) {
        let words = detail(pod, self.spec.blueprint.template.main_container());
        let failure = self.finish(context, role, outcome, words, Rest { pod_remains: true, retry: Retry::MayHelp });
        self.retain(context, role, pod, failure);
    }

    /// The pod is not there any more; as it was last seen, if it was.
    pub(super) fn finish_gone(&mut self, context: &mut Context<'_>, role: PodRole, last: Option<&PodSeen>) {
        let container = self.spec.blueprint.template.main_container();
        let (outcome, detail) = match last {
            Some(pod) => (outcome_when_gone(pod, container), detail(pod, container)),
            None => (PodOutcome::Lost, Detail::default()),
        };
        self.finish(context, role, outcome, detail, Rest { pod_remains: false, retry: Retry::MayHelp });
    }

    /// A pod of an attempt that no longer counts: kept if it has ended, else it goes.
    pub(super) fn leave(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen, progress: &Progress) {
        match progress {
            Progress::Ended(outcome) => {
                let failure = Alike::of(outcome, &detail(pod, self.spec.blueprint.template.main_container()));
                self.retain(context, role, pod, failure);
            }
            Progress::Pending(_) | Progress::Started => {
                let pod = self.finished_pod(context, role, pod, None);
                context.retention.delete_now(FinishedPod { not_before: context.now, ..pod });
            }
        }
    }

    fn retain(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen, failure: Option<Alike>) {
        let finished_pod = self.finished_pod(context, role, pod, failure);
        context.retention.put(context.writer.revision(), finished_pod);
    }

    fn finished_pod(&self, context: &Context<'_>, role: PodRole, pod: &PodSeen, failure: Option<Alike>) -> FinishedPod {
        let not_before = self.pods.indeterminate().until(role).unwrap_or(context.now);
        // One whose item's container has ended may live on: it goes with the time that its template gives it.
        let ended = !lives(pod);
        FinishedPod { role, uid: pod.uid.clone(), version: pod.version, ended, failure, not_before }
    }
}
