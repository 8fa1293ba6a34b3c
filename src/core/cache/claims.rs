//! `spec.cache.serialize`: an item that another task, or another item of the same task, is computing is not computed a
//! second time, but waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::{CacheId, Key};
use crate::core::ids::{Index, TaskKey};

type Place = (CacheId, Key);

/// Who computes what, and who waits for it.
#[derive(Debug, Default)]
pub struct Claims {
    holders: BTreeMap<Place, (TaskKey, Index)>,
    /// The same, by task.
    held: BTreeMap<TaskKey, BTreeMap<Index, Place>>,
    /// They wait for what another one holds.
    waiting: BTreeMap<Place, BTreeSet<(TaskKey, Index)>>,
    /// Tasks whose running items of their cache are not known yet.
    unknown: BTreeMap<TaskKey, CacheId>,
}

impl Claims {
    /// Takes the key for an item, unless another one has it; that one is answered.
    pub fn take(&mut self, cache: &CacheId, key: Key, task: &TaskKey, index: Index) -> Result<(), (TaskKey, Index)> {
        let place = (cache.clone(), key);
        match self.holders.get(&place) {
            Some(holder) if holder.0 == *task && holder.1 == index => Ok(()),
            Some(holder) => {
                let holder = holder.clone();
                self.waiting.entry(place).or_default().insert((task.clone(), index));
                Err(holder)
            }
            None => {
                self.holders.insert(place.clone(), (task.clone(), index));
                self.held.entry(task.clone()).or_default().insert(index, place);
                Ok(())
            }
        }
    }

    /// Notes whether it is known which items of a task run; if not, with its cache. Returns whether a cache is open
    /// again for that.
    pub fn note_unknown(&mut self, task: &TaskKey, cache: Option<&CacheId>) -> bool {
        match cache {
            Some(cache) => self.unknown.insert(task.clone(), cache.clone()).is_some_and(|before| before != *cache),
            None => self.unknown.remove(task).is_some(),
        }
    }

    /// The task for which all others of this cache have to wait: items of it may run that nobody has claimed.
    pub fn waits_for(&self, cache: &CacheId) -> Option<&TaskKey> {
        self.unknown.iter().find(|(_, of)| *of == cache).map(|(task, _)| task)
    }

    /// Whether the item holds a key.
    pub fn holds(&self, task: &TaskKey, index: Index) -> bool {
        self.held.get(task).is_some_and(|held| held.contains_key(&index))
    }

    /// Lets go of the keys of a task's items that need them no more. Answers who waited for them.
    pub fn release(&mut self, task: &TaskKey, over: impl Fn(Index) -> bool) -> Vec<(TaskKey, Index)> {
        let Some(held) = self.held.get_mut(task) else { return Vec::new() };
        let places: Vec<Place> = held.extract_if(.., |index, _| over(*index)).map(|(_, place)| place).collect();
        if held.is_empty() {
            self.held.remove(task);
        }
        let mut freed = Vec::new();
        for place in places {
            self.holders.remove(&place);
            freed.extend(self.waiting.remove(&place).into_iter().flatten());
        }
        freed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Json;
    use crate::core::cache::Keys;
    use serde_json::json;

    #[test]
    fn nothing_of_a_cache_starts_while_it_is_not_known_what_of_it_runs() {
        let cache = |name: &str| CacheId { namespace: "ns".into(), name: name.into() };
        let (a, b) = (TaskKey::new("ns", "a"), TaskKey::new("ns", "b"));
        let mut claims = Claims::default();
        assert!(!claims.note_unknown(&a, Some(&cache("c"))) && !claims.note_unknown(&b, Some(&cache("c"))));
        assert_eq!((claims.waits_for(&cache("c")), claims.waits_for(&cache("d"))), (Some(&a), None));
        assert!(claims.note_unknown(&a, None), "others may start");
        assert_eq!(claims.waits_for(&cache("c")), Some(&b));
        assert!(claims.note_unknown(&b, None) && !claims.note_unknown(&b, None));
        assert_eq!(claims.waits_for(&cache("c")), None);
    }

    #[test]
    fn one_computes_and_the_others_wait_until_it_lets_go() {
        let spec = json!({ "items": {}, "template": {}, "cache": { "version": "1", "name": "c" } });
        let keys = Keys::of(&TaskKey::new("ns", "a"), &serde_json::from_value(spec).unwrap()).unwrap();
        let (a, b) = (TaskKey::new("ns", "a"), TaskKey::new("ns", "b"));
        let key = keys.key(&Json::integer(1));
        let mut claims = Claims::default();
        assert_eq!(claims.take(&keys.id, key, &a, Index(0)), Ok(()));
        assert_eq!(claims.take(&keys.id, key, &a, Index(0)), Ok(()), "it has it already");
        assert_eq!(claims.take(&keys.id, key, &b, Index(7)), Err((a.clone(), Index(0))));
        assert_eq!(claims.take(&keys.id, key, &a, Index(3)), Err((a.clone(), Index(0))));
        assert_eq!(claims.take(&keys.id, keys.key(&Json::integer(2)), &b, Index(8)), Ok(()));
        assert_eq!(claims.release(&a, |_| false), []);
        assert_eq!(claims.release(&a, |index| index == Index(0)), [(a.clone(), Index(3)), (b.clone(), Index(7))]);
        assert!(!claims.holds(&a, Index(0)) && claims.holds(&b, Index(8)));
        assert_eq!(claims.take(&keys.id, key, &b, Index(7)), Ok(()));
        assert_eq!(claims.release(&b, |_| true), []);
        assert!(claims.holders.is_empty() && claims.held.is_empty() && claims.waiting.is_empty());
    }
}
