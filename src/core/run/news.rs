//! What follows from news of a pod: from the watch, or from the answer to a GET.

use crate::core::attempts::StartAgain;
use crate::core::ids::{PodRole, Time};
use crate::core::pod::{PodSeen, Progress, progress};
use crate::core::pods::{Absent, News, PodState};
use crate::core::run::{Context, Run};

/// The time between two GETs of a pod that the watch does not show, in milliseconds: its end is seen within seconds, at
/// the cost of some requests.
const FOLLOW_MILLIS: u64 = 10_000;

impl Run {
    /// A pod of this task is there. Returns whether it is of this run.
    pub fn observe(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen, epoch: u32) -> bool {
        let index = self.index_of(role);
        if index.is_none() && !self.is_worker(role) {
            return false;
        }
        let seen = progress(pod, self.spec.blueprint.template.role());
        if let Some(index) = index {
            let Some(phase) = self.items.phases().get(index) else { return true };
            if phase.is_terminal() || role.attempt() < self.items.attempt(index) {
                self.leave(context, role, pod, &seen);
                return true;
            }
        }
        if self.news(context, role, pod) == News::Stale {
            self.pods.listed(role, &pod.uid, epoch);
            return true;
        }
        if matches!(seen, Progress::Ended(_)) && self.pods.may_be_made_again(context.now, role) {
            self.pods.put_off_end(role, context.now.plus_millis(FOLLOW_MILLIS));
            return true;
        }
        if let Some(index) = index {
            // Only a status that was set back can bring about that it is of a later attempt; the pod is the better
            // witness.
            self.items.advance_to(index, role.attempt());
        }
        if self.pods.get(role).is_none() {
            let since = pod.created.map_or(context.now, |created| created.min(context.now));
            match index {
                Some(index) => self.assign(index, role),
                None => self.add_worker(context.now, role, seen == Progress::Started),
            }
            self.pods.find(since, role);
        }
        self.pods.show(context.now, role, pod, epoch, &seen);
        self.show_worker(context.now, role, pod);
        if let Some(index) = index {
            // A gated pod is no more than a place in a queue: nobody may run it yet.
            if self.pods.is_gated(role) {
                self.items.held_back(&mut context.step(), index);
            } else {
                self.items.runs(&mut context.step(), index);
            }
        }
        if let Progress::Ended(end) = seen {
            self.finish_seen(context, role, end, pod);
        }
        true
    }

    fn news(&self, context: &Context<'_>, role: PodRole, pod: &PodSeen) -> News {
        let known = self.pods.get(role).and_then(PodState::version);
        News::of(pod.version, known.or_else(|| context.retention.version(role)))
    }

    /// A pod is gone, as the watch says; its last state. Unless it was seen to end, it is asked for by name before
    /// another pod of the item may start: it may only have lost its label.
    pub fn gone(&mut self, context: &mut Context<'_>, role: PodRole, pod: &PodSeen) {
        let Some(known) = self.pods.get(role).filter(|known| known.is_present()) else { return };
        // A pod that is gone does not come back: of the same one even the oldest news counts.
        if known.uid() != Some(&pod.uid) && self.news(context, role, pod) == News::Stale {
            return;
        }
        let has_ended = matches!(progress(pod, self.spec.blueprint.template.role()), Progress::Ended(_));
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
}
