//! The small numbers and names that the core counts with, each its own type.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The most items that one task may have. At this size the status still fits into one object: see `phases`.
pub const MAX_ITEMS: u32 = 1_000_000;

/// The place of an item in its task's list, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub u32);

impl Index {
    /// The index as an offset into a slice.
    #[must_use]
    pub fn offset(self) -> usize {
        self.0 as usize
    }

    /// The place behind it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The number of a try at an item, from 1. Every attempt has a pod name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(1);

    /// The first try at an item of a list, from what the record says of the lists before it.
    #[must_use]
    pub fn first_after(base: Option<i32>) -> Self {
        Self(base.and_then(|base| u32::try_from(base).ok()).unwrap_or(0)).next()
    }

    /// The try after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which pod of a task it is. Its name is made from this and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodRole {
    /// An attempt at an item.
    Item(Index, Attempt),
    /// An attempt at the reduce.
    Reduce(Attempt),
    /// A worker, which takes one item after another; its number, from 1.
    Worker(u32),
    /// An attempt at the list of the items.
    List(Attempt),
}

/// A role as one number, in the order of roles: a table that is searched several times an event is searched twice as
/// fast by numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoleKey(u64);

impl Hash for PodRole {
    fn hash<H: Hasher>(&self, state: &mut H) {
        RoleKey::from(*self).hash(state);
    }
}

/// The roles that are not of an item come behind all items.
const BEHIND_ITEMS: [u32; 3] = [u32::MAX - 2, u32::MAX - 1, u32::MAX];

impl From<PodRole> for RoleKey {
    fn from(role: PodRole) -> Self {
        let [reduce, worker, list] = BEHIND_ITEMS;
        let (place, number) = match role {
            PodRole::Item(index, attempt) => (index.0, attempt.0),
            PodRole::Reduce(attempt) => (reduce, attempt.0),
            PodRole::Worker(number) => (worker, number),
            PodRole::List(attempt) => (list, attempt.0),
        };
        Self(u64::from(place) << 32 | u64::from(number))
    }
}

impl From<RoleKey> for PodRole {
    #[allow(clippy::cast_possible_truncation, reason = "each half on purpose")]
    fn from(key: RoleKey) -> Self {
        let [reduce, worker, list] = BEHIND_ITEMS;
        let (place, number) = ((key.0 >> 32) as u32, key.0 as u32);
        match place {
            place if place == reduce => Self::Reduce(Attempt(number)),
            place if place == worker => Self::Worker(number),
            place if place == list => Self::List(Attempt(number)),
            index => Self::Item(Index(index), Attempt(number)),
        }
    }
}

/// The pods that follow each other: the attempts at one thing. A worker follows no other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lineage {
    /// The attempts at an item.
    Item(Index),
    /// The attempts at the reduce.
    Reduce,
    /// The attempts at the list.
    List,
    /// The worker of this number.
    Worker(u32),
}

/// What a worker is called in names and labels, where an item has its index.
const WORKER: &str = "worker";
/// What the reduce is called in names and labels, where an item has its index.
const REDUCE: &str = "reduce";
/// What the pod of the list is called in names and labels, where an item has its index.
const LIST: &str = "list";

impl PodRole {
    /// The number of the attempt; of a worker its own number.
    #[must_use]
    pub fn attempt(self) -> Attempt {
        match self {
            Self::Item(_, attempt) | Self::Reduce(attempt) | Self::List(attempt) => attempt,
            Self::Worker(number) => Attempt(number),
        }
    }

    /// The pods that it is one of.
    #[must_use]
    pub fn lineage(self) -> Lineage {
        match self {
            Self::Item(index, _) => Lineage::Item(index),
            Self::Reduce(_) => Lineage::Reduce,
            Self::List(_) => Lineage::List,
            Self::Worker(number) => Lineage::Worker(number),
        }
    }

    /// The item that it is an attempt at; `None` for the reduce, a worker and the list.
    #[must_use]
    pub fn index(self) -> Option<Index> {
        match self {
            Self::Item(index, _) => Some(index),
            Self::Reduce(_) | Self::Worker(_) | Self::List(_) => None,
        }
    }

    /// Whether it is a worker.
    #[must_use]
    pub fn is_worker(self) -> bool {
        matches!(self, Self::Worker(_))
    }

    /// Whether it is of the reduce.
    #[must_use]
    pub fn is_reduce(self) -> bool {
        matches!(self, Self::Reduce(_))
    }

    /// Whether it is of the list.
    #[must_use]
    pub fn is_list(self) -> bool {
        matches!(self, Self::List(_))
    }

    /// What the label for the index says: the index of its item, `reduce`, `worker` or `list`.
    #[must_use]
    pub fn label(self) -> String {
        match self {
            Self::Item(index, _) => index.to_string(),
            Self::Reduce(_) => REDUCE.to_owned(),
            Self::Worker(_) => WORKER.to_owned(),
            Self::List(_) => LIST.to_owned(),
        }
    }

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (label, attempt) = text.split_once('-')?;
        let attempt = Attempt(canonical(attempt)?);
        let role = match label {
            REDUCE => Self::Reduce(attempt),
            WORKER => Self::Worker(attempt.0),
            LIST => Self::List(attempt),
            index => Self::Item(Index(canonical(index).filter(|index| *index < MAX_ITEMS)?), attempt),
        };
        (attempt >= Attempt::FIRST).then_some(role)
    }
}

/// As in a pod's name: `7-1`, `reduce-2`, `worker-3`, `list-1`.
impl fmt::Display for PodRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Item(index, attempt) => write!(f, "{index}-{attempt}"),
            Self::Reduce(attempt) => write!(f, "{REDUCE}-{attempt}"),
            Self::Worker(number) => write!(f, "{WORKER}-{number}"),
            Self::List(attempt) => write!(f, "{LIST}-{attempt}"),
        }
    }
}

/// The number, if these are just its digits.
fn canonical(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

/// How many items a task has: 0 to [`MAX_ITEMS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemCount(u32);

impl ItemCount {
    /// No items.
    pub const NONE: Self = Self(0);
    /// One item.
    pub const ONE: Self = Self(1);

    /// A count within the limit, or `None` above it.
    #[must_use]
    pub fn new(count: u64) -> Option<Self> {
        u32::try_from(count).ok().filter(|&n| n <= MAX_ITEMS).map(Self)
    }

    /// The count as a number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }

    /// Every index of the list, in order.
    pub fn indexes(self) -> impl Iterator<Item = Index> {
        (0..self.0).map(Index)
    }
}

/// Namespace and name of a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskKey {
    /// The namespace of the task and of everything it owns.
    pub namespace: Arc<str>,
    /// The task's name, at most 63 characters.
    pub name: Arc<str>,
}

impl TaskKey {
    /// A key from its two parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }
}

impl fmt::Display for TaskKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A point in time: milliseconds since the Unix epoch. The outside hands it in and never lets it go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// This time and `millis` milliseconds more.
    #[must_use]
    pub fn plus_millis(self, millis: u64) -> Self {
        Self(self.0.saturating_add(i64::try_from(millis).unwrap_or(i64::MAX)))
    }

    /// Milliseconds from `earlier` to this time; 0 when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn roles() -> impl Strategy<Value = PodRole> {
        prop_oneof![
            (0..=3u32, 0..=3u32).prop_map(|(index, attempt)| PodRole::Item(Index(index), Attempt(attempt))),
            (0..MAX_ITEMS, any::<u32>()).prop_map(|(index, attempt)| PodRole::Item(Index(index), Attempt(attempt))),
            any::<u32>().prop_map(|attempt| PodRole::Reduce(Attempt(attempt))),
            any::<u32>().prop_map(PodRole::Worker),
            any::<u32>().prop_map(|attempt| PodRole::List(Attempt(attempt))),
        ]
    }

    proptest! {
        #[test]
        fn a_key_stands_for_its_role_and_keeps_the_order(a in roles(), b in roles()) {
            prop_assert_eq!(PodRole::from(RoleKey::from(a)), a);
            prop_assert_eq!(RoleKey::from(a).cmp(&RoleKey::from(b)), a.cmp(&b));
        }
    }

    #[test]
    fn no_pod_is_of_an_item_beyond_the_most() {
        assert_eq!(PodRole::parse("999999-1"), Some(PodRole::Item(Index(999_999), Attempt::FIRST)));
        assert_eq!(PodRole::parse("1000000-1"), None);
    }
}
