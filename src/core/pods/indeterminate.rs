//! Create requests with an unknown outcome, which the API server may still execute.

use std::collections::HashMap;

use crate::core::ids::{Lineage, PodRole, Time};
use crate::core::port::INDETERMINATE_MILLIS;

/// Creates without an answer.
#[derive(Clone, Debug)]
pub struct Indeterminate {
    /// Until when one of ours may still be carried out: it stands in the way of later attempts at the same thing, too.
    of: HashMap<Lineage, Time>,
    /// Until when those of an operator before this one may, whose answers are unknown.
    all: Option<Time>,
}

impl Indeterminate {
    /// None of ours; those of an operator before this one may be carried out until `all`.
    pub fn new(all: Option<Time>) -> Self {
        Self { of: HashMap::new(), all }
    }

    /// A create of this pod got no answer.
    pub fn add(&mut self, now: Time, role: PodRole) {
        self.of.insert(role.lineage(), now.plus_millis(INDETERMINATE_MILLIS));
    }

    /// Whether one of our own creates for this role, or one that it follows, may still be carried out.
    pub fn holds(&self, now: Time, role: PodRole) -> bool {
        self.own_until(role).is_some_and(|until| until > now)
    }

    /// Whether another create than the one on its way may have made this pod: one of ours, however long ago, or one of
    /// an operator before this one.
    pub fn may_have_made(&self, now: Time, role: PodRole) -> bool {
        self.of.contains_key(&role.lineage()) || self.all.is_some_and(|all| all > now)
    }

    /// Until when one of our own creates for this role, or one that it follows, may still be carried out.
    pub fn own_until(&self, role: PodRole) -> Option<Time> {
        self.of.get(&role.lineage()).copied()
    }

    /// Until when any create for this role, or one that it follows, may still be carried out.
    pub fn until(&self, role: PodRole) -> Option<Time> {
        self.all.max(self.own_until(role))
    }

    /// Until when any create at all may still be carried out.
    pub fn until_all(&self) -> Option<Time> {
        self.all.max(self.of.values().copied().max())
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
    use crate::core::ids::{Attempt, Index};

    fn pod(index: u32) -> PodRole {
        PodRole::Item(Index(index), Attempt::FIRST)
    }

    #[test]
    fn a_create_without_an_answer_may_be_carried_out_for_75_seconds() {
        let mut indeterminate = Indeterminate::new(Some(Time(40_000)));
        indeterminate.add(Time(1_000), pod(3));
        assert!(indeterminate.holds(Time(75_999), pod(3)) && !indeterminate.holds(Time(76_000), pod(3)));
        assert!(!indeterminate.holds(Time(1_000), pod(4)), "another item");
        let made = |time, index| indeterminate.may_have_made(Time(time), pod(index));
        assert!(
            made(76_000, 3) && made(39_999, 4) && !made(40_000, 4),
            "one of ours, or of an operator before this one"
        );
        assert_eq!((indeterminate.own_until(pod(3)), indeterminate.own_until(pod(4))), (Some(Time(76_000)), None));
        assert_eq!(
            (indeterminate.until(pod(3)), indeterminate.until(pod(4))),
            (Some(Time(76_000)), Some(Time(40_000)))
        );
        assert_eq!(indeterminate.until_all(), Some(Time(76_000)));
        indeterminate.add(Time(1_000), PodRole::Worker(3));
        assert!(indeterminate.holds(Time(1_000), PodRole::Worker(3)), "a worker");
        assert!(!indeterminate.holds(Time(1_000), PodRole::Worker(4)), "another worker");
        let mut later = Indeterminate::new(Some(Time(90_000)));
        later.merge(&indeterminate);
        assert!(later.holds(Time(75_999), pod(3)));
        assert_eq!((later.until(pod(3)), later.until_all()), (Some(Time(90_000)), Some(Time(90_000))));
    }
}
