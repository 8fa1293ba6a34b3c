//! What Kueue has said of a task, and what was asked of it: may its pods run, how many, and where? It knows no pods:
//! what a task needs, the task says.

mod remote;
mod requests;

use std::sync::Arc;

use crate::core::ids::{TaskKey, Time};
use crate::core::port::{Action, FlavorsOutcome, ReadFlavors, TaskSeen, WorkloadChange, WorkloadOutcome};
use crate::core::workload::{
    MAIN, Placement, Queueing, REDUCE, Step, Wanted, WorkloadSeen, adoption, granted, name, next_step, why_not,
};

pub use remote::RemoteTask;
use requests::{WorkloadRequests, to_known};

/// What is known of a task's admission by Kueue.
#[derive(Debug)]
pub struct Admission {
    /// The `LocalQueue` that it is to wait in.
    queue: Option<String>,
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
    /// Of a task that was just seen, whose Workload is not known yet.
    pub fn new(seen: &TaskSeen) -> Self {
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

    /// The task is to wait in this queue.
    pub fn set_queue(&mut self, queue: Option<&str>) {
        if self.queue() != queue {
            self.queue = queue.map(str::to_owned);
        }
    }

    /// The queue that the task is to wait in.
    pub fn queue(&self) -> Option<&str> {
        self.queue.as_deref()
    }

    /// The task's Workload, if there is one.
    pub fn workload(&self) -> Option<&WorkloadSeen> {
        self.workload.as_ref()
    }

    /// Whether MultiKueue has sent the task, which has a Workload there already.
    pub fn is_from_another_cluster(&self) -> bool {
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

    /// Whether the Workload that there is asks for pods of other templates.
    pub fn is_outdated(&self) -> bool {
        self.outdated.is_some() && self.outdated.as_ref() == self.workload.as_ref().map(|workload| &workload.uid)
    }

    /// The Workload that there is asks for pods of other templates: the task queues again.
    pub fn renew(&mut self) {
        let own = self.workload.as_ref().filter(|_| self.prebuilt.is_none());
        self.outdated = own.map(|workload| workload.uid.clone());
        self.placements = None;
    }

    /// The Workload as it is now.
    pub fn show(&mut self, seen: Option<&WorkloadSeen>) {
        if seen.map(WorkloadSeen::revision) == self.workload.as_ref().map(WorkloadSeen::revision) {
            return;
        }
        let before = std::mem::replace(&mut self.workload, seen.cloned());
        let flavors = |workload: &Option<WorkloadSeen>| workload.as_ref().map(WorkloadSeen::flavors);
        if !self.is_admitted() || flavors(&before) != flavors(&self.workload) {
            self.placements = None;
        }
    }

    /// How many pods of a set may exist at the same time; `None`: as many as there may be without Kueue.
    pub fn granted(&self, set: &str) -> Option<usize> {
        if !self.is_queued() {
            return None;
        }
        let workload = self.workload.as_ref().filter(|_| self.placements.is_some() && self.is_admitted());
        Some(workload.map_or(0, |workload| granted(workload, set) as usize))
    }

    /// How many pods of a set may exist once a request that is on its way has given quota back, if one is.
    pub fn left(&self, set: &str) -> Option<usize> {
        let left = self.requests.left(self.workload.as_ref(), set);
        left.filter(|_| self.is_queued()).map(|left| left as usize)
    }

    /// Whether Kueue is yet to admit the task, or wants its pods stopped.
    pub fn is_awaited(&self) -> bool {
        self.is_queued() && self.queueing == Queueing::Known && !self.is_admitted()
    }

    /// Where the pods of a set are to run.
    pub fn placement(&self, set: &str) -> Option<Arc<Placement>> {
        let [items, reduce] = self.placements.as_ref()?;
        Some(Arc::clone(if set == REDUCE { reduce } else { items }))
    }

    /// Why Kueue lets nothing start, of a task for which that is so.
    pub fn why_not(&self) -> String {
        let Self { queueing, workload, requests, queue, prebuilt, .. } = self;
        let queue = queue.as_deref().unwrap_or_default();
        match (queueing, requests.problem(), workload) {
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
        }
    }

    /// Notes the time, and whether Kueue is there. Returns whether there is anything to ask of it.
    pub fn advance(&mut self, now: Time, queueing: Queueing) -> bool {
        self.queueing = queueing;
        self.requests.advance(now, self.workload.as_ref());
        queueing == Queueing::Known && (self.queue.is_some() || self.workload.is_some())
    }

    /// Notes whether the task waits. Returns whether its wait has just ended.
    pub fn note_wait(&mut self, waits: bool) -> bool {
        std::mem::replace(&mut self.has_waited, waits) && !waits
    }

    /// Whether a request may be made now, as far as the time is concerned.
    pub fn is_due(&mut self, now: Time) -> bool {
        self.requests.are_due(now)
    }

    /// The request for the flavors that the task was admitted with, if they are to be read.
    pub fn read_flavors(&mut self, key: &TaskKey, uid: &str) -> Option<Action> {
        if !self.is_admitted() || self.placements.is_some() || self.reading.is_some() {
            return None;
        }
        let names = self.workload.as_ref().map(WorkloadSeen::flavors).unwrap_or_default();
        self.reading = Some(names.clone());
        Some(Action::ReadFlavors(ReadFlavors { key: key.clone(), uid: uid.to_owned(), names }))
    }

    /// Flavors were read.
    pub fn flavors_read(&mut self, now: Time, outcome: FlavorsOutcome) {
        let read = self.reading.take().unwrap_or_default();
        match (outcome, &self.workload) {
            // It may have been evicted since, and admitted with other flavors, which are yet to be read.
            (FlavorsOutcome::Found(flavors), Some(workload))
                if workload.is_admitted() && workload.flavors() == read =>
            {
                self.requests.solved();
                let of = |set| Arc::new(Placement::of(workload, set, &flavors));
                self.placements = Some([of(MAIN), of(REDUCE)]);
            }
            (FlavorsOutcome::Found(_), _) => {}
            (FlavorsOutcome::Failed(message), _) => self.requests.failed(now, message),
        }
    }

    /// Whether a request is on its way.
    pub fn is_asking(&self) -> bool {
        self.requests.are_on_their_way()
    }

    /// The next step towards what is wanted.
    pub fn next_step(&self, now: Time, wanted: &Wanted) -> Option<Step> {
        next_step(now, self.workload.as_ref(), wanted)
    }

    /// The request for a step; `create` is that for a Workload, if one can be made.
    pub fn change(
        &self,
        key: &TaskKey,
        uid: &str,
        step: Step,
        create: impl FnOnce() -> Option<WorkloadChange>,
    ) -> Option<WorkloadChange> {
        match step {
            // The cluster that it comes from deletes it, and makes it again.
            Step::Delete if self.prebuilt.is_some() => None,
            Step::Create if self.prebuilt.is_some() => Some(WorkloadChange::Adopt(adoption(key, uid))),
            Step::Delete | Step::Patch(_) => to_known(self.workload.as_ref()?, step),
            Step::Create => create(),
        }
    }

    /// The request is made.
    pub fn begin(&mut self, key: &TaskKey, uid: &str, change: WorkloadChange) -> Action {
        let name = self.prebuilt.clone().unwrap_or_else(|| name(key, uid));
        self.requests.begin(key, uid, name, self.workload.as_ref(), change)
    }

    /// A request was answered. What came of it the watch shows.
    pub fn answered(&mut self, now: Time, outcome: WorkloadOutcome) {
        self.requests.answered(now, outcome);
    }

    /// When a request may be due though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        self.requests.next_wake().filter(|_| self.queueing == Queueing::Known)
    }
}
