//! What is to be done about the Workload of a task that MultiKueue runs in another cluster?
//!
//! MultiKueue copies the Workload and the task there, and the task's status back. It reports the end of the Workload,
//! and removes the copies once the Workload has lost its quota or is gone.

use super::condition::{EVICTED, FINISHED, RESERVED};
use super::decide::{ready, release};
use super::{Need, Step, Wanted, WorkloadSeen, next_step};
use crate::core::ids::Time;

/// The next request, if one is due. No pod of the task is in this cluster, so that nothing here has to end first.
pub fn next_remote_step(now: Time, seen: Option<&WorkloadSeen>, wanted: &Wanted) -> Option<Step> {
    let Some(workload) = seen else { return next_step(now, None, wanted) };
    if workload.deleting || matches!(wanted.need, Need::Ended { .. }) {
        return None;
    }
    if workload.is(FINISHED) {
        // The task's status may be seen later than this, so it does not say for which rerun this was.
        let is_another = wanted.rerun.is_some() && workload.rerun != wanted.rerun;
        return is_another.then_some(Step::Delete);
    }
    match wanted.need {
        Need::Pods(_) if !workload.is(RESERVED) => next_step(now, seen, wanted),
        Need::Pods(_) if workload.is(EVICTED) => Some(release(now, workload)),
        Need::Pods(_) => ready(now, workload, wanted),
        Need::Nothing | Need::Ended { .. } => Some(Step::Delete),
    }
}
