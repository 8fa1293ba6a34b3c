//! What must hold when the operator stops a pod that has not ended: that there is a reason for it.

use crate::names::{REDUCE, pod_key};
use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, find_true, is_true};
use maptask::api::remaining_items::{OnFailure, OnSuccess};
use maptask::api::spec::{MapTaskSpec, SuspendPolicy};
use maptask::api::status::MapTaskStatus;
use maptask::core::phases::ItemPhase;
use maptask::core::port::{Delete, TaskSeen};
use maptask::core::spec::reduce::SELF;
use maptask::core::task::Task;

use crate::cancel::may_be_cancelled;
use crate::check::counts;
use crate::names::PodKey;
use crate::world::World;

/// Whether it is recorded that items in flight are stopped: what Drain and Run never do. A deadline, a rule or a quota
/// also stops what would run on.
fn is_stopping(spec: &MapTaskSpec, status: &MapTaskStatus) -> bool {
    let met = is_true(&status.conditions, ConditionType::SuccessCriteriaMet);
    let target = find_true(&status.conditions, ConditionType::FailureTarget);
    let hopeless = target.is_some_and(|target| target.reason == "TooManyFailures");
    let late = (met || hopeless) && (spec.active_deadline_seconds.is_some() || may_be_cancelled(spec));
    late || met && spec.remaining_items.on_success == OnSuccess::Cancel
        || hopeless && spec.remaining_items.on_failure == OnFailure::Cancel
        || target.is_some() && !hopeless
}

impl World {
    /// SAFETY: a pod that has not ended is stopped only for what is recorded (the task's course, its end, an attempt
    /// that counts no more), for a suspension with the policy Stop that the operator has seen, or for its start
    /// deadline before it has started.
    pub fn check_stop(&self, delete: &Delete) -> Result<(), String> {
        let key = pod_key(&delete.id);
        let Some(task) = self.owner(&delete.uid, &key) else { return Ok(()) };
        let known = self.operator.known.tasks.get(&key.0).filter(|known| known.uid == task.uid);
        let suspended = known.is_some_and(|known| {
            known.spec.suspend && known.spec.suspend_policy == SuspendPolicy::Stop && !known.deleting
        });
        let suspended = suspended || self.is_stopped_by_queue(task);
        if suspended || self.may_be_late(delete, &key) || must_go(task, &key) || self.believes_over(&key) {
            return Ok(());
        }
        Err(format!("{} is stopped for no reason", delete.id))
    }

    /// Whether the operator has seen the end of the attempt, and not yet recorded it: its pod vanished, and a late
    /// create has brought it back.
    fn believes_over(&self, key: &PodKey) -> bool {
        let task = self.operator.fleet.task(&key.0);
        let (run, index) = match key.1 {
            REDUCE => (task.and_then(Task::active), SELF),
            index => (task.and_then(Task::map), index),
        };
        run.is_none_or(|run| {
            run.items().phases().get(index).is_some_and(ItemPhase::is_terminal) || run.items().attempt(index) > key.2
        })
    }

    /// The task of a pod, unless either is on its way out.
    fn owner(&self, uid: &str, key: &PodKey) -> Option<&TaskSeen> {
        let pod = self.pods.get(key).filter(|pod| pod.seen.uid == uid)?;
        self.tasks.get(&key.0).filter(|task| Some(&task.uid) == pod.seen.owner_uid.as_ref() && !task.deleting)
    }
}

fn must_go(task: &TaskSeen, key: &PodKey) -> bool {
    let ended = task.status.phase.is_some_and(TaskPhase::is_terminal);
    // The reduce has a deadline of its own.
    let late = key.1 == REDUCE && task.spec.reduce.as_ref().is_some_and(|r| r.active_deadline_seconds.is_some());
    let cancelled = key.1 == REDUCE && may_be_cancelled(&task.spec);
    ended || late || cancelled || is_stopping(&task.spec, &task.status) || !counts(task, key)
}
