//! What follows from the answer to a create request: a pod, none, or nobody knows.

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::{Circumstances, Retry, StartAgain};
use crate::core::ids::{PodRole, Time};
use crate::core::pod::{Detail, PodOutcome};
use crate::core::run::news::Rest;
use crate::core::run::{Context, Run};

/// The delay before a pod is asked for whose create was refused after one without an answer, in milliseconds.
const ASK_MILLIS: u64 = 1_000;

impl Run {
    /// The pod was created.
    pub fn created(&mut self, context: &mut Context<'_>, role: PodRole, epoch: u32) {
        let is_confirmed = self.pods.confirm(role, epoch);
        let Some(index) = self.index_of(role).filter(|_| is_confirmed) else { return };
        self.items.create_succeeded(index);
        if !self.pods.is_gated(role) {
            self.items.runs(&mut context.step(), index);
        }
    }

    /// The create request made no pod; the item waits again.
    pub fn not_created(&mut self, now: Time, role: PodRole, again: StartAgain) {
        if self.pods.is_create_pending(role) && !self.pods.settle_create(role) {
            self.wait_again(now, role, again);
        }
    }

    /// The API server failed at the create: the item waits for a time that doubles with each failure. Returns until
    /// when, if it waits. `may_exist`: the create may have been carried out all the same.
    pub fn create_failed(&mut self, context: &mut Context<'_>, role: PodRole, may_exist: bool) -> Option<Time> {
        if role.is_worker() && self.pods.is_requested(role) {
            return self.worker_create_failed(context, role, may_exist);
        }
        let now = context.now;
        if self.pods.is_create_pending(role) && self.pods.settle_create(role) {
            // Another create made the pod. This one may be carried out once that pod is gone.
            if may_exist {
                self.pods.note_indeterminate(now, role);
            }
            return None;
        }
        let index = self.index_of(role).filter(|_| self.pods.is_requested(role))?;
        if may_exist && !self.remainder().starts() {
            self.create_indeterminate(now, role);
            return None;
        }
        let time = self.items.create_failed(&context.step(), index);
        if may_exist {
            self.pods.note_indeterminate(now, role);
        }
        self.wait_again(now, role, StartAgain::NotBefore(time));
        Some(time)
    }

    /// The create request got no answer: the pod may be there, or come.
    pub fn create_indeterminate(&mut self, now: Time, role: PodRole) {
        if !self.pods.is_create_pending(role) {
            return;
        }
        self.pods.note_indeterminate(now, role);
        if self.remainder().starts() && !role.is_worker() {
            // Sent again under the same name, it finds the pod or makes it.
            self.not_created(now, role, StartAgain::InTurn);
        } else {
            self.pods.unconfirm(role, now);
        }
    }

    /// The API server refused the pod.
    pub fn create_refused(&mut self, context: &mut Context<'_>, role: PodRole, message: String, retry: Retry) {
        if !self.pods.is_create_pending(role) || self.pods.settle_create(role) {
            return;
        }
        if self.pods.indeterminate().holds(context.now, role) {
            // The pod may be there all the same, or come: of a create before this one, which got no answer.
            return self.pods.unconfirm(role, context.now.plus_millis(ASK_MILLIS));
        }
        let detail = Detail { message: Some(message.clone()), ..Detail::default() };
        if role.is_worker() {
            let Some(index) = self.take_waiting(role) else {
                self.lose_worker(context.now, role, Some(message));
                return;
            };
            // Of raised memory a worker is made for an item that waits for it.
            self.drop_worker(context.now, role, StartAgain::InTurn);
            let end = AttemptEnd { outcome: AttemptOutcome::Refused { message }, detail };
            let at = Circumstances { remainder: self.remainder(), stopped: false, retry, clear_at: context.now };
            self.end_item(context, index, end, &at);
            return;
        }
        self.finish(context, role, PodOutcome::Refused { message }, detail, Rest { pod_remains: false, retry });
    }

    pub(super) fn wait_again(&mut self, now: Time, role: PodRole, again: StartAgain) {
        if role.is_worker() {
            return self.drop_worker(now, role, again);
        }
        let Some(index) = self.index_of(role) else { return };
        self.pods.remove(role);
        // A pod may yet come of a create before this one, which got no answer: until then it counts.
        let keep_slot = self.pods.indeterminate().own_until(role).filter(|until| *until > now);
        self.items.wait_again(index, again, keep_slot);
    }
}
