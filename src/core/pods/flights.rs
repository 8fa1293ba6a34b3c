//! The items in flight of a task, and which of them need a look in the next round: a round costs what has changed, and
//! not what exists.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::ids::{Index, Time};
use crate::core::pods::flight::Flight;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Attempt;

    fn looked_at(flights: &mut Flights) -> Vec<u32> {
        let mut seen = Vec::new();
        flights.look(|index, _| seen.push(index.0), |_| false);
        seen
    }

    #[test]
    fn whoever_has_had_a_look_is_left_alone_until_something_changes() {
        let mut flights = Flights::default();
        (0..3).for_each(|index| flights.insert(Index(index), Flight::new(Attempt::FIRST, Time(0))));
        flights.stop_all(false);
        assert_eq!(looked_at(&mut flights), [0, 1, 2]);
        flights.stop_all(false);
        assert_eq!(looked_at(&mut flights), Vec::<u32>::new());
        flights.get_mut(Index(1));
        assert_eq!(looked_at(&mut flights), [1]);
        flights.stop_all(true);
        assert_eq!(looked_at(&mut flights), [0, 1, 2], "what becomes of each has changed");
        flights.stop_all(true);
        assert_eq!(looked_at(&mut flights), Vec::<u32>::new());
        flights.stop_all(false);
        flights.stop_all(true);
        assert_eq!(looked_at(&mut flights), [0, 1, 2], "and once more");
    }

    #[test]
    fn one_that_waits_for_a_time_is_looked_at_in_each_round_until_then() {
        let mut flights = Flights::default();
        let doubt = super::super::flight::Doubt::Since(Time(9));
        flights.insert(Index(0), Flight { doubt, ..Flight::new(Attempt::FIRST, Time(0)) });
        flights.insert(Index(1), Flight::new(Attempt::FIRST, Time(0)));
        assert_eq!((looked_at(&mut flights), flights.next_wake()), (vec![0, 1], Some(Time(9))));
        assert_eq!(looked_at(&mut flights), [0]);
        assert_eq!(flights.take().len(), 2);
        assert_eq!((looked_at(&mut flights), flights.next_wake()), (Vec::new(), None));
    }
}
