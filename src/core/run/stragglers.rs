//! Which of the last items takes much longer than the others did? It is named, and nothing else happens to it: a second
//! copy of it could do its work twice.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::reasons::EventReason;
use crate::core::ids::{Index, Time};
use crate::core::phases::ItemPhase;
use crate::core::pod::pod_name;
use crate::core::run::{Notice, Run};

/// The last items of a list: while there are more, nobody waits for one.
const FEW: u32 = 10;
/// An item is late once it takes this many times what nine of ten attempts take at most.
const TIMES_LATE: u64 = 5;
/// But not before that many milliseconds: nobody looks earlier.
const LATE_MILLIS: u64 = 60_000;
/// Stragglers that are named for each run at most: each is an Event.
const MOST_NAMED: usize = 5;

/// What is known of the items that run in workers.
#[derive(Debug, Default)]
pub(super) struct Stragglers {
    began: BTreeMap<Index, Time>,
    named: BTreeSet<Index>,
    /// When the next one is late.
    next: Option<Time>,
}

impl Stragglers {
    /// The program of an item runs, as far as is known since now.
    pub(super) fn began(&mut self, now: Time, index: Index) {
        self.began.entry(index).or_insert(now);
    }

    /// It does not run any more.
    pub(super) fn ended(&mut self, index: Index) {
        self.began.remove(&index);
    }

    /// When the next one is late.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.next
    }

    /// Takes out what is late of these items, and since when each has run.
    fn late(&mut self, now: Time, millis: u64, running: impl Iterator<Item = Index>) -> Vec<(Index, Time)> {
        self.next = None;
        let mut late = Vec::new();
        for index in running {
            let Some(since) = self.began.get(&index).copied().filter(|_| !self.named.contains(&index)) else {
                continue;
            };
            let due = since.plus_millis(millis);
            if due > now {
                self.next = Some(self.next.map_or(due, |next| next.min(due)));
            } else if self.named.len() < MOST_NAMED {
                self.named.insert(index);
                late.push((index, since));
            }
        }
        late
    }
}

impl Run {
    /// Names items that take long when few are left.
    pub(super) fn note_stragglers(&mut self, now: Time) {
        let counts = self.items.counts();
        let left = counts.pending + counts.running;
        let Some(workers) = &mut self.workers else { return };
        workers.stragglers.next = None;
        let Some(micros) = workers.table.durations().ninetieth_percentile().filter(|_| (1..=FEW).contains(&left))
        else {
            return;
        };
        let millis = (micros / 1_000).saturating_mul(TIMES_LATE).max(LATE_MILLIS);
        let running = self.items.phases().iter_in(ItemPhase::Running);
        for (index, since) in workers.stragglers.late(now, millis, running) {
            let pod = self.items.assignments().pod(index).map(|role| pod_name(&self.spec.blueprint.key.name, role));
            let message = format!(
                "item {index} has run for {} in pod {}; nine of ten attempts took at most {} s, and {left} items are left",
                crate::text::duration(now.millis_since(since) / 1_000),
                pod.unwrap_or_default(),
                micros.div_ceil(1_000_000),
            );
            workers.notices.push(Notice { reason: EventReason::Straggler, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_that_takes_much_longer_than_the_others_is_named_once() {
        let mut stragglers = Stragglers::default();
        let all = || [Index(1), Index(2)].into_iter();
        stragglers.began(Time(0), Index(1));
        stragglers.began(Time(5_000), Index(1));
        stragglers.began(Time(9_000), Index(2));
        assert_eq!(stragglers.late(Time(59_999), 60_000, all()), []);
        assert_eq!(stragglers.next_wake(), Some(Time(60_000)));
        assert_eq!(stragglers.late(Time(60_000), 60_000, all()), [(Index(1), Time(0))]);
        assert_eq!(
            (stragglers.late(Time(60_001), 60_000, all()), stragglers.next_wake()),
            (vec![], Some(Time(69_000)))
        );
        stragglers.ended(Index(2));
        assert_eq!((stragglers.late(Time(99_000), 60_000, all()), stragglers.next_wake()), (vec![], None));
    }

    #[test]
    fn no_more_than_five_stragglers_are_named() {
        let mut stragglers = Stragglers::default();
        (0..9).for_each(|index| stragglers.began(Time(0), Index(index)));
        assert_eq!(stragglers.late(Time(60_000), 60_000, (0..9).map(Index)).len(), MOST_NAMED);
        assert_eq!(stragglers.late(Time(60_001), 60_000, (0..9).map(Index)), []);
    }
}
