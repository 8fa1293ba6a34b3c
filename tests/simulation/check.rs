//! What must hold: at every step, and at the end.

use crate::names::REDUCE;
use std::collections::BTreeMap;

use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, find_true, is_true};
use maptask::api::remaining_items::{OnFailure, OnSuccess};
use maptask::api::spec::MapTaskSpec;
use maptask::api::status::{MapTaskStatus, ReducePhase};
use maptask::core::ids::{Attempt, TaskKey, Time};
use maptask::core::phases::{self, Attempts, ItemPhase, Phases};
use maptask::core::port::TaskSeen;

use crate::cache::Caches;
use crate::cancel::{is_cancelled, may_be_cancelled};
use crate::names::PodKey;
use crate::reduce;
use crate::truth::Truth;
use crate::world::{Life, Pod};

/// The text of each ConfigMap of results.
pub type Results = BTreeMap<(TaskKey, u32), String>;

pub fn number(n: i32) -> u32 {
    u32::try_from(n).unwrap_or(0)
}

/// The recorded phases of a task, if it has got so far.
pub fn recorded(status: &MapTaskStatus) -> Option<(Phases, Attempts)> {
    decode(status).transpose().ok().flatten()
}

pub fn decode(status: &MapTaskStatus) -> Option<Result<(Phases, Attempts), String>> {
    Some(phases::recorded(status)?.map_err(|e| e.to_string()))
}

/// Whether items may still start, by what is recorded.
fn starts(spec: &MapTaskSpec, status: &MapTaskStatus) -> bool {
    let is = |type_| is_true(&status.conditions, type_);
    if is(ConditionType::SuccessCriteriaMet) {
        return spec.remaining_items.on_success == OnSuccess::Run && spec.active_deadline_seconds.is_none();
    }
    !is(ConditionType::FailureTarget)
}

/// Whether it is recorded that no item starts any more.
pub fn is_closed(spec: &MapTaskSpec, status: &MapTaskStatus) -> bool {
    let failed = find_true(&status.conditions, ConditionType::FailureTarget);
    let by_counts = failed.is_some_and(|target| target.reason == "TooManyFailures");
    is_true(&status.conditions, ConditionType::SuccessCriteriaMet) && spec.remaining_items.on_success != OnSuccess::Run
        || failed.is_some() && !(by_counts && spec.remaining_items.on_failure == OnFailure::Run)
}

/// Whether, by what is recorded, the attempt has not ended.
pub fn counts(task: &TaskSeen, (_, index, attempt): &PodKey) -> bool {
    if *index == REDUCE {
        let under_way = |phase| matches!(phase, ReducePhase::Pending | ReducePhase::Running);
        let record = task.status.reduce.as_ref().filter(|record| under_way(record.phase));
        return record.is_some_and(|record| record.attempt <= attempt.0 as i32);
    }
    if *attempt < Attempt::first_after(task.status.attempt_base) {
        return false;
    }
    let Some((phases, tries)) = recorded(&task.status) else { return true };
    !phases.get(*index).is_some_and(ItemPhase::is_terminal) && tries.get(*index).attempt <= *attempt
}

impl Truth {
    /// SAFETY: no item has two live pods. A pod whose item's container has ended, and with it the attempt, counts no
    /// more, though others of its containers run on. Of a task on its way out, the garbage collector takes pods whose
    /// names are still in use, so that a late create can bring one back.
    pub fn check_pods(
        &mut self,
        pods: &BTreeMap<PodKey, Pod>,
        tasks: &BTreeMap<TaskKey, TaskSeen>,
    ) -> Result<(), String> {
        if let Some(problem) = self.problem.take() {
            return Err(problem);
        }
        let mut last: Option<&PodKey> = None;
        let stays = |key: &PodKey, pod: &Pod| {
            tasks.get(&key.0).is_some_and(|task| !task.deleting && Some(&task.uid) == pod.seen.owner_uid.as_ref())
        };
        for (key, _) in pods.iter().filter(|(key, pod)| pod.life.is_open() && stays(key, pod)) {
            if let Some(other) = last
                && (&other.0, other.1) == (&key.0, key.1)
            {
                return Err(format!("two live pods: {other:?} and {key:?}"));
            }
            last = Some(key);
        }
        Ok(())
    }

    /// SAFETY: no item runs after its success was recorded. Once nothing is to start any more, a late create can still
    /// bring back a pod that was stopped, and also one that vanished and failed its item with that; they are deleted on
    /// sight, which the end of the run checks.
    pub fn check_start(
        &self,
        key: &PodKey,
        pod: &Pod,
        tasks: &BTreeMap<TaskKey, TaskSeen>,
        results: &Results,
    ) -> Result<(), String> {
        let task = tasks.get(&key.0).filter(|task| Some(&task.uid) == pod.seen.owner_uid.as_ref());
        let Some(task) = task else { return Ok(()) };
        let Some(record) = recorded(&task.status) else { return Ok(()) };
        if key.1 == REDUCE && self.tampered.contains(&task.uid) {
            return Ok(());
        }
        if key.1 == REDUCE && !task.deleting {
            return reduce::check_start(key, task, &record, results, self.was_stopped(pod, key));
        }
        // Of a task on its way out, the garbage collector takes pods whose names are still in use.
        if task.deleting || task.spec.cancel || !starts(&task.spec, &task.status) {
            return Ok(());
        }
        match record.0.get(key.1) {
            Some(ItemPhase::Succeeded) => Err(format!("{key:?} starts, but is recorded as Succeeded")),
            _ => Ok(()),
        }
    }

    /// SAFETY: a finished pod goes only after its attempt's end was recorded.
    pub fn check_clean_up(&self, key: &PodKey, pod: &Pod, tasks: &BTreeMap<TaskKey, TaskSeen>) -> Result<(), String> {
        let task = tasks.get(&key.0).filter(|task| Some(&task.uid) == pod.seen.owner_uid.as_ref());
        let Some(task) = task else { return Ok(()) };
        if task.status.phase.is_some_and(TaskPhase::is_terminal) {
            return Ok(());
        }
        if key.1 != REDUCE && key.2 < Attempt::first_after(task.status.attempt_base) {
            return Ok(());
        }
        if key.1 == REDUCE && task.status.reduce.is_some() {
            return reduce::check_clean_up(key, task);
        }
        let Some((phases, tries)) = recorded(&task.status) else {
            return Err(format!("{key:?} deleted with no record at all"));
        };
        let over = phases.get(key.1).is_some_and(ItemPhase::is_terminal) || tries.get(key.1).attempt > key.2;
        if over { Ok(()) } else { Err(format!("{key:?} deleted before its end was recorded")) }
    }

    /// SAFETY: a task is deleted only after its end, when its time is over, and not if it is of another cluster.
    pub fn check_expiry(&self, task: &TaskSeen, now: Time) -> Result<(), String> {
        if task.prebuilt.is_some() {
            return Err(format!("{} is deleted, and not by MultiKueue", task.key));
        }
        let ttl = task.spec.ttl_seconds_after_finished.map_or(i64::MAX, |seconds| i64::from(seconds) * 1_000);
        let end = task.status.completion_time.as_ref().map_or(i64::MAX, |end| end.0.as_millisecond());
        if end.saturating_add(ttl) > now.0 {
            return Err(format!("{} is deleted before its time", task.key));
        }
        Ok(())
    }

    /// LIVENESS, and what must be true at the end.
    pub fn check_end(
        &self,
        tasks: &BTreeMap<TaskKey, TaskSeen>,
        pods: &BTreeMap<PodKey, Pod>,
        results: &Results,
        caches: &Caches,
    ) -> Result<(), String> {
        if let Some((key, _)) = pods.iter().find(|(_, pod)| pod.life != Life::Ended) {
            return Err(format!("{key:?} lives after the end"));
        }
        for task in tasks.values() {
            let key = &task.key;
            crate::zero::check_end(task)?;
            crate::store::check_end(task)?;
            crate::ends::check_end(task)?;
            if crate::ends::is_refused(task) {
                continue;
            }
            let Some(record) = recorded(&task.status) else { return Err(format!("{key} ended without a record")) };
            let phases = &record.0;
            let counts = phases.counts();
            if counts.pending + counts.running > 0 {
                return Err(format!("{key} ended with {counts:?}"));
            }
            check_verdict(task, phases)?;
            // Of others see `World::check_damage`.
            if !self.tampered.contains(&task.uid) {
                check_results(key, &record, results)?;
                caches.check(task, phases, results)?;
            }
        }
        Ok(())
    }
}

/// The list of a task's results.
pub fn lines_of<'a>(key: &TaskKey, results: &'a Results) -> Vec<&'a str> {
    results.range((key.clone(), 0)..=(key.clone(), u32::MAX)).flat_map(|(_, text)| text.lines()).collect()
}

/// Every success has its line, and it is what the attempt that succeeded has said, the last one.
pub fn check_results(key: &TaskKey, (phases, tries): &(Phases, Attempts), results: &Results) -> Result<(), String> {
    let lines = lines_of(key, results);
    for index in phases.iter_in(ItemPhase::Succeeded) {
        let line = lines.get(index.offset()).copied().unwrap_or("missing");
        if line != format!("{{\"index\":{index},\"attempt\":{}}}", tries.get(index).attempt) {
            return Err(format!("{key} item {index} succeeded, its result is {line:?}"));
        }
    }
    Ok(())
}

fn check_verdict(task: &TaskSeen, phases: &Phases) -> Result<(), String> {
    let (key, status, counts) = (&task.key, &task.status, phases.counts());
    let required = number(status.required.unwrap_or(-1));
    let is = |type_| is_true(&status.conditions, type_);
    let met = is(ConditionType::SuccessCriteriaMet);
    let reduce_failed = status.reduce.as_ref().is_some_and(|r| r.phase != ReducePhase::Succeeded);
    let unreduced = task.spec.reduce.is_some() && (reduce_failed || is_cancelled(status));
    let expected = if met && !unreduced { TaskPhase::Succeeded } else { TaskPhase::Failed };
    let wrong = |what: &str| Err(format!("{key} {what}: {:?} with {counts:?}, {required} required", status.phase));
    if status.phase != Some(expected) || met == is(ConditionType::FailureTarget) {
        return wrong("does not say how it was decided");
    }
    if met && counts.succeeded + counts.cached < required {
        return wrong("succeeded with too few");
    }
    let reason = status.conditions.iter().find(|c| c.type_ == "FailureTarget").map(|c| c.reason.as_str());
    let by_counts = reason == Some("TooManyFailures") && !met;
    if by_counts
        && counts.succeeded + counts.cached >= required
        && task.spec.remaining_items.on_failure == OnFailure::Run
    {
        return wrong("failed with enough successes");
    }
    let fresh = !may_be_cancelled(&task.spec) && task.spec.active_deadline_seconds.is_none();
    let runs_all = met && task.spec.remaining_items.on_success == OnSuccess::Run
        || by_counts && task.spec.remaining_items.on_failure == OnFailure::Run;
    if fresh && runs_all && counts.cancelled > 0 {
        return wrong("was to run all");
    }
    Ok(())
}
