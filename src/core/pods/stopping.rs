//! Which pods are stopped, and which are asked for by name?

use crate::core::blueprint::Blueprint;
use crate::core::ids::{PodRole, Time};
use crate::core::pod::StopReason;
use crate::core::pods::indeterminate::Indeterminate;
use crate::core::pods::state::PodState;
use crate::core::pods::table::PodTable;
use crate::core::port::{Action, Budget, Delete, PodId};

/// Which reasons to stop pods are recorded: until one is, an operator that takes over could not know why pods go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The decision that nothing runs on.
    pub decided: bool,
    /// The suspension.
    pub suspended: bool,
}

fn is_suspension(why: StopReason) -> bool {
    why == StopReason::Suspended
}

impl PodTable {
    /// The task is suspended: pods that are wanted for everything else are to be stopped.
    pub fn suspend(&mut self) {
        self.iter_mut().for_each(|(_, pod)| pod.want_stopped(StopReason::Suspended));
    }

    /// The task is no longer suspended: pods that are not being stopped yet run on.
    pub fn resume(&mut self) {
        let roles: Vec<PodRole> = self.iter_mut().map(|(role, _)| role).collect();
        for role in roles {
            self.resume_one(role);
        }
    }

    fn resume_one(&mut self, role: PodRole) {
        let resumed = self.get_mut(role).is_some_and(|pod| pod.unwant_stopped(is_suspension));
        if resumed {
            // Its deadline may have passed in the meantime, and then had no effect.
            self.restore_start_deadline(role);
        }
    }

    /// The deletion of a pod got no answer, and may be carried out all the same.
    pub fn stop_unanswered(&mut self, role: PodRole) {
        if let Some(pod) = self.get_mut(role) {
            pod.stop_unanswered();
        }
    }

    /// The deletion of a pod did not work, and may be sent again from that time on.
    pub fn stop_failed(&mut self, again: Time, role: PodRole, suspending: bool) {
        let Some(pod) = self.get_mut(role) else { return };
        // It may be that of a run before this one, read again since: then this one knows of no deletion.
        if pod.is_stop_sent() {
            pod.put_off_stop(again);
        }
        // The watch may have shown its start before this answer came.
        if pod.start().waiting_since.is_none() {
            pod.unwant_stopped(|why| matches!(why, StopReason::NeverStarted(_)));
        }
        if !suspending {
            self.resume_one(role);
        }
    }

    /// The pod is to be stopped for this reason, unless it is already.
    pub fn stop(&mut self, role: PodRole, why: StopReason) {
        if let Some(pod) = self.get_mut(role) {
            pod.want_stopped(why);
        }
    }

    /// The pod is asked for by name, unless it is already.
    pub fn suspect(&mut self, now: Time, role: PodRole) {
        if let Some(pod) = self.get_mut(role) {
            pod.suspect(now);
        }
    }

    /// Stops what is not to run any more, and asks for pods that may be gone. Each pod that has had its look is left
    /// alone from then on, unless it waits for a time or for a record.
    pub fn poll(&mut self, now: Time, recorded: Recorded, budget: &mut Budget, actions: &mut Vec<Action>) {
        if recorded.decided && !self.stopping {
            self.restless.extend(self.pods.keys());
        }
        self.stopping = recorded.decided;
        let Self { pods, restless, indeterminate, blueprint, .. } = self;
        let mut round = Round { now, recorded, indeterminate, blueprint, budget, actions };
        restless.retain(|key| {
            let Some(slot) = pods.get_mut(key) else { return false };
            round.stop((*key).into(), &mut slot.pod);
            round.ask((*key).into(), &mut slot.pod);
            slot.is_restless = slot.pod.next_wake().is_some() || is_to_stop(&slot.pod, recorded);
            slot.is_restless
        });
    }
}

/// What a round needs to know, and what it may and does send.
struct Round<'a> {
    now: Time,
    recorded: Recorded,
    indeterminate: &'a Indeterminate,
    blueprint: &'a Blueprint,
    budget: &'a mut Budget,
    actions: &'a mut Vec<Action>,
}

impl Round<'_> {
    fn stop(&mut self, role: PodRole, pod: &mut PodState) {
        if !is_to_stop(pod, self.recorded) || !pod.may_stop(self.now) || self.budget.deletes == 0 {
            return;
        }
        let (Some(uid), version) = (pod.uid().map(str::to_owned), pod.version()) else { return };
        // The end of a task does not wait for what an operator before this one may have sent.
        let clear_at =
            if self.recorded.decided { self.indeterminate.own_until(role) } else { self.indeterminate.until(role) };
        if let Some(until) = clear_at.filter(|until| *until > self.now) {
            // A delayed create could recreate the pod under the same name.
            return pod.put_off_stop(until);
        }
        pod.stop_sent();
        self.budget.deletes -= 1;
        let (id, task_uid) = self.pod_id(role);
        // It names the version: the pod may have started or ended in the meantime, and then that counts.
        self.actions.push(Action::Delete(Delete { id, uid, task_uid, version, ended: false }));
    }

    fn ask(&mut self, role: PodRole, pod: &mut PodState) {
        if self.budget.gets == 0 || !pod.is_ask_due(self.now) {
            return;
        }
        pod.ask_sent();
        self.budget.gets -= 1;
        let (id, task_uid) = self.pod_id(role);
        self.actions.push(Action::GetPod(id, task_uid));
    }

    fn pod_id(&self, role: PodRole) -> (PodId, String) {
        (PodId { key: self.blueprint.key.clone(), role }, self.blueprint.uid.clone())
    }
}

/// Whether the pod is to be stopped, and its deletion has yet to be sent.
fn is_to_stop(pod: &PodState, recorded: Recorded) -> bool {
    let wanted = match pod.stop_reason() {
        None | Some(StopReason::Decided) => recorded.decided,
        Some(StopReason::Suspended) => recorded.decided || recorded.suspended,
        Some(StopReason::NeverStarted(_) | StopReason::Silent) => true,
    };
    wanted && !pod.is_stop_sent()
}
