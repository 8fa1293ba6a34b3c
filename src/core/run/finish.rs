//! A pod is over: its attempts have ended, and it stays for a while, or goes.

use crate::core::attempt_end::AttemptEnd;
use crate::core::attempts::{Circumstances, Retry, blame};
use crate::core::failures::Alike;
use crate::core::ids::{Index, PodRole};
use crate::core::pod::{Detail, PodEnd, PodSeen, Progress, detail, end_when_gone, lives};
use crate::core::pods::retention::FinishedPod;
use crate::core::run::{Context, Run};
use crate::core::spec::outcome::FailReason;

/// What is left after a pod is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    /// Whether the pod is still there, so that no create can make another one of its name.
    pub pod_remains: bool,
    /// Whether another attempt could do better.
    pub retry: Retry,
}

impl Run {
    /// The pod is over, and with it the attempts that it held. Returns how one of them has failed, if one has.
    pub(super) fn finish(
        &mut self,
        context: &mut Context<'_>,
        role: PodRole,
        end: PodEnd,
        detail: Detail,
        rest: Rest,
    ) -> Option<Alike> {
        let (now, remainder) = (context.now, self.remainder());
        if self.is_worker(role) {
            let failure = Alike::of(&end, &detail);
            let pod = self.pods.depart(role, end, detail)?;
            self.finish_worker(context, role, pod);
            return failure;
        }
        let index = self.index_of(role)?;
        let pod = self.pods.depart(role, end, detail)?;
        // Nothing stands in the way of a late create of a pod that is gone: its time must have passed.
        let clear_at = self.pods.indeterminate().until(role).filter(|_| !rest.pod_remains).unwrap_or(now);
        let at = Circumstances { remainder, stopped: pod.stop.is_some(), retry: rest.retry, clear_at };
        let mut failure = None;
        for (index, end) in blame(pod, self.suspension.stops, &[index]) {
            failure = failure.or(self.end_item(context, index, end, &at));
        }
        failure
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
    pub(super) fn finish_seen(&mut self, context: &mut Context<'_>, role: PodRole, end: PodEnd, pod: &PodSeen) {
        let words = detail(pod, self.spec.blueprint.template.role());
        let failure = self.finish(context, role, end, words, Rest { pod_remains: true, retry: Retry::MayHelp });
        self.retain(context, role, pod, failure);
    }

    /// The pod is not there any more; as it was last seen, if it was.
    pub(super) fn finish_gone(&mut self, context: &mut Context<'_>, role: PodRole, last: Option<&PodSeen>) {
        let container = self.spec.blueprint.template.role();
        let (end, detail) = match last {
            Some(pod) => (end_when_gone(pod, container), detail(pod, container)),
            None => (PodEnd::Lost, Detail::default()),
        };
        self.finish(context, role, end, detail, Rest { pod_remains: false, retry: Retry::MayHelp });
    }

    /// A pod of an attempt that no longer counts: kept if it has ended, else it goes.
    pub(super) fn leave(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen, seen: &Progress) {
        match seen {
            Progress::Ended(end) => {
                let failure = Alike::of(end, &detail(pod, self.spec.blueprint.template.role()));
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
