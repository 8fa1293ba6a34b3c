//! Which items does the cache know? Asked for all of them at once before the first starts, a page at a time.

use std::sync::Arc;

use crate::core::attempts::lookup::Lookup;
use crate::core::cache::claims::Claims;
use crate::core::cache::{Entry, Wanted};
use crate::core::ids::{Attempt, Index, TaskKey, Time};
use crate::core::phases::ItemPhase;
use crate::core::port::{Action, Recall, RecallOutcome};
use crate::core::results::NO_RESULT;
use crate::core::task::run::{Run, Scene};
use crate::core::task::{Stage, Task};

/// Results that may wait to be stored when the next page is asked for.
const PENDING_RESULTS: usize = 10_000;
impl Task {
    pub(super) fn poll_recall(&mut self, now: Time, actions: &mut Vec<Action>) {
        if self.reduction.is_some() {
            return;
        }
        let Stage::Running(run) = &mut self.stage else { return };
        if run.recall.is_none() && !run.parked.freed().is_empty() {
            run.recall = Some(Lookup::later(now));
        }
        if !run.is_recall_due(now) {
            return;
        }
        let wanted = run.wanted();
        let (Some(keys), Some(recall)) = (&run.job.cache, &mut run.recall) else { return };
        recall.want(Arc::clone(&wanted));
        if wanted.is_empty() {
            return self.recalled(now);
        }
        let (cache, from) = (keys.id.clone(), recall.ask());
        actions.push(Action::Recall(Recall { task: self.key.clone(), uid: self.uid.clone(), cache, wanted, from }));
    }

    pub(super) fn next_recall(&self) -> Option<Time> {
        let Stage::Running(run) = &self.stage else { return None };
        // What else it waits for ends with an event.
        run.recall.as_ref()?.next_wake().filter(|_| run.may_recall())
    }

    /// A page was read, or could not be. Answers how many items were found.
    pub fn handle_recalled(&mut self, now: Time, outcome: RecallOutcome) -> u64 {
        let (Some(run), mut scene) = self.scene(now) else { return 0 };
        let before = run.phases.counts().cached;
        let page = if let RecallOutcome::Found { from, .. } = &outcome { Some(*from) } else { None };
        // Another page is of a look-up that was given up in the meantime.
        let Some(recall) = run.recall.as_mut().filter(|recall| recall.awaits(page)) else { return 0 };
        match outcome {
            RecallOutcome::Found { entries, damaged, next, .. } => {
                recall.found(damaged, next);
                let wanted = recall.wanted().cloned().unwrap_or_default();
                run.recall_entries(&mut scene, &wanted, &entries);
                if next.is_none() {
                    self.recalled(now);
                }
            }
            RecallOutcome::Unclear(_) => recall.failed(now),
            RecallOutcome::Refused(message) => {
                self.tell("CacheUnreadable", true, &format!("items run as if nothing were known: {message}"));
                self.recalled(now);
            }
        }
        let found = self.map().map_or(0, |run| run.phases.counts().cached);
        u64::from(found.saturating_sub(before))
    }

    /// The look-up is over: what was not found runs.
    fn recalled(&mut self, now: Time) {
        let (Some(run), _) = self.scene(now) else { return };
        let damaged = run.recall.take().map_or(0, |recall| recall.damaged());
        for index in run.parked.take_freed() {
            if run.is_untouched(index) {
                run.waitlist.ready(index);
            }
        }
        if damaged > 0 {
            self.tell(
                "CacheDamaged",
                true,
                &format!("{damaged} entries of the cache can't be read, or were changed by hand: their items run"),
            );
        }
    }

    /// Takes the item's key, if it is one that others with the same cache wait for. Answers who has it.
    pub fn claim(&self, claims: &mut Claims, task: &TaskKey, index: Index) -> Result<(), (TaskKey, Index)> {
        let Some(run) = self.map().filter(|_| self.reduction.is_none()) else { return Ok(()) };
        match run.job.cache.as_ref().filter(|keys| keys.serialize && run.job.items.is_known()) {
            Some(keys) => claims.take(&keys.id, keys.key(&run.job.items.get(index)), task, index),
            None => Ok(()),
        }
    }

    /// Takes the keys of items that are in flight already, as after a restart.
    pub fn claim_flights(&self, claims: &mut Claims, task: &TaskKey) {
        let Some(run) = self.map().filter(|run| run.job.cache.as_ref().is_some_and(|keys| keys.serialize)) else {
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
        run.parked.park(index, behind);
    }

    /// What the item waited for is over: it may be known now.
    pub fn unpark(&mut self, index: Index) {
        if let Some(run) = self.active_mut() {
            run.parked.free(index);
        }
    }
}

impl Run {
    fn is_recall_due(&self, now: Time) -> bool {
        self.recall.as_ref().is_some_and(|recall| recall.is_due(now)) && self.may_recall()
    }

    fn may_recall(&self) -> bool {
        self.job.items.is_known() && self.results.len() <= PENDING_RESULTS
    }

    /// At first all items that have not been tried, later those that waited for another.
    fn wanted(&self) -> Arc<Wanted> {
        let recall = self.recall.as_ref();
        if let Some(wanted) = recall.and_then(|recall| recall.wanted().cloned()) {
            return wanted;
        }
        let Some(keys) = &self.job.cache else { return Arc::default() };
        let key = |index: Index| (keys.key(&self.job.items.get(index)), index);
        if !self.parked.freed().is_empty() {
            return Arc::new(self.parked.freed().iter().copied().map(key).collect());
        }
        let untried = |index: &Index| self.is_untouched(*index) && self.tries.get(*index).attempt == Attempt::FIRST;
        Arc::new(self.phases.iter_in(ItemPhase::Waiting).filter(untried).map(key).collect())
    }

    /// Whether the item waits and is not in flight.
    pub(super) fn is_untouched(&self, index: Index) -> bool {
        self.phases.get(index) == Some(ItemPhase::Waiting) && !self.flights.contains(index)
    }

    fn recall_entries(&mut self, scene: &mut Scene<'_>, wanted: &Wanted, entries: &[Entry]) {
        let most = self.job.results.map_or(0, crate::core::results::Layout::max_bytes_per_item) as usize;
        for entry in entries.iter().filter(|entry| entry.line.len() <= most) {
            for index in wanted.items(&entry.key) {
                if self.is_untouched(index) {
                    self.parked.remove(index);
                    self.waitlist.take(index);
                    self.set(scene, index, ItemPhase::Cached);
                    self.results.insert(index, entry.line.clone());
                }
            }
        }
    }

    /// What successes that are yet to be stored tell the cache.
    pub fn new_entries(&self) -> Vec<Entry> {
        let Some(keys) = self.job.cache.as_ref().filter(|_| self.job.items.is_known()) else { return Vec::new() };
        let succeeded = |index: Index| self.phases.get(index) == Some(ItemPhase::Succeeded);
        // Of an item that has said nothing at its first attempt there is nothing to be known.
        let said = |index: Index, line: &str| line != NO_RESULT || self.tries.get(index).attempt > Attempt::FIRST;
        let new = self.results.iter().filter(|(index, line)| succeeded(**index) && said(**index, line));
        new.map(|(index, line)| Entry { key: keys.key(&self.job.items.get(*index)), line: line.clone() }).collect()
    }

    /// Whether nothing may start or be decided, since what is known is yet to be found.
    pub fn awaits_recall(&self) -> bool {
        self.recall.is_some() && self.parked.is_empty() && self.job.items.is_known()
    }

    /// Whether all items that wait, of which there are some, do so for others which compute the same.
    pub fn waits_for_others(&self) -> bool {
        self.parked.len() == self.phases.counts().waiting as usize
    }

    /// Whether an item that computes the same still has to wait for this one: it runs, a pod of it may come, or its
    /// success is yet to be stored.
    pub fn needs_claim(&self, index: Index) -> bool {
        self.flights.contains(index) || self.waitlist.keeps_slot(index) || self.results.contains_key(&index)
    }
}
