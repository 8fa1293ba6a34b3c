//! Which items does the cache know? Asked for all of them at once before the first starts, a page at a time.

use std::sync::Arc;

use crate::core::attempts::lookup_state::LookupState;
use crate::core::cache::claims::Claims;
use crate::core::ids::{Index, TaskKey, Time};
use crate::core::port::{Action, CacheLookup, CacheLookupOutcome};
use crate::core::task::{Stage, Task};

impl Task {
    pub(super) fn poll_recall(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.reduction.is_some() {
            return;
        }
        let Stage::Running(run) = &mut self.stage else { return };
        if run.lookup.is_none() && !run.blocked_on_duplicate.freed().is_empty() {
            run.lookup = Some(LookupState::later(now));
        }
        if !run.is_lookup_due(now) {
            return;
        }
        let wanted = run.wanted();
        let (Some(keys), Some(lookup)) = (&run.spec.cache, &mut run.lookup) else { return };
        lookup.want(Arc::clone(&wanted));
        if wanted.is_empty() {
            return self.recalled(now);
        }
        let (cache, from) = (keys.id.clone(), lookup.ask());
        actions.push(Action::CacheLookup(CacheLookup {
            task: self.key.clone(),
            uid: self.uid.clone(),
            cache,
            wanted,
            from,
        }));
    }

    pub(super) fn next_recall(&self) -> Option<Time> {
        let Stage::Running(run) = &self.stage else { return None };
        // What else it waits for ends with an event.
        run.lookup.as_ref()?.next_wake().filter(|_| run.may_look_up())
    }

    /// A page was read, or could not be. Answers how many items were found.
    pub fn handle_cache_lookup(&mut self, now: Time, outcome: CacheLookupOutcome) -> u64 {
        let (Some(run), mut context) = self.context(now) else { return 0 };
        let before = run.phases.counts().cached;
        let page = if let CacheLookupOutcome::Found { from, .. } = &outcome { Some(*from) } else { None };
        // Another page is of a look-up that was given up in the meantime.
        let Some(lookup) = run.lookup.as_mut().filter(|lookup| lookup.awaits(page)) else { return 0 };
        match outcome {
            CacheLookupOutcome::Found { entries, damaged, next, .. } => {
                lookup.found(damaged, next);
                let wanted = lookup.wanted().cloned().unwrap_or_default();
                run.apply_entries(&mut context, &wanted, &entries);
                if next.is_none() {
                    self.recalled(now);
                }
            }
            CacheLookupOutcome::Indeterminate(_) => lookup.failed(now),
            CacheLookupOutcome::Refused(message) => {
                self.emit("CacheUnreadable", true, &format!("items run as if nothing were known: {message}"));
                self.recalled(now);
            }
        }
        let found = self.map().map_or(0, |run| run.phases.counts().cached);
        u64::from(found.saturating_sub(before))
    }

    /// The look-up is over: what was not found runs.
    fn recalled(&mut self, now: Time) {
        let (Some(run), _) = self.context(now) else { return };
        let damaged = run.lookup.take().map_or(0, |lookup| lookup.damaged());
        for index in run.blocked_on_duplicate.take_freed() {
            if run.is_untouched(index) {
                run.waitlist.ready(index);
            }
        }
        if damaged > 0 {
            self.emit(
                "CacheDamaged",
                true,
                &format!("{damaged} entries of the cache can't be read, or were changed by hand: their items run"),
            );
        }
    }

    /// Takes the item's key, if it is one that others with the same cache wait for. Answers who has it.
    pub fn claim(&self, claims: &mut Claims, task: &TaskKey, index: Index) -> Result<(), (TaskKey, Index)> {
        let Some(run) = self.map().filter(|_| self.reduction.is_none()) else { return Ok(()) };
        match run.spec.cache.as_ref().filter(|keys| keys.serialize && run.spec.blueprint.items.is_known()) {
            Some(keys) => claims.take(&keys.id, keys.key(&run.spec.blueprint.items.get(index)), task, index),
            None => Ok(()),
        }
    }

    /// Takes the keys of items that are in flight already, as after a restart.
    pub fn claim_flights(&self, claims: &mut Claims, task: &TaskKey) {
        let Some(run) = self.map().filter(|run| run.spec.cache.as_ref().is_some_and(|keys| keys.serialize)) else {
            return;
        };
        for index in run.flights.indexes().filter(|index| !claims.holds(task, *index)).collect::<Vec<_>>() {
            // Two may run after a restart; the first one is waited for.
            drop(self.claim(claims, task, index));
        }
    }

    /// Whether an item that computes the same still has to wait for this one.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.map().is_some_and(|run| run.needs_claim(index))
    }

    /// The item waits for another one that computes the same.
    pub fn park(&mut self, index: Index, behind: String) {
        let Some(run) = self.active_mut() else { return };
        run.waitlist.take(index);
        run.blocked_on_duplicate.park(index, behind);
    }

    /// What the item waited for is over: it may be known now.
    pub fn unpark(&mut self, index: Index) {
        if let Some(run) = self.active_mut() {
            run.blocked_on_duplicate.free(index);
        }
    }
}
