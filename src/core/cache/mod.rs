//! Cached results: keys, stored form, and which item waits for which.

pub mod claims;
pub mod key;
pub mod segment;
mod stored;

use std::fmt;
use std::sync::Arc;

use crate::core::ids::Index;

pub use key::{Key, Keys};

/// Where entries are shared: among all tasks of the namespace that name this cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheId {
    /// The namespace.
    pub namespace: Arc<str>,
    /// `spec.cache.name`, or the name of the task.
    pub name: Arc<str>,
}

impl fmt::Display for CacheId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A result by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is the result of.
    pub key: Key,
    /// The result, as it is in the results: one line of JSON.
    pub line: String,
}

/// The keys of items that are looked up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupKeys {
    /// In order.
    keys: Vec<(Key, Index)>,
}

impl LookupKeys {
    /// The items of that key.
    pub fn items(&self, key: &Key) -> impl Iterator<Item = Index> + '_ {
        let first = self.keys.partition_point(|(other, _)| other < key);
        let key = *key;
        self.keys[first..].iter().take_while(move |(other, _)| *other == key).map(|(_, index)| *index)
    }

    /// Whether an item has that key.
    pub fn has(&self, key: &Key) -> bool {
        self.items(key).next().is_some()
    }

    /// The items, in the order of their keys.
    pub fn indexes(&self) -> impl Iterator<Item = Index> + '_ {
        self.keys.iter().map(|(_, index)| *index)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether nothing is looked up.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

impl FromIterator<(Key, Index)> for LookupKeys {
    fn from_iter<T: IntoIterator<Item = (Key, Index)>>(keys: T) -> Self {
        let mut keys: Vec<_> = keys.into_iter().collect();
        keys.sort_unstable();
        Self { keys }
    }
}
