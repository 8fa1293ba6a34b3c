//! The caches of the world, and what must hold of items that were found in them.

use std::collections::{BTreeMap, BTreeSet};

use maptask::core::cache::{CacheId, Entry, Key, Keys};
use maptask::core::phases::{ItemPhase, Phases};
use maptask::core::port::{CacheLookup, CacheLookupOutcome, TaskSeen};

use crate::check::{Results, lines_of};
use crate::random::Random;
use crate::specs;

/// Entries of one page.
const PAGE: usize = 3;

#[derive(Default)]
pub struct Caches {
    entries: BTreeMap<CacheId, Vec<Entry>>,
    /// Every line that was ever kept, by its key.
    history: BTreeSet<(Key, String)>,
}

impl Caches {
    /// Answers what was never there before: what was lost comes back at a time of which nobody is told.
    pub fn put(&mut self, cache: &CacheId, entries: &[Entry]) -> Vec<Key> {
        let known = self.entries.entry(cache.clone()).or_default();
        let mut new = Vec::new();
        for entry in entries {
            match known.iter_mut().find(|old| old.key == entry.key) {
                Some(old) => *old = entry.clone(),
                None => known.push(entry.clone()),
            }
            if self.history.insert((entry.key, entry.line.clone())) {
                new.push(entry.key);
            }
        }
        new
    }

    pub fn find(&self, lookup: &CacheLookup) -> CacheLookupOutcome {
        let known = self.entries.get(&lookup.cache).map(Vec::as_slice).unwrap_or_default();
        let first = (lookup.from as usize).min(known.len());
        let last = (first + PAGE).min(known.len());
        let entries = known[first..last].iter().filter(|entry| lookup.wanted.has(&entry.key)).cloned().collect();
        CacheLookupOutcome::Found {
            from: lookup.from,
            entries,
            damaged: 0,
            next: (last < known.len()).then_some(last as u64),
        }
    }

    pub fn has(&self, (cache, key): &(CacheId, Key)) -> bool {
        self.entries.get(cache).is_some_and(|known| known.iter().any(|entry| entry.key == *key))
    }

    /// A user clears a cache, or an entry is damaged, which is the same for who looks for it.
    pub fn lose(&mut self, random: &mut Random) {
        for known in self.entries.values_mut() {
            known.retain(|_| random.chance(50));
        }
    }

    /// The result of an item that was found is, byte for byte, one that was kept under the item's key.
    pub fn check(&self, task: &TaskSeen, phases: &Phases, results: &Results) -> Result<(), String> {
        let key = &task.key;
        let Some(keys) = Keys::of(key, &specs::as_accepted(task)) else {
            let cached = phases.counts().cached;
            return if cached == 0 { Ok(()) } else { Err(format!("{key}: {cached} items cached without a cache")) };
        };
        let lines = lines_of(key, results);
        let items = specs::items_of(&task.spec).map_err(|error| error.to_string())?;
        for index in phases.iter_in(ItemPhase::Cached) {
            let line = lines.get(index.offset()).copied().unwrap_or("missing");
            if !self.history.contains(&(keys.key(&items.get(index)), line.to_owned())) {
                return Err(format!("{key} item {index} was cached, its result is {line:?}"));
            }
        }
        Ok(())
    }
}
