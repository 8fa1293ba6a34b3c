//! The items of one accepted task: which wait, which are in flight, and what has been seen of their pods.

mod again;
mod creates;
mod decision;
mod description;
mod lookup;
mod outcome;
mod silent;
mod stored;
mod suspend;
mod vanished;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::attempts::blocked_on_duplicate::BlockedOnDuplicate;
use crate::core::attempts::lookup_state::LookupState;
use crate::core::attempts::waitlist::Waitlist;
use crate::core::failures::Failures;
use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::{Attempts, ItemPhase, Phases};
use crate::core::pod::explain::together;
use crate::core::pod::{BlockerKind, AttemptOutcome, PodSeen, Progress, StartBlocker, detail, lives, progress};
use crate::core::pods::Pods;
use crate::core::pods::explaining::Explaining;
use crate::core::pods::flight::{Doubt, Flight, Stop, Unwanted};
use crate::core::pods::flights::Flights;
use crate::core::pods::indeterminate::Indeterminate;
use crate::core::pods::outlived::Outlived;
use crate::core::pods::retention::{FinishedPod, Retention};
use crate::core::pods::start_blockers::StartBlockers;
use crate::core::record::status_writer::StatusWriter;
use crate::core::revision::Revision;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::{FailReason, Outcome, Remainder};

/// The items of one accepted task.
#[derive(Debug)]
pub struct Run {
    /// What never changes.
    pub spec: Arc<AcceptedSpec>,
    /// The phase of every item.
    pub phases: Phases,
    /// The tries of the items beyond their first.
    pub tries: Attempts,
    /// Items with a pod or with one on its way.
    pub flights: Flights,
    /// Lines to be stored with the next status write.
    pub results: BTreeMap<Index, String>,
    /// The look-up in the cache, until it is over; nothing starts before.
    pub lookup: Option<LookupState>,
    /// Items that wait for others which compute the same.
    pub blocked_on_duplicate: BlockedOnDuplicate,
    /// The items that wait.
    pub waitlist: Waitlist,
    /// The attempts that did not succeed.
    pub failures: Failures,
    /// What holds up the start of pods.
    pub blockers: StartBlockers,
    /// Pods whose item's container has ended while others run.
    pub outlived: Outlived,
    /// Pods that take long to start.
    pub explaining: Explaining,
    /// How the task was decided.
    pub decided: Option<Outcome>,
    /// Nothing is stopped for that before this revision is recorded: whoever comes after a crash must know why pods go.
    pub decided_at: Option<Revision>,
    /// The task is to fail, whatever the counts say.
    pub forced_failure: Option<(FailReason, String)>,
    /// Nothing runs on, even of a task that was decided and would let it.
    pub cancel_all: bool,
    /// The items of a rerun were picked: they run whatever the counts of the others say.
    pub explicit_selection: bool,
    /// Nothing starts before this revision is recorded and this time has come.
    pub not_before: Option<(Revision, Time)>,
    /// Running items are being stopped since the task is suspended.
    pub suspending: bool,
    /// Nothing is stopped for that before this revision is recorded.
    pub suspended_at: Option<Revision>,
    /// By when pods must have started that have not.
    pub start_deadlines: BTreeSet<(Time, Index)>,
    /// Creates without an answer.
    pub indeterminate: Indeterminate,
    /// How often in a row the create of an item's pod failed.
    pub failed_creates: BTreeMap<Index, u32>,
    /// Pods in flight that the watch calls gone before they were seen to end, as it last showed them: they may have lost their
    /// label, and are asked for by name.
    pub vanished: BTreeMap<Index, PodSeen>,
    /// Items to be cancelled whose pod was looked for, since a create got no answer.
    probed: BTreeSet<Index>,
}

/// What goes with every step of a task's life.
pub struct Context<'a> {
    /// The time.
    pub now: Time,
    /// For jitter.
    pub seed: u64,
    /// The status writes of the task.
    pub writer: &'a mut StatusWriter,
    /// The finished pods of the task.
    pub retention: &'a mut Retention,
}

impl Run {
    /// A run in which nothing has started, as far as is known.
    pub fn new(spec: Arc<AcceptedSpec>, all_indeterminate: Time) -> Self {
        let phases = Phases::new(spec.count());
        Self::resume(spec, phases, Attempts::default(), all_indeterminate)
    }

    /// A run from its recorded state; the pods that exist are yet to be shown to it. Creates of an earlier operator
    /// may be carried out until `all_indeterminate`.
    pub fn resume(spec: Arc<AcceptedSpec>, phases: Phases, tries: Attempts, all_indeterminate: Time) -> Self {
        let lookup = spec.cache.is_some().then(LookupState::default);
        Self {
            spec,
            phases,
            tries,
            flights: Flights::default(),
            results: BTreeMap::new(),
            lookup,
            blocked_on_duplicate: BlockedOnDuplicate::default(),
            waitlist: Waitlist::default(),
            failures: Failures::default(),
            blockers: StartBlockers::default(),
            outlived: Outlived::default(),
            explaining: Explaining::default(),
            decided: None,
            decided_at: None,
            forced_failure: None,
            cancel_all: false,
            explicit_selection: false,
            not_before: None,
            suspending: false,
            suspended_at: None,
            start_deadlines: BTreeSet::new(),
            indeterminate: Indeterminate::new(all_indeterminate),
            failed_creates: BTreeMap::new(),
            vanished: BTreeMap::new(),
            probed: BTreeSet::new(),
        }
    }

    /// What becomes of the items that are left.
    pub fn remainder(&self) -> Remainder {
        match &self.decided {
            None => Remainder::Open,
            Some(_) if self.cancel_all => Remainder::Cancel,
            Some(decision) if self.explicit_selection && decision.is_by_counts() => Remainder::Run,
            Some(decision) => decision.remainder(&self.spec),
        }
    }

    /// Whether items run, or may yet start.
    pub fn is_busy(&self) -> bool {
        !self.flights.is_empty() || self.remainder().starts() && self.phases.counts().pending > 0
    }

    /// Items in flight, with those that wait after a create without an answer: a pod may come of it.
    pub fn in_flight(&self) -> usize {
        self.flights.len() + self.waitlist.slots()
    }

    /// Puts the item in flight; its create request goes out. Answers the attempt.
    pub fn launch(&mut self, now: Time, index: Index) -> Attempt {
        self.waitlist.take(index);
        self.blocked_on_duplicate.remove(index);
        let attempt = self.tries.get(index).attempt;
        let flight = Flight { creating: true, ..Flight::new(attempt, now) };
        self.take_flight(index);
        self.flights.insert(index, flight);
        attempt
    }

    /// The watch, or an answer, shows a pod of this task. Answers how its attempt ended, if this tells.
    pub fn observe(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        attempt: Attempt,
        pod: &PodSeen,
        epoch: u32,
    ) -> Option<AttemptOutcome> {
        let seen = progress(pod, self.spec.blueprint.template.role());
        let current = self.tries.get(index).attempt;
        let phase = self.phases.get(index)?;
        if phase.is_terminal() || attempt < current {
            self.leave(context, index, attempt, pod, &seen);
            return None;
        }
        if attempt != current {
            // Only a status that was set back can bring this about; the pod is the better witness.
            let mut tries = self.tries.get(index);
            tries.attempt = attempt;
            self.tries.set(index, tries);
        }
        if self.flights.get(index).is_none_or(|f| f.attempt != attempt) {
            let since = pod.created.map_or(context.now, |created| created.min(context.now));
            self.launch(since, index);
            if let Some(flight) = self.flights.get_mut(index) {
                flight.creating = false;
            }
        }
        self.note_start(context.now, index, pod, epoch, &seen);
        self.set(context, index, ItemPhase::Running);
        let Progress::Ended(ending) = seen else {
            match self.spec.blueprint.template.role().outlived(pod).filter(|_| seen == Progress::Started) {
                Some((since, names)) => {
                    self.outlived.note(index, since.unwrap_or(context.now).min(context.now), &names);
                }
                None => self.outlived.forget(index),
            }
            return None;
        };
        let detail = detail(pod, self.spec.blueprint.template.role());
        let ending = self.finish(context, index, ending, detail, true, false);
        self.shelve(context, index, attempt, pod, !ending.is_success());
        Some(ending)
    }

    /// Takes down how far a pod has come with its start.
    fn note_start(&mut self, now: Time, index: Index, pod: &PodSeen, epoch: u32, seen: &Progress) {
        let patience = self.patience_millis();
        self.vanished.remove(&index);
        let Some(flight) = self.flights.get_mut(index) else { return };
        let first = flight.pod_uid.is_none();
        if first && flight.stop == Stop::Asked {
            // Taken to have been stopped by an operator before this one, which it was not.
            (flight.stop, flight.unwanted) = (Stop::No(Time(i64::MIN)), None);
        }
        flight.created = true;
        flight.pod_uid = Some(pod.uid.clone());
        flight.pod_version = pod.version;
        flight.epoch = epoch;
        flight.doubt = Doubt::No;
        let deadline = flight.starting.zip(self.spec.start_deadline_millis).map(|(since, ms)| since.plus_millis(ms));
        let told: Option<&StartBlocker> = match seen {
            Progress::Pending(blocker) => {
                if first && let Some(deadline) = deadline {
                    self.start_deadlines.insert((deadline, index));
                }
                let says_why = blocker.as_ref().is_some_and(|blocker| blocker.kind.is_told_by_status());
                if says_why {
                    self.explaining.forget(index, flight.patience.take());
                    flight.explained = None;
                } else if flight.patience.is_none() {
                    let since = flight.starting.filter(|_| first).unwrap_or(now);
                    let until = since.plus_millis(patience);
                    flight.patience = Some(until);
                    self.explaining.watch(index, until);
                }
                blocker.as_ref()
            }
            // What held it up until its end is why it never started.
            Progress::Ended(_) => return,
            Progress::Started => {
                flight.starting = None;
                self.explaining.forget(index, flight.patience.take());
                self.explaining.of_template = None;
                flight.explained = None;
                if let Some(deadline) = deadline {
                    self.start_deadlines.remove(&(deadline, index));
                }
                if matches!((flight.unwanted, flight.stop), (Some(Unwanted::NeverStarted(_)), Stop::No(_))) {
                    flight.unwanted = None;
                }
                None
            }
        };
        if told.is_some_and(|blocker| blocker.kind == BlockerKind::ImageName) && flight.unwanted.is_none() {
            flight.unwanted = Some(Unwanted::NeverStarted(BlockerKind::ImageName));
        }
        // Once it is being deleted for that, what held it up is not told any more.
        let settled = matches!(flight.unwanted, Some(Unwanted::NeverStarted(_))) && told.is_none();
        if !settled {
            flight.told = told.cloned();
            let blocker = together(flight.told.as_ref(), flight.explained.as_ref());
            self.set_stall(index, blocker);
        }
    }

    /// Pods that should have started by now are not wanted any more.
    pub fn expire_starts(&mut self, now: Time) {
        while let Some(&(time, index)) = self.start_deadlines.first().filter(|(time, _)| *time <= now) {
            self.start_deadlines.remove(&(time, index));
            let blocker = self.last_stall(index);
            if let Some(flight) = self.flights.get_mut(index) {
                flight.unwanted.get_or_insert(Unwanted::NeverStarted(blocker));
            }
        }
    }

    /// When this run needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        let start = self.start_deadlines.first().map(|(time, _)| *time);
        [self.flights.next_wake(), start, self.explaining.next_wake(), self.outlived.next_wake()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Cancels every item that has not started. Where a create got no answer, the pod is looked for first.
    pub fn cancel_waiting(&mut self, context: &mut Context<'_>) {
        self.waitlist = Waitlist::default();
        self.blocked_on_duplicate = BlockedOnDuplicate::default();
        let mut from = Index(0);
        while let Some(index) = self.phases.next_in(ItemPhase::Pending, from) {
            let indeterminate = self.indeterminate.holds(context.now, index);
            if indeterminate && self.probed.insert(index) {
                let attempt = self.tries.get(index).attempt;
                let flight = Flight { doubt: Doubt::Since(context.now), ..Flight::new(attempt, context.now) };
                if !self.flights.contains(index) {
                    self.flights.insert(index, flight);
                }
            } else if !self.flights.contains(index) {
                self.set(context, index, ItemPhase::Cancelled);
            }
            from = index.next();
        }
    }

    /// These lines are in the API server.
    pub fn results_stored(&mut self, stored: &BTreeMap<Index, String>) {
        for (index, line) in stored {
            if self.results.get(index) == Some(line) {
                self.results.remove(index);
            }
        }
    }

    /// Takes the item out of the air, with all that is noted about its start.
    pub fn take_flight(&mut self, index: Index) -> Option<Flight> {
        let flight = self.flights.remove(index)?;
        self.vanished.remove(&index);
        if let Some((since, millis)) = flight.starting.zip(self.spec.start_deadline_millis) {
            self.start_deadlines.remove(&(since.plus_millis(millis), index));
        }
        if let Some(blocker) = &flight.blocker {
            self.blockers.change("", Some(blocker.kind), None);
        }
        self.explaining.forget(index, flight.patience);
        self.outlived.forget(index);
        Some(flight)
    }

    /// A pod of an attempt that counts no more: kept if it has ended, else it goes.
    fn leave(&mut self, context: &mut Context<'_>, index: Index, attempt: Attempt, pod: &PodSeen, seen: &Progress) {
        match seen {
            Progress::Ended(ending) => self.shelve(context, index, attempt, pod, !ending.is_success()),
            Progress::Pending(_) | Progress::Started => {
                let pod = self.finished_pod(index, attempt, pod, true);
                context.retention.delete_now(FinishedPod { not_before: context.now, ..pod });
            }
        }
    }

    fn shelve(&mut self, context: &mut Context<'_>, index: Index, attempt: Attempt, pod: &PodSeen, failed: bool) {
        let finished_pod = self.finished_pod(index, attempt, pod, failed);
        context.retention.put(context.writer.revision(), finished_pod);
    }

    fn finished_pod(&self, index: Index, attempt: Attempt, pod: &PodSeen, failed: bool) -> FinishedPod {
        let not_before = self.indeterminate.until(index);
        let role = self.spec.blueprint.role_of(index, attempt);
        // One whose item's container has ended may live on: it goes with the time that its template gives it.
        let ended = !lives(pod);
        FinishedPod { role, uid: pod.uid.clone(), version: pod.version, ended, failed, not_before }
    }

    /// Of an earlier operator's retries: where the pod of the attempt before is gone, nothing stands in the way of a
    /// late create of it, whose time must have passed. One that has not ended is such a late create, or runs out.
    pub fn hold_retries(&mut self, pods: &Pods) {
        let role = self.spec.blueprint.template.role();
        for (index, tries) in self.tries.iter() {
            let waits = self.is_untouched(index);
            let before = pods.get(&self.spec.blueprint.role_of(index, Attempt(tries.attempt.0 - 1)));
            let remains = before.is_some_and(|pod| matches!(progress(pod, role), Progress::Ended(_)));
            if waits && !remains && !self.waitlist.holds(index) {
                self.waitlist.hold(index, self.indeterminate.until_all());
            }
        }
    }

    /// Sets the phase of an item, with the next status write.
    pub fn set(&mut self, context: &mut Context<'_>, index: Index, phase: ItemPhase) {
        if self.phases.get(index) != Some(phase) {
            self.phases.set(index, phase);
            context.writer.change();
        }
    }
}
