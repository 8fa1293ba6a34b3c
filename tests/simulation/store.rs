//! Where results and status are kept: what may stand in the way, and what must hold of what is there.

use std::collections::BTreeSet;

use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::WaitingReason;
use maptask::core::fleet::Event;
use maptask::core::fleet::plan::{Action, Note, Write, WriteOutcome};
use maptask::core::task::TaskSeen;

use crate::check::{check_results, recorded};
use crate::world::World;

/// What was ever recorded of a task, by its UID, in the words of the Events that tell of it.
pub type Turns = BTreeSet<(String, &'static str)>;

/// Turns that an Event tells of.
fn turns(task: &TaskSeen) -> impl Iterator<Item = &'static str> {
    let accepted = is_true(&task.status.conditions, ConditionType::Accepted).then_some("Accepted");
    let end = match task.status.phase {
        Some(TaskPhase::Succeeded) => Some("Succeeded"),
        Some(TaskPhase::Failed) => Some("Failed"),
        _ => None,
    };
    accepted.into_iter().chain(end)
}

impl World {
    /// Why nothing is stored, if there is no room for ConfigMaps.
    pub fn unstored(&mut self, write: &Write) -> Option<WriteOutcome> {
        if !self.faults.no_room || write.results.is_empty() {
            return None;
        }
        // Those before the one that has no room are stored.
        let stored = self.random.below(write.results.len());
        for shard in &write.results[..stored] {
            let text = self.results.entry((write.key.clone(), shard.number)).or_default();
            *text = shard.merge(text);
        }
        let message = r#"configmaps "x" is forbidden: exceeded quota: q"#.to_owned();
        Some(WriteOutcome::NotStored { message, refused: self.random.chance(70) })
    }

    /// SAFETY: nothing but the reason of the wait changes.
    pub fn note(&mut self, note: &Note) -> WriteOutcome {
        let version = self.next_version();
        let Some(task) = self.tasks.get_mut(&note.key).filter(|task| task.uid == note.uid) else {
            return WriteOutcome::Gone;
        };
        if task.resource_version != note.resource_version {
            return WriteOutcome::Conflict;
        }
        task.status.waiting = Some(note.waiting.clone());
        task.resource_version = version;
        let task = task.clone();
        self.operator.task_events.push_back(Event::Task(Box::new(task)));
        WriteOutcome::Written { version, rewritten: 0, uncached: None }
    }

    /// SAFETY: of a task as it is recorded now, every success has its line.
    pub fn check_stored(&mut self, task: &TaskSeen) -> Result<(), String> {
        self.turns.extend(turns(task).map(|turn| (task.uid.clone(), turn)));
        match recorded(&task.status) {
            Some((phases, _)) => check_results(&task.key, &phases, &self.results),
            None => Ok(()),
        }
    }

    /// SAFETY: an Event tells of what is recorded, and of nothing before it is.
    pub fn check_told(&self, action: &Action) -> Result<(), String> {
        let Action::Tell(tell) = action else { return Ok(()) };
        let of_turn = matches!(tell.reason, "Accepted" | "Succeeded" | "Failed");
        if of_turn && !self.turns.contains(&(tell.uid.clone(), tell.reason)) {
            return Err(format!("{action}, which is not recorded"));
        }
        Ok(())
    }
}

/// At the end nothing is waited for any more.
pub fn check_end(task: &TaskSeen) -> Result<(), String> {
    let waiting = task.status.waiting.as_ref().map(|waiting| waiting.reason);
    match waiting {
        Some(WaitingReason::ResultsNotStored) => Err(format!("{} has ended and waits", task.key)),
        _ => Ok(()),
    }
}
