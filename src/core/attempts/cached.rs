//! Which items does the cache know, and which wait for others that compute the same?

use std::sync::Arc;

use crate::core::attempts::lookup_state::LookupState;
use crate::core::attempts::table::{ItemTable, Step};
use crate::core::cache::{Entry, LookupKeys};
use crate::core::ids::{Index, Time};
use crate::core::phases::ItemPhase;
use crate::core::results::{Layout, NO_RESULT};
use crate::core::spec::AcceptedSpec;

/// Results that may wait to be stored when the next page is asked for.
const PENDING_RESULTS: usize = 10_000;

impl ItemTable {
    /// Begins a look-up of the items that others no longer compute, a little later, unless one is under way.
    pub fn look_up_freed(&mut self, now: Time) {
        if self.lookup.is_none() && !self.duplicates.freed().is_empty() {
            self.lookup = Some(LookupState::later(now));
        }
    }

    /// Replaces the look-up: `None` ends it.
    pub fn set_lookup(&mut self, lookup: Option<LookupState>) {
        self.lookup = lookup;
    }

    /// The look-up, until it is over.
    pub fn lookup(&mut self) -> Option<&mut LookupState> {
        self.lookup.as_mut()
    }

    /// Whether a page of the look-up is to be asked for.
    pub fn is_lookup_due(&self, now: Time, spec: &AcceptedSpec) -> bool {
        self.lookup.as_ref().is_some_and(|lookup| lookup.is_due(now)) && self.may_look_up(spec)
    }

    /// When a page of the look-up is to be asked for again. What else it waits for ends with an event.
    pub fn next_lookup(&self, spec: &AcceptedSpec) -> Option<Time> {
        self.lookup.as_ref()?.next_wake().filter(|_| self.may_look_up(spec))
    }

    /// Whether the items are known, and there is room for what is found.
    fn may_look_up(&self, spec: &AcceptedSpec) -> bool {
        spec.blueprint.items.is_known() && self.results.len() <= PENDING_RESULTS
    }

    /// What is looked up: at first all items that have not been tried, later those that waited for another.
    pub fn wanted(&self, spec: &AcceptedSpec) -> Arc<LookupKeys> {
        if let Some(wanted) = self.lookup.as_ref().and_then(|lookup| lookup.wanted().cloned()) {
            return wanted;
        }
        let Some(keys) = &spec.cache else { return Arc::default() };
        let key = |index: Index| (keys.key(&spec.blueprint.items.get(index)), index);
        if !self.duplicates.freed().is_empty() {
            return Arc::new(self.duplicates.freed().iter().copied().map(key).collect());
        }
        let untried = |index: &Index| self.is_untouched(*index) && self.is_first_attempt(*index);
        Arc::new(self.phases.iter_in(ItemPhase::Pending).filter(untried).map(key).collect())
    }

    /// Items whose result is known are Cached.
    pub fn apply_entries(&mut self, step: &mut Step<'_>, spec: &AcceptedSpec, wanted: &LookupKeys, entries: &[Entry]) {
        let most = spec.results.map_or(0, Layout::max_bytes_per_item) as usize;
        for entry in entries.iter().filter(|entry| entry.line.len() <= most) {
            for index in wanted.items(&entry.key) {
                if self.is_untouched(index) {
                    self.duplicates.remove(index);
                    self.waitlist.take(index);
                    self.set(step, index, ItemPhase::Cached);
                    self.results.insert(index, entry.line.clone());
                }
            }
        }
    }

    /// Ends the look-up: what was not found runs. Returns how many entries could not be read.
    pub fn end_lookup(&mut self) -> u32 {
        let Some(lookup) = self.lookup.take() else { return 0 };
        let wanted = lookup.wanted().cloned().unwrap_or_default();
        for index in self.duplicates.looked_up(wanted.indexes()) {
            if self.is_untouched(index) {
                self.waitlist.ready(index);
            }
        }
        lookup.damaged()
    }

    /// What successes that are yet to be stored add to the cache.
    pub fn new_entries(&self, spec: &AcceptedSpec) -> Vec<Entry> {
        let items = &spec.blueprint.items;
        let Some(keys) = spec.cache.as_ref().filter(|_| items.is_known()) else { return Vec::new() };
        let succeeded = |index: Index| self.phases.get(index) == Some(ItemPhase::Succeeded);
        // Of an item that has said nothing at its first attempt there is nothing to be known.
        let said = |index: Index, line: &str| line != NO_RESULT || !self.is_first_attempt(index);
        let new = self.results.iter().filter(|(index, line)| succeeded(**index) && said(**index, line));
        new.map(|(index, line)| Entry { key: keys.key(&items.get(*index)), line: line.clone() }).collect()
    }

    /// Whether nothing may start or be decided, since what is known is yet to be found.
    pub fn awaits_lookup(&self, spec: &AcceptedSpec) -> bool {
        self.lookup.is_some() && self.duplicates.is_empty() && spec.blueprint.items.is_known()
    }

    /// The item waits for another one that computes the same; `behind` says which.
    pub fn block_on_duplicate(&mut self, index: Index, behind: String) {
        self.waitlist.take(index);
        self.duplicates.park(index, behind);
    }

    /// The item's result may be known since it was looked up.
    pub fn look_up_again(&mut self, index: Index) {
        self.waitlist.take(index);
        self.duplicates.look_up(index);
    }

    /// What the item waited for is over: it may be known now. Returns whether it has waited.
    pub fn unblock(&mut self, index: Index) -> bool {
        self.duplicates.free(index)
    }

    /// Number of items that wait for others that compute the same.
    pub fn blocked(&self) -> usize {
        self.duplicates.len()
    }

    /// What all pending items wait for, where each of them waits for another that computes the same.
    pub fn blocked_behind(&self) -> Option<&str> {
        self.duplicates.behind().filter(|_| self.duplicates.len() == self.counts().pending as usize)
    }

    /// Items for which others that compute the same wait: they run, or their success is yet to be stored.
    pub fn claimants(&self) -> impl Iterator<Item = Index> + '_ {
        let succeeded = |index: &Index| self.phases.get(*index) == Some(ItemPhase::Succeeded);
        self.assignments.indexes().chain(self.results.keys().copied().filter(succeeded))
    }

    /// Whether an item that computes the same still has to wait for this one: it runs, a pod of it may come, or its
    /// success is yet to be stored.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.assignments.holds(index) || self.waitlist.keeps_slot(index) || self.results.contains_key(&index)
    }
}
