//! Which items does the cache know? Asked for all of them at once before the first starts, a page at a time.

use std::sync::Arc;

use crate::api::reasons::EventReason;
use crate::api::status::WaitingReason;
use crate::core::attempts::lookup_state::LookupRequest;
use crate::core::cache::CacheId;
use crate::core::cache::claims::{Claims, Conflict};
use crate::core::ids::{Index, TaskKey, Time};
use crate::core::phases::ItemPhase;
use crate::core::pod::EventType;
use crate::core::port::{Action, CacheLookup, CacheLookupOutcome};
use crate::core::queue::Denial;
use crate::core::run::Startable;
use crate::core::task::{Stage, Task};

impl Task {
    pub(super) fn poll_lookup(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.reduction.is_some() || self.lookup_request == LookupRequest::Sent {
            return;
        }
        let Stage::Running(run) = &mut self.stage else { return };
        let spec = Arc::clone(run.spec());
        let items = run.items_mut();
        items.look_up_freed(now);
        if !items.is_lookup_due(now, &spec) {
            return;
        }
        let wanted = items.wanted(&spec);
        let (Some(keys), Some(lookup)) = (&spec.cache, items.lookup()) else { return };
        lookup.want(Arc::clone(&wanted));
        if wanted.is_empty() {
            return self.looked_up();
        }
        let (cache, from) = (keys.id.clone(), lookup.ask());
        self.lookup_request = LookupRequest::Sent;
        actions.push(Action::CacheLookup(CacheLookup {
            task: self.key.clone(),
            uid: self.uid.clone(),
            cache,
            wanted,
            from,
        }));
    }

    pub(super) fn next_lookup(&self) -> Option<Time> {
        let Stage::Running(run) = &self.stage else { return None };
        run.items().next_lookup(run.spec()).filter(|_| self.lookup_request == LookupRequest::None)
    }

    /// A page was read, or could not be. Answers how many items were found.
    pub fn handle_cache_lookup(&mut self, now: Time, outcome: CacheLookupOutcome) -> u64 {
        self.lookup_request = LookupRequest::None;
        let (Some(run), mut context) = self.context(now) else { return 0 };
        let before = run.items().counts().cached;
        let page = if let CacheLookupOutcome::Found { from, .. } = &outcome { Some(*from) } else { None };
        // Another page is of a look-up that was given up in the meantime.
        let Some(lookup) = run.items_mut().lookup().filter(|lookup| lookup.awaits(page)) else { return 0 };
        match outcome {
            CacheLookupOutcome::Found { entries, damaged, next, .. } => {
                lookup.found(damaged, next);
                let wanted = lookup.wanted().cloned().unwrap_or_default();
                run.apply_entries(&mut context, &wanted, &entries);
                if next.is_none() {
                    self.looked_up();
                }
            }
            CacheLookupOutcome::Indeterminate(_) => lookup.failed(now),
            CacheLookupOutcome::Refused(message) => {
                self.emit(
                    EventReason::CacheUnreadable,
                    EventType::Warning,
                    &format!("the cache can't be read, so all items run: {message}"),
                );
                self.looked_up();
            }
        }
        let found = self.map().map_or(0, |run| run.items().counts().cached);
        u64::from(found.saturating_sub(before))
    }

    /// The look-up is over: what was not found runs.
    fn looked_up(&mut self) {
        let damaged = self.active_mut().map_or(0, |run| run.items_mut().end_lookup());
        if damaged > 0 {
            self.emit(
                EventReason::CacheDamaged,
                EventType::Warning,
                &format!("{damaged} cache entries are damaged or were edited: their items run"),
            );
        }
    }

    /// Takes the item's key, if it is one that others with the same cache wait for.
    pub(super) fn claim(&self, claims: &mut Claims, task: &TaskKey, index: Index) -> Result<(), Conflict> {
        let Some(run) = self.map().filter(|_| self.reduction.is_none()) else { return Ok(()) };
        run.spec().claim(claims, (task, index), run.items().is_first_attempt(index))
    }

    /// The cache whose equal items wait for each other, as long as items of this task may start.
    pub fn claimed_cache(&self) -> Option<&CacheId> {
        let run = self.map().filter(|_| self.reduction.is_none())?;
        run.spec().serialized().map(|keys| &keys.id)
    }

    /// The cache whose items may not start elsewhere, since workers have yet to say which items of this task they run.
    pub fn unknown_claims(&self) -> Option<&CacheId> {
        self.map().filter(|run| run.awaits_workers()).and_then(|_| self.claimed_cache())
    }

    /// The task for which this one has to wait before anything of its cache starts.
    pub(super) fn waits_for_claims_of<'a>(&self, claims: &'a Claims) -> Option<&'a TaskKey> {
        claims.waits_for(self.claimed_cache()?)
    }

    /// Why this can't start, if unknown items of its cache may run.
    pub fn denied_by_claims(&self, claims: &Claims, next: Option<Startable>) -> Option<Denial> {
        let other = self.waits_for_claims_of(claims).filter(|_| matches!(next, Some(Startable::Item(_))))?;
        let words = format!("workers have yet to say which items of MapTask {} they run", other.name);
        Some(Denial::Waiting(WaitingReason::Serialized, Some(words)))
    }

    /// Takes the keys of items that are in flight already, or whose results are yet to be stored, as after a restart.
    pub fn claim_assigned(&self, claims: &mut Claims, task: &TaskKey) {
        let Some(run) = self.map() else { return };
        let items = &run.spec().blueprint.items;
        // Also while the reduce runs: it may have begun before the last results were stored.
        let Some(keys) = run.spec().serialized().filter(|_| items.is_known()) else { return };
        for index in run.items().claimants().filter(|index| !claims.holds(task, *index)).collect::<Vec<_>>() {
            // Two may run after a restart; the first one is waited for.
            drop(claims.take(&keys.id, keys.key(&items.get(index)), (task, index)));
        }
    }

    /// Whether the item may have a result that others find: it has, or it had one and runs again. Of what is gone
    /// nothing is known.
    pub fn may_have_stored(&self, index: Index) -> bool {
        let Some(run) = self.map() else { return true };
        let items = run.items();
        items.phases().get(index) == Some(ItemPhase::Succeeded) || !items.is_first_attempt(index)
    }

    /// Whether an item that computes the same still has to wait for this one.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.map().is_some_and(|run| run.items().needs_claim(index))
    }

    /// The item may not start: another one computes the same, or has done so.
    pub(super) fn block(&mut self, index: Index, conflict: &Conflict) {
        if let Some(run) = self.active_mut() {
            run.block(index, conflict);
        }
    }

    /// What the item waited for is over: it may be known now. Returns whether it has waited, and is looked up.
    pub fn unblock(&mut self, index: Index) -> bool {
        self.active_mut().is_some_and(|run| run.items_mut().unblock(index))
    }
}
