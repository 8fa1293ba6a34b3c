//! Which items: by index and by phase.

use maptask::core::ids::{Index, MAX_ITEMS};
use maptask::core::phases::{ItemPhase, Phases};
use maptask::core::ranges;

/// Items by index and phase. The filter comes before anything is read of an item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// First and last index of each range, in order, not touching; all if empty.
    ranges: Vec<(u32, u32)>,
    /// Phases; all if empty.
    phases: Vec<ItemPhase>,
}

impl Selection {
    /// These items, such as `3,17-19`, in these phases; empty ones select all.
    pub fn new(indexes: &[(u32, u32)], phases: &[ItemPhase]) -> Self {
        let mut sorted = indexes.to_vec();
        sorted.sort_unstable();
        let mut ranges: Vec<(u32, u32)> = Vec::with_capacity(sorted.len());
        for (first, last) in sorted {
            match ranges.last_mut() {
                Some((_, end)) if first <= end.saturating_add(1) => *end = (*end).max(last),
                _ => ranges.push((first, last)),
            }
        }
        Self { ranges, phases: phases.to_vec() }
    }

    /// Whether an item of that index and phase is selected.
    pub fn has(&self, index: Index, phase: ItemPhase) -> bool {
        let at = self.ranges.partition_point(|(_, last)| *last < index.0);
        let by_index = self.ranges.is_empty() || self.ranges.get(at).is_some_and(|(first, _)| *first <= index.0);
        by_index && (self.phases.is_empty() || self.phases.contains(&phase))
    }

    /// The selected items, in order.
    pub fn of<'a>(&'a self, phases: &'a Phases) -> impl Iterator<Item = (Index, ItemPhase)> + 'a {
        let all = [(0, MAX_ITEMS)];
        let ranges = if self.ranges.is_empty() { all.to_vec() } else { self.ranges.clone() };
        let count = phases.count().get();
        let indexes =
            ranges.into_iter().flat_map(move |(first, last)| (first..count.min(last.saturating_add(1))).map(Index));
        indexes.filter_map(|index| {
            let phase = phases.get(index)?;
            (self.phases.is_empty() || self.phases.contains(&phase)).then_some((index, phase))
        })
    }

    /// The first index that the list does not have, if one was asked for by its number.
    pub fn beyond(&self, count: u32) -> Option<u32> {
        self.ranges.iter().map(|(first, last)| (*last).min((*first).max(count))).find(|index| *index >= count)
    }
}

/// `3,17-19`, for an option.
pub fn parse_indexes(text: &str) -> Result<Vec<(u32, u32)>, String> {
    let parse = |part: &str| {
        let wrong = || format!("{part:?} is no index: write indexes and ranges, such as 3,17-19");
        ranges::range(part.trim()).filter(|(_, last)| *last < MAX_ITEMS).ok_or_else(wrong)
    };
    text.split(',').map(parse).collect()
}

/// `Failed`, in any case, for an option.
pub fn parse_phase(text: &str) -> Result<ItemPhase, String> {
    let found = ItemPhase::ALL.into_iter().find(|phase| phase.as_str().eq_ignore_ascii_case(text));
    let all = ItemPhase::ALL.map(ItemPhase::as_str).join(", ");
    found.ok_or_else(|| format!("{text:?} is no phase of an item: use one of {all}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use maptask::core::ids::ItemCount;

    fn phases() -> Phases {
        let mut phases = Phases::new(ItemCount::new(10).unwrap());
        for failed in [2, 3, 7] {
            phases.set(Index(failed), ItemPhase::Failed);
        }
        phases
    }

    #[test]
    fn items_are_selected_by_index_and_phase() {
        let indexes = |selection: &Selection| selection.of(&phases()).map(|(index, _)| index.0).collect::<Vec<_>>();
        assert_eq!(indexes(&Selection::default()), (0..10).collect::<Vec<_>>());
        let both = Selection::new(&parse_indexes("8,3-7,5-6,3").unwrap(), &[ItemPhase::Failed]);
        assert_eq!(indexes(&both), [3, 7]);
        assert!(both.has(Index(7), ItemPhase::Failed) && !both.has(Index(7), ItemPhase::Running));
        assert!(!both.has(Index(2), ItemPhase::Failed));
        assert_eq!(indexes(&Selection::new(&[(8, 20)], &[])), [8, 9]);
    }

    #[test]
    fn an_index_beyond_the_list_is_found() {
        assert_eq!(Selection::new(&[(8, 20)], &[]).beyond(10), Some(10));
        assert_eq!(Selection::new(&[(12, 20)], &[]).beyond(10), Some(12));
        assert_eq!(Selection::new(&[(8, 9)], &[]).beyond(10), None);
        assert!(parse_indexes("3-1").is_err() && parse_indexes("x").is_err() && parse_indexes("1000000").is_err());
        assert_eq!(parse_phase("failed"), Ok(ItemPhase::Failed));
        assert!(parse_phase("lost").unwrap_err().contains("Cancelled"));
    }
}
