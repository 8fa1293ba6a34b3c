//! A worker as the exchange asks it to be: what it holds, what it says, and what it may begin.

use std::collections::BTreeMap;

use maptask::core::ids::Time;
use maptask_exchange::{
    Answer, AttemptId, BEGIN_WITHIN_MILLIS, CONFIRM_WITHIN_MILLIS, End, Leaving, Outcome, Request, State,
};

use crate::random::Random;
use crate::truth::fate;

pub struct Program {
    pub id: AttemptId,
    /// The first request that said that it runs.
    said_with: Option<u64>,
    confirmed: bool,
}

pub struct Worker {
    session: String,
    number: u64,
    epoch: u64,
    pub slots: usize,
    pub running: Vec<Program>,
    pub stock: Vec<AttemptId>,
    pub unacknowledged: Vec<End>,
    sequence: u64,
    /// Ends up to this one have arrived at the leader of `epoch`.
    arrived: u64,
    sent: BTreeMap<u64, (Time, u64)>,
    /// When the last request was sent that was answered by who leads, and that was answered at all.
    answered: Option<Time>,
    confirmed: Option<Time>,
    pub begun: u64,
    /// How often its memory was raised, where items differ in what they need.
    memory: Option<u32>,
    pub leaving: Option<Leaving>,
    /// A request has no answer yet.
    pub waits: bool,
    /// Something has happened that the operator does not know.
    pub news: bool,
    /// Everything fails on its node.
    pub broken: bool,
}

impl Worker {
    pub fn new(random: &mut Random, epoch: u64, slots: usize, memory: Option<u32>) -> Self {
        Self {
            session: format!("{:016x}", random.next()),
            number: 0,
            epoch,
            slots,
            running: Vec::new(),
            stock: Vec::new(),
            unacknowledged: Vec::new(),
            sequence: 0,
            arrived: 0,
            sent: BTreeMap::new(),
            answered: None,
            confirmed: None,
            begun: 0,
            memory,
            leaving: None,
            waits: false,
            news: true,
            broken: random.chance(8),
        }
    }

    /// The next request, which renounces the answer to the one before.
    pub fn request(&mut self, now: Time) -> Request {
        self.number += 1;
        for program in &mut self.running {
            program.said_with.get_or_insert(self.number);
        }
        self.sent.insert(self.number, (now, self.sequence));
        (self.waits, self.news) = (true, false);
        let state = match self.leaving {
            None => State::Working,
            Some(reason) => State::Leaving { reason, message: String::new() },
        };
        Request {
            session: self.session.clone(),
            number: self.number,
            epoch: self.epoch,
            running: self.running.iter().map(|program| program.id).collect(),
            stock: self.stock.clone(),
            ended: self.unacknowledged.iter().filter(|end| end.sequence > self.arrived).cloned().collect(),
            begun: self.begun,
            state,
        }
    }

    /// An answer has arrived. Returns the ends that are acknowledged with it, and what was killed.
    pub fn hear(&mut self, answer: Answer) -> (Vec<End>, Vec<AttemptId>) {
        if answer.number != self.number || answer.epoch < self.epoch {
            return (Vec::new(), Vec::new());
        }
        self.waits = false;
        if let Some((time, sequence)) = self.sent.get(&answer.number).copied() {
            (self.answered, self.confirmed) = (Some(time), Some(time));
            self.arrived = self.arrived.max(sequence);
        }
        if answer.epoch > self.epoch {
            // Another leader, which has taken nothing but the number of this request.
            self.epoch = answer.epoch;
            self.arrived = 0;
            // It has yet to say which of the stock is still this worker's.
            self.answered = None;
            self.news = true;
            return (Vec::new(), Vec::new());
        }
        for program in &mut self.running {
            program.confirmed |= program.said_with.is_some_and(|number| number <= answer.number);
        }
        self.slots = answer.slots as usize;
        let acknowledged: Vec<End> =
            self.unacknowledged.extract_if(.., |end| end.sequence <= answer.acknowledged).collect();
        if answer.stop.is_some() {
            self.leaving.get_or_insert(Leaving::Stopped);
        }
        // What was taken for lost may be granted again to who has it.
        let holds =
            |worker: &Self, id| worker.stock.contains(&id) || worker.running.iter().any(|program| program.id == id);
        for grant in &answer.grants {
            if !holds(self, grant.id) {
                self.stock.push(grant.id);
            }
        }
        let gone = |id: &AttemptId| answer.recall.contains(id) || answer.revoked.contains(id);
        self.stock.retain(|id| !gone(id));
        let killed: Vec<AttemptId> =
            self.running.extract_if(.., |program| answer.revoked.contains(&program.id)).map(|p| p.id).collect();
        if self.leaving.is_some() {
            self.stock.clear();
        }
        self.news |= !answer.grants.is_empty() || !answer.recall.is_empty() || self.leaving.is_some();
        (acknowledged, killed)
    }

    /// An answer is overdue.
    pub fn is_late(&self, now: Time) -> bool {
        self.sent.get(&self.number).is_some_and(|(time, _)| now.millis_since(*time) > 20_000)
    }

    /// Begins what it may. Returns what has begun.
    pub fn begin(&mut self, now: Time) -> Vec<AttemptId> {
        let is_fresh = self.answered.is_some_and(|time| now.millis_since(time) < BEGIN_WITHIN_MILLIS);
        let room = self.slots.saturating_sub(self.running.len()).min(self.stock.len());
        if !is_fresh || self.leaving.is_some() {
            return Vec::new();
        }
        let begun: Vec<AttemptId> = self.stock.drain(..room).collect();
        self.begun += begun.len() as u64;
        self.running.extend(begun.iter().map(|id| Program { id: *id, said_with: None, confirmed: false }));
        self.news |= !begun.is_empty();
        begun
    }

    /// Kills what the operator may not know to run.
    pub fn kill_unconfirmed(&mut self, now: Time) -> Vec<AttemptId> {
        let is_late = self.confirmed.is_some_and(|time| now.millis_since(time) >= CONFIRM_WITHIN_MILLIS);
        let killed = self.running.extract_if(.., |program| is_late && !program.confirmed);
        killed.map(|program| program.id).collect()
    }

    /// A program ends.
    pub fn end(&mut self, place: usize) -> End {
        let Program { id, .. } = self.running.remove(place);
        let broken = Outcome::Failed { exit_code: 5, message: "no disk".to_owned() };
        self.report(id, if self.broken { broken } else { fate(id, self.memory) })
    }

    /// All programs are asked to end; some succeed.
    pub fn terminate(&mut self) {
        self.leaving = Some(Leaving::Terminated);
        self.stock.clear();
        self.news = true;
    }

    /// A program ends since it was asked to.
    pub fn stop(&mut self, place: usize) -> End {
        let Program { id, .. } = self.running.remove(place);
        self.report(id, Outcome::Stopped)
    }

    fn report(&mut self, id: AttemptId, outcome: Outcome) -> End {
        self.sequence += 1;
        let end = End { sequence: self.sequence, id, micros: 1_000, outcome };
        self.unacknowledged.push(end.clone());
        self.news = true;
        end
    }

    pub fn is_done(&self) -> bool {
        self.leaving.is_some() && self.running.is_empty() && self.unacknowledged.is_empty()
    }
}
