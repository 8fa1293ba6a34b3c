//! All tasks. The only part of the core that the outside talks to: `handle_*` for what happened,
//! [`Fleet::poll_plan`] for what is to be done, [`Fleet::next_wake`] for when to ask again.

mod handle;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::status::TaskPhase;
use crate::core::cache::claims::Claims;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::limits::Limits;
use crate::core::pods::Pods;
use crate::core::pods::shelf::Keeping;
use crate::core::port::TaskSeen;
use crate::core::queue::on_the_way::OnTheWay;
use crate::core::queue::{Denial, Line, Queue};
use crate::core::task::{Budget, Round, Task};

use crate::core::port::{Action, Delete, Plan};

/// Everything is looked at again this often, in milliseconds: heals what was missed.
const HEAL_MILLIS: u64 = 30_000;

/// All tasks and what they share.
#[derive(Debug)]
pub struct Fleet {
    limits: Limits,
    seed: u64,
    berths: BTreeMap<TaskKey, Berth>,
    queue: Queue,
    /// Items in flight, over all tasks.
    in_flight: usize,
    /// Finished pods that are to go later, over all tasks.
    lingering: usize,
    /// Tasks that have items in flight, as of the last round.
    busy: u32,
    /// The same for each namespace that has any.
    in_namespaces: BTreeMap<Arc<str>, usize>,
    /// Tasks to be polled in the next round.
    dirty: BTreeSet<TaskKey>,
    /// When each task is to be polled though nothing happened.
    wakes: BTreeSet<(Time, TaskKey)>,
    /// Both watches have shown all there is.
    tasks_synced: bool,
    pods_synced: bool,
    /// Counts the complete lists of pods.
    epoch: u32,
    deletes: OnTheWay,
    looks: OnTheWay,
    healed: Option<Time>,
    endings: BTreeMap<&'static str, u64>,
    claims: Claims,
    cached: u64,
}

/// The place of one task: its pods may be seen before itself.
#[derive(Debug, Default)]
struct Berth {
    task: Option<Task>,
    /// The task's object, until all pods have been listed.
    unloaded: Option<TaskSeen>,
    pods: Pods,
    /// Seen since the list of tasks, or of pods, began.
    task_marked: bool,
    pods_marked: BTreeSet<PodRole>,
    wake: Option<Time>,
    in_flight: usize,
    lingering: usize,
}

impl Berth {
    fn is_empty(&self) -> bool {
        self.task.is_none() && self.unloaded.is_none() && self.pods.is_empty()
    }
}

/// Numbers about the fleet, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Tasks by phase.
    pub tasks: BTreeMap<&'static str, u64>,
    /// Items in flight.
    pub in_flight: u64,
    /// Items that wait.
    pub waiting: u64,
    /// Namespaces whose quota is used up.
    pub held_namespaces: u64,
    /// Tasks that are probed with one pod at a time, since their creates fail.
    pub held_tasks: u64,
    /// Creates that may be on their way, and that are.
    pub window: (u32, u32),
    /// Items found in a cache, since the start.
    pub cached: u64,
    /// Attempts ended, by category, since the start.
    pub endings: BTreeMap<&'static str, u64>,
}

impl Fleet {
    /// An empty fleet. The seed spreads retries.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            seed,
            berths: BTreeMap::new(),
            queue: Queue::new(&limits),
            in_flight: 0,
            lingering: 0,
            busy: 0,
            in_namespaces: BTreeMap::new(),
            dirty: BTreeSet::new(),
            wakes: BTreeSet::new(),
            tasks_synced: false,
            pods_synced: false,
            epoch: 0,
            deletes: OnTheWay::new(limits.deletes_in_flight),
            looks: OnTheWay::new(limits.looks_in_flight),
            healed: None,
            endings: BTreeMap::new(),
            claims: Claims::default(),
            cached: 0,
        }
    }

    /// Whether both watches have shown all there is, without which nothing is planned.
    pub fn is_synced(&self) -> bool {
        self.tasks_synced && self.pods_synced
    }

    /// The task, if it is known.
    pub fn task(&self, key: &TaskKey) -> Option<&Task> {
        self.berths.get(key)?.task.as_ref()
    }

    /// What is to be done now. Every action but [`Action::Tell`] is to be answered.
    pub fn poll_plan(&mut self, now: Time) -> Plan {
        let mut plan = Plan::default();
        if !self.is_synced() {
            return plan;
        }
        if self.healed.is_none_or(|last| now.millis_since(last) >= HEAL_MILLIS) {
            self.healed = Some(now);
            self.dirty.extend(self.berths.keys().cloned());
            for berth in self.berths.values_mut() {
                if let Some(task) = &mut berth.task {
                    task.doubt_unseen(now, &berth.pods);
                }
            }
        }
        while let Some((time, key)) = self.wakes.first().filter(|(time, _)| *time <= now).cloned() {
            self.wakes.remove(&(time, key.clone()));
            if let Some(berth) = self.berths.get_mut(&key) {
                berth.wake = None;
            }
            self.dirty.insert(key);
        }
        self.queue.advance(now);
        self.deletes.advance(now);
        self.looks.advance(now);
        let mut touched = std::mem::take(&mut self.dirty);
        self.poll_tasks(now, &touched, &mut plan);
        for key in &touched {
            self.settle(now, key);
        }
        self.launch(now, &mut touched, &mut plan);
        for key in &touched {
            if let Some(task) = self.berths.get_mut(key).and_then(|berth| berth.task.as_mut()) {
                task.poll_write(now, self.busy, &mut plan.actions);
            }
            self.settle(now, key);
        }
        plan
    }

    /// When [`Self::poll_plan`] has something to do though nothing happens until then.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        if !self.is_synced() {
            return None;
        }
        if !self.dirty.is_empty() {
            return Some(now);
        }
        let heal = self.healed.map_or(now, |last| last.plus_millis(HEAL_MILLIS));
        let task = self.wakes.first().map(|(time, _)| *time);
        [Some(heal), task, self.queue.next_wake(now)].into_iter().flatten().min()
    }

    /// Numbers about the fleet.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges {
            in_flight: self.in_flight as u64,
            held_namespaces: self.queue.held() as u64,
            held_tasks: self.queue.failing() as u64,
            window: self.queue.window.size_and_use(),
            cached: self.cached,
            endings: self.endings.clone(),
            ..Gauges::default()
        };
        for task in self.berths.values().filter_map(|berth| berth.task.as_ref()) {
            *gauges.tasks.entry(phase_name(task.phase())).or_default() += 1;
            gauges.waiting += task.active().map_or(0, |run| u64::from(run.phases.counts().waiting));
        }
        gauges
    }

    fn round(&self, now: Time) -> Round {
        let Limits { kept_pods: count, linger_millis, lingering_pods, attempted_writes, .. } = self.limits;
        let excess = self.lingering.saturating_sub(lingering_pods);
        let keeping = Keeping { count, linger_millis, excess };
        Round { now, epoch: self.epoch, keeping, attempted_writes, restart: false }
    }

    fn poll_tasks(&mut self, now: Time, keys: &BTreeSet<TaskKey>, plan: &mut Plan) {
        let mut round = self.round(now);
        for key in keys {
            if let Some(task) = self.berths.get_mut(key).and_then(|berth| berth.task.as_mut()) {
                let full = self.queue.counts_finished(&key.namespace);
                let keeping = if full { Keeping { excess: usize::MAX, ..Keeping::default() } } else { round.keeping };
                let mut budget = Budget {
                    deletes: self.deletes.room(key, self.limits.deletes_in_flight, true),
                    looks: self.looks.room(key, self.limits.looks_in_flight, true),
                };
                let (before, planned) = (task.lingering(), plan.actions.len());
                task.poll(&Round { keeping, ..round }, &mut budget, &mut plan.actions);
                let gone = before.saturating_sub(task.lingering());
                round.keeping.excess = round.keeping.excess.saturating_sub(gone);
                for action in &plan.actions[planned..] {
                    match action {
                        Action::Delete(Delete { id, .. }) => self.deletes.begin(now, key, id.role),
                        Action::Look(id, _) => self.looks.begin(now, key, id.role),
                        _ => {}
                    }
                }
            }
        }
    }

    /// Starts items, one task after the other in the order of the line, as far as the limits allow.
    fn launch(&mut self, now: Time, touched: &mut BTreeSet<TaskKey>, plan: &mut Plan) {
        let round = self.round(now);
        let mut line = Line::default();
        self.busy = 0;
        for (key, berth) in &mut self.berths {
            self.busy += u32::from(berth.in_flight > 0);
            let Some(task) = &mut berth.task else { continue };
            if task.peek_startable().is_some() {
                line.push(task.priority(), task.in_flight(), key.clone());
            }
        }
        let mut denied: BTreeMap<TaskKey, Denial> = BTreeMap::new();
        while let Some(key) = line.pop() {
            let Some(berth) = self.berths.get_mut(&key) else { continue };
            let Some(task) = &mut berth.task else { continue };
            let next = task.peek_startable();
            let slots = next.map_or(1, |index| task.slots_to_start(index));
            let here = self.in_namespaces.get(&key.namespace).copied().unwrap_or(0);
            let after = (self.in_flight + slots, here + slots);
            if let Some(denial) = self.queue.denies(now, &key, after) {
                if denial == Denial::Busy {
                    self.queue.window.is_limit();
                }
                denied.insert(key, denial);
                continue;
            }
            let Some(index) = next else { continue };
            if let Err((other, at)) = task.claim(&mut self.claims, &key, index) {
                task.park(index, format!("item {at} of MapTask {} computes the same", other.name));
                line.push(task.priority(), task.in_flight(), key);
                continue;
            }
            let Some(create) = task.launch(&round, index) else { continue };
            let id = create.id();
            self.queue.begin(now, (&key, id.role));
            plan.actions.push(Action::Create(create));
            self.in_flight = after.0;
            self.in_namespaces.insert(key.namespace.clone(), after.1);
            berth.in_flight += slots;
            line.push(task.priority(), task.in_flight(), key.clone());
            touched.insert(key);
        }
        for (key, berth) in &mut self.berths {
            let Some(task) = berth.task.as_mut() else { continue };
            if task.note_waiting(now, denied.remove(key)) {
                touched.insert(key.clone());
            }
        }
    }

    /// Brings the sums and wake-ups in line with the task, and drops what is empty.
    fn settle(&mut self, now: Time, key: &TaskKey) {
        let Some(berth) = self.berths.get_mut(key) else { return };
        let in_flight = berth.task.as_ref().map_or(0, Task::in_flight);
        self.in_flight = (self.in_flight + in_flight).saturating_sub(berth.in_flight);
        if in_flight != berth.in_flight {
            let here = self.in_namespaces.entry(key.namespace.clone()).or_default();
            *here = (*here + in_flight).saturating_sub(berth.in_flight);
            if *here == 0 {
                self.in_namespaces.remove(&key.namespace);
            }
        }
        berth.in_flight = in_flight;
        let lingering = berth.task.as_ref().map_or(0, Task::lingering);
        self.lingering = (self.lingering + lingering).saturating_sub(berth.lingering);
        berth.lingering = lingering;
        // A wake-up that could not be acted on comes again, but does not spin.
        let wake = berth.task.as_ref().and_then(Task::next_wake).map(|time| time.max(now.plus_millis(20)));
        if wake != berth.wake {
            if let Some(old) = berth.wake {
                self.wakes.remove(&(old, key.clone()));
            }
            self.wakes.extend(wake.map(|time| (time, key.clone())));
            berth.wake = wake;
        }
        if let Some(task) = &berth.task {
            task.claim_flights(&mut self.claims, key);
        }
        let task = berth.task.as_ref();
        let freed = self.claims.release(key, |index| !task.is_some_and(|task| task.needs_claim(index)));
        if berth.is_empty() {
            self.berths.remove(key);
        }
        for (waiting, index) in freed {
            if let Some(task) = self.berths.get_mut(&waiting).and_then(|berth| berth.task.as_mut()) {
                task.unpark(index);
                self.dirty.insert(waiting);
            }
        }
    }
}

fn phase_name(phase: TaskPhase) -> &'static str {
    match phase {
        TaskPhase::Pending => "Pending",
        TaskPhase::Running => "Running",
        TaskPhase::Suspended => "Suspended",
        TaskPhase::Reducing => "Reducing",
        TaskPhase::Succeeded => "Succeeded",
        TaskPhase::Failed => "Failed",
    }
}

#[cfg(test)]
mod tests;
