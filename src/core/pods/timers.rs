//! What is to happen at which time, though nothing else happens until then.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::ids::Time;

/// Timers, one at most for each key.
#[derive(Debug)]
pub(super) struct Timers<K> {
    times: BTreeMap<K, Time>,
    queue: BTreeSet<(Time, K)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Self { times: BTreeMap::new(), queue: BTreeSet::new() }
    }
}

impl<K: Copy + Ord> Timers<K> {
    /// Sets the timer of this key, whether it was set or not.
    pub(super) fn set(&mut self, key: K, time: Time) {
        if let Some(before) = self.times.insert(key, time) {
            self.queue.remove(&(before, key));
        }
        self.queue.insert((time, key));
    }

    /// Stops the timer of this key, if it is set.
    pub(super) fn stop(&mut self, key: K) {
        if let Some(time) = self.times.remove(&key) {
            self.queue.remove(&(time, key));
        }
    }

    /// Whether the timer of this key is set.
    pub(super) fn is_set(&self, key: K) -> bool {
        self.times.contains_key(&key)
    }

    /// Takes out the first timer whose time has come.
    pub(super) fn pop_due(&mut self, now: Time) -> Option<K> {
        let (_, key) = *self.queue.first().filter(|(time, _)| *time <= now)?;
        self.stop(key);
        Some(key)
    }

    /// When the next timer is due.
    pub(super) fn next(&self) -> Option<Time> {
        self.queue.first().map(|(time, _)| *time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_are_due_in_the_order_of_their_times_and_each_once() {
        let mut timers = Timers::default();
        timers.set('a', Time(9));
        timers.set('b', Time(5));
        timers.set('c', Time(7));
        timers.set('a', Time(3));
        timers.stop('c');
        timers.stop('x');
        assert_eq!((timers.next(), timers.is_set('a'), timers.is_set('c')), (Some(Time(3)), true, false));
        assert_eq!(timers.pop_due(Time(2)), None);
        let due: Vec<char> = std::iter::from_fn(|| timers.pop_due(Time(9))).collect();
        assert_eq!((due, timers.next(), timers.is_set('a')), (vec!['a', 'b'], None, false));
    }
}
