//! What goes wrong: how often, in this world, and how.

use maptask::core::fleet::plan::Create;
use maptask::core::ids::Time;

use crate::operator::Operator;
use crate::random::Random;
use crate::world::{Fate, Life, World, evicted};

/// Chances in percent.
pub struct Faults {
    pub item_fails: u64,
    pub no_answer: u64,
    pub throttled: u64,
    pub refused: u64,
    pub conflict: u64,
    pub crash: u64,
    pub watch_drop: u64,
    pub pod_lost: u64,
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
            conflict: 0,
            crash: 0,
            watch_drop: 0,
            pod_lost: 0,
            late: Vec::new(),
        }
    }

    pub fn new(random: &mut Random) -> Self {
        let mut some = |most: u64| if random.chance(50) { random.next() % most } else { 0 };
        Self {
            item_fails: some(60),
            no_answer: some(40),
            throttled: some(30),
            refused: some(10),
            conflict: some(30),
            crash: some(30),
            watch_drop: some(30),
            pod_lost: some(40),
            late: Vec::new(),
        }
    }

    pub fn fate(&self, random: &mut Random) -> Fate {
        match random.chance(self.item_fails) {
            false => Fate::Succeed,
            true if random.chance(20) => Fate::OutOfMemory,
            true => Fate::Fail,
        }
    }
}

impl World {
    /// One thing goes wrong, or a user interferes.
    pub fn misfortune(&mut self) {
        self.late_creates();
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
            let keys: Vec<_> = self.tasks.keys().cloned().collect();
            let key = keys[self.random.below(keys.len())].clone();
            let suspend = self.random.chance(30);
            self.edit(&key, |spec| spec.suspend = suspend);
        }
    }

    fn late_creates(&mut self) {
        let now = self.now;
        let (due, rest) = std::mem::take(&mut self.faults.late).into_iter().partition(|(time, _)| *time <= now);
        self.faults.late = rest;
        let due: Vec<(Time, Create)> = due;
        for (_, create) in due {
            self.say(|| format!("late: create {}", create.id()));
            self.create_pod(&create);
        }
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
        self.operator = Operator::new(&mut self.random);
        self.start_operator();
    }

    /// A pod is evicted, or vanishes with its node or by a person's hand.
    fn lose_pod(&mut self) {
        let Some(key) = self.pick_pod(|pod| pod.life != Life::Ended) else { return };
        let started = self.pods[&key].life == Life::Running;
        self.truth.pod_lost(&key, started);
        if self.random.chance(50) {
            self.change_pod(&key, Life::Ended, evicted(started));
        } else {
            self.say(|| format!("{} vanishes", self.pods[&key].seen.name));
            self.remove_pod(&key);
        }
    }
}
