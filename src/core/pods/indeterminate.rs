//! Create requests with an unknown outcome, which the API server may still execute.

use std::collections::HashMap;

use crate::core::ids::{Index, PodRole, Time};

/// How long a create without an answer may still be carried out: the API server gives a request up after a minute.
pub const INDETERMINATE_MILLIS: u64 = 75_000;

/// Creates without an answer.
#[derive(Clone, Debug)]
pub struct Indeterminate {
    /// Until when one may still be carried out, by item; `None` is the reduce.
    of: HashMap<Option<Index>, Time>,
    /// The same for all creates of an operator before this one, whose answers nobody knows.
    all: Option<Time>,
}

impl Indeterminate {
    /// None of ours; those of an operator before this one may be carried out until `all`.
    pub fn new(all: Option<Time>) -> Self {
        Self { of: HashMap::new(), all }
    }

    /// A create of this pod got no answer.
    pub fn add(&mut self, now: Time, pod: PodRole) {
        self.of.insert(pod.index(), now.plus_millis(INDETERMINATE_MILLIS));
    }

    /// Whether one of our own creates for this pod's item may still be carried out.
    pub fn holds(&self, now: Time, pod: PodRole) -> bool {
        self.own_until(pod).is_some_and(|until| until > now)
    }

    /// Whether another create than the one on its way may have made a pod of this item: one of ours, however long ago,
    /// or one of an operator before this one.
    pub fn may_have_made(&self, now: Time, pod: PodRole) -> bool {
        self.of.contains_key(&pod.index()) || self.all.is_some_and(|all| all > now)
    }

    /// Until when one of our own creates for this pod's item may still be carried out.
    pub fn own_until(&self, pod: PodRole) -> Option<Time> {
        self.of.get(&pod.index()).copied()
    }

    /// Until when any create for this pod's item may still be carried out.
    pub fn until(&self, pod: PodRole) -> Option<Time> {
        self.all.max(self.own_until(pod))
    }

    /// The same for any item.
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
    use crate::core::ids::Attempt;

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
        let mut later = Indeterminate::new(Some(Time(90_000)));
        later.merge(&indeterminate);
        assert!(later.holds(Time(75_999), pod(3)));
        assert_eq!((later.until(pod(3)), later.until_all()), (Some(Time(90_000)), Some(Time(90_000))));
    }
}
