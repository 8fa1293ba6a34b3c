//! The small numbers and names that the core counts with, each its own type.

use std::fmt;
use std::sync::Arc;

/// The most items that one task may have. At this size the status still fits into one object: see `phases`.
pub const MAX_ITEMS: u32 = 1_000_000;

/// What [`Index::REDUCE`] is called in names and labels.
pub const REDUCE_WORD: &str = "reduce";

/// The place of an item in its task's list, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Index(pub u32);

impl Index {
    /// Stands for the reduce of a task, which is no item.
    pub const REDUCE: Self = Self(u32::MAX);

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
        if *self == Self::REDUCE {
            return f.pad(REDUCE_WORD);
        }
        self.0.fmt(f)
    }
}

/// The number of a try at an item, from 1. Every attempt has a pod name of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Self = Self(1);

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
