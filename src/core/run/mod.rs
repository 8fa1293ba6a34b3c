//! The map or the reduce of a task while it runs: its items and the pods that run them, joined.

mod creates;
mod decision;
mod elsewhere;
mod fair_share;
mod grants;
mod news;
mod notices;
mod reload;
mod reports;
mod sizes;
mod stragglers;
mod worker_end;
mod workers;

use std::sync::Arc;

use crate::core::attempts::lookup_state::LookupState;
use crate::core::attempts::{ItemTable, Outcomes, Step};
use crate::core::cache::{Entry, LookupKeys};
use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::items::ItemList;
use crate::core::phases::{Attempts, ItemPhase, Phases, Raises};
use crate::core::pods::retention::Retention;
use crate::core::pods::{PodTable, Recorded};
use crate::core::port::{Action, Budget, Create};
use crate::core::record::status_writer::StatusWriter;
use crate::core::revision::Revision;
use crate::core::run::decision::{Decision, Standing};
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::{FailReason, Outcome, Remainder};

pub use fair_share::TURN_MILLIS;
pub use grants::Claim;
pub use notices::{Notice, Trouble};
pub use workers::Workers;

/// What may start next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Startable {
    /// A pod for this item.
    Item(Index),
    /// This worker, with its memory raised so often.
    Worker(PodRole, Raises),
}

/// The map or the reduce of a task.
#[derive(Debug)]
pub struct Run {
    /// What never changes.
    spec: Arc<AcceptedSpec>,
    items: ItemTable,
    pods: PodTable,
    decision: Decision,
    suspension: Suspension,
    /// Nothing starts before this revision is recorded and this time has come.
    not_before: Option<(Revision, Time)>,
    /// The workers, if pods take one item after another.
    workers: Option<Workers>,
    /// The pods that are there are yet to be shown to it.
    is_loading: bool,
    /// What a pod lacks that has succeeded, in words, so that its attempt has failed.
    lacking: Option<&'static str>,
}

/// Whether pods are stopped since the task is suspended.
#[derive(Clone, Copy, Debug, Default)]
struct Suspension {
    stops: bool,
    /// No pod is stopped for it until this revision is recorded.
    revision: Option<Revision>,
}

/// What goes with every step of a run.
pub struct Context<'a> {
    /// The time.
    pub now: Time,
    /// For jitter.
    pub seed: u64,
    /// The status writes of the task.
    pub writer: &'a mut StatusWriter,
    /// The finished pods of the task.
    pub retention: &'a mut Retention,
    /// How the attempts of the task ended since they were last asked for.
    pub outcomes: &'a mut Outcomes,
}

impl Context<'_> {
    fn step(&mut self) -> Step<'_> {
        Step { now: self.now, seed: self.seed, changes: self.writer, outcomes: self.outcomes }
    }
}

impl Run {
    /// A run in which nothing has started, as far as is known. Creates of an earlier operator may be carried out until
    /// `all_indeterminate`.
    ///
    /// `first`: the number of the first attempt of each item, and of the first worker. `epoch`: that of the workers.
    pub fn new(spec: Arc<AcceptedSpec>, first: Attempt, epoch: u64, all_indeterminate: Option<Time>) -> Self {
        let phases = Phases::new(spec.count());
        let has_workers = spec.blueprint.workers().is_some();
        let workers = has_workers.then(|| Workers::new(epoch, Index(0), first.0));
        let run = Self::resume(spec, phases, Attempts::beginning_at(first), all_indeterminate);
        Self { workers, is_loading: false, ..run }
    }

    /// A run from its recorded state; the pods that exist are yet to be shown to it.
    pub fn resume(spec: Arc<AcceptedSpec>, phases: Phases, tries: Attempts, all_indeterminate: Option<Time>) -> Self {
        let lookup = spec.cache.is_some().then(LookupState::default);
        Self {
            items: ItemTable::new(phases, tries, lookup),
            pods: PodTable::new(Arc::clone(&spec.blueprint), spec.start_deadline_millis, all_indeterminate),
            spec,
            decision: Decision::default(),
            suspension: Suspension::default(),
            not_before: None,
            workers: None,
            is_loading: true,
            lacking: None,
        }
    }

    /// What never changes.
    pub fn spec(&self) -> &Arc<AcceptedSpec> {
        &self.spec
    }

    /// Replaces what pods are made from, and all that the spec says. The items stay what they are.
    pub fn set_spec(&mut self, spec: AcceptedSpec) {
        self.pods.set_blueprint(Arc::clone(&spec.blueprint));
        self.spec = Arc::new(spec);
    }

    /// The items were read.
    pub fn set_items(&mut self, items: ItemList) {
        self.set_spec(self.spec.with_blueprint(|blueprint| blueprint.items = items));
    }

    /// The items.
    pub fn items(&self) -> &ItemTable {
        &self.items
    }

    /// The items, to be changed.
    pub fn items_mut(&mut self) -> &mut ItemTable {
        &mut self.items
    }

    /// The pods.
    pub fn pods(&self) -> &PodTable {
        &self.pods
    }

    /// The pods, to be changed.
    pub fn pods_mut(&mut self) -> &mut PodTable {
        &mut self.pods
    }

    /// What its pods lack from now on, in words, so that none succeeds.
    pub fn set_lacking(&mut self, lacking: Option<&'static str>) {
        self.lacking = lacking;
    }

    /// How the task was decided.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.decision.outcome()
    }

    /// Takes over how the task was decided, as it is recorded. `explicit_selection`: a rerun has selected the items.
    pub fn restore_decision(&mut self, outcome: Option<Outcome>, explicit_selection: bool) {
        self.decision = Decision::recorded(outcome, explicit_selection);
    }

    /// The decision is recorded with this revision.
    pub fn decided_with(&mut self, revision: Revision) {
        self.decision.recorded_with(revision);
    }

    /// The task fails, whatever the counts say; nothing takes that back.
    pub fn force_failure(&mut self, reason: FailReason, message: String) {
        self.decision.force_failure(reason, message);
    }

    /// Forces the failure and cancels all items.
    pub fn force_end(&mut self, reason: FailReason, message: String) {
        self.decision.force_failure(reason, message);
        self.decision.cancel_all();
    }

    /// Whether nothing of it is to run on, whatever its items still do.
    pub fn is_forced_to_end(&self) -> bool {
        self.decision.is_forced()
    }

    /// What happens to the items that are left.
    pub fn remainder(&self) -> Remainder {
        self.decision.remainder(&self.spec)
    }

    /// Decides the task if it can be. Returns whether that is news.
    pub fn decide(&mut self) -> bool {
        let standing = Standing {
            counts: self.items.counts(),
            idle: !self.is_busy(),
            awaits_lookup: self.items.awaits_lookup(&self.spec),
        };
        self.decision.decide(&self.spec, &standing)
    }

    /// Whether items run, or may yet start.
    pub fn is_busy(&self) -> bool {
        !self.items.assignments().is_empty() || self.may_start_more() || self.awaits_announcements()
    }

    /// Whether items are pending that may still start.
    pub fn may_start_more(&self) -> bool {
        self.remainder().starts() && self.items.counts().pending > 0
    }

    /// Whether there are more open items than slots in use.
    pub fn lacks_slots(&self) -> bool {
        let counts = self.items.counts();
        (counts.pending + counts.running) as usize > self.items.in_flight()
    }

    /// Whether no item has ever had a pod, as far as is known.
    pub fn has_started_nothing(&self) -> bool {
        let counts = self.items.counts();
        let touched = counts.running + counts.succeeded + counts.failed > 0 || self.items.all_tries().count() > 0;
        !touched && self.pods.is_empty() && self.items.assignments().is_empty()
    }

    /// How the items ended, in words.
    pub fn summary(&self) -> String {
        let counts = self.items.counts();
        let good = counts.succeeded + counts.cached;
        let (all, required, failed) = (self.spec.count().get(), self.spec.required, counts.failed);
        format!("{good} of {all} items succeeded, {required} were required, {failed} failed")
    }

    /// Nothing starts before this revision is recorded and this time has come.
    pub fn start_after(&mut self, revision: Revision, time: Time) {
        self.not_before = Some((revision, time));
    }

    /// What has to be recorded, and which time has to come, before anything starts.
    pub fn not_before(&self) -> Option<(Revision, Time)> {
        self.not_before
    }

    /// What may start next, if fewer than `limit` items are in flight.
    pub fn peek_startable(&mut self, limit: usize) -> Option<Startable> {
        match (self.is_open(), &self.workers) {
            (false, _) => None,
            (true, Some(_)) => self.peek_worker(),
            (true, None) => self.items.peek(limit).map(Startable::Item),
        }
    }

    /// Whether items may start, as far as their list and the record are concerned.
    pub fn is_open(&self) -> bool {
        self.not_before.is_none()
            && !self.items.awaits_lookup(&self.spec)
            && self.remainder().starts()
            && self.spec.blueprint.items.is_known()
    }

    /// What is in flight: pods of workers, else items.
    pub fn in_flight(&self) -> usize {
        if self.workers.is_some() { self.pods.len() } else { self.items.in_flight() }
    }

    /// Requests the pod, and returns the create request for it.
    pub fn launch(&mut self, now: Time, next: Startable) -> Create {
        match next {
            Startable::Item(index) => self.launch_item(now, index),
            Startable::Worker(role, memory) => self.launch_worker(now, role, memory),
        }
    }

    fn launch_item(&mut self, now: Time, index: Index) -> Create {
        let tries = self.items.tries(index);
        let blueprint = Arc::clone(&self.spec.blueprint);
        let role = blueprint.role_of(index, tries.attempt);
        self.assign(index, role);
        self.pods.request(now, role);
        Create { blueprint, role, memory_raises: tries.memory_raises, epoch: None, avoid: Vec::new(), placement: None }
    }

    fn assign(&mut self, index: Index, role: PodRole) {
        let before = self.items.assign(index, role);
        self.pods.remove(before.unwrap_or(role));
    }

    /// The item that a pod of this run is for; `None` for a pod that is not of this run.
    fn index_of(&self, role: PodRole) -> Option<Index> {
        self.spec.blueprint.index_of(role)
    }

    /// Carries out what has become due. `stops`: pods are stopped since the task is suspended.
    pub fn poll(&mut self, context: &Context<'_>, stops: bool, actions: &mut Vec<Action>) {
        let (now, written) = (context.now, context.writer.written());
        self.not_before = self.not_before.filter(|(revision, time)| *revision > written || *time > now);
        self.items.release_due(now, written);
        self.pods.expire(now);
        self.suspend(stops, context.writer.revision());
        self.pods.poll_explain(now, actions);
    }

    /// Stops pods that are not to run any more, and asks for pods that may be gone.
    pub fn poll_pods(&mut self, context: &Context<'_>, budget: &mut Budget, actions: &mut Vec<Action>) {
        let is_recorded = |revision: Option<Revision>| revision.is_none_or(|r| context.writer.is_written(r));
        let recorded = Recorded {
            decided: is_recorded(self.decision.revision()) && self.remainder() == Remainder::Cancel,
            suspended: is_recorded(self.suspension.revision),
        };
        self.pods.poll(context.now, recorded, budget, actions);
    }

    /// When this run needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        let workers = self.workers.as_ref();
        let again = workers.and_then(|workers| workers.creation.next_wake());
        let late = workers.and_then(|workers| workers.stragglers.next_wake());
        [self.pods.next_wake(), again, late, workers.and_then(|workers| workers.table.next_wake())]
            .into_iter()
            .flatten()
            .min()
    }

    fn suspend(&mut self, stops: bool, revision: Revision) {
        if stops && !self.suspension.stops {
            self.suspension.revision = Some(revision);
        }
        let resumes = !stops && self.suspension.stops;
        self.suspension.stops = stops;
        if stops {
            self.pods.suspend();
        } else if resumes {
            self.pods.resume();
        }
    }

    /// Cancels every item that has not started. Where a create got no answer, the pod is asked for first.
    pub fn cancel_pending(&mut self, context: &mut Context<'_>) {
        self.items.stop_waiting();
        self.forget_sizes();
        let mut from = Index(0);
        while let Some(index) = self.items.phases().next_in(ItemPhase::Pending, from) {
            let role = self.spec.blueprint.role_of(index, self.items.attempt(index));
            if self.workers.is_none() && self.pods.probe(context.now, role) {
                self.items.assign(index, role);
            } else if !self.items.assignments().holds(index) {
                self.items.cancel(&mut context.step(), index);
            }
            from = index.next();
        }
    }

    /// Whether the memory of the containers of this pod was raised.
    pub fn has_raised_memory(&self, role: PodRole) -> bool {
        let of_item = self.index_of(role).map(|index| self.items.tries(index).memory_raises);
        !of_item.unwrap_or_else(|| self.memory_of(role)).is_none()
    }

    /// Items whose result is known are Cached.
    pub fn apply_entries(&mut self, context: &mut Context<'_>, wanted: &LookupKeys, entries: &[Entry]) {
        self.items.apply_entries(&mut context.step(), &self.spec, wanted, entries);
        self.count_raised();
    }

    /// Lets an item start that waits for nothing but a time, if this attempt is its next one and no late create is in
    /// the way.
    pub fn name_is_free(&mut self, now: Time, role: PodRole) {
        let Some(index) = self.index_of(role) else { return };
        let is_clear = self.pods.indeterminate().until(role).is_none_or(|until| until <= now);
        if self.items.attempt(index) == role.attempt() && is_clear {
            self.items.unhold(index);
        }
    }
}
