//! Results that somebody has changed or deleted, as far as the operator knows.

use std::collections::BTreeMap;

use crate::core::pod::ResultNames;
use crate::core::results::Shard;
use crate::core::results::keeping::items_in_words;
use crate::core::results::places::Places;

/// ConfigMaps that are named in words; of the others there is only their number.
const NAMED: usize = 4;

/// Damage that is known, by the number of the ConfigMap: places in it.
#[derive(Debug, Default)]
pub struct KnownDamage(BTreeMap<u32, Places>);

impl KnownDamage {
    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Says in what is to be stored which of its lines are damaged. An item that has no success any more, since it runs
    /// again or has failed, has no result to be damaged.
    pub fn mark(&mut self, shard: &mut Shard) {
        let known = self.0.remove(&shard.number).unwrap_or_default();
        let is_missing = |place: &u32| shard.stored.has(*place) && !shard.lines.contains_key(place);
        shard.damaged = known.iter().filter(is_missing).collect();
        if !shard.damaged.is_empty() {
            self.0.insert(shard.number, shard.damaged.clone());
        }
    }

    /// These lines of a ConfigMap are damaged, and no others. Whether one of them was not known to be.
    pub fn set(&mut self, shard: u32, lost: Places) -> bool {
        if lost.is_empty() {
            self.0.remove(&shard);
            return false;
        }
        let is_news = self.0.get(&shard).is_none_or(|known| !lost.is_within(known));
        self.0.insert(shard, lost);
        is_news
    }

    /// The ConfigMaps, with the items whose results they have lost.
    pub fn in_words(&self, names: &ResultNames, items_per_shard: u32) -> String {
        let word = |(shard, places): (&u32, &Places)| {
            let items = items_in_words(&places.moved(shard * items_per_shard));
            format!("ConfigMap {} (items {items})", names.name(*shard))
        };
        let mut words: Vec<String> = self.0.iter().take(NAMED).map(word).collect();
        if self.0.len() > NAMED {
            words.push(format!("{} more", self.0.len() - NAMED));
        }
        words.join(", ")
    }
}
