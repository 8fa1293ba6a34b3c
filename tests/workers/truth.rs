//! What really happened, whatever the operator believes.

use std::collections::{BTreeMap, BTreeSet};

use maptask::api::status::MapTaskStatus;
use maptask::core::ids::{Attempt, Index};
use maptask::core::phases::{self, Attempts, ItemPhase, Phases, Raises};
use maptask_exchange::{AttemptId, End, Outcome};

/// How often the memory must be raised that an item needs.
fn need(index: u32) -> u32 {
    (index * 31 % 7).saturating_sub(4)
}

/// How an attempt ends that is left to itself. `memory`: how often that of its worker was raised, where that counts.
pub fn fate(id: AttemptId, memory: Option<u32>) -> Outcome {
    let AttemptId(index, attempt) = id;
    if memory.is_some_and(|memory| memory < need(index)) {
        return Outcome::OutOfMemory { exit_code: 137, message: String::new() };
    }
    match (u64::from(index) * 7_919 + u64::from(attempt) * 104_729) % 10 {
        0 => Outcome::Failed { exit_code: 3, message: "no luck".to_owned() },
        // Of a long list, it would cost hundreds of pods.
        1 if index < 100 => Outcome::OutOfMemory { exit_code: 137, message: String::new() },
        _ => Outcome::Succeeded { result: Some(result(id)) },
    }
}

pub fn result(AttemptId(index, attempt): AttemptId) -> String {
    format!("{{\"index\":{index},\"attempt\":{attempt}}}")
}

#[derive(Default)]
pub struct Truth {
    /// Which workers run the item now.
    running: BTreeMap<u32, BTreeSet<u32>>,
    /// Attempts of it that succeeded, and those that failed by themselves or with their worker.
    pub succeeded: BTreeMap<u32, BTreeSet<u32>>,
    pub failed: BTreeMap<u32, u32>,
    /// How often it ran out of memory that nothing else can have taken.
    pub short: BTreeMap<u32, u32>,
    recorded: BTreeMap<u32, ItemPhase>,
    /// Items whose indexes leave the same rest by this number are equal, and never run at the same time.
    pub different: Option<u32>,
    pub begun: u64,
    /// Workers that were rightly reported as never heard.
    pub unheard: u32,
}

pub fn decode(status: &MapTaskStatus) -> Option<(Phases, Attempts)> {
    phases::recorded(status)?.ok()
}

impl Truth {
    /// Nothing has happened yet.
    pub fn of(different: Option<u32>) -> Self {
        Self { different, ..Self::default() }
    }

    pub fn began(&mut self, worker: u32, id: AttemptId) -> Result<(), String> {
        self.begun += 1;
        if let Some(phase) = self.recorded.get(&id.0) {
            return Err(format!("item {} begins in worker {worker} after it was recorded as {phase:?}", id.0));
        }
        let is_same = |index: u32| self.different.is_some_and(|different| index % different == id.0 % different);
        let is_equal = |index: &u32| *index != id.0 && is_same(*index);
        if let Some((index, _)) = self.running.iter().find(|(index, workers)| is_equal(index) && !workers.is_empty()) {
            return Err(format!("item {} begins in worker {worker} while its equal {index} runs", id.0));
        }
        let workers = self.running.entry(id.0).or_default();
        if !workers.is_empty() {
            return Err(format!("item {} begins in worker {worker} while it runs in {workers:?}", id.0));
        }
        workers.insert(worker);
        Ok(())
    }

    /// What begins has the memory that is recorded for it, and no less.
    pub fn check_memory(status: &MapTaskStatus, id: AttemptId, memory: Raises) -> Result<(), String> {
        let Some((_, tries)) = decode(status) else { return Ok(()) };
        let tries = tries.get(Index(id.0));
        if tries.attempt == Attempt(id.1) && tries.memory_raises != memory {
            return Err(format!("{id:?} begins with memory {memory:?}, recorded is {:?}", tries.memory_raises));
        }
        Ok(())
    }

    /// Items run again: their ends so far count no more.
    pub fn begin_again(&mut self) {
        self.recorded.clear();
    }

    pub fn running(&self) -> usize {
        self.running.values().map(BTreeSet::len).sum()
    }

    /// It runs no more in this worker, whatever the reason.
    pub fn gone(&mut self, worker: u32, id: AttemptId) {
        self.running.entry(id.0).or_default().remove(&worker);
    }

    /// `begun`: programs that its worker had begun by then.
    pub fn ended(&mut self, worker: u32, end: &End, begun: u64) {
        self.gone(worker, end.id);
        match end.outcome {
            Outcome::Succeeded { .. } => drop(self.succeeded.entry(end.id.0).or_default().insert(end.id.1)),
            Outcome::Stopped => {}
            Outcome::OutOfMemory { .. } if begun > 1 => {}
            Outcome::OutOfMemory { .. } => {
                *self.failed.entry(end.id.0).or_default() += 1;
                *self.short.entry(end.id.0).or_default() += 1;
            }
            _ => *self.failed.entry(end.id.0).or_default() += 1,
        }
    }

    /// Final phases stay.
    pub fn check_write(&mut self, status: &MapTaskStatus) -> Result<(), String> {
        let Some((phases, _)) = decode(status) else { return Ok(()) };
        for index in phases.count().indexes() {
            let Some(phase) = phases.get(index) else { continue };
            match self.recorded.get(&index.0) {
                Some(before) if *before != phase => {
                    return Err(format!("item {index} was recorded as {before:?} and is now {phase:?}"));
                }
                None if phase.is_terminal() => {
                    if phase == ItemPhase::Succeeded && !self.succeeded.contains_key(&index.0) {
                        return Err(format!("item {index} is recorded as Succeeded and never did"));
                    }
                    self.recorded.insert(index.0, phase);
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What is acknowledged is recorded.
    pub fn check_acknowledged(end: &End, status: &MapTaskStatus) -> Result<(), String> {
        let Some((phases, tries)) = decode(status) else { return Err("acknowledged without a record".to_owned()) };
        let index = Index(end.id.0);
        let is_over = phases.get(index).is_some_and(ItemPhase::is_terminal);
        if is_over || tries.get(index).attempt > Attempt(end.id.1) {
            return Ok(());
        }
        Err(format!("the end of {:?} is acknowledged and not recorded", end.id))
    }

    pub fn check_end(&self, status: &MapTaskStatus, lines: &BTreeMap<u32, String>, retries: u32) -> Result<(), String> {
        let Some((phases, tries)) = decode(status) else { return Ok(()) };
        for index in phases.count().indexes() {
            let raises = tries.get(index).memory_raises.of(0);
            let short = self.short.get(&index.0).copied().unwrap_or(0);
            if raises > short {
                return Err(format!(
                    "the memory of item {index} was raised {raises} times, it was short {short} times"
                ));
            }
            let (good, bad) = (self.succeeded.get(&index.0), self.failed.get(&index.0).copied().unwrap_or(0));
            match phases.get(index) {
                Some(ItemPhase::Succeeded) => {
                    let line = lines.get(&index.0).cloned().unwrap_or_default();
                    let is_one = |attempt: &u32| result(AttemptId(index.0, *attempt)) == line;
                    if !good.is_some_and(|attempts| attempts.iter().any(is_one)) {
                        return Err(format!("item {index} has the result {line:?}, attempts {good:?} succeeded"));
                    }
                }
                Some(ItemPhase::Failed) if bad <= retries => {
                    return Err(format!("item {index} failed after {bad} failures, retries {retries}"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
