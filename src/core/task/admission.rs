//! A task with a queue is one Workload of Kueue: may its pods run, how many, and where?

use std::sync::Arc;

use super::workload_requests::{WorkloadRequests, to_known};
use super::{PollContext, Stage, Task};
use crate::api::TaskPhase;
use crate::core::ids::{Attempt, PodRole, Time};
use crate::core::phases::Raises;
use crate::core::pod::WorkerSpec;
use crate::core::port::{Action, FlavorsOutcome, ReadFlavors, TaskSeen, WorkloadChange, WorkloadOutcome};
use crate::core::run::Run;
use crate::core::workload::{
    MAIN, Need, Placement, Queueing, REDUCE, Step, Wanted, WantedSet, WorkloadSeen, adoption, granted, manifest, name,
    next_step, why_not,
};

/// What is known of the task's admission by Kueue.
#[derive(Debug)]
pub(super) struct Admission {
    /// The `LocalQueue` that it is to wait in.
    pub(super) queue: Option<String>,
    /// The Workload that was made for it already: it is neither created nor deleted here.
    prebuilt: Option<String>,
    queueing: Queueing,
    workload: Option<WorkloadSeen>,
    /// The UID of the Workload that was made from other templates.
    outdated: Option<String>,
    /// Where pods of items, and of the reduce, are to run, once its flavors are read.
    placements: Option<[Arc<Placement>; 2]>,
    /// Flavors are being read.
    reading: Option<Vec<String>>,
    requests: WorkloadRequests,
    /// It was not admitted when it was last looked at.
    has_waited: bool,
}

impl Admission {
    pub(super) fn new(seen: &TaskSeen) -> Self {
        Self {
            queue: seen.queue.clone(),
            prebuilt: seen.prebuilt.clone(),
            queueing: Queueing::Unknown,
            workload: None,
            outdated: None,
            placements: None,
            reading: None,
            requests: WorkloadRequests::default(),
            has_waited: false,
        }
    }

    /// Whether MultiKueue has sent the task, which has a Workload there already.
    pub(super) fn is_from_another_cluster(&self) -> bool {
        self.prebuilt.is_some()
    }

    /// Whether Kueue has a say at all.
    fn is_queued(&self) -> bool {
        self.queue.is_some() && self.queueing != Queueing::Off
    }

    fn is_admitted(&self) -> bool {
        let is_admitted = self.workload.as_ref().is_some_and(WorkloadSeen::is_admitted);
        self.queueing == Queueing::Known && is_admitted && !self.is_outdated()
    }

    fn is_outdated(&self) -> bool {
        self.outdated.is_some() && self.outdated.as_ref() == self.workload.as_ref().map(|workload| &workload.uid)
    }

    /// The Workload that there is asks for pods of other templates: the task queues again.
    pub(super) fn renew(&mut self) {
        let own = self.workload.as_ref().filter(|_| self.prebuilt.is_none());
        self.outdated = own.map(|workload| workload.uid.clone());
        self.placements = None;
    }
}

impl Task {
    /// Its Workload as it is now.
    pub fn see_workload(&mut self, seen: Option<&WorkloadSeen>) {
        if seen.map(WorkloadSeen::revision) == self.admission.workload.as_ref().map(WorkloadSeen::revision) {
            return;
        }
        let before = std::mem::replace(&mut self.admission.workload, seen.cloned());
        let flavors = |workload: &Option<WorkloadSeen>| workload.as_ref().map(WorkloadSeen::flavors);
        if !self.admission.is_admitted() || flavors(&before) != flavors(&self.admission.workload) {
            self.admission.placements = None;
        }
    }

    /// How many pods may exist at the same time as far as Kueue says; `None`: as many as there may be without it.
    pub(super) fn granted_pods(&self) -> Option<usize> {
        // How many pods there will be is not known before the list.
        if !self.admission.is_queued() || self.is_listing() {
            return None;
        }
        let workload = self.admission.workload.as_ref().filter(|_| self.admission.placements.is_some());
        let set = if self.reduction.is_some() { REDUCE } else { MAIN };
        Some(workload.filter(|_| self.admission.is_admitted()).map_or(0, |workload| granted(workload, set) as usize))
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
        let set = if self.reduction.is_some() { REDUCE } else { MAIN };
        let left = self.admission.requests.left(self.admission.workload.as_ref(), set);
        left.filter(|_| self.admission.is_queued() && !self.is_listing()).map(|left| left as usize)
    }

    /// Whether Kueue is yet to admit it, or wants its pods stopped.
    pub fn awaits_admission(&self) -> bool {
        !self.is_listing()
            && self.admission.is_queued()
            && self.admission.queueing == Queueing::Known
            && !self.admission.is_admitted()
    }

    /// Where the pods of what runs are to run.
    pub(super) fn placement(&self) -> Option<Arc<Placement>> {
        let [items, reduce] = self.admission.placements.as_ref().filter(|_| !self.is_listing())?;
        Some(Arc::clone(if self.reduction.is_some() { reduce } else { items }))
    }

    /// Why Kueue lets nothing start.
    pub(super) fn why_not_admitted(&self) -> Option<String> {
        if self.may_start_by_queue() {
            return None;
        }
        let Admission { queueing, workload, requests, queue, prebuilt, .. } = &self.admission;
        let queue = queue.as_deref().unwrap_or_default();
        Some(match (queueing, requests.problem(), workload) {
            (Queueing::Unknown, ..) => {
                format!(
                    "queue {queue}: the Workloads of Kueue can't be read: is Kueue installed, version 0.15 or newer?"
                )
            }
            (_, Some(problem), _) => format!("queue {queue}: {problem}"),
            (_, None, Some(workload)) if !workload.is_admitted() => why_not(workload),
            (_, None, Some(_)) => format!("queue {queue}: the flavors of its Workload are being read"),
            (_, None, None) if prebuilt.is_some() => format!("queue {queue}: its Workload is not known yet"),
            (_, None, None) => format!("queue {queue}: its Workload is about to be created"),
        })
    }

    /// How much of what it may have Kueue has granted, if that is less.
    pub(super) fn words_of_part(&self) -> Option<String> {
        let granted = self.granted_pods()?;
        let asked = self.most_pods(usize::MAX);
        (granted < asked).then(|| format!("Kueue has admitted {granted} pods"))
    }

    /// Makes the next request about its Workload, if one is due.
    pub(super) fn poll_admission(&mut self, poll: &PollContext, actions: &mut Vec<Action>) {
        self.admission.queueing = poll.queueing;
        self.admission.requests.advance(poll.now, self.admission.workload.as_ref());
        let concerned = self.admission.queue.is_some() || self.admission.workload.is_some();
        if poll.queueing != Queueing::Known || self.deleting || !concerned {
            return;
        }
        self.note_admission(poll.now);
        if !self.admission.requests.are_due(poll.now) {
            return;
        }
        self.poll_flavors(actions);
        if self.admission.requests.are_on_their_way() {
            return;
        }
        let wanted = self.wanted(poll);
        let step = next_step(poll.now, self.admission.workload.as_ref(), &wanted);
        if let Some(change) = step.and_then(|step| self.change(&wanted, step)) {
            let name = self.admission.prebuilt.clone().unwrap_or_else(|| name(&self.key, &self.uid));
            let seen = self.admission.workload.as_ref();
            actions.push(self.admission.requests.begin(&self.key, &self.uid, name, seen, change));
        }
    }

    /// The deadline of a task counts from its admission, as from the end of a suspension.
    fn note_admission(&mut self, now: Time) {
        let waits = self.awaits_admission();
        let is_over = self.admission.has_waited && !waits;
        self.admission.has_waited = waits;
        if is_over && matches!(self.stage, Stage::Running(_)) {
            self.restart_clocks(now);
            self.writer.change();
        }
    }

    fn poll_flavors(&mut self, actions: &mut Vec<Action>) {
        if !self.admission.is_admitted() || self.admission.placements.is_some() || self.admission.reading.is_some() {
            return;
        }
        let names = self.admission.workload.as_ref().map(WorkloadSeen::flavors).unwrap_or_default();
        self.admission.reading = Some(names.clone());
        actions.push(Action::ReadFlavors(ReadFlavors { key: self.key.clone(), uid: self.uid.clone(), names }));
    }

    /// Flavors were read.
    pub fn handle_flavors_read(&mut self, now: Time, outcome: FlavorsOutcome) {
        let read = self.admission.reading.take().unwrap_or_default();
        match (outcome, &self.admission.workload) {
            // It may have been evicted since, and admitted with other flavors, which are yet to be read.
            (FlavorsOutcome::Found(flavors), Some(workload))
                if workload.is_admitted() && workload.flavors() == read =>
            {
                self.admission.requests.solved();
                let of = |set| Arc::new(Placement::of(workload, set, &flavors));
                self.admission.placements = Some([of(MAIN), of(REDUCE)]);
            }
            (FlavorsOutcome::Found(_), _) => {}
            (FlavorsOutcome::Failed(message), _) => {
                self.admission.requests.failed(now, message);
            }
        }
    }

    /// A request about its Workload was answered. What came of it the watch shows.
    pub fn handle_workload_changed(&mut self, now: Time, outcome: WorkloadOutcome) {
        self.admission.requests.answered(now, outcome);
    }

    /// When a request about its Workload may be due though nothing happens.
    pub(super) fn next_admission(&self) -> Option<Time> {
        self.admission.requests.next_wake().filter(|_| self.admission.queueing == Queueing::Known)
    }

    fn wanted(&self, poll: &PollContext) -> Wanted {
        let alive = self.active().map_or(0, |run| run.in_flight().max(run.pods().len()));
        let awaits_start = self.admission.workload.as_ref().is_some_and(WorkloadSeen::awaits_start);
        Wanted {
            queue: self.admission.queue.clone().unwrap_or_default(),
            priority: self.mutable.priority,
            rerun: None,
            need: if self.admission.queue.is_some() { self.need(poll) } else { Need::Nothing },
            // Without a queue its pods are no longer Kueue's business.
            alive: if self.admission.queue.is_some() { alive } else { 0 },
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
                if opens || self.admission.workload.is_some() {
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

    /// The request for a step.
    fn change(&self, wanted: &Wanted, step: Step) -> Option<WorkloadChange> {
        let seen = self.admission.workload.as_ref();
        match step {
            // The cluster that it comes from deletes it, and makes it again.
            Step::Delete if self.admission.prebuilt.is_some() => None,
            Step::Create if self.admission.prebuilt.is_some() => {
                Some(WorkloadChange::Adopt(adoption(&self.key, &self.uid)))
            }
            Step::Delete | Step::Patch(_) => to_known(seen?, step),
            Step::Create => {
                let Need::Pods(sets) = &wanted.need else { return None };
                let spec = self.map()?.spec();
                let pod = |set: &WantedSet| match (set.name, &spec.reduce) {
                    (REDUCE, Some(reducer)) => {
                        reducer.spec.blueprint.pod(PodRole::Reduce(Attempt::FIRST), Raises::NONE)
                    }
                    _ => spec.blueprint.pod(spec.blueprint.first(), Raises::NONE),
                };
                let sets: Vec<_> = sets.iter().filter(|set| set.count() > 0).map(|set| (set, pod(set))).collect();
                (!sets.is_empty()).then(|| WorkloadChange::Create(manifest(&self.key, &self.uid, wanted, &sets)))
            }
        }
    }
}
