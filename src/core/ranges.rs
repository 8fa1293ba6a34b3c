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

/// Ranges in the form of an Indexed Job, `1,3-5,7`: three and more in a row are a range, two are not. As many as
/// `limit` bytes have room for, the lowest first; answers also how many indexes there were room for.
pub fn as_a_job(ranges: impl Iterator<Item = (Index, Index)>, limit: usize) -> (String, u32) {
    let (mut text, mut listed) = (String::new(), 0);
    for (first, last) in ranges {
        let separator = if text.is_empty() { "" } else { "," };
        let next = match last.0 - first.0 {
            0 => format!("{separator}{first}"),
            1 => format!("{separator}{first},{last}"),
            _ => format!("{separator}{first}-{last}"),
        };
        if text.len() + next.len() > limit {
            break;
        }
        text += &next;
        listed += last.0 - first.0 + 1;
    }
    (text, listed)
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
    fn failed_indexes_are_written_as_an_indexed_job_writes_them() {
        let written = |ranges: &[(u32, u32)], limit| {
            as_a_job(ranges.iter().map(|(first, last)| (Index(*first), Index(*last))), limit)
        };
        assert_eq!(written(&[], 9), (String::new(), 0));
        assert_eq!(written(&[(1, 1), (3, 5), (7, 7), (10, 11)], 99), ("1,3-5,7,10,11".to_owned(), 7));
        assert_eq!(written(&[(1, 1), (3, 5), (7, 7), (10, 11)], 7), ("1,3-5,7".to_owned(), 5));
        assert_eq!(written(&[(1, 1), (3, 5), (7, 7)], 6), ("1,3-5".to_owned(), 4), "never in the middle of a number");
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
