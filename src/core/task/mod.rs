//! One task's life: checked, accepted, run, decided, ended.

pub mod accept;
mod decide;
pub mod ledger;
mod observe;
pub mod report;
pub mod results;
pub mod retry;
pub mod run;
pub mod shelf;
pub mod success;
pub mod waitlist;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::spec::MapTaskSpec;
use crate::api::status::{MapTaskStatus, TaskPhase, Waiting, WaitingReason};
use crate::core::fleet::plan::{Action, Create, Delete, PodId, Tell, Write};
use crate::core::ids::{Attempt, Index, TaskKey, Time};
use crate::core::pod::PodSeen;
use crate::core::queue::Denial;

use accept::Job;
use ledger::Ledger;
use report::Headline;
use run::{Doubt, Run, Scene, Stop};
use shelf::Shelf;
use success::Verdict;

/// A MapTask as the watch shows it.
#[derive(Clone, Debug)]
pub struct TaskSeen {
    /// Namespace and name.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// Its version; versions of one object compare.
    pub resource_version: u64,
    /// The version of its spec.
    pub generation: i64,
    /// Whether its deletion has been asked for.
    pub deleting: bool,
    /// What is asked for.
    pub spec: MapTaskSpec,
    /// What was last told.
    pub status: MapTaskStatus,
}

/// The pods of a task as the watch last showed them.
pub type Pods = BTreeMap<(Index, Attempt), PodSeen>;

/// What is the same for all tasks in one round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// The time.
    pub now: Time,
    /// The number of the pod resync that is complete or under way.
    pub epoch: u32,
    /// Finished pods that a task keeps.
    pub kept_pods: usize,
    /// Tasks are loaded that an earlier operator may have worked on.
    pub restart: bool,
}

/// How many actions of each kind a round may still start.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Deletes.
    pub deletes: usize,
    /// Looks.
    pub looks: usize,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    key: TaskKey,
    uid: String,
    seed: u64,
    deleting: bool,
    suspend: bool,
    concurrency: Option<usize>,
    headline: Headline,
    stage: Stage,
    ledger: Ledger,
    shelf: Shelf,
    tells: VecDeque<Tell>,
    /// When the user was last told that the task is held back.
    held_back: Option<Time>,
    /// Until when another object has the name of a pod, as far as is known.
    name_taken: Option<(Time, String)>,
    /// Until when creates of an operator before this one may still be carried out.
    all_unclear: Time,
    /// The results in the write that is on its way.
    storing: BTreeMap<Index, String>,
}

#[derive(Debug)]
enum Stage {
    /// The spec is good; the API server has yet to say so of the first pod.
    Checking { job: Arc<Job>, not_before: Time, asked: bool, failures: u32 },
    /// Accepted.
    Running(Box<Run>),
    /// Ended; the run stays until it is written.
    Ended { phase: TaskPhase, run: Option<Box<Run>> },
}

impl Task {
    /// The task's UID.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Items in flight.
    pub fn in_flight(&self) -> usize {
        self.run().map_or(0, |run| run.flights.len())
    }

    /// Whether nothing is left to do until something happens.
    pub fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. }) && self.ledger.is_clean()
    }

    /// The phase as of now.
    pub fn phase(&self) -> TaskPhase {
        match &self.stage {
            Stage::Checking { .. } => TaskPhase::Pending,
            Stage::Running(_) if self.suspend => TaskPhase::Suspended,
            Stage::Running(_) => TaskPhase::Running,
            Stage::Ended { phase, .. } => *phase,
        }
    }

    /// The items, once accepted and until the end is written.
    pub fn run(&self) -> Option<&Run> {
        match &self.stage {
            Stage::Running(run) => Some(run),
            Stage::Ended { run, .. } => run.as_deref(),
            Stage::Checking { .. } => None,
        }
    }

    /// The item to start next, if one may start as far as this task is concerned.
    pub fn peek_startable(&mut self) -> Option<Index> {
        if self.deleting || self.suspend {
            return None;
        }
        let limit = self.concurrency.unwrap_or(usize::MAX);
        let Stage::Running(run) = &mut self.stage else { return None };
        if run.flights.len() >= limit || run.verdict() != Verdict::Open {
            return None;
        }
        let flights = &run.flights;
        run.waitlist.peek(&run.phases, |index| flights.contains_key(&index))
    }

    /// Starts an item that [`Self::peek_startable`] named.
    pub fn launch(&mut self, round: &Round, index: Index) -> Option<Create> {
        let Stage::Running(run) = &mut self.stage else { return None };
        let attempt = run.launch(index, round.epoch);
        Some(Create { job: Arc::clone(&run.job), index, attempt })
    }

    /// Notes why nothing more starts; `denied` is what the queue said.
    /// Answers whether that is news.
    pub fn note_waiting(&mut self, now: Time, denied: Option<Denial>) -> bool {
        let waiting = self.why_waiting(now, denied);
        if waiting == self.headline.waiting {
            return false;
        }
        if let Some(waiting) = &waiting {
            self.tell_held_back(now, waiting);
        }
        self.headline.waiting = waiting;
        self.ledger.change();
        true
    }

    fn why_waiting(&self, now: Time, denied: Option<Denial>) -> Option<Waiting> {
        let Stage::Running(run) = &self.stage else { return None };
        if self.suspend || run.verdict() != Verdict::Open || run.phases.counts().waiting == 0 {
            return None;
        }
        let taken = self.name_taken.as_ref().filter(|(until, _)| *until > now);
        let (reason, message) = if let Some(Denial::Waiting(reason, message)) = denied {
            (reason, message)
        } else if let Some((_, message)) = taken {
            (WaitingReason::NameTaken, Some(message.clone()))
        } else if self.concurrency.is_some_and(|limit| run.flights.len() >= limit) {
            (WaitingReason::Concurrency, None)
        } else if run.flights.is_empty() && run.waitlist.is_holding() {
            (WaitingReason::Backoff, None)
        } else {
            return None;
        };
        Some(Waiting { reason, message: message.map(|m| crate::text::cut(&m, 512)) })
    }

    /// Puts into `actions` what is to be done for this task now, creates and the status write apart.
    pub fn poll(&mut self, round: &Round, budget: &mut Budget, actions: &mut Vec<Action>) {
        actions.extend(self.tells.drain(..).map(Action::Tell));
        if self.deleting {
            return;
        }
        if self.name_taken.as_ref().is_some_and(|(until, _)| *until <= round.now) {
            self.name_taken = None;
        }
        self.poll_check(round.now, actions);
        if let Stage::Running(run) = &mut self.stage {
            run.waitlist.release_due(round.now, &self.ledger);
        }
        self.decide(round.now);
        self.poll_stops(round.now, budget, actions);
        self.poll_looks(round.now, budget, actions);
        if self.ledger.reread_due().is_some_and(|due| due <= round.now) {
            self.ledger.reread_begun(round.now);
            actions.push(Action::Reread(self.key.clone()));
        }
        self.shelf.sort(&self.ledger, round.kept_pods);
        while budget.deletes > 0 {
            let Some(pod) = self.shelf.next_delete(round.now) else { break };
            budget.deletes -= 1;
            let id = self.pod_id(pod.index, pod.attempt);
            actions.push(Action::Delete(Delete { id, uid: pod.uid, ended: pod.ended }));
        }
    }

    /// When this task must be polled again if nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        if self.deleting {
            return None;
        }
        let stage = match &self.stage {
            Stage::Checking { not_before, asked: false, .. } => Some(*not_before),
            Stage::Running(run) if !self.suspend => run.waitlist.next_wake(),
            _ => None,
        };
        let flights = self.run().and_then(|run| {
            run.flights
                .values()
                .filter_map(|f| match (f.doubt, f.stop) {
                    (Doubt::Since(time), _) => Some(time),
                    (Doubt::No, Stop::No(time)) if time.0 > 0 => Some(time),
                    _ => None,
                })
                .min()
        });
        let taken = self.name_taken.as_ref().map(|(until, _)| *until);
        [stage, flights, taken, self.ledger.due(), self.ledger.reread_due(), self.shelf.next_wake()]
            .into_iter()
            .flatten()
            .min()
    }

    fn poll_check(&mut self, now: Time, actions: &mut Vec<Action>) {
        if let Stage::Checking { job, not_before, asked, .. } = &mut self.stage
            && !*asked
            && *not_before <= now
        {
            *asked = true;
            actions.push(Action::Check(Arc::clone(job)));
        }
    }

    /// Stops what still runs of a decided task.
    fn poll_stops(&mut self, now: Time, budget: &mut Budget, actions: &mut Vec<Action>) {
        let Stage::Running(run) = &mut self.stage else { return };
        if run.verdict() == Verdict::Open {
            return;
        }
        for (index, flight) in &mut run.flights {
            let due = matches!(flight.stop, Stop::No(time) if time <= now);
            let Some(uid) = flight.pod_uid.clone().filter(|_| due && budget.deletes > 0) else { continue };
            flight.stop = Stop::Asked;
            budget.deletes -= 1;
            let id = PodId { key: self.key.clone(), index: *index, attempt: flight.attempt };
            actions.push(Action::Delete(Delete { id, uid, ended: false }));
        }
    }

    fn poll_looks(&mut self, now: Time, budget: &mut Budget, actions: &mut Vec<Action>) {
        let Stage::Running(run) = &mut self.stage else { return };
        for (index, flight) in &mut run.flights {
            if budget.looks == 0 {
                return;
            }
            if matches!(flight.doubt, Doubt::Since(time) if time <= now) {
                flight.doubt = Doubt::Asked;
                budget.looks -= 1;
                actions.push(Action::Look(PodId { key: self.key.clone(), index: *index, attempt: flight.attempt }));
            }
        }
    }

    /// Puts a status write into `actions`, if one is due.
    pub fn poll_write(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.deleting || self.ledger.due().is_none_or(|due| due > now) {
            return;
        }
        let status = self.headline.status(self.phase(), self.run());
        let (results, storing) = match self.run() {
            Some(Run { job, results, .. }) => {
                (job.results.map(|layout| layout.shard(results)).unwrap_or_default(), results.clone())
            }
            None => (Vec::new(), BTreeMap::new()),
        };
        self.storing = storing;
        self.ledger.begin(now, &status);
        actions.push(Action::Write(Box::new(Write {
            key: self.key.clone(),
            uid: self.uid.clone(),
            resource_version: self.ledger.resource_version(),
            results,
            status,
        })));
    }

    fn pod_id(&self, index: Index, attempt: Attempt) -> PodId {
        PodId { key: self.key.clone(), index, attempt }
    }

    fn scene(&mut self, now: Time) -> (Option<&mut Run>, Scene<'_>) {
        let run = match &mut self.stage {
            Stage::Running(run) => Some(&mut **run),
            Stage::Checking { .. } | Stage::Ended { .. } => None,
        };
        (run, Scene { now, seed: self.seed, ledger: &mut self.ledger, shelf: &mut self.shelf })
    }

    fn tell(&mut self, reason: &'static str, warning: bool, note: &str) {
        let note = crate::text::cut(note, 1_000);
        self.tells.push_back(Tell { key: self.key.clone(), uid: self.uid.clone(), reason, warning, note });
    }
}
