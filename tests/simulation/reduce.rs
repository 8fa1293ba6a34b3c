//! What must hold of the reduce.

use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::{MapTaskStatus, ReducePhase, TaskPhase};
use maptask::core::phases::{Attempts, Phases};
use maptask::core::port::TaskSeen;

use crate::check::{Results, check_results, lines_of};
use crate::names::PodKey;

/// SAFETY: a reduce runs only when the map is over and successful, finds every result, and not after its success.
/// `stopped`: the operator has stopped a pod of this attempt, which may have succeeded all the same.
pub fn check_start(
    key: &PodKey,
    task: &TaskSeen,
    record_of_map: &(Phases, Attempts),
    results: &Results,
    stopped: bool,
) -> Result<(), String> {
    let phases = &record_of_map.0;
    let Some(record) = &task.status.reduce else { return Err(format!("{key:?} starts without a record")) };
    let attempt = u32::try_from(record.attempt).unwrap();
    if key.2.0 < attempt || record.phase == ReducePhase::Cancelled {
        // A late create, which is deleted on sight.
        return Ok(());
    }
    if key.2.0 == attempt && stopped && task.status.phase.is_some_and(TaskPhase::is_terminal) {
        // Brought back by a late create after the end of the task, and deleted on sight.
        return Ok(());
    }
    if key.2.0 > attempt || record.phase == ReducePhase::Succeeded {
        return Err(format!("{key:?} starts, but the record is {record:?}"));
    }
    let counts = phases.counts();
    if counts.pending + counts.running > 0 || !is_true(&task.status.conditions, ConditionType::SuccessCriteriaMet) {
        if record.phase == ReducePhase::Failed {
            // The map runs again: a late create of the failed attempt, which is deleted on sight.
            return Ok(());
        }
        return Err(format!("{key:?} starts with {counts:?}"));
    }
    let lines = lines_of(&key.0, results).len();
    if lines != phases.count().get() as usize || !results.contains_key(&(key.0.clone(), 0)) {
        return Err(format!("{key:?} starts with {lines} lines of {}", phases.count().get()));
    }
    check_results(&key.0, record_of_map, results)
}

/// SAFETY: its finished pod goes only after its attempt's end was recorded.
pub fn check_clean_up(key: &PodKey, task: &TaskSeen) -> Result<(), String> {
    let over = task.status.reduce.as_ref().is_some_and(|record| {
        let ended = !matches!(record.phase, ReducePhase::Pending | ReducePhase::Running);
        ended || u32::try_from(record.attempt).unwrap() > key.2.0
    });
    if over { Ok(()) } else { Err(format!("{key:?} deleted before its end was recorded")) }
}

/// SAFETY: what is written of it is what happened: successes and failures of its own.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus, phases: &Phases, truth: (u32, u32)) -> Result<(), String> {
    let key = &task.key;
    let Some(record) = &new.reduce else {
        return if task.status.reduce.is_some() { Err(format!("{key}: the reduce is forgotten")) } else { Ok(()) };
    };
    let (succeeded, application_failures) = truth;
    let own = u32::try_from(record.application_failures).unwrap();
    let retries = task.spec.reduce.as_ref().map_or(0, |reduce| reduce.retries);
    let budget = record.phase == ReducePhase::Failed || record.application_failures <= retries;
    let fresh = new.rerun == task.status.rerun && new.rerun.is_none();
    if !budget || fresh && own > application_failures {
        return Err(format!(
            "{key}: {record:?}, but {application_failures} application failures and {retries} retries"
        ));
    }
    let under_way = matches!(record.phase, ReducePhase::Pending | ReducePhase::Running);
    let counts = phases.counts();
    if under_way && counts.pending + counts.running > 0 {
        return Err(format!("{key}: {record:?} with {counts:?}"));
    }
    if record.phase == ReducePhase::Succeeded && fresh {
        let result = new
            .result
            .as_ref()
            .and_then(|result| result.text().strip_prefix("{\"reduced\":")?.strip_suffix('}')?.parse().ok());
        if succeeded == 0 || result != Some(i64::from(record.attempt)) {
            return Err(format!("{key}: {record:?} says {:?} after {succeeded} successes", new.result));
        }
    }
    Ok(())
}
