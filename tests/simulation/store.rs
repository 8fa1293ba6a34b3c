//! Where results and status are kept: what may stand in the way, and what must hold of what is there.

use std::collections::BTreeSet;

use maptask::api::TaskPhase;
use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::WaitingReason;
use maptask::core::ids::{Index, TaskKey};
use maptask::core::phases::ItemPhase;
use maptask::core::port::{Action, Event, Note, TaskSeen, Write, WriteOutcome};
use maptask::core::results::Shard;
use maptask::core::results::keeping::{Damage, Kept};
use maptask::core::results::places::Places;

use crate::check::{check_results, lines_of, recorded};
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
        self.store(&write.key, &write.results[..stored]);
        let message = r#"configmaps "x" is forbidden: exceeded quota: q"#.to_owned();
        Some(WriteOutcome::NotStored { message, refused: self.random.chance(70) })
    }

    /// Stores lines; what has been damaged, as far as that is news.
    pub fn store(&mut self, key: &TaskKey, shards: &[Shard]) -> Vec<Damage> {
        let mut damaged = Vec::new();
        for shard in shards {
            let id = (key.clone(), shard.number);
            let text = self.results.get(&id).cloned();
            let (checks, told, list) = self.marks.get(&id).cloned().unwrap_or_default();
            let kept = text.as_ref().map(|text| Kept { text, checks: &checks, damaged: &told, list });
            match shard.keep(kept) {
                Err(damage) => damaged.push(damage),
                Ok(None) => {}
                Ok(Some(keep)) => {
                    self.results.insert(id.clone(), keep.text);
                    self.marks.insert(id, (keep.checks, keep.damaged, shard.list));
                }
            }
        }
        damaged
    }

    /// A user deletes results of a task that runs, or edits them.
    pub fn tamper(&mut self) {
        let runs = |key: &TaskKey| {
            let status = self.tasks.get(key).map(|task| &task.status);
            status.is_some_and(|status| status.phase.is_some_and(|phase| !phase.is_terminal()))
        };
        let ids: Vec<_> = self.results.keys().filter(|(key, _)| runs(key)).cloned().collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.random.below(ids.len())].clone();
        self.truth.tampered.insert(self.tasks[&id.0].uid.clone());
        self.say(|| format!("somebody changes the results of {}", id.0));
        if self.random.chance(40) {
            self.results.remove(&id);
            self.marks.remove(&id);
            return;
        }
        let which = self.random.below(4);
        let text = self.results.get_mut(&id).unwrap();
        let edited = text.lines().enumerate().map(|(place, line)| if place == which { "null" } else { line });
        *text = edited.flat_map(|line| [line, "\n"]).collect();
    }

    /// Whether the ConfigMap says that this item's line is damaged.
    fn is_damaged(&self, key: &TaskKey, index: Index) -> bool {
        self.marks.get(&(key.clone(), 0)).is_some_and(|(_, damaged, _)| Places::parse(damaged).has(index.0))
    }

    /// At the end: every success has its line, or the status and the ConfigMap report its loss.
    pub fn check_damage(&self) -> Result<(), String> {
        for task in self.tasks.values().filter(|task| self.truth.tampered.contains(&task.uid)) {
            let Some((phases, _)) = recorded(&task.status) else { continue };
            let told = is_true(&task.status.conditions, ConditionType::ResultsDamaged);
            let lines = lines_of(&task.key, &self.results);
            for index in phases.iter_in(ItemPhase::Succeeded) {
                let line = lines.get(index.offset()).copied().unwrap_or("missing");
                let good = line.starts_with(&format!("{{\"index\":{index},"));
                if !(good || told && self.is_damaged(&task.key, index)) {
                    return Err(format!("{} item {index} has the result {line:?}, which nobody tells of", task.key));
                }
            }
            let damaged = phases.count().indexes().any(|index| self.is_damaged(&task.key, index));
            if told != damaged && phases.counts().succeeded > 0 {
                return Err(format!("{}: damage is told: {told}, there is some: {damaged}", task.key));
            }
        }
        Ok(())
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
        self.check_idle(task)?;
        self.turns.extend(turns(task).map(|turn| (task.uid.clone(), turn)));
        match recorded(&task.status) {
            // Until the next write somebody's hand may be seen; that it is at the end is checked there.
            Some(_) if self.truth.tampered.contains(&task.uid) => Ok(()),
            Some(record) => {
                self.check_whole(task, record.0.count().get())?;
                check_results(&task.key, &record, &self.results)
            }
            None => Ok(()),
        }
    }

    /// SAFETY: of a task that has succeeded the list has a line for each item.
    fn check_whole(&self, task: &TaskSeen, count: u32) -> Result<(), String> {
        let lines = lines_of(&task.key, &self.results).len();
        match task.status.phase {
            Some(TaskPhase::Succeeded) if lines != count as usize => {
                Err(format!("{} has succeeded with {lines} lines for {count} items", task.key))
            }
            _ => Ok(()),
        }
    }

    /// SAFETY: an Event tells of what is recorded, and of nothing before it is.
    pub fn check_told(&self, action: &Action) -> Result<(), String> {
        let Action::EmitEvent(tell) = action else { return Ok(()) };
        let of_turn = matches!(tell.reason.as_str(), "Accepted" | "Succeeded" | "Failed");
        if of_turn && !self.turns.contains(&(tell.uid.clone(), tell.reason.as_str())) {
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
