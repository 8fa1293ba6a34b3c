//! What has happened to a task, told by the watches and by the answers to its actions.

use std::sync::Arc;

use super::accept::Job;
use super::ledger::{Ledger, Seen};
use super::report::Headline;
use super::run::{Doubt, Flight, Run, Stop, UNCLEAR_MILLIS};
use super::shelf::{Leftover, Shelf};
use super::success::Verdict;
use super::{Pods, Round, Stage, Task, TaskSeen};
use crate::api::conditions::{ConditionType, is_true};
use crate::core::fleet::plan::{CheckOutcome, CreateOutcome, LookOutcome, WriteOutcome};
use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::{Attempts, ItemPhase, Phases};
use crate::core::pod::{Ending, PodSeen, Progress, ending_when_gone, progress};

/// The delay before a name that another object has is tried again, in milliseconds.
const NAME_TAKEN_MILLIS: u64 = 5_000;
/// The delay before a check, look or delete without an answer is sent again, in milliseconds.
const AGAIN_MILLIS: u64 = 1_000;

impl Task {
    /// A task as first seen, new or from before a restart, with the pods that are there.
    pub fn new(round: &Round, seen: &TaskSeen, seed: u64, pods: &Pods) -> Self {
        let mut task = Self {
            ledger: Ledger::new(seen.resource_version, Some(&seen.status)),
            headline: Headline::from_status(&seen.status, seen.generation),
            stage: Stage::Ended { phase: crate::api::TaskPhase::Failed, run: None },
            key: seen.key.clone(),
            uid: seen.uid.clone(),
            seed,
            deleting: seen.deleting,
            suspend: seen.spec.suspend,
            concurrency: seen.spec.concurrency.and_then(|n| usize::try_from(n).ok()),
            shelf: Shelf::default(),
            tells: std::collections::VecDeque::new(),
            held_back: None,
            name_taken: None,
            all_unclear: Time(i64::MIN),
            storing: std::collections::BTreeMap::new(),
        };
        if round.restart {
            task.all_unclear = round.now.plus_millis(UNCLEAR_MILLIS);
        }
        task.load(round, seen, pods);
        task
    }

    /// The watch, or an answer, shows the task's object.
    pub fn handle_seen(&mut self, round: &Round, seen: &TaskSeen, pods: &Pods) {
        let news = self.ledger.seen(seen.resource_version, &seen.status);
        if news == Seen::Old {
            return;
        }
        self.deleting = seen.deleting;
        self.suspend = seen.spec.suspend;
        self.concurrency = seen.spec.concurrency.and_then(|n| usize::try_from(n).ok());
        if news == Seen::Foreign {
            // Another operator wrote. Its status is the truth now; all we knew beyond it is in the pods.
            self.headline = Headline::from_status(&seen.status, seen.generation);
            self.all_unclear = round.now.plus_millis(UNCLEAR_MILLIS);
            self.load(round, seen, pods);
        }
        if self.headline.generation != seen.generation {
            self.headline.generation = seen.generation;
            if !matches!(self.stage, Stage::Ended { .. }) {
                self.ledger.change_urgently();
            }
        }
        self.forget_run();
    }

    /// Rebuilds the stage from the recorded status and the pods.
    fn load(&mut self, round: &Round, seen: &TaskSeen, pods: &Pods) {
        if let Some(phase) = seen.status.phase.filter(|phase| phase.is_terminal()) {
            self.stage = Stage::Ended { phase, run: None };
        } else if self.deleting {
            self.stage = Stage::Ended { phase: crate::api::TaskPhase::Failed, run: None };
            return;
        } else {
            match Job::accept(&self.key, &self.uid, &seen.spec) {
                Err(refusal) => self.refuse(round.now, refusal.reason(), &refusal.to_string()),
                Ok(job) => self.load_run(round, seen, Arc::new(job)),
            }
        }
        for ((index, attempt), pod) in pods {
            self.handle_pod(round, *index, *attempt, pod);
        }
        self.doubt_missing(round, pods);
    }

    fn load_run(&mut self, round: &Round, seen: &TaskSeen, job: Arc<Job>) {
        let status = &seen.status;
        if !is_true(&status.conditions, ConditionType::Accepted) {
            if job.count().get() == 0 {
                self.accept(round.now, job);
            } else {
                self.stage = Stage::Checking { job, not_before: round.now, asked: false, failures: 0 };
            }
            return;
        }
        let decoded = match (&status.phases, &status.attempts) {
            (None, _) => Ok((Phases::new(job.count()), Attempts::default())),
            (Some(phases), attempts) => Phases::decode(phases, job.count()).and_then(|phases| {
                let attempts =
                    attempts.as_deref().map_or(Ok(Attempts::default()), |a| Attempts::decode(a, job.count()));
                Ok((phases, attempts?))
            }),
        };
        match decoded {
            Err(error) => {
                // What can't be read stays as it is, for whoever comes to mend it.
                self.headline.unreadable = Some(Box::new(status.clone()));
                self.give_up(round.now, &format!("status.phases or status.attempts can't be read: {error}"));
            }
            Ok((phases, tries)) => {
                let mut run = Run::resume(job, phases, tries, self.all_unclear);
                if let Stage::Running(old) = &mut self.stage {
                    run.take_over_creates(old);
                }
                self.stage = Stage::Running(Box::new(run));
            }
        }
    }

    /// Items that the status calls running, whose pod was not among those shown: asked for before they count as lost.
    fn doubt_missing(&mut self, round: &Round, pods: &Pods) {
        if let Stage::Running(run) = &mut self.stage {
            run.doubt_missing(round);
            run.hold_retries(pods);
        }
    }

    /// The watch shows a pod of this task. Answers the ending of its attempt, if this tells it.
    pub fn handle_pod(&mut self, round: &Round, index: Index, attempt: Attempt, pod: &PodSeen) -> Option<Ending> {
        if pod.owner_uid.as_deref() != Some(&self.uid) || self.deleting {
            return None;
        }
        match &self.stage {
            // The first pod may be there before the task is accepted: the operator died in between.
            Stage::Checking { job, .. } => {
                let job = Arc::clone(job);
                self.accept(round.now, job);
            }
            Stage::Ended { .. } => {
                self.shelve_after_end(round, index, attempt, pod);
                return None;
            }
            Stage::Running(_) => {}
        }
        let (Some(run), mut scene) = self.scene(round.now) else { return None };
        run.observe(&mut scene, index, attempt, pod, round.epoch)
    }

    fn shelve_after_end(&mut self, round: &Round, index: Index, attempt: Attempt, pod: &PodSeen) {
        let seen = progress(&pod.status, "");
        let failed = !matches!(seen, Progress::Ended(Ending::Succeeded { .. }));
        let leftover = Leftover { index, attempt, uid: pod.uid.clone(), ended: false, failed, not_before: round.now };
        match seen {
            Progress::Ended(_) => {
                let not_before = round.now.plus_millis(UNCLEAR_MILLIS);
                self.shelf.put(self.ledger.revision(), Leftover { ended: true, not_before, ..leftover });
            }
            // Nothing of a task runs after its end.
            Progress::Pending | Progress::Started => self.shelf.condemn(leftover),
        }
    }

    /// The watch shows that a pod is gone.
    pub fn handle_pod_gone(&mut self, now: Time, index: Index, attempt: Attempt, pod: &PodSeen) -> Option<Ending> {
        if pod.owner_uid.as_deref() != Some(&self.uid) {
            // One that had the name, such as of a task of the same name that was there before.
            if let (Some(run), _) = self.scene(now) {
                run.waitlist.release(index);
                self.name_taken = None;
            }
            return None;
        }
        self.shelf.gone((index, attempt));
        let (Some(run), mut scene) = self.scene(now) else { return None };
        let ending = ending_when_gone(&pod.status, run.job.template.container());
        run.gone(&mut scene, index, attempt, ending)
    }

    /// A complete list of pods did not show a pod that was there before.
    pub fn handle_pod_missed(&mut self, index: Index, attempt: Attempt) {
        self.shelf.gone((index, attempt));
    }

    /// A complete list of pods was shown: flights that it did not show are doubtful.
    pub fn handle_resync(&mut self, round: &Round) {
        if let Stage::Running(run) = &mut self.stage {
            for flight in run.flights.values_mut() {
                if flight.created && flight.epoch < round.epoch && flight.doubt == Doubt::No {
                    flight.doubt = Doubt::Since(round.now);
                }
            }
        }
    }

    /// Flights that an answer, but not the watch, has told of: asked for again. The two come in any order, so an answer
    /// can be older than the list that did not show the pod.
    pub fn doubt_unseen(&mut self, now: Time, pods: &Pods) {
        if let Stage::Running(run) = &mut self.stage {
            for (index, flight) in &mut run.flights {
                if flight.created && flight.doubt == Doubt::No && !pods.contains_key(&(*index, flight.attempt)) {
                    flight.doubt = Doubt::Since(now);
                }
            }
        }
    }

    /// The dry run was answered.
    pub fn handle_checked(&mut self, now: Time, outcome: CheckOutcome) {
        let Stage::Checking { job, not_before, asked, failures } = &mut self.stage else { return };
        *asked = false;
        match outcome {
            CheckOutcome::Good => {
                let job = Arc::clone(job);
                self.accept(now, job);
            }
            CheckOutcome::Refused(message) => {
                let message = format!("the API server refuses the first pod of spec.template: {message}");
                self.refuse(now, "TemplateRefused", &message);
            }
            CheckOutcome::Unclear(message) => {
                *not_before = now.plus_millis(AGAIN_MILLIS << (*failures).min(5));
                *failures += 1;
                self.headline.message =
                    Some(format!("not yet accepted, will try again: {}", crate::text::cut(&message, 400)));
                self.ledger.change();
            }
        }
    }

    /// A create was answered.
    pub fn handle_created(&mut self, round: &Round, index: Index, attempt: Attempt, outcome: CreateOutcome) {
        let now = round.now;
        let (Some(run), mut scene) = self.scene(now) else { return };
        match outcome {
            CreateOutcome::Created => run.created(&mut scene, index, attempt, round.epoch),
            CreateOutcome::Quota(_) | CreateOutcome::Throttled(_) => run.not_created(index, attempt, None),
            CreateOutcome::NameTaken => {
                let until = now.plus_millis(NAME_TAKEN_MILLIS);
                run.not_created(index, attempt, Some(until));
                let name = self.pod_id(index, attempt).pod_name();
                let message = format!(
                    "a pod named {name} exists and belongs to another owner: delete it, or rename one of the two"
                );
                self.name_taken = Some((until.plus_millis(AGAIN_MILLIS), message));
            }
            CreateOutcome::Unclear => {
                let stopping = run.verdict() != Verdict::Open;
                run.create_unclear(now, index, attempt, stopping);
            }
            CreateOutcome::Refused(message) => {
                self.headline.message = Some(crate::text::cut(&format!("pod {index} refused: {message}"), 512));
                let (Some(run), mut scene) = self.scene(now) else { return };
                run.create_refused(&mut scene, index, attempt, message);
            }
        }
    }

    /// A delete did not work.
    pub fn handle_delete_failed(&mut self, now: Time, index: Index, attempt: Attempt) {
        let again = now.plus_millis(AGAIN_MILLIS);
        self.shelf.delete_failed((index, attempt), again);
        if let (Some(run), _) = self.scene(now)
            && let Some(flight) = run.flights.get_mut(&index).filter(|f| f.attempt == attempt)
        {
            flight.stop = Stop::No(again);
        }
    }

    /// A look was answered.
    pub fn handle_looked(
        &mut self,
        round: &Round,
        index: Index,
        attempt: Attempt,
        outcome: LookOutcome,
    ) -> Option<Ending> {
        // The watch may have told in the meantime, and knows better.
        let (Some(run), _) = self.scene(round.now) else { return None };
        run.flights.get(&index).filter(|f| f.attempt == attempt && f.doubt == Doubt::Asked)?;
        match outcome {
            LookOutcome::Found(pod) => self.handle_pod(round, index, attempt, &pod),
            LookOutcome::NotFound => {
                let (Some(run), mut scene) = self.scene(round.now) else { return None };
                run.not_found(&mut scene, index, attempt)
            }
            LookOutcome::Unclear => {
                let (Some(run), _) = self.scene(round.now) else { return None };
                let flight = run.flights.get_mut(&index)?;
                flight.doubt = Doubt::Since(round.now.plus_millis(AGAIN_MILLIS));
                None
            }
        }
    }

    /// A status write was answered.
    pub fn handle_written(&mut self, now: Time, outcome: &WriteOutcome) {
        let storing = std::mem::take(&mut self.storing);
        match outcome {
            WriteOutcome::Written(version) => {
                self.ledger.succeeded(*version);
                if let Stage::Running(run) | Stage::Ended { run: Some(run), .. } = &mut self.stage {
                    run.results_stored(&storing);
                }
                self.forget_run();
            }
            WriteOutcome::Conflict => self.ledger.conflicted(now),
            WriteOutcome::Gone => self.ledger.failed(now),
            WriteOutcome::Failed(message) => {
                self.ledger.failed(now);
                self.tell_not_stored(now, message);
            }
        }
    }

    /// Of a task whose end is written, nothing but its finished pods is of interest.
    fn forget_run(&mut self) {
        if self.is_settled()
            && let Stage::Ended { run, .. } = &mut self.stage
        {
            *run = None;
        }
    }
}

impl Run {
    /// Creates that are on their way stay known when the task is loaded anew.
    fn take_over_creates(&mut self, old: &mut Self) {
        for (index, flight) in std::mem::take(&mut old.flights) {
            let waits = self.phases.get(index) == Some(ItemPhase::Waiting);
            if waits && flight.creating && self.tries.get(index).attempt == flight.attempt {
                self.flights.insert(index, flight);
            }
        }
        self.keep_unclear(old);
    }

    fn doubt_missing(&mut self, round: &Round) {
        let missing: Vec<Index> =
            self.phases.iter_in(ItemPhase::Running).filter(|index| !self.flights.contains_key(index)).collect();
        for index in missing {
            let flight = Flight {
                created: true,
                epoch: round.epoch,
                doubt: Doubt::Since(round.now),
                ..Flight::new(self.tries.get(index).attempt)
            };
            self.flights.insert(index, flight);
        }
    }
}
