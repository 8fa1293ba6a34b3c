//! What must happen in time, and not before it: the deadline of a task and its deletion.

use maptask::api::TaskPhase;
use maptask::core::ids::Time;
use maptask::core::port::{Action, TaskSeen};

use crate::world::World;

/// A deletion of a task that has no answer is sent again after this many milliseconds.
const EXPIRE_AGAIN_MILLIS: u64 = 30_000;

/// When a task that is recorded as running is to fail for its deadline.
pub fn deadline(task: &TaskSeen) -> Option<Time> {
    let seconds = u64::try_from(task.spec.active_deadline_seconds?).ok()?;
    let start = task.status.start_time.as_ref()?.0.as_millisecond();
    Some(Time(start).plus_millis(seconds * 1_000))
}

/// When a task that has ended is to be deleted.
fn expiry(task: &TaskSeen) -> Option<Time> {
    let seconds = u64::try_from(task.spec.ttl_seconds_after_finished?).ok()?;
    let end = task.status.completion_time.as_ref()?.0.as_millisecond();
    Some(Time(end).plus_millis(seconds * 1_000))
}

impl World {
    /// LIVENESS: whenever the operator has planned, each task whose deadline has passed is decided, and each whose time
    /// is over is being deleted, as far as the operator has seen it as it is now. A task that was resumed counts from
    /// then, which may not be recorded yet.
    pub fn check_times(&self) -> Result<(), String> {
        let known = &self.operator.known;
        for (key, task) in &self.tasks {
            let is_known = known.tasks.get(key).is_some_and(|known| known.resource_version == task.resource_version);
            let Some(of_core) = self.operator.fleet.task(key).filter(|_| is_known && !task.deleting) else { continue };
            let ended = task.status.phase.is_some_and(TaskPhase::is_terminal);
            let late = deadline(task).is_some_and(|time| time <= self.now);
            let resumed = known.resumed.contains_key(key) || task.status.phase == Some(TaskPhase::Suspended);
            let undecided = of_core.map().is_some_and(|run| run.outcome().is_none());
            // In a queue no time passes.
            let late = late && task.queue.is_none();
            if late && !ended && !task.spec.suspend && !resumed && undecided {
                return Err(format!("{key} runs on after its deadline"));
            }
            if task.spec.cancel && !ended && undecided {
                return Err(format!("{key} runs on though it is cancelled"));
            }
            let rerun = task.spec.rerun.as_ref().map(|rerun| &rerun.id);
            let is_done = of_core.is_settled() && rerun == task.status.rerun.as_ref().map(|done| &done.id);
            // One of another cluster is deleted by MultiKueue.
            let expires = ended && is_done && task.prebuilt.is_none();
            if expires && expiry(task).is_some_and(|time| time <= self.now) && !self.is_expiring(task) {
                return Err(format!("{key} stays after its time"));
            }
        }
        Ok(())
    }

    /// Whether the deletion of a task is on its way, or was sent lately.
    fn is_expiring(&self, task: &TaskSeen) -> bool {
        let sent = self.operator.known.expires.get(&task.uid);
        let is_it = |request: &Action| matches!(request, Action::Expire(expire) if expire.uid == task.uid);
        self.operator.requests.iter().any(is_it)
            || sent.is_some_and(|sent| self.now.millis_since(*sent) < EXPIRE_AGAIN_MILLIS)
    }
}
