//! `spec.cache.serialize`: an item that another task, or another item of the same task, is computing is not computed a
//! second time, but waited for.

use std::collections::{BTreeMap, BTreeSet};

use super::stored::Stored;
use super::{CacheId, Key};
use crate::core::ids::{Index, TaskKey};

type Place = (CacheId, Key);

/// Why an item may not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Another item computes the same.
    Computed(TaskKey, Index),
    /// The result was stored after this item was looked up: it is to be looked up again.
    Stored,
}

/// An item that has waited for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freed {
    /// Its task.
    pub task: TaskKey,
    /// Its index.
    pub index: Index,
    place: Place,
}

/// Who computes what, and who waits for it.
#[derive(Debug, Default)]
pub struct Claims {
    holders: BTreeMap<Place, (TaskKey, Index)>,
    /// The places that are held, by task.
    held: BTreeMap<TaskKey, BTreeMap<Index, Place>>,
    /// They wait for what another one holds.
    waiting: BTreeMap<Place, BTreeSet<(TaskKey, Index)>>,
    /// Tasks whose running items of their cache are not known yet.
    unknown: BTreeMap<TaskKey, CacheId>,
    /// Tasks that have items to start, with their cache.
    users: BTreeMap<TaskKey, CacheId>,
    /// What was stored while they have been there.
    stored: BTreeMap<CacheId, Stored>,
}

impl Claims {
    /// Takes the key for an item, unless another one has it.
    pub fn take(&mut self, cache: &CacheId, key: Key, (task, index): (&TaskKey, Index)) -> Result<(), Conflict> {
        let place = (cache.clone(), key);
        match self.holders.get(&place) {
            Some(holder) if holder.0 == *task && holder.1 == index => Ok(()),
            Some(holder) => {
                let conflict = Conflict::Computed(holder.0.clone(), holder.1);
                self.waiting.entry(place).or_default().insert((task.clone(), index));
                Err(conflict)
            }
            None => {
                if let Some(stored) = self.stored.get_mut(cache) {
                    stored.computes(key);
                }
                self.holders.insert(place.clone(), (task.clone(), index));
                self.held.entry(task.clone()).or_default().insert(index, place);
                Ok(())
            }
        }
    }

    /// Takes the key for an item that was looked up, unless another one has it, or has stored its result since.
    pub fn take_if_unknown(&mut self, cache: &CacheId, key: Key, item: (&TaskKey, Index)) -> Result<(), Conflict> {
        let is_held = self.holders.contains_key(&(cache.clone(), key));
        let stored = self.stored.get_mut(cache).filter(|_| !is_held);
        if stored.is_some_and(|stored| stored.is_news(key, item)) {
            return Err(Conflict::Stored);
        }
        self.take(cache, key, item)
    }

    /// Notes whether a task has items to start; if so, with its cache.
    pub fn note_user(&mut self, task: &TaskKey, cache: Option<&CacheId>) {
        if self.users.get(task) == cache {
            return;
        }
        if let Some(before) = self.users.remove(task) {
            let is_used = self.users.values().any(|other| *other == before);
            match self.stored.get_mut(&before) {
                Some(stored) if is_used => stored.forget(task),
                _ => drop(self.stored.remove(&before)),
            }
        }
        if let Some(cache) = cache {
            self.users.insert(task.clone(), cache.clone());
            self.stored.entry(cache.clone()).or_default();
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

    /// Lets go of the keys of a task's items that need them no more; `stored` says which of them may have stored a
    /// result. Answers who waited for them: they are looked up again, or [`Self::not_looked_up`].
    pub fn release(
        &mut self,
        task: &TaskKey,
        over: impl Fn(Index) -> bool,
        stored: impl Fn(Index) -> bool,
    ) -> Vec<Freed> {
        let Some(held) = self.held.get_mut(task) else { return Vec::new() };
        let places: Vec<(Index, Place)> = held.extract_if(.., |index, _| over(*index)).collect();
        if held.is_empty() {
            self.held.remove(task);
        }
        let mut freed = Vec::new();
        for (index, place) in places {
            self.holders.remove(&place);
            let waited = self.waiting.remove(&place).unwrap_or_default();
            if let Some(known) = self.stored.get_mut(&place.0).filter(|_| stored(index)) {
                known.add(place.1, waited.clone());
            }
            freed.extend(waited.into_iter().map(|(task, index)| Freed { task, index, place: place.clone() }));
        }
        freed
    }

    /// The item no longer waits, so nothing looks it up for what was stored now: its task may have been reloaded, with
    /// a look-up that began before.
    pub fn not_looked_up(&mut self, freed: &Freed) {
        if let Some(stored) = self.stored.get_mut(&freed.place.0) {
            stored.not_looked_up(freed.place.1, &(freed.task.clone(), freed.index));
        }
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

    /// A cache, and the keys of items in it.
    fn keys() -> Keys {
        let spec = json!({ "items": {}, "template": {}, "cache": { "version": "1", "name": "c" } });
        Keys::of(&TaskKey::new("ns", "a"), &serde_json::from_value(spec).unwrap()).unwrap()
    }

    #[test]
    fn one_computes_and_the_others_wait_until_it_lets_go() {
        let keys = keys();
        let (a, b) = (TaskKey::new("ns", "a"), TaskKey::new("ns", "b"));
        let key = keys.key(&Json::integer(1));
        let mut claims = Claims::default();
        let mut take = |key: Key, task: &TaskKey, index| claims.take(&keys.id, key, (task, Index(index)));
        assert_eq!(take(key, &a, 0), Ok(()));
        assert_eq!(take(key, &a, 0), Ok(()), "it has it already");
        assert_eq!(take(key, &b, 7), Err(Conflict::Computed(a.clone(), Index(0))));
        assert_eq!(take(key, &a, 3), Err(Conflict::Computed(a.clone(), Index(0))));
        assert_eq!(take(keys.key(&Json::integer(2)), &b, 8), Ok(()));
        assert_eq!(claims.release(&a, |_| false, |_| true), []);
        let first = |index: Index| index == Index(0);
        let freed = claims.release(&a, first, |_| true);
        let freed: Vec<_> = freed.iter().map(|freed| (&freed.task, freed.index)).collect();
        assert_eq!(freed, [(&a, Index(3)), (&b, Index(7))]);
        assert!(!claims.holds(&a, Index(0)) && claims.holds(&b, Index(8)));
        assert_eq!(claims.take(&keys.id, key, (&b, Index(7))), Ok(()));
        assert_eq!(claims.release(&b, |_| true, |_| true), []);
        assert!(claims.holders.is_empty() && claims.held.is_empty() && claims.waiting.is_empty());
    }

    #[test]
    fn what_was_stored_since_an_item_was_looked_up_is_looked_up_again_once() {
        let keys = keys();
        let (a, b) = (TaskKey::new("ns", "a"), TaskKey::new("ns", "b"));
        let key = keys.key(&Json::integer(1));
        let mut claims = Claims::default();
        claims.note_user(&a, Some(&keys.id));
        claims.note_user(&b, Some(&keys.id));
        let take = |claims: &mut Claims, index| claims.take_if_unknown(&keys.id, key, (&b, Index(index)));
        assert_eq!(claims.take_if_unknown(&keys.id, key, (&a, Index(0))), Ok(()));
        assert!(matches!(take(&mut claims, 5), Err(Conflict::Computed(..))));
        assert!(matches!(take(&mut claims, 6), Err(Conflict::Computed(..))));
        let freed = claims.release(&a, |_| true, |_| true);
        claims.not_looked_up(&freed[1]);
        assert_eq!(take(&mut claims, 6), Err(Conflict::Stored), "its task was reloaded, and the item no longer waits");
        assert_eq!(take(&mut claims, 7), Err(Conflict::Stored));
        assert_eq!(take(&mut claims, 5), Ok(()), "it has waited, and was looked up since");
        assert!(matches!(take(&mut claims, 7), Err(Conflict::Computed(..))));
        claims.release(&b, |_| true, |_| false);
        assert_eq!(take(&mut claims, 7), Err(Conflict::Stored), "it was looked up before item 5 ran");
        assert_eq!(take(&mut claims, 7), Ok(()), "nothing is found: it runs");
        claims.release(&b, |_| true, |_| true);
        assert_eq!(claims.take(&keys.id, key, (&b, Index(8))), Ok(()), "a rerun runs");
        claims.note_user(&a, None);
        claims.note_user(&b, None);
        assert!(claims.stored.is_empty() && claims.users.is_empty());
    }
}
