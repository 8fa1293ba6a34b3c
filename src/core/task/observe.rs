//! What has happened to a task, told by the watches and by the answers to its actions.

use std::sync::Arc;

use super::{PollContext, Stage, Task};
use crate::api::conditions::ConditionType;
use crate::api::status::WaitingReason;
use crate::core::attempt_end::AttemptOutcome;
use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::pod::{PodSeen, Progress, lives, progress};
use crate::core::pods::Pods;
use crate::core::pods::flight::{Doubt, Stop, Unwanted};
use crate::core::pods::indeterminate::INDETERMINATE_MILLIS;
use crate::core::pods::retention::FinishedPod;
use crate::core::port::{CheckOutcome, CreateOutcome, GetPodOutcome, PodId, WriteOutcome};
use crate::core::queue::quota;
use crate::core::run::Run;
use crate::core::spec::outcome::FailReason;

/// The delay before a name that another object has is tried again, in milliseconds.
const NAME_TAKEN_MILLIS: u64 = 5_000;
/// The delay before a create is sent again that met another one at the same quota, in milliseconds.
const CONTENDED_MILLIS: u64 = 100;
/// The delay before a look or delete without an answer is sent again, in milliseconds.
const AGAIN_MILLIS: u64 = 1_000;

impl Task {
    /// The watch shows a pod of this task. Answers the ending of its attempt, if this tells it.
    pub fn handle_pod(&mut self, poll: &PollContext, role: PodRole, pod: &PodSeen) -> Option<AttemptOutcome> {
        if pod.owner_uid.as_deref() != Some(&self.uid) || self.deleting {
            return None;
        }
        match &self.stage {
            // The first pod may be there before the task is accepted: the operator died in between.
            Stage::Checking { spec, .. } => {
                let spec = Arc::clone(spec);
                self.accept(poll.now, spec);
            }
            Stage::Ended { .. } => {
                self.shelve_after_end(poll, role, pod);
                return None;
            }
            // Accepted before its items are read: somebody else's doing, whose status is on its way.
            Stage::Fetching(_) => return None,
            Stage::Running(_) => {}
        }
        let Some((index, attempt)) = self.attempt_of(role) else {
            self.shelve_after_end(poll, role, pod);
            return None;
        };
        let (Some(run), mut context) = self.context(poll.now) else { return None };
        run.observe(&mut context, index, attempt, pod, poll.epoch)
    }

    fn shelve_after_end(&mut self, poll: &PollContext, role: PodRole, pod: &PodSeen) {
        let spec = self.map().map(|run| Arc::clone(&run.spec));
        let of_reduce = || {
            spec.as_ref().and_then(|spec| spec.reduce.as_ref()).map(|reducer| reducer.spec.blueprint.template.role())
        };
        let of_item = || spec.as_ref().map(|spec| spec.blueprint.template.role());
        let container = if role.is_reduce() { of_reduce() } else { of_item() };
        let seen = container.map_or_else(|| progress(pod, ""), |container| progress(pod, container));
        let failed = !matches!(&seen, Progress::Ended(ending) if ending.is_success());
        let (uid, version) = (pod.uid.clone(), pod.version);
        let finished_pod = FinishedPod { role, uid, version, ended: false, failed, not_before: poll.now };
        match seen {
            // Its other containers live on, and need not wait for what no create can bring back.
            Progress::Ended(_) if lives(pod) => {
                let indeterminate = match role {
                    PodRole::Item(index, _) => self.map().map(|run| run.indeterminate.until(index)),
                    PodRole::Reduce(_) => None,
                };
                let not_before = indeterminate.unwrap_or(self.all_indeterminate).max(poll.now);
                self.retention.put(self.writer.revision(), FinishedPod { not_before, ..finished_pod });
            }
            Progress::Ended(_) => {
                let not_before = poll.now.plus_millis(INDETERMINATE_MILLIS);
                self.retention.put(self.writer.revision(), FinishedPod { ended: true, not_before, ..finished_pod });
            }
            // Nothing of a task runs after its end.
            Progress::Pending(_) | Progress::Started => self.retention.delete_now(finished_pod),
        }
    }

    /// The watch shows that a pod is gone.
    pub fn handle_pod_gone(&mut self, now: Time, role: PodRole, pod: &PodSeen) -> Option<AttemptOutcome> {
        if pod.owner_uid.as_deref() != Some(&self.uid) {
            // One that had the name, such as of a task of the same name that was there before.
            if let (Some((index, attempt)), (Some(run), _)) = (self.attempt_of(role), self.context(now)) {
                // What waits for a late create to be out of the way still does.
                if run.tries.get(index).attempt == attempt && run.indeterminate.until(index) <= now {
                    run.waitlist.release(index);
                }
                self.name_taken = None;
            }
            return None;
        }
        self.retention.gone(role, Some(&pod.uid));
        let (index, attempt) = self.attempt_of(role)?;
        let (Some(run), mut context) = self.context(now) else { return None };
        run.gone(&mut context, index, attempt, pod)
    }

    /// A complete list of pods did not show a pod that was there before.
    pub fn handle_pod_missed(&mut self, role: PodRole) {
        self.retention.gone(role, None);
    }

    /// A complete list of pods was shown: flights that it did not show are doubtful.
    pub fn handle_resync(&mut self, poll: &PollContext) {
        if let Some(run) = self.active_mut() {
            for (_, flight) in run.flights.iter_mut() {
                if flight.created && flight.epoch < poll.epoch && flight.doubt == Doubt::No {
                    flight.doubt = Doubt::Since(poll.now);
                }
            }
        }
    }

    /// Flights that an answer, but not the watch, has told of: asked for again. The two come in any order, so an answer
    /// can be older than the list that did not show the pod.
    pub fn doubt_unseen(&mut self, now: Time, pods: &Pods) {
        if let Some(Run { spec, flights, .. }) = self.active_mut() {
            for (index, flight) in flights.iter_mut() {
                let pod = spec.blueprint.role_of(index, flight.attempt);
                if flight.created && flight.doubt == Doubt::No && !pods.contains_key(&pod) {
                    flight.doubt = Doubt::Since(now);
                }
            }
        }
    }

    /// The dry run was answered.
    pub fn handle_checked(&mut self, now: Time, outcome: CheckOutcome) {
        let of_another = std::mem::take(&mut self.templates.stale_check);
        let Stage::Checking { spec, asked, again, problem } = &mut self.stage else { return };
        *asked = false;
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
                    self.refuse(now, FailReason::NeverFits.as_str(), &why);
                } else {
                    // There may be room by the time the pod is wanted.
                    let spec = Arc::clone(spec);
                    self.accept(now, spec);
                }
            }
            CheckOutcome::Invalid(message) => self.refuse(now, "TemplateRefused", &message),
            CheckOutcome::Refused(message) if quota::is_limit_range(&message) => {
                self.refuse(now, FailReason::NeverFits.as_str(), &message);
            }
            // What the cluster lacks today may be there tomorrow.
            CheckOutcome::Refused(message) | CheckOutcome::Indeterminate(message) => {
                again.failed(now);
                *problem = Some(message.clone());
                self.summary.set(now, ConditionType::Accepted, false, WaitingReason::FailedCreate.as_str(), &message);
                self.summary.message =
                    Some(format!("not yet accepted, will try again: {}", crate::text::cut(&message, 400)));
                self.writer.change();
            }
        }
    }

    /// A create was answered.
    pub fn handle_created(&mut self, poll: &PollContext, role: PodRole, outcome: CreateOutcome) {
        let now = poll.now;
        let id = self.pod_id(role);
        let Some((index, attempt)) = self.attempt_of(role) else { return };
        let (Some(run), mut context) = self.context(now) else { return };
        match outcome {
            CreateOutcome::Created => {
                run.created(&mut context, index, attempt, poll.epoch);
                self.create_failed = None;
            }
            CreateOutcome::Throttled(_) => run.not_created(now, index, attempt, None),
            CreateOutcome::Contended => {
                run.not_created(now, index, attempt, Some(now.plus_millis(CONTENDED_MILLIS)));
            }
            CreateOutcome::Failed { message, may_exist } => {
                if let Some(until) = run.create_failed(&context, index, attempt, may_exist) {
                    let message = format!("pod {}: {message}", id.pod_name());
                    self.create_failed = Some((until.plus_millis(AGAIN_MILLIS), message));
                }
            }
            CreateOutcome::Quota(message) => match quota::never_fits(&message) {
                Some(why) => self.never_fits(now, index, attempt, why),
                None => run.not_created(now, index, attempt, None),
            },
            CreateOutcome::NameTaken(holder) => {
                let until = now.plus_millis(NAME_TAKEN_MILLIS);
                run.not_created(now, index, attempt, Some(until));
                let message = holder.words(&id.pod_name());
                self.name_taken = Some((until.plus_millis(AGAIN_MILLIS), message));
            }
            CreateOutcome::Indeterminate => run.create_indeterminate(now, index, attempt),
            CreateOutcome::Refused(message) if quota::is_limit_range(&message) => {
                let why = format!("pods of this task can't fit a LimitRange of the namespace: {message}");
                self.never_fits(now, index, attempt, why);
            }
            CreateOutcome::Refused(message) => self.create_refused(now, &id, index, message, false),
            // The next attempt would be the same pod but for its name.
            CreateOutcome::Invalid(message) => self.create_refused(now, &id, index, message, true),
        }
    }

    fn create_refused(&mut self, now: Time, id: &PodId, index: Index, message: String, never: bool) {
        let words = format!("pod {} refused: {message}", id.pod_name());
        self.summary.message = Some(crate::text::cut(&words, 512));
        let (Some(run), mut context) = self.context(now) else { return };
        run.create_refused(&mut context, index, id.role.attempt(), message, never);
        self.create_failed = Some((now.plus_millis(AGAIN_MILLIS), words));
    }

    /// Pods like this one can never be. What holds for one holds for all, but for one whose memory was raised.
    fn never_fits(&mut self, now: Time, index: Index, attempt: Attempt, why: String) {
        let (Some(run), mut context) = self.context(now) else { return };
        if run.tries.get(index).memory_raises.is_none() {
            run.forced_failure.get_or_insert((FailReason::NeverFits, crate::text::cut(&why, 512)));
        }
        run.create_refused(&mut context, index, attempt, why, true);
    }

    /// A delete did not work; maybe since the pod has changed.
    pub fn handle_delete_failed(&mut self, now: Time, role: PodRole, changed: bool) {
        let again = now.plus_millis(AGAIN_MILLIS);
        self.retention.delete_failed(role, again);
        if let (Some((index, attempt)), (Some(run), _)) = (self.attempt_of(role), self.context(now))
            && let Some(flight) = run.flights.get_mut(index).filter(|f| f.attempt == attempt)
        {
            flight.stop = Stop::No(again);
            // The watch may have shown its start before this answer came.
            if flight.starting.is_none() && matches!(flight.unwanted, Some(Unwanted::NeverStarted(_))) {
                flight.unwanted = None;
            }
            run.wanted_again(index);
            let Some(flight) = run.flights.get_mut(index) else { return };
            if changed && flight.doubt == Doubt::No {
                flight.doubt = Doubt::Since(now);
            }
        }
    }

    /// A look was answered.
    pub fn handle_got_pod(&mut self, poll: &PollContext, role: PodRole, outcome: GetPodOutcome) -> Option<AttemptOutcome> {
        // The watch may have told in the meantime, and knows better.
        let (index, attempt) = self.attempt_of(role)?;
        let (Some(run), _) = self.context(poll.now) else { return None };
        run.flights.get(index).filter(|f| f.attempt == attempt && f.doubt == Doubt::Asked)?;
        match outcome {
            GetPodOutcome::Found(pod) if pod.owner_uid.as_deref() == Some(&self.uid) => {
                let ending = self.handle_pod(poll, role, &pod);
                if let (false, (Some(run), _)) = (pod.labelled, self.context(poll.now)) {
                    run.follow(poll.now, index);
                }
                ending
            }
            // Of another owner, such as of a task of the same name that was there before.
            GetPodOutcome::Found(_) | GetPodOutcome::NotFound => {
                let (Some(run), mut context) = self.context(poll.now) else { return None };
                run.not_found(&mut context, index, attempt)
            }
            GetPodOutcome::Indeterminate => {
                let (Some(run), _) = self.context(poll.now) else { return None };
                let flight = run.flights.get_mut(index)?;
                flight.doubt = Doubt::Since(poll.now.plus_millis(AGAIN_MILLIS));
                None
            }
        }
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
        let storing = std::mem::take(&mut self.storing);
        match outcome {
            WriteOutcome::Written { version, rewritten, uncached } => {
                self.writer.succeeded(*version, *rewritten);
                self.unstored = None;
                if let Some(message) = uncached.as_ref().filter(|_| self.may_emit_blocked(now)) {
                    self.emit("NotCached", true, &format!("results are kept, but not in the cache: {message}"));
                }
                if let Stage::Running(run) | Stage::Ended { run: Some(run), .. } = &mut self.stage {
                    run.results_stored(&storing);
                }
            }
            WriteOutcome::Conflict => self.writer.conflicted(now),
            WriteOutcome::Gone => self.writer.failed(now),
            WriteOutcome::Damaged(damage) => self.handle_damaged(now, damage, pods),
            WriteOutcome::NotStored { message, refused } => {
                self.writer.not_sent(now);
                self.not_stored(now, message, *refused);
            }
            WriteOutcome::Failed(message) => {
                self.writer.failed(now);
                self.not_stored(now, message, false);
            }
        }
        // The watch may have told before the answer that the write was carried out.
        self.settle_record();
    }
}
