//! Sets of places: of lines in a ConfigMap, or of items in the list.

use std::collections::BTreeSet;
use std::fmt;

use crate::core::ranges::range;

/// Ranges that are written down at most, some 14 bytes each: an annotation has 256 KB for all. Where there are more,
/// pairs of neighbours become one with what lies between them.
const MOST_RANGES: usize = 4_000;

/// A set of places as ranges, in order, that don't touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places(Vec<(u32, u32)>);

impl Places {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this place is one of them.
    pub fn has(&self, place: u32) -> bool {
        let after = self.0.partition_point(|(first, _)| *first <= place);
        after > 0 && self.0[after - 1].1 >= place
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(first, last)| *first..=*last)
    }

    /// Whether the other set has all of them.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|place| other.has(place))
    }

    /// Each moved up by this many.
    #[must_use]
    pub fn moved(&self, by: u32) -> Self {
        Self(self.0.iter().map(|(first, last)| (first + by, last + by)).collect())
    }

    /// Reads what [`fmt::Display`] wrote. Whatever is none of it is left out.
    pub fn parse(text: &str) -> Self {
        text.split(',').filter_map(range).flat_map(|(first, last)| first..=last).collect()
    }

    /// Merges ranges until there are no more than can be written down.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        while self.0.len() > MOST_RANGES {
            self.0 = self.0.chunks(2).map(|pair| (pair[0].0, pair[pair.len() - 1].1)).collect();
        }
        self
    }
}

impl FromIterator<u32> for Places {
    fn from_iter<T: IntoIterator<Item = u32>>(places: T) -> Self {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for place in places.into_iter().collect::<BTreeSet<_>>() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == place => *last = place,
                _ => ranges.push((place, place)),
            }
        }
        Self(ranges)
    }
}

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (first, last) in &self.0 {
            match last - first {
                0 => write!(f, "{separator}{first}")?,
                _ => write!(f, "{separator}{first}-{last}")?,
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_they_are_written() {
        let places: Places = [19, 3, 18, 17].into_iter().collect();
        assert_eq!(places.to_string(), "3,17-19");
        assert_eq!(Places::parse("3,17-19"), places);
        assert!(places.has(17) && places.has(3) && !places.has(4) && !places.has(20) && !Places::default().has(0));
        assert!(Places::parse("17-18").is_within(&places) && !Places::parse("3-4").is_within(&places));
        assert_eq!(places.moved(10).to_string(), "13,27-29");
        assert_eq!(Places::parse("nonsense,4-2,"), Places::default());
    }

    #[test]
    fn more_ranges_than_can_be_written_down_become_wider_ones() {
        let odd: Places = (0..50_000).map(|i| i * 2 + 1).collect();
        let bounded = odd.clone().bounded();
        assert!(bounded.0.len() <= MOST_RANGES && odd.is_within(&bounded));
        let most: Places = (0..4_000).map(|i| i * 2).collect();
        assert_eq!(most.clone().bounded(), most);
        let more: Places = (0..4_001).map(|i| i * 2).collect();
        assert_eq!(more.bounded().0.len(), 2_001);
    }
}
