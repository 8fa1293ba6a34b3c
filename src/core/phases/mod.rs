//! The phase of every item of a task, in three bits each.

pub mod attempts;
pub mod codec;
mod raises;

use bitvec::prelude::{BitVec, Lsb0};

use crate::api::MapTaskStatus;
use crate::core::ids::{Attempt, Index, ItemCount};

pub use attempts::{Attempts, Tries};
pub use codec::DecodeError;
pub use raises::Raises;

/// The phases and attempts of all items, as a status tells them; `None` if it tells of none.
pub fn recorded(status: &MapTaskStatus) -> Option<Result<(Phases, Attempts), DecodeError>> {
    let count = ItemCount::new(u64::try_from(status.items?).ok()?)?;
    let first = Attempt::first_after(status.attempt_base);
    Some(decode(status.phases.as_deref()?, status.attempts.as_deref(), count, first))
}

/// Reads the phases and attempts of a status, for a task of `count` items.
///
/// `first`: the first attempt of an item of this list.
pub fn decode(
    phases: &str,
    attempts: Option<&str>,
    count: ItemCount,
    first: Attempt,
) -> Result<(Phases, Attempts), DecodeError> {
    Ok((Phases::decode(phases, count)?, Attempts::decode(attempts.unwrap_or_default(), count, first)?))
}

/// Where an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum ItemPhase {
    /// It has not started, or waits for its next attempt.
    Pending = 0,
    /// It has a pod.
    Running = 1,
    /// It succeeded.
    Succeeded = 2,
    /// Its attempts are used up.
    Failed = 3,
    /// Its result was known before.
    Cached = 4,
    /// It was not run to its end, since the task had ended.
    Cancelled = 5,
}

impl ItemPhase {
    /// Every phase, in the order of its number.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Cached, Self::Cancelled];

    /// The word of the API and the metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cached => "Cached",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether the item has ended for good.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Running)
    }

    fn from_bits(bits: u8) -> Option<Self> {
        Self::ALL.get(usize::from(bits)).copied()
    }
}

/// Number of items in each phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Items that wait.
    pub pending: u32,
    /// Items with a pod.
    pub running: u32,
    /// Items that succeeded.
    pub succeeded: u32,
    /// Items that failed.
    pub failed: u32,
    /// Items known before.
    pub cached: u32,
    /// Items cancelled.
    pub cancelled: u32,
}

impl Counts {
    /// All items.
    pub fn total(&self) -> u32 {
        let Self { pending, running, succeeded, failed, cached, cancelled } = self;
        pending + running + succeeded + failed + cached + cancelled
    }

    /// Items that have ended by themselves or were known: all but the cancelled of those that are over.
    pub fn ended(&self) -> u32 {
        self.succeeded + self.cached + self.failed
    }

    /// Items in that phase.
    pub fn get(&self, phase: ItemPhase) -> u32 {
        *Self::of(&mut { *self }, phase)
    }

    fn of(&mut self, phase: ItemPhase) -> &mut u32 {
        match phase {
            ItemPhase::Pending => &mut self.pending,
            ItemPhase::Running => &mut self.running,
            ItemPhase::Succeeded => &mut self.succeeded,
            ItemPhase::Failed => &mut self.failed,
            ItemPhase::Cached => &mut self.cached,
            ItemPhase::Cancelled => &mut self.cancelled,
        }
    }
}

type Plane = BitVec<u64, Lsb0>;

/// The phase of every item, as three planes of one bit an item.
///
/// Bits beyond the last item are 0, and no item has the bits 6 or 7.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    count: ItemCount,
    /// Plane k holds bit k of each item's phase.
    planes: [Plane; 3],
    /// In step with the planes.
    counts: Counts,
}

impl Phases {
    /// All items pending.
    pub fn new(count: ItemCount) -> Self {
        let plane = Plane::repeat(false, count.get() as usize);
        let counts = Counts { pending: count.get(), ..Counts::default() };
        Self { count, planes: [plane.clone(), plane.clone(), plane], counts }
    }

    /// Number of items.
    pub fn count(&self) -> ItemCount {
        self.count
    }

    /// Number of items in each phase.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The phase of an item, or `None` beyond the list.
    pub fn get(&self, index: Index) -> Option<ItemPhase> {
        if index.0 >= self.count.get() {
            return None;
        }
        let (word, place) = (index.offset() / 64, index.offset() % 64);
        let bit = |plane: &Plane| u8::from(plane.as_raw_slice()[word] >> place & 1 == 1);
        let [a, b, c] = &self.planes;
        ItemPhase::from_bits(bit(a) | bit(b) << 1 | bit(c) << 2)
    }

    /// Sets the phase of an item; answers the one before, or `None` beyond the list.
    pub fn set(&mut self, index: Index, phase: ItemPhase) -> Option<ItemPhase> {
        let old = self.get(index)?;
        if old == phase {
            return Some(old);
        }
        for (k, plane) in self.planes.iter_mut().enumerate() {
            plane.set(index.offset(), (phase as u8 >> k) & 1 == 1);
        }
        *self.counts.of(old) -= 1;
        *self.counts.of(phase) += 1;
        Some(old)
    }

    /// The first item of that phase at or after `from`. Looks at 64 items at a time.
    pub fn next_in(&self, phase: ItemPhase, from: Index) -> Option<Index> {
        if self.counts.get(phase) == 0 {
            return None;
        }
        let first = from.offset() / 64;
        let words = (self.count.get() as usize).div_ceil(64);
        (first..words).find_map(|word| {
            let mut hits = self.hits(phase, word);
            if word == first {
                hits &= u64::MAX << (from.offset() % 64);
            }
            let index = u32::try_from(word).ok()? * 64 + hits.trailing_zeros();
            (hits != 0 && index < self.count.get()).then_some(Index(index))
        })
    }

    /// Every item of that phase, in order.
    pub fn iter_in(&self, phase: ItemPhase) -> impl Iterator<Item = Index> + '_ {
        let first = self.next_in(phase, Index(0));
        std::iter::successors(first, move |last| self.next_in(phase, Index(last.0 + 1)))
    }

    /// The ranges of items of that phase, first and last included, in order. Looks at 64 items at a time.
    pub fn ranges_in(&self, phase: ItemPhase) -> impl Iterator<Item = (Index, Index)> + '_ {
        let range_from = move |from: Index| {
            let first = self.next_in(phase, from)?;
            Some((first, self.last_of_range(phase, first)))
        };
        std::iter::successors(range_from(Index(0)), move |(_, last)| range_from(last.next()))
    }

    /// The last item of the range that begins with this one.
    fn last_of_range(&self, phase: ItemPhase, first: Index) -> Index {
        let words = (self.count.get() as usize).div_ceil(64);
        for word in first.offset() / 64..words {
            let mut others = !self.hits(phase, word);
            if word == first.offset() / 64 {
                others &= u64::MAX << (first.offset() % 64);
            }
            if others != 0 {
                let end = u32::try_from(word).unwrap_or(u32::MAX).saturating_mul(64) + others.trailing_zeros();
                return Index(end.min(self.count.get()) - 1);
            }
        }
        Index(self.count.get().saturating_sub(1))
    }

    /// Which of the 64 items of a word are in that phase.
    fn hits(&self, phase: ItemPhase, word: usize) -> u64 {
        self.planes.iter().enumerate().fold(u64::MAX, |hits, (k, plane)| {
            let bits = plane.as_raw_slice()[word];
            hits & if (phase as u8 >> k) & 1 == 1 { bits } else { !bits }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn count(n: u64) -> ItemCount {
        ItemCount::new(n).unwrap()
    }

    #[test]
    fn a_phase_is_kept_and_counted() {
        let mut phases = Phases::new(count(130));
        for (i, phase) in ItemPhase::ALL.into_iter().enumerate() {
            let index = Index(u32::try_from(i).unwrap() * 25);
            assert_eq!(phases.set(index, phase), Some(ItemPhase::Pending));
            assert_eq!(phases.get(index), Some(phase));
        }
        assert_eq!(
            phases.counts(),
            Counts { pending: 125, running: 1, succeeded: 1, failed: 1, cached: 1, cancelled: 1 }
        );
        assert_eq!((phases.get(Index(130)), phases.set(Index(130), ItemPhase::Failed)), (None, None));
    }

    proptest! {
        #[test]
        fn the_next_of_a_phase_is_the_one_that_a_plain_search_finds(
            numbers in prop::collection::vec(0usize..6, 0..300), from in 0u32..310, phase in 0usize..6,
        ) {
            let mut phases = Phases::new(count(numbers.len() as u64));
            for (i, n) in numbers.iter().enumerate() {
                phases.set(Index(u32::try_from(i).unwrap()), ItemPhase::ALL[*n]);
            }
            let plain = (from as usize..numbers.len()).find(|i| numbers[*i] == phase);
            let found = phases.next_in(ItemPhase::ALL[phase], Index(from));
            prop_assert_eq!(found.map(Index::offset), plain);
            prop_assert_eq!(phases.iter_in(ItemPhase::ALL[phase]).count(), numbers.iter().filter(|n| **n == phase).count());
            let in_ranges = phases.ranges_in(ItemPhase::ALL[phase]).flat_map(|(first, last)| first.0..=last.0);
            prop_assert!(in_ranges.eq(phases.iter_in(ItemPhase::ALL[phase]).map(|index| index.0)));
            let ranges: Vec<_> = phases.ranges_in(ItemPhase::ALL[phase]).collect();
            prop_assert!(ranges.windows(2).all(|two| two[0].1.0 + 1 < two[1].0.0), "{ranges:?}");
        }
    }
}
