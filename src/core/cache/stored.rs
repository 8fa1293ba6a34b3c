//! What was stored in a cache while tasks with items to start share it: who was looked up before is looked up again.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::Key;
use crate::core::ids::{Index, TaskKey};

/// The most keys that are remembered, each in about 10 bytes. Above that, each item is looked up once more.
const MAX_KEYS: usize = 1_000_000;

/// What was stored in one cache.
#[derive(Debug, Default)]
pub(super) struct Stored {
    keys: HashSet<u64>,
    /// Too many for `keys`: any key may be among them.
    many: bool,
    /// Items that are looked up after their key was stored.
    looked_up: BTreeMap<Key, BTreeSet<(TaskKey, Index)>>,
}

impl Stored {
    /// A result was stored under this key. These items waited for it, and are looked up after this.
    pub(super) fn add(&mut self, key: Key, waited: BTreeSet<(TaskKey, Index)>) {
        if self.keys.len() >= MAX_KEYS {
            self.many = true;
            self.keys = HashSet::new();
        }
        if !self.many {
            self.keys.insert(key.short());
        }
        if waited.is_empty() {
            self.looked_up.remove(&key);
        } else {
            self.looked_up.insert(key, waited);
        }
    }

    /// The item is not looked up after this key was stored.
    pub(super) fn not_looked_up(&mut self, key: Key, item: &(TaskKey, Index)) {
        if let Some(items) = self.looked_up.get_mut(&key) {
            items.remove(item);
            if items.is_empty() {
                self.looked_up.remove(&key);
            }
        }
    }

    /// Whether the key was stored after the item was looked up. The item is then looked up again.
    pub(super) fn is_news(&mut self, key: Key, (task, index): (&TaskKey, Index)) -> bool {
        let may_be_stored = self.many || self.keys.contains(&key.short());
        may_be_stored && self.looked_up.entry(key).or_default().insert((task.clone(), index))
    }

    /// An item computes this key: what the others know of it is old by the time it ends.
    pub(super) fn computes(&mut self, key: Key) {
        self.looked_up.remove(&key);
    }

    /// The task has no items to start any more.
    pub(super) fn forget(&mut self, task: &TaskKey) {
        self.looked_up.retain(|_, items| {
            items.retain(|(other, _)| other != task);
            !items.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Json;
    use crate::core::cache::Keys;
    use serde_json::json;

    #[test]
    fn above_the_most_keys_each_item_is_looked_up_once_more() {
        let spec = json!({ "items": {}, "template": {}, "cache": { "version": "1", "name": "c" } });
        let task = TaskKey::new("ns", "a");
        let keys = Keys::of(&task, &serde_json::from_value(spec).unwrap()).unwrap();
        let (one, two) = (keys.key(&Json::integer(1)), keys.key(&Json::integer(2)));
        let mut stored = Stored { keys: (0..MAX_KEYS as u64).collect(), ..Stored::default() };
        assert!(!stored.is_news(two, (&task, Index(4))));
        stored.add(one, BTreeSet::new());
        assert!(stored.keys.is_empty(), "they are given up");
        assert!(stored.is_news(two, (&task, Index(4))) && !stored.is_news(two, (&task, Index(4))));
        stored.forget(&task);
        assert!(stored.looked_up.is_empty());
    }
}
