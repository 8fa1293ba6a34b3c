//! What must hold of the conditions: that they agree with the phase, with each other and with the spec.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, find_true, is_true};
use maptask::api::status::MapTaskStatus;
use maptask::core::port::TaskSeen;

use crate::world::{Pod, World};

/// SAFETY: no status that is written contradicts itself, or the spec that it is of.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
    let wrong = |what: String| Err(format!("{}: {what} in phase {:?}", task.key, new.phase));
    let Some(phase) = new.phase else { return wrong("no phase".to_owned()) };
    for (type_, expected) in expected(task, new, phase) {
        if is_true(&new.conditions, type_) != expected {
            return wrong(format!("{type_:?} is not {expected}"));
        }
    }
    let is = |type_| is_true(&new.conditions, type_);
    if is(ConditionType::SuccessCriteriaMet) && is(ConditionType::FailureTarget) {
        return wrong("decided both ways".to_owned());
    }
    if new.completion_time.is_some() != phase.is_terminal() {
        return wrong(format!("completion at {:?}", new.completion_time));
    }
    let words = |type_| find_true(&new.conditions, type_).map(|found| (&found.reason, &found.message));
    let end = words(ConditionType::Complete).or(words(ConditionType::Failed));
    if words(ConditionType::Finished) != end || words(ConditionType::Stalled) != words(ConditionType::Failed) {
        return wrong(format!("other words for one end: {:?}", new.conditions));
    }
    new.conditions.iter().try_for_each(|condition| check_transition(task, new, condition))
}

/// Whether each of these types is True.
fn expected(task: &TaskSeen, new: &MapTaskStatus, phase: TaskPhase) -> Vec<(ConditionType, bool)> {
    let is_idle = phase == TaskPhase::Suspended && new.pods.unwrap_or(0) == 0;
    let mut expected = vec![
        (ConditionType::Finished, phase.is_terminal()),
        (ConditionType::Complete, phase == TaskPhase::Succeeded),
        (ConditionType::Failed, phase == TaskPhase::Failed),
        (ConditionType::Stalled, phase == TaskPhase::Failed),
        (ConditionType::Suspended, phase == TaskPhase::Suspended),
        (ConditionType::Reconciling, !phase.is_terminal() && !is_idle),
    ];
    // One that has failed may have been refused.
    if phase != TaskPhase::Failed {
        expected.push((ConditionType::Accepted, phase != TaskPhase::Pending));
    }
    if phase == TaskPhase::Succeeded {
        expected.push((ConditionType::SuccessCriteriaMet, true));
    }
    // The spec is the one that the write names by its version.
    if is_true(&new.conditions, ConditionType::Accepted) && !phase.is_terminal() {
        let suspended = task.spec.suspend && !task.spec.cancel;
        expected.push((ConditionType::Suspended, suspended));
    }
    expected
}

/// A condition is there once, and its time never goes back. It may move with the status as it was: what has changed and
/// changed back since the last write.
fn check_transition(task: &TaskSeen, new: &MapTaskStatus, condition: &Condition) -> Result<(), String> {
    let same = |other: &&Condition| other.type_ == condition.type_;
    let before = task.status.conditions.iter().find(same);
    if before.is_some_and(|before| before.last_transition_time > condition.last_transition_time)
        || new.conditions.iter().filter(same).count() != 1
    {
        return Err(format!("{}: {condition:?} after {:?}", task.key, task.status.conditions));
    }
    Ok(())
}

impl World {
    /// SAFETY: of a suspended task that is called idle no pod is alive that the operator knows.
    pub fn check_idle(&self, task: &TaskSeen) -> Result<(), String> {
        let is_idle = task.status.phase == Some(TaskPhase::Suspended)
            && !is_true(&task.status.conditions, ConditionType::Reconciling);
        // A late create may bring back a name that the operator has known, after this was written.
        let is_own = |pod: &Pod| pod.seen.owner_uid.as_ref() == Some(&task.uid) && pod.life.is_open() && !pod.late;
        let alive = self.pods.iter().find(|(key, pod)| is_own(pod) && self.operator.known.pods.contains(key));
        match alive.filter(|_| is_idle) {
            Some((key, _)) => Err(format!("{} is called idle, but {key:?} lives", task.key)),
            None => Ok(()),
        }
    }
}
