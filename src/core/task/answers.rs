//! What follows from the answers to requests about pods: creates, deletes and GETs.

use crate::core::attempts::{Retry, StartAgain};
use crate::core::ids::{PodRole, Time};
use crate::core::port::{CreateOutcome, DeleteOutcome, GetPodOutcome};
use crate::core::queue::quota;
use crate::core::spec::outcome::FailReason;
use crate::core::task::{PollContext, Task};

/// The delay before a name that another object has is tried again, in milliseconds.
const NAME_TAKEN_MILLIS: u64 = 5_000;
/// The delay before a create is sent again that met another one at the same quota, in milliseconds.
const CONTENDED_MILLIS: u64 = 100;
/// The delay before a GET or delete without an answer is sent again, in milliseconds.
const AGAIN_MILLIS: u64 = 1_000;
/// Most characters of the message of a refusal.
const REFUSAL_LIMIT: usize = 512;

impl Task {
    /// A create was answered.
    pub fn handle_created(&mut self, poll: &PollContext, role: PodRole, outcome: CreateOutcome) {
        let now = poll.now;
        if self.is_of_former_list(role) {
            return;
        }
        let (Some(run), mut context) = self.context(now) else { return };
        match outcome {
            CreateOutcome::Created => {
                run.created(&mut context, role, poll.epoch);
                self.create_failed = None;
            }
            CreateOutcome::Throttled(_) => run.not_created(now, role, StartAgain::InTurn),
            CreateOutcome::Contended => {
                run.not_created(now, role, StartAgain::NotBefore(now.plus_millis(CONTENDED_MILLIS)));
            }
            CreateOutcome::Failed { message, may_exist } => {
                if let Some(until) = run.create_failed(&mut context, role, may_exist) {
                    let message = format!("pod {}: {message}", self.pod_id(role).pod_name());
                    self.create_failed = Some((until.plus_millis(AGAIN_MILLIS), message));
                }
            }
            CreateOutcome::Quota(message) => match quota::never_fits(&message) {
                Some(why) => self.never_fits(now, role, why),
                None => run.not_created(now, role, StartAgain::InTurn),
            },
            CreateOutcome::NameTaken(holder) => {
                let until = now.plus_millis(NAME_TAKEN_MILLIS);
                run.not_created(now, role, StartAgain::NotBefore(until));
                let message = holder.words(&self.pod_id(role).pod_name());
                self.name_taken = Some((until.plus_millis(AGAIN_MILLIS), message));
            }
            CreateOutcome::Indeterminate => run.create_indeterminate(now, role),
            CreateOutcome::Refused(message) if quota::is_limit_range(&message) => {
                let why = format!("pods of this task can't fit a LimitRange of the namespace: {message}");
                self.never_fits(now, role, why);
            }
            CreateOutcome::Refused(message) => self.create_refused(now, role, message, Retry::MayHelp),
            // The next attempt would be the same pod but for its name.
            CreateOutcome::Invalid(message) => self.create_refused(now, role, message, Retry::IsFutile),
        }
    }

    fn create_refused(&mut self, now: Time, role: PodRole, message: String, retry: Retry) {
        let words = format!("pod {} refused: {message}", self.pod_id(role).pod_name());
        self.summary.message = Some(crate::text::cut(&words, REFUSAL_LIMIT));
        let (Some(run), mut context) = self.context(now) else { return };
        run.create_refused(&mut context, role, message, retry);
        self.create_failed = Some((now.plus_millis(AGAIN_MILLIS), words));
    }

    /// Pods like this one can never be. What holds for one holds for all, but for one whose memory was raised.
    fn never_fits(&mut self, now: Time, role: PodRole, why: String) {
        let (Some(run), mut context) = self.context(now) else { return };
        if !run.has_raised_memory(role) {
            run.force_failure(FailReason::NeverFits, crate::text::cut(&why, REFUSAL_LIMIT));
        }
        run.create_refused(&mut context, role, why, Retry::IsFutile);
    }

    /// A delete did not work.
    pub fn handle_delete_failed(&mut self, now: Time, role: PodRole, outcome: DeleteOutcome) {
        let again = now.plus_millis(AGAIN_MILLIS);
        self.retention.delete_failed(role, again, outcome);
        if let Some(run) = self.active_mut() {
            // The pod is no longer what the delete named.
            if outcome == DeleteOutcome::Changed {
                run.pods_mut().suspect(now, role);
            } else {
                run.pods_mut().stop_unanswered(role);
            }
            run.stop_failed(again, role);
        }
    }

    /// A GET of a pod was answered.
    pub fn handle_got_pod(&mut self, poll: &PollContext, role: PodRole, outcome: GetPodOutcome) {
        let now = poll.now;
        // The watch may have shown the pod in the meantime, and knows better.
        if !self.active_mut().is_some_and(|run| run.pods_mut().answered(role)) {
            return;
        }
        match outcome {
            GetPodOutcome::Found(pod) if pod.owner_uid.as_deref() == Some(&self.uid) => {
                self.handle_pod(poll, role, &pod);
                if let (false, Some(run)) = (pod.labelled, self.active_mut()) {
                    run.follow(now, role);
                }
            }
            // Of another owner, such as of a task of the same name that was there before.
            GetPodOutcome::Found(_) | GetPodOutcome::NotFound => {
                if let (Some(run), mut context) = self.context(now) {
                    run.not_found(&mut context, role);
                }
            }
            GetPodOutcome::Indeterminate => {
                if let Some(run) = self.active_mut() {
                    run.pods_mut().ask_again(role, now.plus_millis(AGAIN_MILLIS));
                }
            }
        }
    }
}
