//! What must hold of a task that a user cancels: it ends with what it has, and stays so until a rerun.

use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, find_true, is_true};
use maptask::api::spec::MapTaskSpec;
use maptask::api::status::MapTaskStatus;
use maptask::core::port::TaskSeen;

/// Whether it was ever cancelled: in these worlds a user takes that back only with a rerun.
pub fn may_be_cancelled(spec: &MapTaskSpec) -> bool {
    spec.cancel || spec.rerun.is_some()
}

/// The reason of its end, if that is being cancelled.
pub fn is_cancelled(status: &MapTaskStatus) -> bool {
    let failed = find_true(&status.conditions, ConditionType::Failed);
    failed.is_some_and(|failed| failed.reason == "Cancelled")
}

/// SAFETY: a write sees the spec as it is, or it conflicts. So one of a task that is cancelled says that it is decided,
/// and takes no end back; only a task that may have been cancelled ends so; and its reduce does not succeed.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
    let key = &task.key;
    let ended = |status: &MapTaskStatus| status.phase.is_some_and(TaskPhase::is_terminal);
    let is = |type_| is_true(&new.conditions, type_);
    let decided = is(ConditionType::SuccessCriteriaMet) || is(ConditionType::FailureTarget);
    if task.spec.cancel && !task.deleting && !ended(new) && !decided {
        return Err(format!("{key} is cancelled and still runs: {:?}", new.phase));
    }
    if task.spec.cancel && ended(&task.status) && !ended(new) {
        return Err(format!("{key} is cancelled and starts again"));
    }
    if is_cancelled(new) && !may_be_cancelled(&task.spec) {
        return Err(format!("{key} ends as cancelled, which nobody asked for"));
    }
    if is_cancelled(new) && new.result.is_some() {
        return Err(format!("{key} is cancelled and has the result of a reduce"));
    }
    Ok(())
}
