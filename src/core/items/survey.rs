//! Do the items have what the template asks of them? And which of their keys have no variable?

use std::collections::BTreeSet;

use super::env::{Variables, variables};
use super::{ItemList, ItemsError, Source};
use crate::core::ids::Index;
use crate::core::pod::variables::Uses;
use crate::text::cut;

/// Most keys that are shown.
const SHOWN: usize = 5;
/// Most characters of each.
const SHOWN_CHARACTERS: usize = 40;

impl ItemList {
    /// Of how many items the keys are looked at, from the first on.
    fn items_with_keys(&self) -> u32 {
        match &self.source {
            Source::Values(_) => self.count.get(),
            // Strings have no keys.
            Source::Text(lines) => {
                if lines.is_json() {
                    self.count.get()
                } else {
                    0
                }
            }
            // All items have the same keys.
            Source::Matrix(_) => self.count.get().min(1),
            Source::Count | Source::Range(_) | Source::Awaited => 0,
        }
    }

    /// The keys that have no variable of their own, in words for people, if there are any. Refuses a list whose items
    /// do not have what the template uses.
    pub fn survey(&self, uses: &Uses) -> Result<Option<String>, ItemsError> {
        let mut missing = uses.expanded.clone();
        let mut without = BTreeSet::new();
        let mut more = false;
        for index in (0..self.items_with_keys()).map(Index) {
            let entries = self.get(index).entries().unwrap_or_default();
            let Variables { named, nameless, ambiguous } = variables(entries);
            for (name, first, second) in ambiguous {
                if uses.mentioned.contains(&name) {
                    return Err(ItemsError::EnvNameCollision { place: format!("item {index}"), first, second, name });
                }
            }
            missing.retain(|name| !named.contains_key(name));
            for key in nameless {
                if without.len() < SHOWN || without.contains(&key) {
                    without.insert(key);
                } else {
                    more = true;
                }
            }
        }
        match missing.pop_first() {
            Some(name) if self.is_known() && self.count.get() > 0 => Err(ItemsError::NoSuchKey(name)),
            _ if without.is_empty() => Ok(None),
            _ => {
                let keys: Vec<String> = without.iter().map(|key| format!("{:?}", cut(key, SHOWN_CHARACTERS))).collect();
                let more = if more { ", …" } else { "" };
                Ok(Some(format!("{}{more}", keys.join(", "))))
            }
        }
    }
}
