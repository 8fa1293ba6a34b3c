//! One process of a worker: what it holds, and which of its reports are recorded.

use std::collections::{BTreeMap, VecDeque};

use maptask_exchange::{AttemptId, End, Request};

use crate::core::ids::{Attempt, Index};
use crate::core::revision::Revision;

/// How far an attempt has come that a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// Granted with an answer that may not have arrived.
    Granted,
    /// It waits for a slot.
    Stocked {
        /// Whether the worker was asked to give it back.
        recalled: bool,
    },
    /// Its program runs.
    Running,
}

/// One process of a worker.
#[derive(Clone, Debug, Default)]
pub struct Session {
    name: String,
    /// The number of the newest request.
    number: u64,
    held: BTreeMap<Index, (Attempt, Held)>,
    /// Ends up to this one have arrived.
    received: u64,
    /// Which revisions tell of them, in order.
    recording: VecDeque<(u64, Revision)>,
    /// Ends up to this one are acknowledged.
    acknowledged: u64,
    /// Attempts that the process has begun.
    begun: u64,
}

/// What a request says that was not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Attempts that have ended.
    pub ended: Vec<End>,
    /// Attempts whose programs run now.
    pub began: Vec<(Index, Attempt)>,
    /// Attempts that it was granted and does not hold: given back, or never arrived.
    pub freed: Vec<(Index, Attempt)>,
    /// Attempts that it holds and that were not known here, and whether they run.
    pub unknown: Vec<(Index, Attempt, bool)>,
    /// Attempts that a process before this one of the same pod has left behind.
    pub left: Vec<(Index, Attempt)>,
}

impl Session {
    /// A process that has said nothing yet.
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of its newest request.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Attempts that the process has begun.
    pub fn begun(&self) -> u64 {
        self.begun
    }

    /// How many attempts it holds.
    pub fn holds(&self) -> usize {
        self.held.len()
    }

    /// How many programs run.
    pub fn running(&self) -> usize {
        self.held.values().filter(|(_, held)| *held == Held::Running).count()
    }

    /// Takes in no more of a request than its number.
    pub fn skip(&mut self, request: &Request) -> Report {
        self.number = request.number;
        Report::default()
    }

    /// Takes in a request, which says all that the process holds.
    pub fn hear(&mut self, request: Request) -> Report {
        let mut report = Report::default();
        self.number = request.number;
        self.begun = request.begun;
        for end in request.ended {
            if end.sequence > self.received {
                self.received = end.sequence;
                self.held.remove(&Index(end.id.0));
                report.ended.push(end);
            }
        }
        let before = std::mem::take(&mut self.held);
        for id in request.running {
            self.list(&before, id, Held::Running, &mut report);
        }
        for id in request.stock {
            self.list(&before, id, Held::Stocked { recalled: false }, &mut report);
        }
        // An answer to this request has not been given yet: all that was granted was granted before it.
        let gone = before.into_iter().filter(|(index, _)| !self.held.contains_key(index));
        report.freed.extend(gone.map(|(index, (attempt, _))| (index, attempt)));
        report
    }

    fn list(
        &mut self,
        before: &BTreeMap<Index, (Attempt, Held)>,
        AttemptId(index, attempt): AttemptId,
        held: Held,
        report: &mut Report,
    ) {
        let (index, attempt) = (Index(index), Attempt(attempt));
        match before.get(&index).filter(|(known, _)| *known == attempt) {
            Some((_, known)) => {
                if held == Held::Running && *known != Held::Running {
                    report.began.push((index, attempt));
                }
                self.held.insert(index, (attempt, held));
            }
            None => report.unknown.push((index, attempt, held == Held::Running)),
        }
    }

    /// It holds the attempt from now on: granted with the answer to the newest request.
    pub fn grant(&mut self, index: Index, attempt: Attempt) {
        self.held.insert(index, (attempt, Held::Granted));
    }

    /// It does not hold the attempt any more.
    pub fn drop(&mut self, index: Index, attempt: Attempt) {
        if self.held.get(&index).is_some_and(|(known, _)| *known == attempt) {
            self.held.remove(&index);
        }
    }

    /// It holds an attempt that was granted by another leader.
    pub fn adopt(&mut self, index: Index, attempt: Attempt, runs: bool) {
        let held = if runs { Held::Running } else { Held::Stocked { recalled: false } };
        self.held.insert(index, (attempt, held));
    }

    /// Asks for up to `most` attempts that wait for a slot, the last first. Returns them.
    pub fn recall(&mut self, most: usize) -> Vec<AttemptId> {
        let waiting = self.held.iter_mut().rev().filter(|(_, (_, held))| *held == Held::Stocked { recalled: false });
        let recalled = waiting.take(most).map(|(index, (attempt, held))| {
            *held = Held::Stocked { recalled: true };
            AttemptId(index.0, attempt.0)
        });
        recalled.collect()
    }

    /// Whether it holds what has not begun.
    pub fn has_stock(&self) -> bool {
        self.held.values().any(|(_, held)| *held != Held::Running)
    }

    /// Takes from it all that has not begun: it may begin nothing more.
    pub fn take_stock(&mut self) -> Vec<(Index, Attempt)> {
        let stock = self.held.extract_if(.., |_, (_, held)| *held != Held::Running);
        stock.map(|(index, (attempt, _))| (index, attempt)).collect()
    }

    /// Takes from it all that it holds; and whether each ran.
    pub fn take_all(&mut self) -> Vec<(Index, Attempt, bool)> {
        let all = std::mem::take(&mut self.held);
        all.into_iter().map(|(index, (attempt, held))| (index, attempt, held == Held::Running)).collect()
    }

    /// All ends that have arrived are part of this revision.
    pub fn recorded_with(&mut self, revision: Revision) {
        // Of an exchange without an end there is nothing to acknowledge.
        let noted = self.recording.back().map_or(self.acknowledged, |(sequence, _)| *sequence);
        if self.received > noted {
            self.recording.push_back((self.received, revision));
        }
    }

    /// The last recorded end, if it is not acknowledged yet. `written`: everything up to it is recorded.
    pub fn news(&self, written: Revision) -> Option<u64> {
        let recorded = self.recording.iter().take_while(|(_, revision)| *revision <= written).last();
        recorded.map(|(sequence, _)| *sequence).filter(|sequence| *sequence > self.acknowledged)
    }

    /// Acknowledges all recorded ends. Returns the last of them.
    pub fn acknowledge(&mut self, written: Revision) -> u64 {
        while let Some((sequence, _)) = self.recording.front().filter(|(_, revision)| *revision <= written) {
            self.acknowledged = self.acknowledged.max(*sequence);
            self.recording.pop_front();
        }
        self.acknowledged
    }

    /// Whether every end that has arrived was acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.acknowledged >= self.received
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
