//! The cluster: tasks, pods and results as the API server has them, and pods that live their lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use maptask::api::spec::MapTaskSpec;
use maptask::api::status::MapTaskStatus;
use maptask::core::ids::{TaskKey, Time};
use maptask::core::pod::PodSeen;
use maptask::core::pod::seen::PodStatus;
use maptask::core::port::{Action, Event, TaskSeen};
use maptask::core::task::Task;

use crate::cache::Caches;
use crate::check::Results;
use crate::faults::Faults;
use crate::kueue::Kueue;
use crate::names::PodKey;
use crate::operator::Operator;
use crate::random::Random;
use crate::specs::{self, ended, running, stuck};
use crate::store::Turns;
use crate::truth::Truth;

/// Steps after which the faults end, and after which the tasks must have ended.
const FAULTY_STEPS: usize = 1_500;
const MAX_STEPS: usize = 60_000;
/// Steps after which a task may come that asks for what another one has asked for, and its number.
const REPEATED_STEPS: usize = 1_000;
const AGAIN: usize = 9;

#[derive(Clone)]
pub struct Pod {
    pub seen: PodSeen,
    /// How it will end once it runs.
    pub fate: Fate,
    pub life: Life,
    /// A create that nobody waited for any more has made it: it may be of the past, and is deleted on sight.
    pub late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Succeed,
    /// With this exit code; what follows is for the task's rules to say.
    Fail(i32),
    OutOfMemory,
    /// Another container than the item's, which need not be in the template, is out of memory.
    SideOutOfMemory,
    /// Its image never comes.
    Stuck,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Pending,
    Running,
    /// The item's container has ended, and with it the attempt; another one runs on.
    Outlived,
    Ended,
}

impl Life {
    /// Whether the attempt has yet to end.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Running)
    }
}

pub struct World {
    pub random: Random,
    pub now: Time,
    pub talk: bool,
    pub faults: Faults,
    pub tasks: BTreeMap<TaskKey, TaskSeen>,
    pub pods: BTreeMap<PodKey, Pod>,
    pub results: Results,
    pub caches: Caches,
    /// The newest version up to which all tasks have the templates of their acceptance.
    pub templates_seen: u64,
    /// The text of the ConfigMap that some tasks take their items from, while it is there.
    pub inputs: Option<String>,
    /// Somebody has asked for another list.
    pub lists_again: bool,
    /// Pods that a namespace has room for.
    pub quota: BTreeMap<Arc<str>, usize>,
    pub truth: Truth,
    pub turns: Turns,
    /// Checksums and damaged lines of each ConfigMap of results.
    pub marks: BTreeMap<(TaskKey, u32), (String, String, u32)>,
    pub operator: Operator,
    pub kueue: Kueue,
    /// For what users do to few tasks.
    pub whims: Random,
    version: u64,
    pub steps: usize,
    /// Nothing goes wrong any more.
    pub calm: bool,
}

impl World {
    pub fn new(mut random: Random, talk: bool) -> Self {
        let mut whims = random.aside();
        let faults = Faults::new(&mut random, &mut whims);
        let operator = Operator::new(&mut random);
        let mut world = Self {
            now: Time(1_700_000_000_000),
            talk,
            faults,
            tasks: BTreeMap::new(),
            pods: BTreeMap::new(),
            results: BTreeMap::new(),
            caches: Caches::default(),
            templates_seen: 0,
            inputs: Some(specs::INPUTS.to_owned()),
            lists_again: false,
            quota: BTreeMap::new(),
            truth: Truth::default(),
            turns: Turns::new(),
            marks: BTreeMap::new(),
            operator,
            kueue: Kueue::default(),
            whims,
            version: 1,
            steps: 0,
            calm: false,
            random,
        };
        let tasks = 1 + world.random.below(3);
        for number in 0..tasks {
            world.add_task(number);
        }
        if world.random.chance(30) {
            let room = 1 + world.random.below(4);
            world.quota.insert("ns".into(), room);
        }
        world.start_operator();
        world
    }

    pub fn add_task(&mut self, number: usize) {
        let mut spec = specs::random(&mut self.random);
        spec.cancel = self.whims.chance(2);
        spec.finished_pods = self.whims.chance(20).then(|| self.whims.below(5) as i32);
        self.add_task_of(number, spec);
    }

    fn add_task_of(&mut self, number: usize, spec: MapTaskSpec) {
        self.inputs = Some(specs::INPUTS.to_owned());
        let key = TaskKey::new("ns", format!("t{number}"));
        let version = self.next_version();
        let queue = self.whims.chance(20).then(|| "q".to_owned());
        let task = TaskSeen {
            key: key.clone(),
            uid: format!("uid-{number}-{version}"),
            resource_version: version,
            generation: 1,
            deleting: false,
            prebuilt: queue.is_some().then(|| format!("made-{number}")).filter(|_| version.is_multiple_of(3)),
            queue,
            spec,
            status: MapTaskStatus { observed_generation: Some(-1), ..MapTaskStatus::default() },
        };
        self.say(|| format!("{key}: {}", serde_json::to_string(&task.spec).unwrap()));
        self.operator.task_events.push_back(Event::Task(Box::new(task.clone())));
        self.tasks.insert(key, task);
    }

    pub fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.talk {
            println!("{:>8} {}", self.now.0 - 1_700_000_000_000, what());
        }
    }

    /// Steps until every task has ended and all is quiet.
    pub fn run_to_the_end(&mut self) -> Result<(), String> {
        while !self.is_over() {
            self.steps += 1;
            // Somebody asks for the same once more.
            if self.steps == REPEATED_STEPS && self.random.chance(40) {
                let again = self.tasks.values().find(|task| task.spec.cache.is_some()).map(|task| task.spec.clone());
                if let Some(spec) = again {
                    self.add_task_of(AGAIN, MapTaskSpec { rerun: None, suspend: false, cancel: false, ..spec });
                }
            }
            if self.steps == FAULTY_STEPS {
                self.calm_down();
            }
            if self.steps > MAX_STEPS {
                return Err(format!("not over after {MAX_STEPS} steps: {}", self.describe()));
            }
            self.put_templates_back();
            self.step()?;
            self.truth.check_pods(&self.pods, &self.tasks)?;
        }
        self.check_damage()?;
        self.truth.check_end(&self.tasks, &self.pods, &self.results, &self.caches)
    }

    fn is_over(&self) -> bool {
        let over = |task: &TaskSeen| {
            let rerun = task.spec.rerun.as_ref().map(|rerun| &rerun.id);
            let done = rerun == task.status.rerun.as_ref().map(|done| &done.id);
            // A rerun and a deletion wait as long as the task is cancelled; the last write of a task does not.
            let waits = !done && task.spec.cancel;
            let is_settled = self.operator.fleet.task(&task.key).is_some_and(Task::is_settled);
            let expires = task.spec.ttl_seconds_after_finished.is_some() && task.prebuilt.is_none() && !waits;
            let has_ended = task.status.phase.is_some_and(maptask::api::TaskPhase::is_terminal);
            // An operator that has just started may have yet to take a note back.
            let is_noted = task.status.waiting.is_some();
            has_ended && !is_noted && (done || waits) && is_settled && !(expires || task.deleting)
        };
        self.tasks.values().all(over)
            && self.pods.values().all(|pod| pod.life == Life::Ended && self.owner_is_there(pod))
            && self.operator.is_quiet()
            && self.kueue_is_quiet()
            && self.faults.late.is_empty()
    }

    fn owner_is_there(&self, pod: &Pod) -> bool {
        self.tasks.values().any(|task| Some(&task.uid) == pod.seen.owner_uid.as_ref() && !task.deleting)
    }

    /// Who owned it is gone, or waits for it to go: the garbage collector's work.
    fn collect_garbage(&mut self) {
        if let Some(key) = self.pick_pod_of_nobody() {
            self.say(|| format!("{} is garbage", self.pods[&key].seen.name));
            self.remove_pod(&key);
        }
        let emptied = |task: &&TaskSeen| {
            task.deleting && self.pods.values().all(|pod| pod.seen.owner_uid.as_ref() != Some(&task.uid))
        };
        if let Some(key) = self.tasks.values().find(emptied).map(|task| task.key.clone()) {
            self.remove_task(&key);
        }
    }

    fn pick_pod_of_nobody(&self) -> Option<PodKey> {
        self.pods.iter().find(|(_, pod)| !self.owner_is_there(pod)).map(|(key, _)| key.clone())
    }

    pub fn remove_task(&mut self, key: &TaskKey) {
        self.say(|| format!("{key} is gone"));
        self.tasks.remove(key);
        self.results.retain(|(of, _), _| of != key);
        self.marks.retain(|(of, _), _| of != key);
        self.operator.task_events.push_back(Event::TaskGone(key.clone()));
    }

    fn calm_down(&mut self) {
        self.faults = Faults { late: std::mem::take(&mut self.faults.late), ..Faults::none() };
        self.inputs = Some(specs::INPUTS.to_owned());
        let keys: Vec<_> = self.tasks.keys().cloned().collect();
        for key in &keys {
            self.edit(key, |spec| spec.suspend = false);
        }
        self.calm = true;
    }

    fn step(&mut self) -> Result<(), String> {
        if self.whims.chance(15) {
            self.kueue_acts();
        }
        match self.random.below(100) {
            0..20 => self.advance()?,
            20..40 => self.pod_lives()?,
            40..60 => self.deliver_event(),
            60..80 => self.carry_out_request()?,
            80..94 => self.deliver_answer(),
            94 => self.collect_garbage(),
            _ if self.calm && self.random.chance(10) => self.give_up_waiting(),
            _ => self.misfortune(),
        }
        Ok(())
    }

    /// Time passes, and the operator plans.
    fn advance(&mut self) -> Result<(), String> {
        let millis = if self.random.chance(80) { self.random.below(400) } else { self.random.below(4_000) };
        self.now = self.now.plus_millis(millis as u64);
        self.time_passed();
        let plan = self.operator.fleet.poll_plan(self.now);
        for action in plan.actions {
            self.say(|| format!("plan: {action}"));
            self.check_told(&action)?;
            match &action {
                Action::Create(create) => {
                    self.check_create(create)?;
                    self.operator.known.create(self.now, create);
                }
                Action::Delete(delete) if !delete.ended => self.check_stop(delete)?,
                Action::Write(write) => self.check_waiting(write)?,
                Action::Expire(expire) => drop(self.operator.known.expires.insert(expire.uid.clone(), self.now)),
                _ => {}
            }
            self.operator.send(action);
        }
        self.check_times()
    }

    /// One pod takes a step in its life.
    fn pod_lives(&mut self) -> Result<(), String> {
        let Some(key) = self.pick_pod(|pod| pod.life != Life::Ended) else { return Ok(()) };
        let pod = &self.pods[&key];
        if pod.life == Life::Outlived {
            self.outlived_pod_lives(&key);
            return Ok(());
        }
        if pod.seen.deleted.is_some() {
            self.say(|| format!("{}: gone by request", pod.seen.name));
            // Some programs end well when they are asked to.
            let well = pod.life == Life::Running && self.random.chance(20);
            if well {
                let result = self.truth.result_of(&key);
                let pod = Pod { fate: Fate::Succeed, ..self.pods[&key].clone() };
                self.truth.pod_ended(self.now, &pod, &key);
                self.change_pod(&key, Life::Ended, ended("Succeeded", 0, None, Some(&result)));
            }
            self.truth.stopped(self.now, &self.pods[&key], &key, &self.tasks);
            self.remove_pod(&key);
            return Ok(());
        }
        if self.is_held_back(&key) {
            return Ok(());
        }
        let pod = &self.pods[&key];
        if pod.life == Life::Pending && pod.fate == Fate::Stuck {
            // Where nothing puts an end to it, the image comes in the end.
            let waits = self.tasks.get(&key.0).is_some_and(|task| specs::start_deadline(&task.spec, key.1).is_some());
            if waits || self.random.chance(95) {
                // A kubelet tells of it every few seconds; what changed between any two requests would never be
                // stopped.
                if self.random.chance(20) {
                    let status = if self.random.chance(50) { stuck() } else { specs::silent() };
                    self.change_pod(&key, Life::Pending, status);
                }
                return Ok(());
            }
        }
        if pod.life == Life::Pending {
            self.truth.check_start(&key, pod, &self.tasks, &self.results)?;
            self.change_pod(&key, Life::Running, running());
        } else {
            let status = match pod.fate {
                Fate::Succeed | Fate::Stuck => ended("Succeeded", 0, None, Some(&self.truth.result_of(&key))),
                Fate::Fail(code) => ended("Failed", code, None, Some("no luck")),
                Fate::OutOfMemory => ended("Failed", 137, Some("OOMKilled"), None),
                Fate::SideOutOfMemory => specs::side_out_of_memory(),
            };
            self.truth.pod_ended(self.now, pod, &key);
            self.end_attempt(&key, status);
        }
        Ok(())
    }

    pub fn pick_pod(&mut self, which: impl Fn(&Pod) -> bool) -> Option<PodKey> {
        let keys: Vec<_> = self.pods.iter().filter(|(_, pod)| which(pod)).map(|(key, _)| key.clone()).collect();
        (!keys.is_empty()).then(|| keys[self.random.below(keys.len())].clone())
    }

    pub fn change_pod(&mut self, key: &PodKey, life: Life, status: PodStatus) {
        let version = self.next_version();
        let Some(pod) = self.pods.get_mut(key) else { return };
        pod.seen.version = version;
        pod.life = life;
        pod.seen.status = status;
        let seen = pod.seen.clone();
        self.say(|| format!("{}: {:?}", seen.name, seen.status.phase));
        if seen.labelled {
            self.operator.pod_events.push_back(Event::Pod(seen));
        }
    }

    pub fn remove_pod(&mut self, key: &PodKey) {
        if let Some(pod) = self.pods.remove(key).filter(|pod| pod.seen.labelled) {
            self.operator.pod_events.push_back(Event::PodGone(pod.seen));
        }
    }

    pub fn edit(&mut self, key: &TaskKey, change: impl FnOnce(&mut MapTaskSpec)) {
        let version = self.next_version();
        let Some(task) = self.tasks.get_mut(key) else { return };
        change(&mut task.spec);
        task.generation += 1;
        task.resource_version = version;
        let task = task.clone();
        self.say(|| {
            format!(
                "{key}: edited, suspend {}, cancel {}, rerun {:?}",
                task.spec.suspend, task.spec.cancel, task.spec.rerun
            )
        });
        self.operator.task_events.push_back(Event::Task(Box::new(task)));
    }
}
