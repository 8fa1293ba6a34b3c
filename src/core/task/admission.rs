//! A task with a queue is one Workload of Kueue: what the task needs of it, and what follows from its admission.

use std::sync::Arc;

use super::{PollContext, Stage, Task};
use crate::api::TaskPhase;
use crate::core::admission::Admission;
use crate::core::ids::{Attempt, PodRole, Time};
use crate::core::phases::Raises;
use crate::core::pod::WorkerSpec;
use crate::core::port::{Action, FlavorsOutcome, WorkloadChange, WorkloadOutcome};
use crate::core::run::Run;
use crate::core::workload::{MAIN, Need, Placement, REDUCE, Wanted, WantedSet, WorkloadSeen, manifest};

impl Task {
    /// Its Workload as it is now.
    pub fn see_workload(&mut self, seen: Option<&WorkloadSeen>) {
        self.admission.show(seen);
    }

    /// What Kueue says of the pods that run now. How many there will be is not known before the list.
    fn admission_of_set(&self) -> Option<(&Admission, &'static str)> {
        let set = if self.reduction.is_some() { REDUCE } else { MAIN };
        (!self.is_listing()).then_some((&self.admission, set))
    }

    /// How many pods may exist at the same time as far as Kueue says; `None`: as many as there may be without it.
    pub(super) fn granted_pods(&self) -> Option<usize> {
        self.admission_of_set().and_then(|(admission, set)| admission.granted(set))
    }

    /// Items that may be in flight at the same time.
    pub(super) fn concurrency(&self) -> Option<usize> {
        let granted = self.granted_pods().map(|pods| pods.saturating_mul(self.slots()));
        [self.mutable.concurrency, granted].into_iter().flatten().min()
    }

    /// Whether Kueue lets any pod of it start.
    pub(super) fn may_start_by_queue(&self) -> bool {
        self.granted_pods() != Some(0)
    }

    /// How many pods may exist once a request that is on its way has given quota back, if one is.
    pub(super) fn left_pods(&self) -> Option<usize> {
        self.admission_of_set().and_then(|(admission, set)| admission.left(set))
    }

    /// Whether Kueue is yet to admit it, or wants its pods stopped.
    pub fn awaits_admission(&self) -> bool {
        !self.is_listing() && self.admission.is_awaited()
    }

    /// Where the pods of what runs are to run.
    pub(super) fn placement(&self) -> Option<Arc<Placement>> {
        self.admission_of_set().and_then(|(admission, set)| admission.placement(set))
    }

    /// Why Kueue lets nothing start.
    pub(super) fn why_not_admitted(&self) -> Option<String> {
        (!self.may_start_by_queue()).then(|| self.admission.why_not())
    }

    /// How much of what it may have Kueue has granted, if that is less.
    pub(super) fn words_of_part(&self) -> Option<String> {
        let granted = self.granted_pods()?;
        let asked = self.most_pods(usize::MAX);
        (granted < asked).then(|| format!("Kueue has admitted {granted} pods"))
    }

    /// Makes the next request about its Workload, if one is due.
    pub(super) fn poll_admission(&mut self, poll: &PollContext, actions: &mut Vec<Action>) {
        if !self.admission.advance(poll.now, poll.queueing) || self.deleting {
            return;
        }
        self.note_admission(poll.now);
        if !self.admission.is_due(poll.now) {
            return;
        }
        actions.extend(self.admission.read_flavors(&self.key, &self.uid));
        if self.admission.is_asking() {
            return;
        }
        let wanted = self.wanted(poll);
        let step = self.admission.next_step(poll.now, &wanted);
        let change = |step| self.admission.change(&self.key, &self.uid, step, || self.workload_to_create(&wanted));
        if let Some(change) = step.and_then(change) {
            actions.push(self.admission.begin(&self.key, &self.uid, change));
        }
    }

    /// The deadline of a task counts from its admission, as from the end of a suspension.
    fn note_admission(&mut self, now: Time) {
        let is_over = self.admission.note_wait(self.awaits_admission());
        if is_over && matches!(self.stage, Stage::Running(_)) {
            self.restart_clocks(now);
            self.writer.change();
        }
    }

    /// Flavors were read.
    pub fn handle_flavors_read(&mut self, now: Time, outcome: FlavorsOutcome) {
        self.admission.flavors_read(now, outcome);
    }

    /// A request about its Workload was answered.
    pub fn handle_workload_changed(&mut self, now: Time, outcome: WorkloadOutcome) {
        self.admission.answered(now, outcome);
    }

    fn wanted(&self, poll: &PollContext) -> Wanted {
        let alive = self.active().map_or(0, |run| run.in_flight().max(run.pods().len()));
        let awaits_start = self.admission.workload().is_some_and(WorkloadSeen::awaits_start);
        Wanted {
            queue: self.admission.queue().unwrap_or_default().to_owned(),
            priority: self.mutable.priority,
            rerun: None,
            need: if self.admission.queue().is_some() { self.need(poll) } else { Need::Nothing },
            // Without a queue its pods are no longer Kueue's business.
            alive: if self.admission.queue().is_some() { alive } else { 0 },
            started: awaits_start && self.active().is_some_and(|run| run.pods().has_started()),
        }
    }

    fn need(&self, poll: &PollContext) -> Need {
        match &self.stage {
            Stage::Running(_) if self.admission.is_outdated() => Need::Nothing,
            Stage::Ended { phase, .. } if self.writer.is_clean() => {
                let message = self.summary.message.clone().unwrap_or_default();
                Need::Ended { success: *phase == TaskPhase::Succeeded, message }
            }
            Stage::Running(run) if !self.mutable.suspend && !self.mutable.cancel => {
                // Where everything is cached, nothing is asked for.
                let opens = self.reduction.is_some() || run.is_open() && run.may_start_more();
                if opens || self.admission.workload().is_some() {
                    Need::Pods(self.sets(run, poll))
                } else {
                    Need::Nothing
                }
            }
            _ => Need::Nothing,
        }
    }

    /// What it asks for: pods for the items, and one for the reduce.
    fn sets(&self, run: &Run, poll: &PollContext) -> Vec<WantedSet> {
        let counts = run.items().counts();
        let open = if run.remainder().starts() { (counts.pending + counts.running) as usize } else { 0 };
        let left = if self.reduction.is_some() { 0 } else { open.div_ceil(self.slots()).max(run.pods().len()) };
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let most = number(self.most_pods(poll.max_pods));
        let least = self.mutable.min_concurrency.map(|least| number(least.div_ceil(self.slots())));
        WantedSet::of_task(most, number(left), least, run.spec().reduce.is_some())
    }

    fn most_pods(&self, limit: usize) -> usize {
        self.mutable.concurrency.map_or(limit, |most| most.div_ceil(self.slots()).min(limit))
    }

    /// Items that one pod runs at the same time.
    fn slots(&self) -> usize {
        let workers = self.map().filter(|_| self.reduction.is_none()).and_then(|run| run.spec().blueprint.workers());
        workers.map_or(1, WorkerSpec::slots)
    }

    /// The request for a Workload of its own.
    fn workload_to_create(&self, wanted: &Wanted) -> Option<WorkloadChange> {
        let Need::Pods(sets) = &wanted.need else { return None };
        let spec = self.map()?.spec();
        let pod = |set: &WantedSet| match (set.name, &spec.reduce) {
            (REDUCE, Some(reducer)) => reducer.spec.blueprint.pod(PodRole::Reduce(Attempt::FIRST), Raises::NONE),
            _ => spec.blueprint.pod(spec.blueprint.first(), Raises::NONE),
        };
        let sets: Vec<_> = sets.iter().filter(|set| set.count() > 0).map(|set| (set, pod(set))).collect();
        (!sets.is_empty()).then(|| WorkloadChange::Create(manifest(&self.key, &self.uid, wanted, &sets)))
    }
}
