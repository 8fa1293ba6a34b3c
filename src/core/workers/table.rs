//! The workers of a run, and what they are answered.

use std::collections::{BTreeMap, BTreeSet};

use maptask_exchange::{Answer, AttemptId, Grant, HOLD_MILLIS, Request, State};

use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::phases::Raises;
use crate::core::port::{ExchangeRefusal, Reply};
use crate::core::revision::Revision;
use crate::core::spec::retry::mix;
use crate::core::workers::durations::Durations;
use crate::core::workers::luck::{Ends, Row, Trust};
use crate::core::workers::session::{Report, Session};
use crate::core::workers::worker::{Company, Holdings, Parked, Worker};

/// The workers of a run.
#[derive(Debug, Default)]
pub struct WorkerTable {
    /// Grows each time an operator loads the task. Workers ignore answers of a lower epoch.
    epoch: u64,
    pub(super) workers: BTreeMap<PodRole, Worker>,
    durations: Durations,
    ends: Ends,
    /// Pods that have spoken and are not known, and since when.
    pub(super) strangers: BTreeMap<PodRole, Time>,
    replies: Vec<Reply>,
}

impl WorkerTable {
    /// No workers yet, for the leader of this epoch.
    pub fn new(epoch: u64) -> Self {
        Self { epoch, ..Self::default() }
    }

    /// The epoch.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How long attempts take.
    pub fn durations(&mut self) -> &mut Durations {
        &mut self.durations
    }

    /// The workers, in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (PodRole, &Worker)> {
        self.workers.iter().map(|(role, worker)| (*role, worker))
    }

    /// Slots of all workers.
    pub fn slots(&self) -> usize {
        self.workers.values().map(|worker| worker.slots).sum()
    }

    /// A worker by its role.
    pub fn get(&self, role: PodRole) -> Option<&Worker> {
        self.workers.get(&role)
    }

    /// A worker's pod is to be created, or was found.
    pub fn add(&mut self, now: Time, role: PodRole, holdings: Holdings) {
        self.strangers.remove(&role);
        self.workers.entry(role).or_insert_with(|| Worker::new(now, holdings));
    }

    /// The pod of a worker is to have this memory.
    pub fn make(&mut self, role: PodRole, memory: Raises) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.memory = memory;
        }
    }

    /// A worker's pod is over. Returns the worker, with all that it held.
    pub fn remove(&mut self, role: PodRole) -> Option<Session> {
        let worker = self.workers.remove(&role)?;
        self.refuse(worker.parked, ExchangeRefusal::NotAWorker);
        Some(worker.session)
    }

    fn refuse(&mut self, parked: Option<Parked>, refusal: ExchangeRefusal) {
        self.replies.extend(parked.map(|parked| Reply::refused(parked.ticket, refusal)));
    }

    /// Whether there are workers whose attempts are not known yet.
    pub fn awaits_announcements(&self) -> bool {
        self.workers.values().any(|worker| !worker.announced)
    }

    /// A worker speaks. Returns what is news.
    pub fn hear(&mut self, now: Time, role: PodRole, ticket: u64, request: Request) -> Result<Report, ExchangeRefusal> {
        let epoch = self.epoch;
        let Some(worker) = self.workers.get_mut(&role) else { return Err(ExchangeRefusal::NotAWorker) };
        if request.epoch > epoch {
            return Err(ExchangeRefusal::NotReady);
        }
        let mut left = Vec::new();
        if worker.session.name() != request.session {
            // The number of its first request is 1: any other is of a process that was replaced.
            if worker.has_spoken() && request.number > 1 {
                return Err(ExchangeRefusal::Superseded);
            }
            left = worker.session.take_all().into_iter().map(|(index, attempt, _)| (index, attempt)).collect();
            worker.session = Session::new(&request.session);
        } else if request.number <= worker.session.number() {
            return Err(ExchangeRefusal::Superseded);
        }
        let is_known = request.epoch == epoch;
        let until = if is_known { now.plus_millis(varied(HOLD_MILLIS, ticket)) } else { now };
        let renounced = worker.parked.replace(Parked { ticket, until });
        let number = worker.session.number();
        worker.heard = now;
        (worker.silent, worker.lost) = (None, false);
        worker.announced |= is_known;
        // Grants of an answer that was not sent are not granted.
        worker.grants.clear();
        worker.leaving |= matches!(request.state, State::Leaving { .. });
        if matches!(request.state, State::Recycle { .. }) {
            worker.stop.get_or_insert("it asked to be replaced");
        }
        // Ends that another leader has heard of are not in it: the worker says all once it knows who leads.
        let report = if is_known { worker.session.hear(request) } else { worker.session.skip(&request) };
        let report = Report { left, ..report };
        let slots = u32::try_from(worker.slots).unwrap_or(u32::MAX);
        if let Some(parked) = renounced {
            let answer = Answer { number, epoch, slots, ..Answer::default() };
            self.replies.push(Reply::to_worker(parked.ticket, answer));
        }
        Ok(report)
    }

    /// An attempt has succeeded in a worker.
    pub fn succeeded_in(&mut self, role: PodRole) {
        self.ends.succeeded();
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.row = Row::default();
        }
    }

    /// An attempt has failed in a worker.
    pub fn failed_in(&mut self, role: PodRole) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.row.grow(self.ends);
        }
        self.ends.failed();
    }

    /// What is thought of a worker.
    pub fn trust(&self, role: PodRole) -> Trust {
        self.workers.get(&role).map_or(Trust::Full, |worker| worker.row.trust(self.ends))
    }

    /// All ends that a worker has reported are part of this revision.
    pub fn recorded_with(&mut self, role: PodRole, revision: Revision) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.session.recorded_with(revision);
        }
    }

    /// The worker holds the attempt, which it says, from now on.
    pub fn adopt(&mut self, role: PodRole, index: Index, attempt: Attempt, runs: bool) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.session.adopt(index, attempt, runs);
        }
    }

    /// What the worker holds is not its own.
    pub fn revoke(&mut self, role: PodRole, index: Index, attempt: Attempt) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.session.drop(index, attempt);
            worker.grants.retain(|grant| grant.id.0 != index.0);
            worker.revoked.push(AttemptId(index.0, attempt.0));
        }
    }

    /// The worker gets an attempt with the next answer.
    pub fn grant(&mut self, role: PodRole, index: Index, attempt: Attempt, grant: Grant, company: Company) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.session.grant(index, attempt);
            worker.grants.push(grant);
            worker.alone = company == Company::Alone;
        }
    }

    /// Asks a worker for attempts that wait for a slot. Returns how many it is asked for.
    pub fn recall(&mut self, role: PodRole, most: usize) -> usize {
        let Some(worker) = self.workers.get_mut(&role) else { return 0 };
        let recalled = worker.session.recall(most);
        let count = recalled.len();
        worker.recalled.extend(recalled);
        count
    }

    /// The worker is to end once it holds nothing.
    pub fn stop(&mut self, role: PodRole, why: &'static str) {
        if let Some(worker) = self.workers.get_mut(&role) {
            worker.stop.get_or_insert(why);
        }
    }

    /// All are to end.
    pub fn stop_all(&mut self, why: &'static str) {
        for worker in self.workers.values_mut() {
            worker.stop.get_or_insert(why);
        }
    }

    /// Gives each worker its slots, the oldest first, as long as there are any. One that a late create has made comes
    /// last, whatever its number: a slot that moves is used twice for a moment. One of raised memory runs one program
    /// at a time.
    pub fn allot(&mut self, each: usize, in_all: usize) {
        // What still runs in those that are to end takes its slots with it.
        let ending = self.workers.values().filter(|worker| !worker.stays()).map(|worker| worker.session.holds());
        let mut in_all = in_all.saturating_sub(ending.sum());
        let mut staying: Vec<&mut Worker> = self.workers.values_mut().filter(|worker| worker.stays()).collect();
        staying.sort_by_key(|worker| worker.since);
        for worker in staying {
            let each = if worker.memory.is_none() { each } else { 1 };
            worker.slots = each.min(in_all);
            in_all -= worker.slots;
        }
    }

    /// Takes from a silent worker what it may not begin any more.
    pub fn take_stock(&mut self, role: PodRole) -> Vec<(Index, Attempt)> {
        self.workers.get_mut(&role).map(|worker| worker.session.take_stock()).unwrap_or_default()
    }

    /// Answers the workers for which there is something, or whose time is over. A worker is idle while nothing is
    /// `ready` for its memory. Everything up to `written` is recorded.
    pub fn answer(&mut self, now: Time, written: Revision, ready: &BTreeSet<Raises>) {
        let epoch = self.epoch;
        for worker in self.workers.values_mut() {
            let idle = worker.session.holds() == 0 && (!ready.contains(&worker.memory) || worker.slots == 0);
            worker.idle_since = worker.idle_since.filter(|_| idle).or_else(|| idle.then_some(now));
            let Some(parked) = worker.parked else { continue };
            let has_news = !worker.grants.is_empty()
                || !worker.recalled.is_empty()
                || !worker.revoked.is_empty()
                || worker.session.news(written).is_some()
                || worker.stop.is_some() && !worker.leaving;
            if !has_news && parked.until > now {
                continue;
            }
            worker.parked = None;
            let answer = Answer {
                number: worker.session.number(),
                epoch,
                acknowledged: worker.session.acknowledge(written),
                slots: u32::try_from(worker.slots).unwrap_or(u32::MAX),
                grants: std::mem::take(&mut worker.grants),
                recall: std::mem::take(&mut worker.recalled),
                revoked: std::mem::take(&mut worker.revoked),
                stop: worker.stop.map(str::to_owned),
            };
            self.replies.push(Reply::to_worker(parked.ticket, answer));
        }
    }

    /// What is to be sent to workers.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// Answers every parked request: the next leader has another epoch, or there is nothing more to do.
    pub fn close(&mut self, refusal: ExchangeRefusal) -> Vec<Reply> {
        let parked: Vec<_> = self.workers.values_mut().map(|worker| worker.parked.take()).collect();
        for parked in parked {
            self.refuse(parked, refusal);
        }
        self.take_replies()
    }

    /// When a worker needs an answer, or is silent for too long.
    pub fn next_wake(&self) -> Option<Time> {
        let parked = self.workers.values().filter_map(|worker| Some(worker.parked?.until));
        parked.chain(self.next_silence()).chain(self.next_unheard()).chain(self.next_presumption()).min()
    }
}

/// Varied by a fifth, differently for each ticket.
fn varied(millis: u64, ticket: u64) -> u64 {
    let spread = millis * 2 / 5;
    millis - millis / 5 + mix(ticket) % spread.max(1)
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
