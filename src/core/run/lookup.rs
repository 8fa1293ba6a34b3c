//! Which items does the cache know?

use std::sync::Arc;

use crate::core::cache::{Entry, LookupKeys};
use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::ItemPhase;
use crate::core::results::NO_RESULT;
use crate::core::run::{Context, Run};

/// Results that may wait to be stored when the next page is asked for.
const PENDING_RESULTS: usize = 10_000;

impl Run {
    /// Whether a page of the look-up is to be asked for.
    pub fn is_lookup_due(&self, now: Time) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| lookup.is_due(now)) && self.may_look_up()
    }

    /// Whether the items are known, and there is room for what is found.
    pub fn may_look_up(&self) -> bool {
        self.spec.blueprint.items.is_known() && self.results.len() <= PENDING_RESULTS
    }

    /// At first all items that have not been tried, later those that waited for another.
    pub fn wanted(&self) -> Arc<LookupKeys> {
        if let Some(wanted) = self.lookup.as_ref().and_then(|lookup| lookup.wanted().cloned()) {
            return wanted;
        }
        let Some(keys) = &self.spec.cache else { return Arc::default() };
        let key = |index: Index| (keys.key(&self.spec.blueprint.items.get(index)), index);
        if !self.blocked_on_duplicate.freed().is_empty() {
            return Arc::new(self.blocked_on_duplicate.freed().iter().copied().map(key).collect());
        }
        let untried = |index: &Index| self.is_untouched(*index) && self.tries.get(*index).attempt == Attempt::FIRST;
        Arc::new(self.phases.iter_in(ItemPhase::Pending).filter(untried).map(key).collect())
    }

    /// Whether the item waits and is not in flight.
    pub fn is_untouched(&self, index: Index) -> bool {
        self.phases.get(index) == Some(ItemPhase::Pending) && !self.flights.contains(index)
    }

    /// Items whose result is known are Cached.
    pub fn apply_entries(&mut self, context: &mut Context<'_>, wanted: &LookupKeys, entries: &[Entry]) {
        let most = self.spec.results.map_or(0, crate::core::results::Layout::max_bytes_per_item) as usize;
        for entry in entries.iter().filter(|entry| entry.line.len() <= most) {
            for index in wanted.items(&entry.key) {
                if self.is_untouched(index) {
                    self.blocked_on_duplicate.remove(index);
                    self.waitlist.take(index);
                    self.set(context, index, ItemPhase::Cached);
                    self.results.insert(index, entry.line.clone());
                }
            }
        }
    }

    /// What successes that are yet to be stored tell the cache.
    pub fn new_entries(&self) -> Vec<Entry> {
        let Some(keys) = self.spec.cache.as_ref().filter(|_| self.spec.blueprint.items.is_known()) else {
            return Vec::new();
        };
        let succeeded = |index: Index| self.phases.get(index) == Some(ItemPhase::Succeeded);
        // Of an item that has said nothing at its first attempt there is nothing to be known.
        let said = |index: Index, line: &str| line != NO_RESULT || self.tries.get(index).attempt > Attempt::FIRST;
        let new = self.results.iter().filter(|(index, line)| succeeded(**index) && said(**index, line));
        new.map(|(index, line)| Entry { key: keys.key(&self.spec.blueprint.items.get(*index)), line: line.clone() })
            .collect()
    }

    /// Whether nothing may start or be decided, since what is known is yet to be found.
    pub fn awaits_lookup(&self) -> bool {
        self.lookup.is_some() && self.blocked_on_duplicate.is_empty() && self.spec.blueprint.items.is_known()
    }

    /// Whether all items that wait, of which there are some, do so for others which compute the same.
    pub fn waits_for_others(&self) -> bool {
        self.blocked_on_duplicate.len() == self.phases.counts().pending as usize
    }

    /// Whether an item that computes the same still has to wait for this one: it runs, a pod of it may come, or its
    /// success is yet to be stored.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.flights.contains(index) || self.waitlist.keeps_slot(index) || self.results.contains_key(&index)
    }
}
