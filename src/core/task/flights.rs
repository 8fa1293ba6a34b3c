//! The items in flight of a task, and which of them need a look in the next round: a round costs what has changed, and
//! not what exists.

use std::collections::{BTreeMap, BTreeSet};

use super::flight::Flight;
use crate::core::ids::{Index, Time};

/// The items in flight.
#[derive(Debug, Default)]
pub struct Flights {
    by_index: BTreeMap<Index, Flight>,
    /// Changed since the last round, or waiting for a time.
    restless: BTreeSet<Index>,
    /// All were to be stopped in the last round.
    stopping: bool,
}

impl Flights {
    /// Number of items.
    pub fn len(&self) -> usize {
        self.by_index.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_index.is_empty()
    }

    /// Whether the item is in flight.
    pub fn contains(&self, index: Index) -> bool {
        self.by_index.contains_key(&index)
    }

    /// The flight of an item.
    pub fn get(&self, index: Index) -> Option<&Flight> {
        self.by_index.get(&index)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, index: Index) -> Option<&mut Flight> {
        let flight = self.by_index.get_mut(&index)?;
        self.restless.insert(index);
        Some(flight)
    }

    /// Puts an item in flight.
    pub fn insert(&mut self, index: Index, flight: Flight) {
        self.restless.insert(index);
        self.by_index.insert(index, flight);
    }

    /// Takes an item out.
    pub fn remove(&mut self, index: Index) -> Option<Flight> {
        self.restless.remove(&index);
        self.by_index.remove(&index)
    }

    /// All of them, in order.
    pub fn indexes(&self) -> impl Iterator<Item = Index> + '_ {
        self.by_index.keys().copied()
    }

    /// All of them, to be changed. Costs as much as there are, now and in the next round.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Index, &mut Flight)> {
        self.restless.extend(self.by_index.keys());
        self.by_index.iter_mut().map(|(index, flight)| (*index, flight))
    }

    /// Whether all are to be stopped. When that begins none of them has changed, but what becomes of it.
    pub fn stop_all(&mut self, all: bool) {
        if all && !self.stopping {
            self.restless.extend(self.by_index.keys());
        }
        self.stopping = all;
    }

    /// Those that need a look. Whoever has had one is left alone from then on, unless it is waiting for a time, or
    /// `unless` says otherwise.
    pub fn look(&mut self, mut each: impl FnMut(Index, &mut Flight), unless: impl Fn(&Flight) -> bool) {
        let Self { by_index, restless, .. } = self;
        restless.retain(|index| {
            let Some(flight) = by_index.get_mut(index) else { return false };
            each(*index, flight);
            flight.next_wake().is_some() || unless(flight)
        });
    }

    /// When one of them needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        self.restless.iter().filter_map(|index| self.by_index.get(index)?.next_wake()).min()
    }

    /// Takes all out.
    pub fn take(&mut self) -> BTreeMap<Index, Flight> {
        self.restless.clear();
        std::mem::take(&mut self.by_index)
    }
}
