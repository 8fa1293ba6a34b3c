//! Tasks whose items are the results of others.

use std::collections::{BTreeMap, BTreeSet};

use super::Fleet;
use crate::api::TaskPhase;
use crate::core::ids::TaskKey;
use crate::core::items::ExternalSource;
use crate::core::port::TaskSeen;
use crate::core::task::Task;

/// Which tasks read the results of a task, as far as they have been seen.
#[derive(Debug, Default)]
pub(super) struct Dependents(BTreeMap<TaskKey, BTreeSet<TaskKey>>);

impl Dependents {
    fn add(&mut self, of: TaskKey, key: &TaskKey) {
        self.0.entry(of).or_default().insert(key.clone());
    }

    /// Those of a task for which `waits` is true; the others are forgotten.
    fn retain(&mut self, of: &TaskKey, mut waits: impl FnMut(&TaskKey) -> bool) -> Vec<TaskKey> {
        let Some(all) = self.0.get_mut(of) else { return Vec::new() };
        all.retain(|key| waits(key));
        let left = all.iter().cloned().collect();
        if all.is_empty() {
            self.0.remove(of);
        }
        left
    }
}

impl Fleet {
    /// Notes for whom the task waits, and wakes those that wait for it once it has ended.
    pub(super) fn note_dependencies(&mut self, seen: &TaskSeen) {
        if let Some(name) = ExternalSource::task_of(&seen.spec.items) {
            self.dependents.add(TaskKey::new(seen.key.namespace.clone(), name), &seen.key);
        }
        if seen.status.phase.is_some_and(TaskPhase::is_terminal) {
            for key in self.dependents(&seen.key) {
                if let Some(task) = self.entries.get_mut(&key).and_then(|entry| entry.task.as_mut()) {
                    task.awaited_task_ended();
                }
                self.dirty.insert(key);
            }
        }
    }

    /// A task is gone. Those that wait for it still do: it may be created again.
    pub(super) fn forget_dependencies(&mut self, key: &TaskKey) {
        if let Some(name) = self.task(key).and_then(Task::awaited_task) {
            let of = TaskKey::new(key.namespace.clone(), name);
            self.dependents.retain(&of, |dependent| dependent != key);
        }
        self.dependents(key);
    }

    /// The tasks that still wait for this one; the others are forgotten.
    fn dependents(&mut self, key: &TaskKey) -> Vec<TaskKey> {
        let entries = &self.entries;
        let awaited = |dependent: &TaskKey| entries.get(dependent)?.task.as_ref()?.awaited_task();
        self.dependents.retain(key, |dependent| awaited(dependent) == Some(&*key.name))
    }

    /// The tasks that wait for each other, beginning with this one, if it waits for its own end.
    pub(super) fn cycle(&self, key: &TaskKey) -> Option<Vec<String>> {
        let mut names: Vec<String> = Vec::new();
        let mut at = key.clone();
        loop {
            names.push(at.name.to_string());
            let next = self.task(&at).and_then(Task::awaited_task)?;
            if *next == *key.name {
                return Some(names);
            }
            if names.iter().any(|name| name == next) {
                // A cycle of others, which are refused themselves.
                return None;
            }
            at = TaskKey::new(key.namespace.clone(), next);
        }
    }
}
