//! How many attempts a worker gets that it can't begin yet, so that it never idles and never hoards.
//!
//! Guided self-scheduling (Polychronopoulos and Kuck, 1987), by the 90th percentile of the durations in place of their
//! mean: of items of ten milliseconds with one of an hour among them, none should wait behind that one for long.

use maptask_exchange::{MAX_RUNNING, MAX_STOCK};

/// Stock is no more than this much work for each slot, in microseconds.
const WORK_MICROS: u64 = 1_000_000;

/// What is known when stock is given out.
#[derive(Clone, Copy, Debug)]
pub struct Stock {
    /// The 90th percentile of the durations in microseconds, if it is known.
    pub micros: Option<u64>,
    /// Items that are not assigned.
    pub open: usize,
    /// Slots of all workers.
    pub slots: usize,
    /// Lines that the program of a slot may have unanswered; 1 where a program runs for each item.
    pub lines: usize,
}

impl Stock {
    /// The most that a worker with this number of slots may hold besides one item for each of them.
    pub fn of(self, slots: usize) -> usize {
        let Some(micros) = self.micros else { return 0 };
        // The last items go to the workers that are free first.
        if self.open < 2 * self.slots {
            return 0;
        }
        let by_work = usize::try_from(WORK_MICROS / micros.max(1)).unwrap_or(usize::MAX);
        let share = self.open / self.slots.max(1);
        let stock = by_work.min(MAX_STOCK as usize).min(share) * slots;
        // A program that collects a batch waits for its lines, however long they take.
        let lines = (self.lines.saturating_sub(1).min(share) * slots).min(MAX_RUNNING as usize);
        lines.saturating_add(stock)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stock_is_at_most_a_second_of_work_and_a_fair_share() {
        let stock = |micros, open, slots| Stock { micros, open, slots, lines: 1 }.of(1);
        assert_eq!(stock(None, 1_000_000, 2), 0, "unknown durations");
        assert_eq!(stock(Some(100_000), 1_000_000, 2), 10);
        assert_eq!(stock(Some(10), 1_000_000, 2), MAX_STOCK as usize);
        assert_eq!(stock(Some(2_000_000), 1_000_000, 2), 0, "longer than a second each");
        assert_eq!(stock(Some(10), 30, 10), 3);
        assert_eq!(stock(Some(10), 19, 10), 0, "the end of the list");
        assert_eq!(Stock { micros: Some(100_000), open: 1_000, slots: 4, lines: 1 }.of(4), 40);
    }

    #[test]
    fn a_program_gets_as_many_lines_as_it_may_have_unanswered_however_long_they_take() {
        let stock = |micros, open, lines| Stock { micros, open, slots: 2, lines }.of(2);
        assert_eq!(stock(Some(5_000_000), 1_000, 8), 14, "besides one for each slot");
        assert_eq!(stock(Some(10), 1_000, 8), 14 + 80);
        assert_eq!(stock(Some(5_000_000), 6, 8), 6, "the last ones are shared");
        assert_eq!(stock(None, 1_000, 8), 0, "nothing is known yet");
        assert_eq!(stock(Some(5_000_000), 100_000, 1_000), MAX_RUNNING as usize);
    }
}
