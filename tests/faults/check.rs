//! What must be true of all that the witness saw.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::{MapTaskStatus, ReducePhase};
use maptask::api::{Json, TaskPhase};
use maptask::core::ids::Index;
use maptask::core::phases::{self, Attempts, ItemPhase, Phases};
use serde_json::Value;

use crate::witness::{Change, Log, PodVersion, REDUCE, TaskVersion};

/// What was asked for.
pub struct LookupKeys {
    pub items: u32,
    pub concurrency: usize,
    pub retries: u32,
    /// It is asked that the first attempt at every such item fails.
    pub fail_every: usize,
}

/// A broken promise, and the item that it is about.
pub struct Problem(Option<u32>, String);

impl Problem {
    /// The item that it is about.
    pub fn item(&self) -> Option<u32> {
        self.0
    }

    /// The problem, with all that is known of its item.
    pub fn emit(&self, log: &Log) -> String {
        let mut text = self.1.clone();
        let Some(index) = self.0 else { return text };
        for pod in log.pods.iter().filter(|pod| pod.index == index) {
            let PodVersion { version, change, name, uid, phase, deleting, .. } = pod;
            let _ = write!(text, "\n  {version} {change:?} {name} {uid} {phase} deleting={deleting}");
        }
        let mut before = String::new();
        for task in &log.tasks {
            let Some((phases, attempts)) = decode(&task.status) else { continue };
            let tries = attempts.get(Index(index));
            let record = format!("{:?}, item {:?} {tries:?}", task.status.phase, phases.get(Index(index)));
            if record != before {
                let _ = write!(text, "\n  {} status {record}", task.version);
                before = record;
            }
        }
        text
    }
}

pub fn problem<T>(item: impl Into<Option<u32>>, text: String) -> Result<T, Problem> {
    Err(Problem(item.into(), text))
}

pub fn decode(status: &MapTaskStatus) -> Option<(Phases, Attempts)> {
    Some(phases::recorded(status)?.unwrap())
}

/// Everything but what remains after the task is deleted.
pub fn check(log: &Log, wanted: &LookupKeys, results: &[Value]) -> Result<(), Problem> {
    let last = log.tasks.iter().rfind(|task| !task.gone).expect("the task was seen");
    let Some((phases, attempts)) = decode(&last.status) else {
        return problem(None, format!("no record: {:?}", last.status));
    };
    counts_add_up(&last.status, &phases, wanted)?;
    let recorded = successes(log)?;
    let ended = log.tasks.iter().find(|task| task.status.phase.is_some_and(TaskPhase::is_terminal));
    let ended = ended.map_or(u64::MAX, |task| task.version);
    pods_over_time(log, wanted, &recorded, ended)?;
    truth(log, wanted, &phases, &attempts, results)?;
    reduced_once(log, &last.status)
}

/// The reduce ran when the map was recorded as successful, and succeeded once; its word is the task's result.
fn reduced_once(log: &Log, status: &MapTaskStatus) -> Result<(), Problem> {
    let Some(record) = &status.reduce else { return Ok(()) };
    let is_met = |task: &TaskVersion| is_true(&task.status.conditions, ConditionType::SuccessCriteriaMet);
    let met = log.tasks.iter().find(|task| is_met(task)).map_or(u64::MAX, |task| task.version);
    let reduces = |pod: &&PodVersion| pod.index == REDUCE;
    if let Some(early) = log.pods.iter().filter(reduces).find(|pod| pod.version < met) {
        return problem(None, format!("{} is there at {}, the map is successful at {met}", early.name, early.version));
    }
    let good: BTreeMap<&str, Option<&str>> = log
        .pods
        .iter()
        .filter(reduces)
        .filter(|pod| pod.phase == "Succeeded")
        .map(|pod| (pod.name.as_str(), pod.message.as_deref()))
        .collect();
    let result = status.result.as_ref().and_then(Json::as_string);
    let result = result.as_deref();
    if good.len() != 1 && log.gaps == 0 || record.phase != ReducePhase::Succeeded {
        return problem(None, format!("{} reduces succeeded: {good:?}, the record is {record:?}", good.len()));
    }
    match good.first_key_value() {
        Some((_, said)) if *said != result => {
            problem(None, format!("the reduce said {said:?}, the result is {result:?}"))
        }
        _ => Ok(()),
    }
}

/// No item lost: the counts are those of the phases, and all have ended.
pub fn counts_add_up(status: &MapTaskStatus, phases: &Phases, wanted: &LookupKeys) -> Result<(), Problem> {
    let counts = phases.counts();
    let shown = status.counts.map(|c| (c.pending, c.running, c.succeeded, c.failed, c.cancelled));
    let own = [counts.pending, counts.running, counts.succeeded, counts.failed, counts.cancelled];
    let own = own.map(|n| i32::try_from(n).unwrap());
    if counts.total() != wanted.items || shown != Some(own.into()) {
        return problem(None, format!("counts are {shown:?}, phases say {counts:?}, of {} items", wanted.items));
    }
    if let Some(index) = (0..wanted.items).find(|i| !phases.get(Index(*i)).is_some_and(ItemPhase::is_terminal)) {
        return problem(index, format!("item {index} has not ended"));
    }
    // Nothing in these runs uses up the retries of an item.
    if status.phase != Some(TaskPhase::Succeeded) || counts.succeeded != wanted.items {
        let index = phases.iter_in(ItemPhase::Failed).next().map(|index| index.0);
        return problem(index, format!("the task is {:?} with {counts:?}: {:?}", status.phase, status.message));
    }
    Ok(())
}

/// When each item's success was recorded. What is final stays so.
pub fn successes(log: &Log) -> Result<BTreeMap<u32, u64>, Problem> {
    let mut recorded = BTreeMap::new();
    let mut before: Option<Phases> = None;
    for task in &log.tasks {
        let Some((phases, _)) = decode(&task.status) else { continue };
        for index in phases.count().indexes() {
            let (old, new) = (before.as_ref().and_then(|phases| phases.get(index)), phases.get(index));
            if old.is_some_and(ItemPhase::is_terminal) && old != new {
                return problem(index.0, format!("item {index}: {old:?} became {new:?} at {}", task.version));
            }
            if new == Some(ItemPhase::Succeeded) {
                recorded.entry(index.0).or_insert(task.version);
            }
        }
        before = Some(phases);
    }
    Ok(recorded)
}

/// At any time: one live pod an item, no more than allowed, none that has no business any more.
fn pods_over_time(log: &Log, wanted: &LookupKeys, recorded: &BTreeMap<u32, u64>, ended: u64) -> Result<(), Problem> {
    let mut made: BTreeMap<&str, &str> = BTreeMap::new();
    let mut live: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    let mut versions: Vec<&PodVersion> = log.pods.iter().collect();
    versions.sort_by_key(|pod| pod.version);
    let mut flying = 0;
    for pod in versions {
        let PodVersion { version, name, index, .. } = pod;
        if let Some(uid) = made.insert(name, &pod.uid)
            && uid != pod.uid
        {
            return problem(*index, format!("{name} was made twice: {uid} and {}", pod.uid));
        }
        if pod.change == Change::Added {
            if let Some(success) = recorded.get(index).filter(|success| *success < version) {
                return problem(
                    *index,
                    format!("{name} was made at {version}, after its item's success was recorded at {success}"),
                );
            }
            if *version > ended {
                return problem(*index, format!("{name} was made at {version}, after the end at {ended}"));
            }
        }
        let of_item = live.entry(*index).or_default();
        if pod.is_live() {
            flying += usize::from(of_item.insert(&pod.uid));
        } else {
            flying -= usize::from(of_item.remove(pod.uid.as_str()));
        }
        if of_item.len() > 1 {
            return problem(*index, format!("item {index} has {} live pods at {version}", of_item.len()));
        }
        if flying > wanted.concurrency {
            return problem(*index, format!("{flying} pods in flight at {version}, {} allowed", wanted.concurrency));
        }
        if *version > ended && pod.is_live() && pod.change != Change::Deleted && !pod.deleting {
            return problem(*index, format!("{name} runs at {version}, after the end at {ended}"));
        }
    }
    Ok(())
}

/// The status says what the pods said, no more and no less.
fn truth(
    log: &Log,
    wanted: &LookupKeys,
    phases: &Phases,
    attempts: &Attempts,
    results: &[Value],
) -> Result<(), Problem> {
    // The last that was heard of each pod while it was there.
    let mut said: BTreeMap<(u32, u32), &PodVersion> = BTreeMap::new();
    for pod in log.pods.iter().filter(|pod| pod.phase == "Succeeded" || pod.phase == "Failed") {
        said.insert((pod.index, pod.attempt), pod);
    }
    if results.len() != wanted.items as usize {
        return problem(None, format!("{} results of {} items", results.len(), wanted.items));
    }
    for index in 0..wanted.items {
        let of_item: Vec<&PodVersion> = said.range((index, 0)..=(index, u32::MAX)).map(|(_, pod)| *pod).collect();
        let good: Vec<_> = of_item.iter().filter(|pod| pod.phase == "Succeeded").collect();
        let failures = u32::try_from(of_item.len() - good.len()).unwrap();
        let fails = u32::from((index as usize).is_multiple_of(wanted.fail_every));
        if log.gaps == 0 && failures != fails {
            return problem(index, format!("item {index} failed {failures} times, and should {fails} times"));
        }
        let tries = attempts.get(Index(index));
        if tries.application != fails || tries.application > wanted.retries {
            return problem(index, format!("item {index} is recorded with {tries:?}, it failed {fails} times"));
        }
        match (phases.get(Index(index)), good.as_slice()) {
            (Some(ItemPhase::Succeeded), [pod]) => {
                let message = pod.message.as_deref().unwrap_or_default();
                let message: Value = serde_json::from_str(message).unwrap_or_default();
                let result = &results[index as usize];
                if *result != message || message["attempt"] != pod.attempt {
                    return problem(index, format!("item {index} said {message}, its result is {result}"));
                }
            }
            (_, []) if log.gaps > 0 => {}
            (phase, pods) => {
                return problem(index, format!("item {index} is {phase:?}, and {} pods of it succeeded", pods.len()));
            }
        }
    }
    Ok(())
}
