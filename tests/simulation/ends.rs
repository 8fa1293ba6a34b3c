//! What must hold at a task's end: it is reported, and so is a rerun that was asked for before.

use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::MapTaskStatus;
use maptask::core::port::TaskSeen;

/// Whether it ended without being accepted.
pub fn is_refused(task: &TaskSeen) -> bool {
    task.status.phase == Some(TaskPhase::Failed) && task.status.phases.is_none()
}

/// SAFETY: the status names a rerun that has not started yet.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
    let key = &task.key;
    let wanted = task.spec.rerun.as_ref().map(|rerun| &rerun.id);
    let done = new.rerun.as_ref().map(|done| &done.id);
    let pending = new.pending_rerun.as_ref().map(|pending| &pending.id);
    let current = new.observed_generation == Some(task.generation);
    let accepted = is_true(&new.conditions, ConditionType::Accepted);
    let expected = wanted.filter(|_| wanted != done);
    if current && accepted && pending != expected {
        return Err(format!("{key}: rerun {wanted:?} is asked for, {done:?} done and {pending:?} told"));
    }
    Ok(())
}

/// At the end no rerun is left, and the status is of the newest spec.
pub fn check_end(task: &TaskSeen) -> Result<(), String> {
    let observed = task.status.observed_generation;
    let asked = task.spec.rerun.as_ref().map(|rerun| &rerun.id);
    // A rerun of a cancelled task is recorded once it may start.
    let waits = task.spec.cancel && asked != task.status.rerun.as_ref().map(|done| &done.id);
    if observed != Some(task.generation) && !waits {
        return Err(format!("{} has generation {}, and its status is of {observed:?}", task.key, task.generation));
    }
    match &task.status.pending_rerun {
        Some(pending) if !task.spec.cancel => Err(format!("{} has ended and {pending:?}", task.key)),
        _ => Ok(()),
    }
}
