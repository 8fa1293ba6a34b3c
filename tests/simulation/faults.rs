//! What goes wrong: how often, in this world, and how.

use crate::names::pod_key;
use maptask::api::spec::Rerun;
use maptask::core::ids::{TaskKey, Time};
use maptask::core::port::{Create, Event};

use crate::operator::Operator;
use crate::random::Random;
use crate::specs::{self, evicted};
use crate::world::{Fate, Life, World};

/// Chances in percent.
pub struct Faults {
    pub item_fails: u64,
    pub no_answer: u64,
    pub throttled: u64,
    pub refused: u64,
    /// Requests at which the API server fails, though it is well.
    pub broken: u64,
    pub conflict: u64,
    pub crash: u64,
    pub watch_drop: u64,
    pub pod_lost: u64,
    pub meddling: u64,
    /// That the room for ConfigMaps is used up, or there again.
    pub unstorable: u64,
    pub no_room: bool,
    /// That somebody removes a pod's label.
    pub unlabelling: u64,
    /// That somebody changes results.
    pub tampering: u64,
    /// Pods with scheduling gates, and of those that are lost, those that their queue takes back.
    pub gated: u64,
    /// Creates that come to pass although the client has given up.
    pub late: Vec<(Time, Create)>,
}

impl Faults {
    pub fn none() -> Self {
        Self {
            item_fails: 0,
            no_answer: 0,
            throttled: 0,
            refused: 0,
            broken: 0,
            conflict: 0,
            crash: 0,
            watch_drop: 0,
            pod_lost: 0,
            meddling: 0,
            unstorable: 0,
            no_room: false,
            tampering: 0,
            unlabelling: 0,
            gated: 0,
            late: Vec::new(),
        }
    }

    pub fn new(random: &mut Random, whims: &mut Random) -> Self {
        let mut some = |most: u64| if random.chance(50) { random.next() % most } else { 0 };
        Self {
            item_fails: some(60),
            no_answer: some(40),
            throttled: some(30),
            refused: some(10),
            broken: some(40),
            conflict: some(30),
            crash: some(30),
            watch_drop: some(30),
            pod_lost: some(40),
            meddling: some(40),
            unstorable: some(30),
            no_room: false,
            tampering: some(20),
            unlabelling: some(30),
            gated: if whims.chance(30) { whims.next() % 60 } else { 0 },
            late: Vec::new(),
        }
    }

    pub fn fate(&self, random: &mut Random) -> Fate {
        if !random.chance(self.item_fails) {
            return Fate::Succeed;
        }
        match random.below(20) {
            0..3 => Fate::OutOfMemory,
            3 => Fate::SideOutOfMemory,
            4..6 => Fate::Stuck,
            6..8 => Fate::Fail(specs::FAIL_ITEM),
            8..10 => Fate::Fail(specs::IGNORED),
            10 => Fate::Fail(specs::FAIL_TASK),
            _ => Fate::Fail(3),
        }
    }
}

impl World {
    /// One thing goes wrong, or a user interferes.
    pub fn misfortune(&mut self) {
        if self.random.chance(self.faults.crash) && self.random.chance(30) {
            self.crash();
        }
        if self.random.chance(self.faults.watch_drop) {
            self.relist();
        }
        if self.random.chance(self.faults.pod_lost) {
            self.lose_pod();
        }
        if self.random.chance(self.faults.conflict) {
            let suspend = self.random.chance(30);
            if let Some(key) = self.pick_task() {
                self.edit(&key, |spec| spec.suspend = suspend);
            }
        }
        if self.random.chance(self.faults.unstorable) {
            self.faults.no_room = self.random.chance(40);
        }
        if self.random.chance(self.faults.unlabelling) {
            self.lose_label();
        }
        if self.random.chance(self.faults.tampering) && self.random.chance(20) {
            self.tamper();
        }
        if self.random.chance(self.faults.meddling) {
            self.meddle();
        }
    }

    fn pick_task(&mut self) -> Option<TaskKey> {
        let keys: Vec<_> = self.tasks.keys().cloned().collect();
        (!keys.is_empty()).then(|| keys[self.random.below(keys.len())].clone())
    }

    /// A user changes what may be changed.
    fn meddle(&mut self) {
        let Some(key) = self.pick_task() else { return };
        let ended = self.tasks[&key].status.phase.is_some_and(maptask::api::TaskPhase::is_terminal);
        let version = self.next_version();
        if self.whims.chance(2) {
            self.edit(&key, |spec| spec.cancel = true);
        }
        match self.random.below(20) {
            0..8 if ended || self.random.chance(5) => {
                let items =
                    ["Failed", "Cancelled", "Failed,Cancelled", "All", "0-2", "1", "Reduce"][self.random.below(7)];
                let may_list = self.inputs.as_deref() != Some(specs::OTHER_INPUTS);
                let items = if may_list && self.whims.chance(20) { "List" } else { items };
                self.lists_again |= items == "List";
                let rerun = Rerun { id: version.to_string(), items: items.to_owned() };
                // Who asks for one takes a cancellation back, as the schema wants it; but for some with an older
                // schema.
                let stays = self.whims.chance(30);
                self.edit(&key, |spec| {
                    spec.rerun = Some(rerun);
                    spec.cancel &= stays;
                });
            }
            8..12 => {
                let concurrency = Some(1 + self.random.below(5) as i32);
                self.edit(&key, |spec| spec.concurrency = concurrency);
            }
            12 => self.inputs = None,
            // Which text a task has its items from is known once it is accepted, and the other one never comes back.
            // The operator may read the list again for a rerun that was replaced by another one since.
            13 if !self.lists_again && self.tasks.values().all(knows_its_list) => {
                self.inputs = Some(specs::OTHER_INPUTS.to_owned());
            }
            14..16 => self.inputs = Some(specs::INPUTS.to_owned()),
            16 => {
                let change = if self.whims.chance(50) { specs::move_templates } else { specs::turn_templates };
                let task = &self.tasks[&key];
                if task.status.template_hash.is_none() {
                    self.truth.turned_early.insert(task.uid.clone());
                }
                self.edit(&key, change);
            }
            // Deleted in the background: the task goes first.
            17 if self.random.chance(30) => {
                self.remove_task(&key);
                if self.random.chance(50) {
                    let number = key.name.trim_start_matches('t').parse().unwrap();
                    self.add_task(number);
                }
            }
            // Or in the foreground: its pods go first.
            18 if self.random.chance(30) => {
                let Some(task) = self.tasks.get_mut(&key) else { return };
                task.deleting = true;
                task.resource_version = version;
                let task = task.clone();
                self.say(|| format!("{key} is being deleted"));
                self.operator.task_events.push_back(Event::Task(Box::new(task)));
            }
            19 => {
                self.caches.lose(&mut self.random);
                // What a look-up finds that has begun is not known any more.
                self.operator.known.forget_cached();
            }
            _ => {}
        }
    }

    /// What is due has happened: creates come late, and the watch has shown what is older than its lag.
    pub fn time_passed(&mut self) {
        let now = self.now;
        let (due, rest) = std::mem::take(&mut self.faults.late).into_iter().partition(|(time, _)| *time <= now);
        self.faults.late = rest;
        let due: Vec<(Time, Create)> = due;
        for (_, create) in due {
            self.say(|| format!("late: create {}", create.id()));
            let id = create.id();
            let key = pod_key(&id);
            let was_there = self.pods.contains_key(&key);
            self.create_pod(&create);
            if let Some(pod) = self.pods.get_mut(&key).filter(|_| !was_there) {
                pod.late = true;
            }
        }
        self.catch_up();
    }

    /// The operator dies and another takes its place.
    fn crash(&mut self) {
        self.say(|| "crash".to_owned());
        let requests = std::mem::take(&mut self.operator.requests);
        for action in requests {
            // What was on its way may still arrive.
            if self.random.chance(50) {
                let _ = self.carry_out(action);
            }
        }
        self.give_back_unknown_labels();
        self.operator = Operator::new(&mut self.random);
        self.start_operator();
    }

    /// A pod is evicted, or vanishes with its node or by a person's hand.
    fn lose_pod(&mut self) {
        let Some(key) = self.pick_pod(|pod| pod.life != Life::Ended) else { return };
        if self.pods[&key].life == Life::Outlived {
            return self.lose_outlived_pod(&key);
        }
        if self.is_taken_back(&key) {
            return;
        }
        let started = self.pods[&key].life == Life::Running;
        let is_evicted = self.random.chance(50);
        self.truth.pod_lost(self.now, &self.pods[&key], &key, started && is_evicted, &self.tasks);
        if is_evicted {
            self.change_pod(&key, Life::Ended, evicted(started));
        } else {
            self.say(|| format!("{} vanishes", self.pods[&key].seen.name));
            self.remove_pod(&key);
        }
    }
}

/// Whether the task is accepted with its list.
fn knows_its_list(task: &maptask::core::port::TaskSeen) -> bool {
    task.spec.items.config_map.is_none() || task.status.phases.is_some()
}
