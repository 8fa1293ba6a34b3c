//! Sets of indexes as people write them: `3,17-19`.

use std::collections::BTreeMap;
use std::fmt;

use crate::core::ids::Index;

/// Most characters of a set in a status; what does not fit is left out, the highest indexes first.
const TEXT_LIMIT: usize = 64;
/// Stands for what was left out.
const MORE: &str = "…";

/// A set of indexes, as far as its text has room for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges {
    /// First and last index of each range; they don't touch.
    ranges: BTreeMap<u32, u32>,
    /// Whether indexes were left out.
    cut: bool,
}

impl Ranges {
    /// Adds an index, and leaves out what has no room any more.
    pub fn insert(&mut self, index: Index) {
        let index = index.0;
        let before = self.ranges.range(..=index).next_back().map(|(first, last)| (*first, *last));
        let first = match before {
            Some((_, last)) if last >= index => return,
            Some((first, last)) if last + 1 == index => first,
            _ => index,
        };
        let last = self.ranges.remove(&(index + 1)).unwrap_or(index);
        self.ranges.insert(first, last);
        while self.to_string().chars().count() > TEXT_LIMIT {
            self.cut = true;
            self.ranges.pop_last();
        }
    }

    /// Reads what [`fmt::Display`] wrote. Whatever is none of it is left out.
    pub fn parse(text: &str) -> Self {
        let mut all = Self { cut: text.ends_with(MORE), ranges: BTreeMap::new() };
        all.ranges.extend(text.split(',').filter_map(range));
        all
    }
}

/// `7` or `17-19`, both ends included.
pub fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first, last))
}

impl fmt::Display for Ranges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (first, last) in &self.ranges {
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        if self.cut { write!(f, "{separator}{MORE}") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(indexes: impl IntoIterator<Item = u32>) -> Ranges {
        let mut ranges = Ranges::default();
        indexes.into_iter().for_each(|i| ranges.insert(Index(i)));
        ranges
    }

    #[test]
    fn neighbours_become_a_range_in_any_order() {
        assert_eq!(of([3, 17, 19, 18]).to_string(), "3,17-19");
        assert_eq!(of([18, 3, 17, 3, 19]), of([3, 17, 18, 19]));
        assert_eq!(of([17, 18, 19, 20, 18, 20]), of([17, 18, 19, 20]), "what is there already changes nothing");
    }

    #[test]
    fn a_set_is_cut_to_64_characters_and_keeps_its_lowest() {
        let even = of((0..1_000).rev().map(|i| i * 2));
        assert!(even.to_string().starts_with("0,2,4,") && even.to_string().ends_with(",…"), "{even}");
        assert!(even.to_string().chars().count() <= 64);
        assert_eq!(Ranges::parse(&even.to_string()), even);
        let mut full = of((0..20).map(|i| 10 + i * 2).chain([1_000]));
        assert!(full.to_string().len() == 64 && full.to_string().ends_with(",1000"), "{full}");
        full.insert(Index(5));
        assert!(full.to_string().starts_with("5,10,") && full.to_string().ends_with(",48,…"), "{full}");
    }
}
