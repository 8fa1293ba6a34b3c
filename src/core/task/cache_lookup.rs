//! Which items does the cache know? Asked for all of them at once before the first starts, a page at a time.

use std::sync::Arc;

use crate::api::status::WaitingReason;
use crate::core::cache::CacheId;
use crate::core::cache::claims::Claims;
use crate::core::ids::{Index, TaskKey, Time};
use crate::core::pod::EventType;
use crate::core::port::{Action, CacheLookup, CacheLookupOutcome};
use crate::core::queue::Denial;
use crate::core::run::Startable;
use crate::core::spec::AcceptedSpec;
use crate::core::task::{Stage, Task};

/// Takes the key of an item, if it is one that others with the same cache wait for. Answers who has it.
pub(super) fn take_claim(
    claims: &mut Claims,
    spec: &AcceptedSpec,
    task: &TaskKey,
    index: Index,
) -> Result<(), (TaskKey, Index)> {
    let items = &spec.blueprint.items;
    match spec.serialized().filter(|_| items.is_known()) {
        Some(keys) => claims.take(&keys.id, keys.key(&items.get(index)), task, index),
        None => Ok(()),
    }
}

/// What is said of an item that waits for another one that computes the same.
pub fn words((task, index): &(TaskKey, Index)) -> String {
    format!("item {index} of MapTask {} computes the same", task.name)
}

impl Task {
    pub(super) fn poll_lookup(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.reduction.is_some() {
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
        run.items().next_lookup(run.spec())
    }

    /// A page was read, or could not be. Answers how many items were found.
    pub fn handle_cache_lookup(&mut self, now: Time, outcome: CacheLookupOutcome) -> u64 {
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
                    "CacheUnreadable",
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
                "CacheDamaged",
                EventType::Warning,
                &format!("{damaged} cache entries are damaged or were edited: their items run"),
            );
        }
    }

    /// Takes the item's key, if it is one that others with the same cache wait for. Answers who has it.
    pub fn claim(&self, claims: &mut Claims, task: &TaskKey, index: Index) -> Result<(), (TaskKey, Index)> {
        let Some(run) = self.map().filter(|_| self.reduction.is_none()) else { return Ok(()) };
        take_claim(claims, run.spec(), task, index)
    }

    /// The cache whose items may not start elsewhere, since workers have yet to say which items of this task they run.
    pub fn unknown_claims(&self) -> Option<&CacheId> {
        let run = self.map().filter(|run| self.reduction.is_none() && run.awaits_workers())?;
        run.spec().serialized().map(|keys| &keys.id)
    }

    /// The task for which this one has to wait before anything of its cache starts.
    pub(super) fn waits_for_claims_of<'a>(&self, claims: &'a Claims) -> Option<&'a TaskKey> {
        let run = self.map().filter(|_| self.reduction.is_none())?;
        claims.waits_for(&run.spec().serialized()?.id)
    }

    /// Why this can't start, if unknown items of its cache may run.
    pub fn denied_by_claims(&self, claims: &Claims, next: Option<Startable>) -> Option<Denial> {
        let other = self.waits_for_claims_of(claims).filter(|_| matches!(next, Some(Startable::Item(_))))?;
        let words = format!("workers have yet to say which items of MapTask {} they run", other.name);
        Some(Denial::Waiting(WaitingReason::Serialized, Some(words)))
    }

    /// Takes the keys of items that are in flight already, as after a restart.
    pub fn claim_assigned(&self, claims: &mut Claims, task: &TaskKey) {
        let Some(run) = self.map().filter(|run| run.spec().serialized().is_some()) else {
            return;
        };
        for index in run.items().assignments().indexes().filter(|index| !claims.holds(task, *index)).collect::<Vec<_>>()
        {
            // Two may run after a restart; the first one is waited for.
            drop(self.claim(claims, task, index));
        }
    }

    /// Whether an item that computes the same still has to wait for this one.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.map().is_some_and(|run| run.items().needs_claim(index))
    }

    /// The item waits for another one that computes the same.
    pub fn block(&mut self, index: Index, behind: String) {
        if let Some(run) = self.active_mut() {
            run.block(index, behind);
        }
    }

    /// What the item waited for is over: it may be known now.
    pub fn unblock(&mut self, index: Index) {
        if let Some(run) = self.active_mut() {
            run.items_mut().unblock(index);
        }
    }
}
