//! What must hold for a task that requires no success: all of its items run.

use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::MapTaskStatus;
use maptask::core::port::TaskSeen;

use crate::cancel::may_be_cancelled;

fn is_met(status: &MapTaskStatus) -> bool {
    status.required == Some(0) && is_true(&status.conditions, ConditionType::SuccessCriteriaMet)
}

/// SAFETY: it is not called successful before all its items have ended.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
    let left = new.counts.map_or(0, |counts| counts.pending + counts.running);
    if is_met(new) && left > 0 { Err(format!("{} is successful with {left} items left", task.key)) } else { Ok(()) }
}

/// At the end of one that nothing but its items ended, all have run.
pub fn check_end(task: &TaskSeen) -> Result<(), String> {
    let status = &task.status;
    let undisturbed = !may_be_cancelled(&task.spec) && task.spec.active_deadline_seconds.is_none();
    let cancelled = status.counts.map_or(0, |counts| counts.cancelled);
    if is_met(status) && undisturbed && cancelled > 0 {
        return Err(format!("{}: nothing is required, and {cancelled} items did not run", task.key));
    }
    Ok(())
}
