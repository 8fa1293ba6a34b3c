//! The items of a run: their phases, their tries, and which of them may start.

use std::collections::BTreeMap;

use crate::core::attempt_end::AttemptOutcome;
use crate::core::attempts::assignments::Assignments;
use crate::core::attempts::blocked_on_duplicate::BlockedOnDuplicate;
use crate::core::attempts::create_backoff::CreateBackoff;
use crate::core::attempts::lookup_state::LookupState;
use crate::core::attempts::waitlist::Waitlist;
use crate::core::failures::Failures;
use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::phases::{Attempts, Counts, ItemPhase, Phases, Tries};
use crate::core::revision::{Changes, Revision};

/// What goes with every step of an item's life.
pub struct Step<'a> {
    /// The time.
    pub now: Time,
    /// For jitter.
    pub seed: u64,
    /// Where changes are noted.
    pub changes: &'a mut dyn Changes,
    /// Where the outcomes of attempts are counted, for metrics.
    pub outcomes: &'a mut Outcomes,
}

/// The outcomes of attempts that are yet to be counted.
#[derive(Debug, Default)]
pub struct Outcomes(Vec<&'static str>);

impl Outcomes {
    /// Adds one.
    pub fn add(&mut self, outcome: &AttemptOutcome) {
        self.0.push(outcome.as_str());
    }

    /// Takes all out.
    pub fn drain(&mut self) -> impl Iterator<Item = &'static str> {
        self.0.drain(..)
    }
}

/// The items of a run.
#[derive(Debug)]
pub struct ItemTable {
    pub(super) phases: Phases,
    /// The tries of the items beyond their first.
    pub(super) tries: Attempts,
    pub(super) assignments: Assignments,
    pub(super) waitlist: Waitlist,
    /// Items that wait for others that compute the same.
    pub(super) duplicates: BlockedOnDuplicate,
    /// The look-up in the cache, until it is over; nothing starts before.
    pub(super) lookup: Option<LookupState>,
    /// The attempts that did not succeed.
    pub(super) failures: Failures,
    /// Lines to be stored with the next status write.
    pub(super) results: BTreeMap<Index, String>,
    pub(super) creates: CreateBackoff,
}

/// When an item may start whose pod was not created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StartAgain {
    /// As soon as it is its turn.
    InTurn,
    /// Not before that time.
    NotBefore(Time),
}

impl ItemTable {
    /// Items in these phases, not yet assigned. With a `lookup`, none starts before it is over.
    pub fn new(phases: Phases, tries: Attempts, lookup: Option<LookupState>) -> Self {
        Self {
            phases,
            tries,
            lookup,
            assignments: Assignments::default(),
            waitlist: Waitlist::default(),
            duplicates: BlockedOnDuplicate::default(),
            failures: Failures::default(),
            results: BTreeMap::new(),
            creates: CreateBackoff::default(),
        }
    }

    /// The phases of all items.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// Number of items in each phase.
    pub fn counts(&self) -> Counts {
        self.phases.counts()
    }

    /// The tries of the items beyond their first.
    pub fn all_tries(&self) -> &Attempts {
        &self.tries
    }

    /// The tries of one item.
    pub fn tries(&self, index: Index) -> Tries {
        self.tries.get(index)
    }

    /// The attempt of an item that runs, or the next one.
    pub fn attempt(&self, index: Index) -> Attempt {
        self.tries.get(index).attempt
    }

    /// Whether the item runs for the first time, or has yet to run.
    pub fn is_first_attempt(&self, index: Index) -> bool {
        self.attempt(index) == self.tries.first()
    }

    /// The attempts that did not succeed.
    pub fn failures(&self) -> &Failures {
        &self.failures
    }

    /// Takes over what is recorded of attempts that did not succeed.
    pub fn restore_failures(&mut self, failures: Failures) {
        self.failures = failures;
    }

    /// The pods that items are assigned to.
    pub fn assignments(&self) -> &Assignments {
        &self.assignments
    }

    /// Assigned items, with those that wait after a create without an answer: a pod may come of it.
    pub fn in_flight(&self) -> usize {
        self.assignments.len() + self.waitlist.slots()
    }

    /// Whether the item is pending, and assigned to no pod.
    pub fn is_untouched(&self, index: Index) -> bool {
        self.phases.get(index) == Some(ItemPhase::Pending) && !self.assignments.holds(index)
    }

    /// Whether the item has yet to end, and is with no pod.
    pub fn still_waits(&self, index: Index) -> bool {
        self.phases.get(index).is_some_and(|phase| !phase.is_terminal()) && !self.assignments.holds(index)
    }

    /// The item to start next, if fewer than `limit` others are in flight.
    pub fn peek(&mut self, limit: usize) -> Option<Index> {
        let assignments = &self.assignments;
        let index = self.waitlist.peek(&self.phases, |index| assignments.holds(index))?;
        let others = self.in_flight() - usize::from(self.waitlist.keeps_slot(index));
        (others < limit).then_some(index)
    }

    /// What waits and counts as in flight in a table that this one replaces does so here.
    pub fn take_over_slots(&mut self, now: Time, old: &Self) {
        for (index, until) in old.waitlist.slot_keepers().filter(|(_, until)| *until > now) {
            if self.is_untouched(index) && self.attempt(index) == old.attempt(index) {
                self.waitlist.keep_slot(index, until);
            }
        }
    }

    /// Whether the item waits and counts as in flight.
    pub fn keeps_slot(&self, index: Index) -> bool {
        self.waitlist.keeps_slot(index)
    }

    /// Whether pending items are held for a time, or until something is recorded.
    pub fn is_holding(&self) -> bool {
        self.waitlist.is_holding()
    }

    /// When an item may start that may not now.
    pub fn next_wake(&self) -> Option<Time> {
        self.waitlist.next_wake()
    }

    /// Lets items start whose time has come. Everything up to `written` is recorded.
    pub fn release_due(&mut self, now: Time, written: Revision) {
        self.waitlist.release_due(now, written);
    }

    /// Assigns the item to a pod, which is created, or exists. Returns the pod that it was assigned to before.
    pub fn assign(&mut self, index: Index, role: PodRole) -> Option<PodRole> {
        self.waitlist.take(index);
        self.duplicates.remove(index);
        self.assignments.assign(index, role)
    }

    /// A pod of a later attempt than the recorded one exists: it is the better witness.
    pub fn advance_to(&mut self, index: Index, attempt: Attempt) {
        if self.attempt(index) != attempt {
            self.tries.set(index, Tries { attempt, ..self.tries.get(index) });
        }
    }

    /// The item's pod exists.
    pub fn runs(&mut self, step: &mut Step<'_>, index: Index) {
        self.set(step, index, ItemPhase::Running);
    }

    /// The item's pod exists, and may not run yet.
    pub fn held_back(&mut self, step: &mut Step<'_>, index: Index) {
        self.set(step, index, ItemPhase::Pending);
    }

    /// The pod of the item was created.
    pub fn create_succeeded(&mut self, index: Index) {
        self.creates.succeeded(index);
    }

    /// The API server failed at the create of the item's pod. Returns until when the item waits: longer with each
    /// failure.
    pub fn create_failed(&mut self, step: &Step<'_>, index: Index) -> Time {
        self.creates.failed(step.now, step.seed, index)
    }

    /// No pod was created for the item: it waits again. `keep_slot`: until then a create before this one may still be
    /// carried out, and the item counts as in flight.
    pub fn wait_again(&mut self, index: Index, again: StartAgain, keep_slot: Option<Time>) {
        self.assignments.release(index);
        if let Some(until) = keep_slot {
            self.waitlist.keep_slot(index, until);
        }
        match again {
            StartAgain::NotBefore(time) => self.waitlist.hold(index, time),
            StartAgain::InTurn if keep_slot.is_some() => {}
            StartAgain::InTurn => self.waitlist.ready(index),
        }
    }

    /// An item that waits starts no earlier than that.
    pub fn put_off(&mut self, index: Index, time: Time) {
        self.waitlist.take(index);
        self.waitlist.hold(index, time);
    }

    /// The item's attempt is given back, and has never begun: it may start again at once, and nothing is lost.
    pub fn give_back(&mut self, step: &mut Step<'_>, index: Index) {
        self.assignments.release(index);
        self.set(step, index, ItemPhase::Pending);
        self.waitlist.ready(index);
    }

    /// The item waits until it is made ready.
    pub fn set_aside(&mut self, index: Index) {
        self.waitlist.set_aside(index);
    }

    /// Items before this one that were never touched do not start, until this is called with another item.
    pub fn begin_at(&mut self, index: Index) {
        self.waitlist.begin_at(index);
    }

    /// Holds an item that is pending and not held yet, until that time.
    pub fn hold(&mut self, index: Index, until: Time) {
        if self.is_untouched(index) && !self.waitlist.holds(index) {
            self.waitlist.hold(index, until);
        }
    }

    /// Lets an item start that is held for a time, and for nothing else.
    pub fn unhold(&mut self, index: Index) {
        self.waitlist.release(index);
    }

    /// Nothing waits for its turn any more.
    pub fn stop_waiting(&mut self) {
        self.waitlist = Waitlist::default();
        self.duplicates = BlockedOnDuplicate::default();
    }

    /// The item will not run any more.
    pub fn cancel(&mut self, step: &mut Step<'_>, index: Index) {
        self.set(step, index, ItemPhase::Cancelled);
    }

    /// The item runs again, with full budgets. A name is used once; memory that was raised stays.
    pub fn start_again(&mut self, index: Index) {
        let tries = self.tries.get(index);
        self.tries.set(index, Tries { attempt: tries.attempt.next(), application: 0, infrastructure: 0, ..tries });
        self.phases.set(index, ItemPhase::Pending);
    }

    /// Forgets what earlier runs of the items have left: a rerun begins. What is known is not looked up for it.
    pub fn forget_past(&mut self) {
        self.waitlist = Waitlist::default();
        self.lookup = None;
        self.failures = Failures::default();
        self.tries.forget_failure_groups();
    }

    /// Sets the phase of an item, with the next status write.
    pub(super) fn set(&mut self, step: &mut Step<'_>, index: Index, phase: ItemPhase) {
        if self.phases.get(index) != Some(phase) {
            self.phases.set(index, phase);
            step.changes.change();
        }
    }
}
