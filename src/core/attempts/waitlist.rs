//! Which waiting item may start next, and when the others may?

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::core::ids::{Index, Time};
use crate::core::phases::{ItemPhase, Phases};
use crate::core::revision::Revision;

/// The waiting items of a task. Each is in one of the lists, or untouched behind the cursor.
#[derive(Debug, Default)]
pub struct Waitlist {
    /// Waiting items from here on have never been touched, unless they are in a list.
    cursor: Index,
    /// They may start.
    ready: BTreeSet<Index>,
    /// They start before all others, once they are not held: a create got no answer, and may be carried out until that
    /// time. Until then they keep their slot.
    indeterminate: BTreeMap<Index, Time>,
    /// Their last end is not recorded yet; in order of revision.
    settling: VecDeque<(Revision, Time, Index)>,
    /// They may start from that time on.
    later: BTreeSet<(Time, Index)>,
    /// The items in `settling` and `later`.
    held: BTreeSet<Index>,
}

impl Waitlist {
    /// The item to start next: one that keeps a slot, else the lowest index that may. Items in flight are not waiting.
    pub fn peek(&mut self, phases: &Phases, in_flight: impl Fn(Index) -> bool) -> Option<Index> {
        if let Some(index) = self.indeterminate.keys().find(|index| !self.held.contains(index)) {
            return Some(*index);
        }
        let listed = |list: &Self, index: Index| list.held.contains(&index) || list.ready.contains(&index);
        while let Some(index) = phases.next_in(ItemPhase::Pending, self.cursor) {
            if !in_flight(index) && !listed(self, index) {
                self.cursor = index;
                return Some(self.ready.first().map_or(index, |ready| index.min(*ready)));
            }
            self.cursor = index.next();
        }
        self.cursor = Index(phases.count().get());
        self.ready.first().copied()
    }

    /// Takes the item out, wherever it waits.
    pub fn take(&mut self, index: Index) {
        self.ready.remove(&index);
        self.indeterminate.remove(&index);
        if index == self.cursor {
            self.cursor = index.next();
        }
        if self.held.remove(&index) {
            self.settling.retain(|(.., held)| *held != index);
            self.later.retain(|(_, held)| *held != index);
        }
    }

    /// The item may start.
    pub fn ready(&mut self, index: Index) {
        self.take(index);
        self.ready.insert(index);
    }

    /// The item may start, and keeps its slot until that time: a pod may come of the create that got no answer.
    pub fn keep_slot(&mut self, index: Index, until: Time) {
        self.take(index);
        self.indeterminate.insert(index, until);
    }

    /// Items that wait and keep a slot.
    pub fn slots(&self) -> usize {
        self.indeterminate.len()
    }

    /// Which these are, and until when.
    pub fn slot_keepers(&self) -> impl Iterator<Item = (Index, Time)> + '_ {
        self.indeterminate.iter().map(|(index, until)| (*index, *until))
    }

    /// Whether the item waits and keeps a slot.
    pub fn keeps_slot(&self, index: Index) -> bool {
        self.indeterminate.contains_key(&index)
    }

    /// The item may start from `time` on.
    pub fn hold(&mut self, index: Index, time: Time) {
        self.held.insert(index);
        self.later.insert((time, index));
    }

    /// The item may start from `time` on, but not before the revision is recorded.
    pub fn settle(&mut self, index: Index, revision: Revision, time: Time) {
        self.held.insert(index);
        self.settling.push_back((revision, time, index));
    }

    /// Whether the item is held.
    pub fn holds(&self, index: Index) -> bool {
        self.held.contains(&index)
    }

    /// The item waits until it is made [`Self::ready`].
    pub fn set_aside(&mut self, index: Index) {
        self.take(index);
        self.held.insert(index);
    }

    /// What was never touched before this item stays as it is until it is named, or this is called with another item.
    pub fn begin_at(&mut self, index: Index) {
        self.cursor = index;
    }

    /// Whether items are held.
    pub fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// Moves items on whose time has come.
    pub fn release_due(&mut self, now: Time, written: Revision) {
        let free = self.indeterminate.extract_if(.., |_, until| *until <= now).map(|(index, _)| index);
        self.ready.extend(free.filter(|index| !self.held.contains(index)));
        while self.settling.front().is_some_and(|(revision, ..)| *revision <= written) {
            if let Some((_, time, index)) = self.settling.pop_front() {
                self.later.insert((time, index));
            }
        }
        while let Some(&(time, index)) = self.later.first().filter(|(time, _)| *time <= now) {
            self.later.remove(&(time, index));
            self.free(index);
        }
    }

    /// The item is held no more.
    fn free(&mut self, index: Index) {
        self.held.remove(&index);
        if !self.indeterminate.contains_key(&index) {
            self.ready.insert(index);
        }
    }

    /// An item that is held for a time, and for nothing else, may start now.
    pub fn release(&mut self, index: Index) {
        if let Some(&entry) = self.later.iter().find(|(_, held)| *held == index) {
            self.later.remove(&entry);
            self.free(index);
        }
    }

    /// When the next item may start.
    pub fn next_wake(&self) -> Option<Time> {
        let later = self.later.first().map(|(time, _)| *time);
        later.into_iter().chain(self.indeterminate.values().copied()).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::ItemCount;

    fn peek(list: &mut Waitlist) -> Option<u32> {
        list.peek(&Phases::new(ItemCount::new(4).unwrap()), |_| false).map(|index| index.0)
    }

    #[test]
    fn items_start_in_the_order_of_their_index_and_those_that_come_back_first() {
        let mut list = Waitlist::default();
        assert_eq!(peek(&mut list), Some(0));
        list.take(Index(0));
        list.take(Index(1));
        assert_eq!(peek(&mut list), Some(2));
        list.ready(Index(0));
        assert_eq!(peek(&mut list), Some(0));
    }

    #[test]
    fn an_item_whose_create_got_no_answer_starts_first_and_keeps_its_slot_while_a_pod_may_come_of_it() {
        let mut list = Waitlist::default();
        (0..3).for_each(|index| list.take(Index(index)));
        list.keep_slot(Index(2), Time(9));
        list.ready(Index(1));
        assert_eq!((peek(&mut list), list.slots(), list.next_wake()), (Some(2), 1, Some(Time(9))));
        list.release_due(Time(9), Revision(0));
        assert_eq!((peek(&mut list), list.slots(), list.next_wake()), (Some(1), 0, None));
        list.take(Index(1));
        assert_eq!(peek(&mut list), Some(2), "it waits like any other");
    }

    #[test]
    fn what_is_in_flight_or_held_is_passed_over_wherever_it_stands() {
        let phases = Phases::new(ItemCount::new(4).unwrap());
        let mut list = Waitlist::default();
        assert_eq!(list.peek(&phases, |index| index.0 == 0), Some(Index(1)), "an item in flight");
        let mut list = Waitlist::default();
        list.hold(Index(0), Time(9));
        assert!(list.holds(Index(0)) && !list.holds(Index(1)));
        assert_eq!(peek(&mut list), Some(1), "one that is held, though it was never touched");
        list.take(Index(1));
        list.ready(Index(3));
        assert_eq!(peek(&mut list), Some(2));
        list.take(Index(2));
        assert_eq!(peek(&mut list), Some(3));
        list.take(Index(3));
        assert_eq!(peek(&mut list), None);
    }

    #[test]
    fn an_item_that_is_taken_out_is_not_released_and_the_others_are() {
        let mut list = Waitlist::default();
        (0..4).for_each(|index| list.take(Index(index)));
        (0..2).for_each(|index| list.settle(Index(index), Revision(0), Time(5)));
        (2..4).for_each(|index| list.hold(Index(index), Time(6)));
        list.take(Index(0));
        list.take(Index(2));
        list.release_due(Time(6), Revision(0));
        let released: Vec<Option<u32>> = (0..3)
            .map(|_| {
                let next = peek(&mut list)?;
                list.take(Index(next));
                Some(next)
            })
            .collect();
        assert_eq!((released, list.is_holding()), (vec![Some(1), Some(3), None], false));
    }

    #[test]
    fn an_item_that_is_held_for_a_time_alone_can_be_let_go_before() {
        let mut list = Waitlist::default();
        (0..4).for_each(|index| list.take(Index(index)));
        list.hold(Index(0), Time(9));
        list.hold(Index(1), Time(9));
        list.settle(Index(2), Revision(7), Time(0));
        list.release(Index(1));
        assert_eq!(peek(&mut list), Some(1));
        list.take(Index(1));
        list.release(Index(2));
        assert_eq!(peek(&mut list), None, "its end has yet to be recorded");
        assert!(list.holds(Index(0)) && list.holds(Index(2)) && !list.holds(Index(1)));
    }

    #[test]
    fn an_item_that_keeps_its_slot_can_be_in_backoff() {
        let mut list = Waitlist::default();
        (0..3).for_each(|index| list.take(Index(index)));
        list.keep_slot(Index(2), Time(9));
        list.hold(Index(2), Time(5));
        list.ready(Index(1));
        assert_eq!((peek(&mut list), list.slots(), list.next_wake()), (Some(1), 1, Some(Time(5))));
        list.release_due(Time(5), Revision(0));
        assert_eq!((peek(&mut list), list.slots()), (Some(2), 1), "it is first again");
        list.hold(Index(2), Time(99));
        list.release_due(Time(9), Revision(0));
        assert_eq!((peek(&mut list), list.slots(), list.next_wake()), (Some(1), 0, Some(Time(99))));
        list.release_due(Time(99), Revision(0));
        list.take(Index(1));
        assert_eq!((peek(&mut list), list.is_holding()), (Some(2), false));
    }

    #[test]
    fn an_item_in_backoff_delays_no_other_item_and_starts_on_time() {
        let mut list = Waitlist::default();
        list.take(Index(0));
        list.hold(Index(0), Time(9));
        list.release_due(Time(8), Revision(0));
        assert_eq!((peek(&mut list), list.next_wake()), (Some(1), Some(Time(9))));
        list.release_due(Time(9), Revision(0));
        assert_eq!((peek(&mut list), list.is_holding()), (Some(0), false));
    }

    #[test]
    fn the_next_attempt_waits_until_the_end_of_the_last_is_recorded() {
        let mut list = Waitlist::default();
        list.take(Index(0));
        list.settle(Index(0), Revision(1), Time(0));
        list.release_due(Time(5), Revision(0));
        assert_eq!(peek(&mut list), Some(1));
        list.release_due(Time(5), Revision(1));
        assert_eq!(peek(&mut list), Some(0));
    }
}
