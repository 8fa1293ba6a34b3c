//! The life of the items of one accepted task: which wait, which are in flight, how they ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::{Attempts, ItemPhase, Phases};
use crate::core::pod::{Cost, Ending, PodSeen, Progress, progress};
use crate::core::task::accept::Job;
use crate::core::task::ledger::Ledger;
use crate::core::task::shelf::{Leftover, Shelf};
use crate::core::task::success::{Verdict, verdict};
use crate::core::task::waitlist::Waitlist;
use crate::core::task::{Pods, retry};

/// How long a create without an answer may still be carried out: the API server gives a request up after a minute.
pub const UNCLEAR_MILLIS: u64 = 75_000;

/// An item with a pod, or with one on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The attempt that it is.
    pub attempt: Attempt,
    /// A create request is on its way.
    pub creating: bool,
    /// The pod is known to exist, or to have existed.
    pub created: bool,
    /// The pod's UID, once the watch has shown it.
    pub pod_uid: Option<String>,
    /// The resync in which the pod was last known to exist.
    pub epoch: u32,
    /// How far its deletion has come.
    pub stop: Stop,
    /// Whether the pod exists must be asked for.
    pub doubt: Doubt,
}

impl Flight {
    /// Of which nothing is known yet.
    pub fn new(attempt: Attempt) -> Self {
        Self {
            attempt,
            creating: false,
            created: false,
            pod_uid: None,
            epoch: 0,
            stop: Stop::No(Time(i64::MIN)),
            doubt: Doubt::No,
        }
    }
}

/// How far the deletion of a pod in flight has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Not wanted, or not sent before the time.
    No(Time),
    /// The request is on its way or was taken.
    Asked,
}

/// Whether a pod exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Known as far as it can be.
    No,
    /// To be asked for, not before the time.
    Since(Time),
    /// Asked for.
    Asked,
}

/// The items of one accepted task.
#[derive(Debug)]
pub struct Run {
    /// What never changes.
    pub job: Arc<Job>,
    /// The phase of every item.
    pub phases: Phases,
    /// The tries of the items beyond their first.
    pub tries: Attempts,
    /// Items with a pod or with one on its way.
    pub flights: BTreeMap<Index, Flight>,
    /// Lines to be stored with the next status write.
    pub results: BTreeMap<Index, String>,
    /// The items that wait.
    pub waitlist: Waitlist,
    /// Until when a create without an answer may still be carried out.
    unclear: HashMap<Index, Time>,
    /// The same for creates of an operator before this one, of which nothing is known.
    all_unclear: Time,
    /// Items to be cancelled whose pod was looked for, since a create got no answer.
    sought: BTreeSet<Index>,
}

/// What goes with every step of a task's life.
pub struct Scene<'a> {
    /// The time.
    pub now: Time,
    /// For jitter.
    pub seed: u64,
    /// The status writes of the task.
    pub ledger: &'a mut Ledger,
    /// The finished pods of the task.
    pub shelf: &'a mut Shelf,
}

impl Run {
    /// A run in which nothing has started, as far as is known.
    pub fn new(job: Arc<Job>, all_unclear: Time) -> Self {
        let phases = Phases::new(job.count());
        Self::resume(job, phases, Attempts::default(), all_unclear)
    }

    /// A run from its recorded state; the pods that exist are yet to be shown to it. Creates of an earlier operator
    /// may be carried out until `all_unclear`.
    pub fn resume(job: Arc<Job>, phases: Phases, tries: Attempts, all_unclear: Time) -> Self {
        Self {
            job,
            phases,
            tries,
            flights: BTreeMap::new(),
            results: BTreeMap::new(),
            waitlist: Waitlist::default(),
            unclear: HashMap::new(),
            sought: BTreeSet::new(),
            all_unclear,
        }
    }

    /// Whether the counts decide the task.
    pub fn verdict(&self) -> Verdict {
        let counts = self.phases.counts();
        verdict(counts.succeeded + counts.cached, counts.failed, self.job.required, self.job.count())
    }

    /// Puts the item in flight; its create request goes out. Answers the attempt.
    pub fn launch(&mut self, index: Index, epoch: u32) -> Attempt {
        self.waitlist.take(index);
        let attempt = self.tries.get(index).attempt;
        let flight = Flight { creating: true, epoch, ..Flight::new(attempt) };
        self.flights.insert(index, flight);
        attempt
    }

    /// The pod of an item's attempt is there.
    pub fn created(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt, epoch: u32) {
        let Some(flight) = self.flights.get_mut(&index).filter(|f| f.attempt == attempt) else { return };
        flight.creating = false;
        flight.created = true;
        flight.epoch = epoch;
        self.set(scene, index, ItemPhase::Running);
    }

    /// No pod came of a create request; the item waits again, from `start` on.
    pub fn not_created(&mut self, index: Index, attempt: Attempt, start: Option<Time>) {
        let Some(flight) = self.flights.get_mut(&index).filter(|f| f.attempt == attempt && f.creating) else { return };
        flight.creating = false;
        if flight.created {
            return;
        }
        self.flights.remove(&index);
        match start {
            None => self.waitlist.ready(index),
            Some(time) => self.waitlist.hold(index, time),
        }
    }

    /// A create request got no answer: the pod may be there, or come.
    pub fn create_unclear(&mut self, now: Time, index: Index, attempt: Attempt, stopping: bool) {
        let Some(flight) = self.flights.get_mut(&index).filter(|f| f.attempt == attempt && f.creating) else { return };
        self.unclear.insert(index, now.plus_millis(UNCLEAR_MILLIS));
        if stopping {
            flight.creating = false;
            flight.doubt = Doubt::Since(now);
        } else {
            // Sent again under the same name, it finds the pod or makes it.
            self.not_created(index, attempt, None);
        }
    }

    /// The API server refused the pod for good.
    pub fn create_refused(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt, message: String) {
        match self.flights.get_mut(&index).filter(|f| f.attempt == attempt && f.creating) {
            Some(flight) if flight.created => flight.creating = false,
            Some(_) => {
                self.finish(scene, index, Ending::Refused { message }, false);
            }
            None => {}
        }
    }

    /// The watch, or an answer, shows a pod of this task. Answers how its attempt ended, if this tells.
    pub fn observe(
        &mut self,
        scene: &mut Scene<'_>,
        index: Index,
        attempt: Attempt,
        pod: &PodSeen,
        epoch: u32,
    ) -> Option<Ending> {
        let seen = progress(&pod.status, self.job.template.container());
        let current = self.tries.get(index).attempt;
        let phase = self.phases.get(index)?;
        if phase.is_terminal() || attempt < current {
            self.leave(scene, index, attempt, pod, &seen);
            return None;
        }
        if attempt > current {
            // Only a status that was set back can bring this about; the pod is the better witness.
            let mut tries = self.tries.get(index);
            tries.attempt = attempt;
            self.tries.set(index, tries);
        }
        if self.flights.get(&index).is_none_or(|f| f.attempt != attempt) {
            self.launch(index, epoch);
            if let Some(flight) = self.flights.get_mut(&index) {
                flight.creating = false;
            }
        }
        if let Some(flight) = self.flights.get_mut(&index) {
            flight.created = true;
            flight.pod_uid = Some(pod.uid.clone());
            flight.epoch = epoch;
            flight.doubt = Doubt::No;
        }
        self.set(scene, index, ItemPhase::Running);
        let Progress::Ended(ending) = seen else { return None };
        let ending = self.finish(scene, index, ending, true);
        self.shelve(scene, index, attempt, pod, !matches!(ending, Ending::Succeeded { .. }));
        Some(ending)
    }

    /// A pod in flight is gone. Answers how its attempt ended, if it was the item's current one.
    pub fn gone(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt, ending: Ending) -> Option<Ending> {
        self.flights.get(&index).filter(|f| f.attempt == attempt && f.created)?;
        Some(self.finish(scene, index, ending, false))
    }

    /// A pod that was asked for is not there.
    pub fn not_found(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt) -> Option<Ending> {
        let flight = self.flights.get_mut(&index).filter(|f| f.attempt == attempt)?;
        flight.doubt = Doubt::No;
        if flight.created {
            return Some(self.finish(scene, index, Ending::NodeLost, false));
        }
        if !flight.creating {
            self.flights.remove(&index);
            self.waitlist.ready(index);
        }
        None
    }

    /// Cancels every item that has not started. Where a create got no answer, the pod is looked for first.
    pub fn cancel_waiting(&mut self, scene: &mut Scene<'_>) {
        self.waitlist = Waitlist::default();
        let mut from = Index(0);
        while let Some(index) = self.phases.next_in(ItemPhase::Waiting, from) {
            let unclear = self.unclear.get(&index).is_some_and(|until| *until > scene.now);
            if unclear && self.sought.insert(index) {
                let flight = Flight { doubt: Doubt::Since(scene.now), ..Flight::new(self.tries.get(index).attempt) };
                self.flights.entry(index).or_insert(flight);
            } else if !self.flights.contains_key(&index) {
                self.set(scene, index, ItemPhase::Cancelled);
            }
            from = Index(index.0 + 1);
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

    /// Creates without an answer stay known when the task is loaded anew.
    pub fn keep_unclear(&mut self, old: &mut Self) {
        self.unclear = std::mem::take(&mut old.unclear);
        self.all_unclear = self.all_unclear.max(old.all_unclear);
    }

    /// The item's attempt has ended: it succeeds, gets another attempt or fails. Answers the ending as it counts.
    fn finish(&mut self, scene: &mut Scene<'_>, index: Index, ending: Ending, pod_remains: bool) -> Ending {
        let stopping = self.verdict() != Verdict::Open;
        self.flights.remove(&index);
        let ending = self.take_result(index, ending);
        let Some(cost) = ending.cost() else {
            self.set(scene, index, ItemPhase::Succeeded);
            return ending;
        };
        if stopping {
            self.set(scene, index, ItemPhase::Cancelled);
        } else {
            self.retry_or_fail(scene, index, cost, pod_remains);
        }
        ending
    }

    fn retry_or_fail(&mut self, scene: &mut Scene<'_>, index: Index, cost: Cost, pod_remains: bool) {
        let Some(tries) = retry::next_try(self.tries.get(index), cost, self.job.retries) else {
            self.set(scene, index, ItemPhase::Failed);
            return;
        };
        self.tries.set(index, tries);
        self.set(scene, index, ItemPhase::Waiting);
        // The next attempt starts only once this one's end is recorded: whoever reads the status can tell
        // which pods are of the past, and an operator that was overtaken fails at the write.
        let revision = scene.ledger.change();
        let mut time = retry::not_before(scene.now, scene.seed, index, tries);
        if !pod_remains {
            // Nothing stands in the way of a late create of the attempt that ended: its time must have passed.
            time = time.max(self.unclear_until(index));
        }
        self.waitlist.settle(index, revision, time);
    }

    fn take_result(&mut self, index: Index, ending: Ending) -> Ending {
        let (Ending::Succeeded { message: Some(message) }, Some(layout)) = (&ending, self.job.results) else {
            return ending;
        };
        match layout.line(message) {
            Ok(line) => {
                self.results.insert(index, line);
                ending
            }
            Err(size) => Ending::ResultTooLarge { size },
        }
    }

    /// A pod of an attempt that counts no more: kept if it has ended, else it goes.
    fn leave(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt, pod: &PodSeen, seen: &Progress) {
        match seen {
            Progress::Ended(ending) => {
                self.shelve(scene, index, attempt, pod, !matches!(ending, Ending::Succeeded { .. }));
            }
            Progress::Pending | Progress::Started => {
                let pod = self.leftover(index, attempt, pod, true);
                scene.shelf.condemn(Leftover { ended: false, not_before: scene.now, ..pod });
            }
        }
    }

    fn shelve(&mut self, scene: &mut Scene<'_>, index: Index, attempt: Attempt, pod: &PodSeen, failed: bool) {
        let leftover = self.leftover(index, attempt, pod, failed);
        scene.shelf.put(scene.ledger.revision(), leftover);
    }

    fn leftover(&self, index: Index, attempt: Attempt, pod: &PodSeen, failed: bool) -> Leftover {
        let not_before = self.unclear_until(index);
        Leftover { index, attempt, uid: pod.uid.clone(), ended: true, failed, not_before }
    }

    /// Of an earlier operator's retries: where the pod of the attempt before is gone, nothing stands in the way of a
    /// late create of it, whose time must have passed.
    pub fn hold_retries(&mut self, pods: &Pods) {
        for (index, tries) in self.tries.iter() {
            let waits = self.phases.get(index) == Some(ItemPhase::Waiting) && !self.flights.contains_key(&index);
            let remains = pods.contains_key(&(index, Attempt(tries.attempt.0 - 1)));
            if waits && !remains && !self.waitlist.holds(index) {
                self.waitlist.hold(index, self.all_unclear);
            }
        }
    }

    /// Until when a create for the item may still be carried out that nobody knows the answer of.
    fn unclear_until(&self, index: Index) -> Time {
        self.unclear.get(&index).copied().unwrap_or(self.all_unclear).max(self.all_unclear)
    }

    fn set(&mut self, scene: &mut Scene<'_>, index: Index, phase: ItemPhase) {
        if self.phases.get(index) != Some(phase) {
            self.phases.set(index, phase);
            scene.ledger.change();
        }
    }
}
