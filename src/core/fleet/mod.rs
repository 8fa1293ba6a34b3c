//! All tasks. The only part of the core that the outside talks to: `handle_*` for what happened,
//! [`Fleet::poll_plan`] for what is to be done, [`Fleet::next_wake`] for when to ask again.

mod dependencies;
mod fair_share;
mod gauges;
mod handle;
mod left_out;
mod listing;
mod settle;
mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::admission::RemoteTask;
use crate::core::cache::claims::Claims;
use crate::core::exchange_address::ExchangeAddress;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::limits::Limits;
use crate::core::pods::Pods;
use crate::core::pods::retention::Keeping;
use crate::core::port::TaskSeen;
use crate::core::queue::on_the_way::OnTheWay;
use crate::core::queue::{Denial, Line, Queue};
use crate::core::run::Startable;
use crate::core::task::{PollContext, Task};
use crate::core::workload::{Queueing, WorkloadSeen};

pub use self::gauges::Gauges;
use crate::core::limits::ListMemory;
use crate::core::port::{Action, Budget, Delete, Plan, Reply};
use dependencies::Dependents;

/// Everything is looked at again this often, in milliseconds: heals what was missed.
const HEAL_MILLIS: u64 = 30_000;
/// The time until a wake-up that could not be acted on comes again, in milliseconds.
const AGAIN_MILLIS: u64 = 20;

/// All tasks and what they share.
#[derive(Debug)]
pub struct Fleet {
    limits: Limits,
    seed: u64,
    entries: BTreeMap<TaskKey, TaskEntry>,
    queue: Queue,
    /// Items in flight, over all tasks.
    in_flight: usize,
    /// Finished pods that are to go later, over all tasks.
    lingering: usize,
    /// Tasks that have items in flight, as of the last round.
    busy: u32,
    /// Tasks that have items in flight, for each namespace that has any.
    in_namespaces: BTreeMap<Arc<str>, usize>,
    /// What lists take in memory, over all tasks.
    list_bytes: u64,
    /// Namespaces that may not be read for now.
    left_out: BTreeSet<Arc<str>>,
    /// Tasks to be polled in the next round.
    dirty: BTreeSet<TaskKey>,
    /// When each task is to be polled though nothing happened.
    wakes: BTreeSet<(Time, TaskKey)>,
    /// Both watches have shown all there is.
    tasks_synced: bool,
    pods_synced: bool,
    /// A list of pods has begun, and is not complete.
    lists_pods: bool,
    /// Counts the complete lists of pods.
    epoch: u32,
    deletes: OnTheWay,
    gets: OnTheWay,
    healed: Option<Time>,
    outcomes: BTreeMap<&'static str, u64>,
    claims: Claims,
    cached: u64,
    dependents: Dependents,
    /// To workers and pods of lists, with the next plan.
    replies: Vec<Reply>,
    /// Where workers reach this operator.
    exchange: Option<ExchangeAddress>,
    /// Whether tasks with a queue wait for Kueue.
    queueing: Queueing,
}

/// The place of one task: its pods may be seen before itself.
#[derive(Debug, Default)]
struct TaskEntry {
    task: Option<Task>,
    /// The task's object, until all pods have been listed.
    unloaded: Option<TaskSeen>,
    /// The task, if another cluster runs it. Then there is no other.
    remote: Option<RemoteTask>,
    pods: Pods,
    /// Seen since the list of tasks began.
    task_marked: bool,
    /// Seen in the list of pods that is not complete yet.
    pods_marked: BTreeSet<PodRole>,
    /// Workloads of its name, by the UID of their task.
    workloads: BTreeMap<String, WorkloadSeen>,
    workloads_marked: BTreeSet<String>,
    wake: Option<Time>,
    in_flight: usize,
    lingering: usize,
    list_bytes: u64,
}

impl TaskEntry {
    fn is_empty(&self) -> bool {
        let is_unknown = self.task.is_none() && self.unloaded.is_none() && self.remote.is_none();
        is_unknown && self.pods.is_empty() && self.workloads.is_empty()
    }
}

impl Fleet {
    /// An empty fleet. The seed spreads retries.
    pub fn new(limits: Limits, seed: u64) -> Self {
        Self {
            limits,
            seed,
            entries: BTreeMap::new(),
            queue: Queue::new(&limits),
            in_flight: 0,
            lingering: 0,
            busy: 0,
            in_namespaces: BTreeMap::new(),
            list_bytes: 0,
            left_out: BTreeSet::new(),
            dirty: BTreeSet::new(),
            wakes: BTreeSet::new(),
            tasks_synced: false,
            pods_synced: false,
            lists_pods: true,
            epoch: 0,
            deletes: OnTheWay::new(limits.deletes_in_flight),
            gets: OnTheWay::new(limits.gets_in_flight),
            healed: None,
            outcomes: BTreeMap::new(),
            claims: Claims::default(),
            cached: 0,
            dependents: Dependents::default(),
            replies: Vec::new(),
            exchange: None,
            queueing: Queueing::Off,
        }
    }

    /// Where workers reach this operator from now on; `None`: no pod can become a worker.
    pub fn set_exchange(&mut self, exchange: Option<ExchangeAddress>) {
        self.exchange = exchange;
    }

    /// Where workers reach this operator.
    pub fn exchange(&self) -> Option<&ExchangeAddress> {
        self.exchange.as_ref()
    }

    /// Whether both watches have shown all there is, without which nothing is planned.
    pub fn is_synced(&self) -> bool {
        self.tasks_synced && self.pods_synced
    }

    /// The task, if it is known.
    pub fn task(&self, key: &TaskKey) -> Option<&Task> {
        self.entries.get(key)?.task.as_ref()
    }

    /// What is to be done now. Every action but [`Action::EmitEvent`] is to be answered.
    pub fn poll_plan(&mut self, now: Time) -> Plan {
        let mut plan = Plan { replies: std::mem::take(&mut self.replies), ..Plan::default() };
        if !self.is_synced() {
            return plan;
        }
        if self.healed.is_none_or(|last| now.millis_since(last) >= HEAL_MILLIS) {
            self.healed = Some(now);
            self.dirty.extend(self.entries.keys().cloned());
            for entry in self.entries.values_mut() {
                if let Some(task) = &mut entry.task {
                    task.suspect_unseen(now, &entry.pods);
                }
            }
        }
        while let Some((time, key)) = self.wakes.first().filter(|(time, _)| *time <= now).cloned() {
            self.wakes.remove(&(time, key.clone()));
            if let Some(entry) = self.entries.get_mut(&key) {
                entry.wake = None;
            }
            self.dirty.insert(key);
        }
        self.queue.advance(now);
        self.deletes.advance(now);
        self.gets.advance(now);
        let mut touched = std::mem::take(&mut self.dirty);
        for key in &touched {
            self.note_unknown_claims(key);
        }
        self.poll_tasks(now, &touched, &mut plan);
        for key in &touched {
            self.sum_up(key);
        }
        self.launch(now, &mut touched, &mut plan);
        for key in &touched {
            if let Some(task) = self.entries.get_mut(key).and_then(|entry| entry.task.as_mut()) {
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
        if !self.dirty.is_empty() || !self.replies.is_empty() {
            return Some(now);
        }
        let heal = self.healed.map_or(now, |last| last.plus_millis(HEAL_MILLIS));
        let task = self.wakes.first().map(|(time, _)| *time);
        [Some(heal), task, self.queue.next_wake(now)].into_iter().flatten().min()
    }

    fn poll_context(&self, now: Time) -> PollContext {
        let Limits {
            finished_pods: count,
            max_finished_pods: most,
            linger_millis,
            lingering_pods,
            attempted_writes,
            ..
        } = self.limits;
        let excess = self.lingering.saturating_sub(lingering_pods);
        let keeping = Keeping { count, most: most.max(count), linger_millis, excess };
        PollContext {
            now,
            epoch: self.epoch,
            keeping,
            attempted_writes,
            restart: false,
            takes_workers: self.exchange.is_some(),
            queueing: self.queueing,
            max_pods: self.limits.max_pods,
            lists: self.list_memory(),
        }
    }

    /// What lists take, and may.
    fn list_memory(&self) -> ListMemory {
        ListMemory { taken: self.list_bytes, most: self.limits.list_bytes }
    }

    fn poll_tasks(&mut self, now: Time, keys: &BTreeSet<TaskKey>, plan: &mut Plan) {
        let mut poll = self.poll_context(now);
        for key in keys {
            let entry = self.entries.get_mut(key);
            if let Some(TaskEntry { remote: Some(remote), workloads, .. }) = entry {
                let workload = workloads.get(remote.uid());
                remote.poll(now, self.queueing, self.limits.max_pods, workload, &mut plan.actions);
            } else if let Some(TaskEntry { task: Some(task), workloads, .. }) = entry {
                task.see_workload(workloads.get(task.uid()));
                let full = self.queue.counts_finished(&key.namespace);
                let keeping = if full { Keeping { excess: usize::MAX, ..Keeping::default() } } else { poll.keeping };
                let mut budget = Budget {
                    deletes: self.deletes.room_or_trial(key, self.limits.deletes_in_flight),
                    gets: self.gets.room_or_trial(key, self.limits.gets_in_flight),
                };
                let (before, planned) = (task.lingering(), plan.actions.len());
                task.poll(&PollContext { keeping, ..poll }, &mut self.claims, &mut budget, &mut plan.actions);
                plan.replies.extend(task.take_replies());
                let gone = before.saturating_sub(task.lingering());
                poll.keeping.excess = poll.keeping.excess.saturating_sub(gone);
                for action in &plan.actions[planned..] {
                    match action {
                        Action::Delete(Delete { id, .. }) => self.deletes.begin(now, key, id.role),
                        Action::GetPod(id, _) => self.gets.begin(now, key, id.role),
                        _ => {}
                    }
                }
            }
        }
    }

    /// The tasks that have an item to start. Counts those that have items in flight.
    fn line_up(&mut self, now: Time) -> Line {
        let mut line = Line::default();
        self.busy = 0;
        for (key, entry) in &mut self.entries {
            self.busy += u32::from(entry.in_flight > 0);
            let Some(task) = &mut entry.task else { continue };
            if task.peek_startable().is_some() {
                line.push(task.priority(), task.place_in_line(now), key.clone());
            }
        }
        line
    }

    /// Starts items, one task after the other in the order of the line, as far as the limits allow.
    fn launch(&mut self, now: Time, touched: &mut BTreeSet<TaskKey>, plan: &mut Plan) {
        let poll = self.poll_context(now);
        let mut line = self.line_up(now);
        let mut denied: BTreeMap<TaskKey, Denial> = BTreeMap::new();
        while let Some(key) = line.pop() {
            let Some(entry) = self.entries.get_mut(&key) else { continue };
            let Some(task) = &mut entry.task else { continue };
            let next = task.peek_startable();
            let slots = next.map_or(1, |next| task.slots_to_start(next));
            let here = self.in_namespaces.get(&key.namespace).copied().unwrap_or(0);
            let after = (self.in_flight + slots, here + slots);
            let denial = task.denied_by_claims(&self.claims, next).or_else(|| self.queue.denies(now, &key, after));
            if let Some(denial) = denial {
                if denial == Denial::Busy {
                    self.queue.window.note_limited();
                }
                denied.insert(key, denial);
                continue;
            }
            let Some(next) = next else { continue };
            if let Startable::Item(index) = next
                && task.is_kept_waiting(now, &mut self.claims, index)
            {
                line.push(task.priority(), task.place_in_line(now), key);
                continue;
            }
            let Some(create) = task.launch(&poll, next) else { continue };
            let id = create.id();
            self.queue.begin(now, (&key, id.role));
            plan.actions.push(Action::Create(create));
            self.in_flight = after.0;
            self.in_namespaces.insert(key.namespace.clone(), after.1);
            entry.in_flight += slots;
            line.push(task.priority(), task.place_in_line(now), key.clone());
            touched.insert(key);
        }
        self.share_pods(now, &denied);
        self.note_waiting(now, denied, touched);
    }

    /// Tells every task why nothing more of it starts.
    fn note_waiting(&mut self, now: Time, mut denied: BTreeMap<TaskKey, Denial>, touched: &mut BTreeSet<TaskKey>) {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.url.as_str());
        for (key, entry) in &mut self.entries {
            let Some(task) = entry.task.as_mut() else { continue };
            if task.note_waiting(now, denied.remove(key), exchange) {
                touched.insert(key.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests;
