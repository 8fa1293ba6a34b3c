//! How a run continues from its recorded state, and how its items are run again.

use std::collections::BTreeSet;

use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::{ItemPhase, Raises, Tries};
use crate::core::pod::{Progress, ended_at, progress};
use crate::core::pods::Pods;
use crate::core::revision::Revision;
use crate::core::run::decision::Decision;
use crate::core::run::{Run, Workers};
use crate::core::workers::Holdings;

impl Run {
    /// Takes over from the run before the task was loaded again what neither the record nor the pods say: create
    /// requests that are on their way, and the items that were read. Each field is named, so that a new one has to say
    /// here whether it is among that.
    pub fn take_over(&mut self, now: Time, old: Self) {
        let Self {
            spec,
            items,
            mut pods,
            workers,
            // The record says it.
            decision: _,
            suspension: _,
            lacking: _,
            // The new run has its own.
            not_before: _,
            is_loading: _,
        } = old;
        for (role, pod) in pods.take_unlisted() {
            if self.is_worker(role) {
                let holdings = if pod.is_present() { Holdings::Unknown } else { Holdings::None };
                self.add_worker(now, role, holdings);
                if let Some(new) = &mut self.workers {
                    new.table.make(role, workers.as_ref().map_or(Raises::NONE, |old| old.memory_of(role)));
                }
                self.pods.adopt(role, pod);
                continue;
            }
            let Some(index) = self.index_of(role) else { continue };
            if self.items.phases().get(index) == Some(ItemPhase::Pending) && self.items.attempt(index) == role.attempt()
            {
                self.items.assign(index, role);
                self.pods.adopt(role, pod);
            }
        }
        if spec.blueprint.items.is_known() {
            self.set_items(spec.blueprint.items.clone());
        }
        self.items.take_over_slots(now, &items);
        self.pods.merge_indeterminate(&pods);
    }

    /// Takes over whether pods were being stopped for a suspension, which is recorded.
    pub fn restore_suspension(&mut self, stops: bool) {
        self.suspension.stops = stops;
    }

    /// Takes workers over from the record.
    pub fn restore_workers(&mut self, mut workers: Workers) {
        if self.items.counts().succeeded > 0 {
            workers.limit.succeeded();
        }
        self.workers = Some(workers);
        self.count_raised();
    }

    /// Begins with no worker: those that are there are of a run before.
    pub fn begin_workers(&mut self, mut workers: Workers) {
        self.is_loading = false;
        workers.numbers.begin_run();
        self.restore_workers(workers);
    }

    /// The epoch of the workers is recorded with this revision.
    pub fn record_epoch_with(&mut self, revision: Revision) {
        if let Some(workers) = &mut self.workers {
            workers.epoch_revision = revision;
        }
    }

    /// Whether workers of this run were made, or found.
    pub fn has_made_workers(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| workers.numbers.any_taken())
    }

    /// The number of the newest worker, 0 if there was none.
    pub fn last_worker(&self) -> u32 {
        self.workers.as_ref().map_or(0, |workers| workers.numbers.last())
    }

    /// Asks for pods that the status calls running and that no list shows. `suspended`: a previous operator may have
    /// stopped them because the task is suspended.
    pub fn expect_missing(&mut self, now: Time, suspended: bool) {
        if self.workers.is_some() {
            return self.end_loading(suspended);
        }
        self.is_loading = false;
        let running = self.items.phases().iter_in(ItemPhase::Running);
        let missing: Vec<Index> = running.filter(|index| !self.items.assignments().holds(*index)).collect();
        for index in missing {
            let role = self.spec.blueprint.role_of(index, self.items.attempt(index));
            self.assign(index, role);
            self.pods.expect(now, role, suspended);
        }
    }

    /// Of an earlier operator's retries: where the pod of the attempt before is gone, nothing stands in the way of a
    /// late create of it, whose time must have passed. One that has not ended is such a late create, or runs out. Where
    /// the pod has ended and is still there, the item is in backoff since then.
    pub fn hold_retries(&mut self, now: Time, seed: u64, pods: &Pods) {
        let until = self.pods.indeterminate().until_all().filter(|_| self.workers.is_none());
        let spec = &self.spec;
        let template = &spec.blueprint.template;
        let held_until = |(index, tries): (Index, Tries)| {
            let pod = pods.get(&spec.blueprint.role_of(index, Attempt(tries.attempt.0 - 1)));
            match pod.map(|pod| (pod, progress(pod, template.main_container()))) {
                // A rerun has no backoff.
                Some((_, Progress::Ended(end))) if end.is_success() => None,
                Some((pod, Progress::Ended(_))) => {
                    let since = ended_at(pod, template.main_container()).unwrap_or(now);
                    Some((index, spec.policy.not_before(since, seed, index, Tries::default(), tries)))
                }
                _ => until.map(|until| (index, until)),
            }
        };
        let holds: Vec<(Index, Time)> = self.items.all_tries().iter().filter_map(held_until).collect();
        for (index, until) in holds {
            self.items.hold(index, until);
        }
    }

    /// These items run again, with full budgets, once the revision is recorded and no create of the run before can
    /// come. `explicit_selection`: whatever the counts of the others say.
    pub fn start_again(&mut self, now: Time, selected: &BTreeSet<Index>, explicit_selection: bool, revision: Revision) {
        let clear_at = self.pods.indeterminate().until_all().map_or(now, |until| until.max(now));
        self.start_after(revision, clear_at);
        for index in selected {
            self.items.start_again(*index);
        }
        self.items.forget_past();
        self.record_epoch_with(revision);
        self.forget_sizes();
        self.count_raised();
        self.decision = Decision::recorded(None, explicit_selection);
    }

    /// Takes the line of an item that has succeeded from its pod, if that is still there.
    pub fn restore(&mut self, index: Index, pods: &Pods, uid: &str) -> bool {
        if self.items.results().contains_key(&index) {
            return true;
        }
        if self.items.phases().get(index) != Some(ItemPhase::Succeeded) {
            return false;
        }
        let blueprint = &self.spec.blueprint;
        let role = blueprint.role_of(index, self.items.attempt(index));
        let Some(pod) = pods.get(&role).filter(|pod| pod.owner_uid.as_deref() == Some(uid)) else { return false };
        match progress(pod, blueprint.template.main_container()) {
            Progress::Ended(end) => self.items.take_result(&self.spec, index, end.into()).is_success(),
            Progress::Pending(_) | Progress::Started => false,
        }
    }
}
