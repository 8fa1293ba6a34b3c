//! Which creates may still be carried out that nobody knows the answer of?

use std::collections::HashMap;

use crate::core::ids::{Index, Time};

/// How long a create without an answer may still be carried out: the API server gives a request up after a minute.
pub const INDETERMINATE_MILLIS: u64 = 75_000;

/// Creates without an answer.
#[derive(Clone, Debug)]
pub struct Indeterminate {
    /// Until when one may still be carried out.
    of: HashMap<Index, Time>,
    /// The same for creates of an operator before this one, of which nothing is known.
    all: Time,
}

impl Indeterminate {
    /// None of ours; those of an operator before this one may be carried out until `all`.
    pub fn new(all: Time) -> Self {
        Self { of: HashMap::new(), all }
    }

    /// A create got no answer.
    pub fn add(&mut self, now: Time, index: Index) {
        self.of.insert(index, now.plus_millis(INDETERMINATE_MILLIS));
    }

    /// Whether one of our own creates for this item may still be carried out.
    pub fn holds(&self, now: Time, index: Index) -> bool {
        self.of.get(&index).is_some_and(|until| *until > now)
    }

    /// Whether another create than the one on its way may have made a pod of this item: one of ours, however long ago, or one of
    /// an operator before this one.
    pub fn may_have_made(&self, now: Time, index: Index) -> bool {
        self.of.contains_key(&index) || self.all > now
    }

    /// Until when one of our own creates for this item may still be carried out.
    pub fn own_until(&self, index: Index) -> Time {
        self.of.get(&index).copied().unwrap_or(Time(i64::MIN))
    }

    /// Until when a create for this item may still be carried out.
    pub fn until(&self, index: Index) -> Time {
        self.of.get(&index).map_or(self.all, |until| self.all.max(*until))
    }

    /// The same for any item.
    pub fn until_all(&self) -> Time {
        self.of.values().copied().max().map_or(self.all, |until| self.all.max(until))
    }

    /// Takes over what another knew.
    pub fn merge(&mut self, other: &Self) {
        self.all = self.all.max(other.all);
        self.of.extend(&other.of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_create_without_an_answer_may_be_carried_out_for_75_seconds() {
        let mut indeterminate = Indeterminate::new(Time(40_000));
        indeterminate.add(Time(1_000), Index(3));
        assert!(indeterminate.holds(Time(75_999), Index(3)) && !indeterminate.holds(Time(76_000), Index(3)));
        assert!(!indeterminate.holds(Time(1_000), Index(4)), "another item");
        let made = |time, index| indeterminate.may_have_made(Time(time), Index(index));
        assert!(
            made(76_000, 3) && made(39_999, 4) && !made(40_000, 4),
            "one of ours, or of an operator before this one"
        );
        assert_eq!(
            (indeterminate.own_until(Index(3)), indeterminate.own_until(Index(4))),
            (Time(76_000), Time(i64::MIN))
        );
        assert_eq!((indeterminate.until(Index(3)), indeterminate.until(Index(4))), (Time(76_000), Time(40_000)));
        assert_eq!(indeterminate.until_all(), Time(76_000));
        let mut later = Indeterminate::new(Time(90_000));
        later.merge(&indeterminate);
        assert!(later.holds(Time(75_999), Index(3)));
        assert_eq!((later.until(Index(3)), later.until_all()), (Time(90_000), Time(90_000)));
    }
}
