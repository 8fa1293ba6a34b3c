//! Pods whose item's container has ended while others run: for what does the task wait?

use std::collections::{BTreeMap, BTreeSet};

use crate::core::ids::{Index, Time};

/// Containers may take this many milliseconds to end after the item's before they are told.
const PATIENCE_MILLIS: u64 = 10_000;
/// Most characters of the names of containers.
const NAMES_LIMIT: usize = 200;

/// Pods of one task whose item's container has ended while others run.
#[derive(Debug, Default)]
pub struct Outlived {
    /// When the patience with each ends.
    patience: BTreeSet<(Time, Index)>,
    /// It has ended with these.
    late: BTreeSet<Index>,
    /// The other containers of each, and when the patience with them ends.
    names: BTreeMap<Index, (Time, String)>,
}

impl Outlived {
    /// What runs in the pod of an item though its own container ended at `since`.
    pub fn note(&mut self, index: Index, since: Time, containers: &[String]) {
        let names = crate::text::cut(&containers.join(", "), NAMES_LIMIT);
        if let Some((_, known)) = self.names.get_mut(&index) {
            *known = names;
            return;
        }
        let until = since.plus_millis(PATIENCE_MILLIS);
        self.patience.insert((until, index));
        self.names.insert(index, (until, names));
    }

    /// The pod of the item has ended, or its own container runs.
    pub fn forget(&mut self, index: Index) {
        if let Some((until, _)) = self.names.remove(&index) {
            self.patience.remove(&(until, index));
            self.late.remove(&index);
        }
    }

    /// Ends the patience with pods.
    pub fn expire(&mut self, now: Time) {
        while let Some(&(time, index)) = self.patience.first().filter(|(time, _)| *time <= now) {
            self.patience.remove(&(time, index));
            self.late.insert(index);
        }
    }

    /// When the patience with the next one ends.
    pub fn next_wake(&self) -> Option<Time> {
        self.patience.first().map(|(time, _)| *time)
    }

    /// One of those that the task has waited for long enough, and what runs in it.
    pub fn late(&self) -> Option<(Index, &str)> {
        let index = self.late.first()?;
        Some((*index, self.names.get(index)?.1.as_str()))
    }
}
