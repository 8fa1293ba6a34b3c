//! What must hold: at every step, at every write, and at the end.

use std::collections::BTreeMap;

use maptask::api::TaskPhase;
use maptask::api::status::MapTaskStatus;
use maptask::core::fleet::plan::Create;
use maptask::core::ids::{Index, ItemCount, TaskKey};
use maptask::core::phases::{Attempts, ItemPhase, Phases};
use maptask::core::task::TaskSeen;
use maptask::core::task::retry::INFRASTRUCTURE_RETRIES;
use maptask::core::task::success::{Verdict, verdict};

use crate::world::{Fate, Life, Pod, PodKey};

type Item = (TaskKey, Index);

/// What really happened, whatever the operator believes.
#[derive(Default)]
pub struct Truth {
    succeeded: BTreeMap<Item, u32>,
    own_failures: BTreeMap<Item, u32>,
    lost: BTreeMap<Item, u32>,
}

/// The recorded phases of a task, if it has got so far.
fn recorded(task: &TaskSeen) -> Option<(Phases, Attempts)> {
    decode(&task.status).transpose().ok().flatten()
}

fn decode(status: &MapTaskStatus) -> Option<Result<(Phases, Attempts), String>> {
    let count = ItemCount::new(u64::try_from(status.items?).ok()?)?;
    let phases = Phases::decode(status.phases.as_deref()?, count).map_err(|e| e.to_string());
    let attempts = status
        .attempts
        .as_deref()
        .map_or(Ok(Attempts::default()), |a| Attempts::decode(a, count))
        .map_err(|e| e.to_string());
    Some(phases.and_then(|phases| Ok((phases, attempts?))))
}

impl Truth {
    pub fn result_of(&self, key: &PodKey) -> String {
        format!("{{\"index\":{},\"attempt\":{}}}", key.1, key.2)
    }

    pub fn pod_ended(&mut self, key: &PodKey, fate: Fate) {
        let item = (key.0.clone(), key.1);
        let counter = if fate == Fate::Succeed { &mut self.succeeded } else { &mut self.own_failures };
        *counter.entry(item).or_default() += 1;
    }

    pub fn pod_lost(&mut self, key: &PodKey, _started: bool) {
        *self.lost.entry((key.0.clone(), key.1)).or_default() += 1;
    }

    pub fn refused(&mut self, create: &Create) {
        *self.lost.entry((create.job.key.clone(), create.index)).or_default() += 1;
    }

    /// SAFETY: no item has two live pods.
    pub fn check_pods(&self, pods: &BTreeMap<PodKey, Pod>) -> Result<(), String> {
        let mut last: Option<&PodKey> = None;
        for (key, _) in pods.iter().filter(|(_, pod)| pod.life != Life::Ended) {
            if last.is_some_and(|(task, index, _)| (task, index) == (&key.0, &key.1)) {
                return Err(format!("two live pods: {last:?} and {key:?}"));
            }
            last = Some(key);
        }
        Ok(())
    }

    /// SAFETY: no item runs after its end was recorded. Once the task is decided, a late create can still bring back a
    /// pod that was stopped; it is deleted on sight, which the end of the run checks.
    pub fn check_start(&self, key: &PodKey, tasks: &BTreeMap<TaskKey, TaskSeen>) -> Result<(), String> {
        let Some(task) = tasks.get(&key.0) else { return Ok(()) };
        let Some((phases, _)) = recorded(task) else { return Ok(()) };
        let counts = phases.counts();
        let required = u32::try_from(task.status.required.unwrap_or(0)).unwrap_or(0);
        if verdict(counts.succeeded, counts.failed, required, phases.count()) != Verdict::Open {
            return Ok(());
        }
        match phases.get(key.1) {
            Some(phase @ (ItemPhase::Succeeded | ItemPhase::Failed)) => {
                Err(format!("{key:?} starts, but is recorded as {phase}"))
            }
            _ => Ok(()),
        }
    }

    /// SAFETY: a finished pod goes only after its attempt's end was recorded.
    pub fn check_clean_up(&self, key: &PodKey, tasks: &BTreeMap<TaskKey, TaskSeen>) -> Result<(), String> {
        let Some(task) = tasks.get(&key.0) else { return Ok(()) };
        if task.status.phase.is_some_and(TaskPhase::is_terminal) {
            return Ok(());
        }
        let Some((phases, tries)) = recorded(task) else {
            return Err(format!("{key:?} deleted with no record at all"));
        };
        let over = phases.get(key.1).is_some_and(ItemPhase::is_terminal) || tries.get(key.1).attempt > key.2;
        if over { Ok(()) } else { Err(format!("{key:?} deleted before its end was recorded")) }
    }

    /// SAFETY: what a write may change: no end is taken back, no count is off, no budget overdrawn.
    pub fn check_write(&self, task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
        let key = &task.key;
        if let Some(old) = task.status.phase.filter(|phase| phase.is_terminal())
            && new.phase != Some(old)
        {
            return Err(format!("{key}: {old:?} became {:?}", new.phase));
        }
        let Some(decoded) = decode(new) else { return Ok(()) };
        let (phases, tries) = decoded.map_err(|e| format!("{key}: unreadable status: {e}"))?;
        if let Some((old, _)) = recorded(task) {
            for index in phases.count().indexes() {
                let (before, after) = (old.get(index), phases.get(index));
                if before.is_some_and(ItemPhase::is_terminal) && before != after {
                    return Err(format!("{key} item {index}: {before:?} became {after:?}"));
                }
            }
        }
        for (index, tries) in tries.iter() {
            let own = self.own_failures.get(&(key.clone(), index)).copied().unwrap_or(0);
            let retries = u32::try_from(task.spec.retries).unwrap_or(0);
            if tries.own > own || tries.own > retries || tries.infrastructure > INFRASTRUCTURE_RETRIES {
                return Err(format!("{key} item {index}: {tries:?}, but {own} own failures and {retries} retries"));
            }
        }
        for index in phases.iter_in(ItemPhase::Succeeded) {
            if !self.succeeded.contains_key(&(key.clone(), index)) {
                return Err(format!("{key} item {index} recorded as succeeded, which it never did"));
            }
        }
        for index in phases.iter_in(ItemPhase::Failed) {
            let item = (key.clone(), index);
            let own = self.own_failures.get(&item).copied().unwrap_or(0);
            let lost = self.lost.get(&item).copied().unwrap_or(0);
            let retries = u32::try_from(task.spec.retries).unwrap_or(0);
            if own <= retries && lost <= INFRASTRUCTURE_RETRIES {
                return Err(format!(
                    "{key} item {index} failed after {own} of {retries} own failures and {lost} losses"
                ));
            }
        }
        if phases.counts().total() != phases.count().get() {
            return Err(format!("{key}: {:?} of {}", phases.counts(), phases.count().get()));
        }
        Ok(())
    }

    /// LIVENESS, and what must be true at the end.
    pub fn check_end(
        &self,
        tasks: &BTreeMap<TaskKey, TaskSeen>,
        pods: &BTreeMap<PodKey, Pod>,
        results: &BTreeMap<(TaskKey, u32), String>,
    ) -> Result<(), String> {
        if let Some((key, _)) = pods.iter().find(|(_, pod)| pod.life != Life::Ended) {
            return Err(format!("{key:?} lives after the end"));
        }
        for task in tasks.values() {
            let key = &task.key;
            let (phases, _) = recorded(task).ok_or_else(|| format!("{key} ended without a record"))?;
            let counts = phases.counts();
            if counts.waiting + counts.running > 0 {
                return Err(format!("{key} ended with {counts:?}"));
            }
            let required = u32::try_from(task.status.required.unwrap_or(-1)).unwrap_or(u32::MAX);
            let expected = if counts.succeeded >= required { TaskPhase::Succeeded } else { TaskPhase::Failed };
            if task.status.phase != Some(expected) {
                return Err(format!("{key} is {:?} with {counts:?} and {required} required", task.status.phase));
            }
            let text: String =
                results.range((key.clone(), 0)..=(key.clone(), u32::MAX)).map(|(_, text)| text.as_str()).collect();
            let lines: Vec<&str> = text.lines().collect();
            for index in phases.iter_in(ItemPhase::Succeeded) {
                let line = lines.get(index.offset()).copied().unwrap_or("missing");
                if !line.starts_with(&format!("{{\"index\":{index},")) {
                    return Err(format!("{key} item {index} succeeded, its result is {line:?}"));
                }
            }
        }
        Ok(())
    }
}
