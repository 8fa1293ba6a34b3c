//! The cluster: tasks, pods and results as the API server has them, and pods that live their lives.

use std::collections::BTreeMap;
use std::sync::Arc;

use maptask::api::spec::{Items, MapTaskSpec, Results};
use maptask::api::status::MapTaskStatus;
use maptask::core::ids::{Attempt, Index, TaskKey, Time};
use maptask::core::pod::PodSeen;
use maptask::core::pod::seen::{ContainerState, ContainerStatus, PodCondition, PodStatus, Running, Terminated};
use maptask::core::task::TaskSeen;
use serde_json::json;

use crate::check::Truth;
use crate::faults::Faults;
use crate::operator::Operator;
use crate::random::Random;

/// Steps after which the faults end, and after which the tasks must have ended.
const FAULTY_STEPS: usize = 1_500;
const MAX_STEPS: usize = 60_000;

pub type PodKey = (TaskKey, Index, Attempt);

pub struct Pod {
    pub seen: PodSeen,
    /// How it will end once it runs.
    pub fate: Fate,
    pub life: Life,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Succeed,
    Fail,
    OutOfMemory,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    Pending,
    Running,
    Ended,
}

#[derive(Clone, Debug)]
pub enum Event {
    Task(TaskSeen),
    Pod(PodSeen),
    PodGone(PodSeen),
    TasksListing,
    TasksListed,
    PodsListing,
    PodsListed,
}

pub struct World {
    pub random: Random,
    pub now: Time,
    pub talk: bool,
    pub faults: Faults,
    pub tasks: BTreeMap<TaskKey, TaskSeen>,
    pub pods: BTreeMap<PodKey, Pod>,
    pub results: BTreeMap<(TaskKey, u32), String>,
    /// Pods that a namespace has room for.
    pub quota: BTreeMap<Arc<str>, usize>,
    pub truth: Truth,
    pub operator: Operator,
    version: u64,
    pub steps: usize,
}

impl World {
    pub fn new(mut random: Random, talk: bool) -> Self {
        let faults = Faults::new(&mut random);
        let operator = Operator::new(&mut random);
        let mut world = Self {
            now: Time(1_700_000_000_000),
            talk,
            faults,
            tasks: BTreeMap::new(),
            pods: BTreeMap::new(),
            results: BTreeMap::new(),
            quota: BTreeMap::new(),
            truth: Truth::default(),
            operator,
            version: 1,
            steps: 0,
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

    fn add_task(&mut self, number: usize) {
        let random = &mut self.random;
        let count = random.below(12) as i32;
        let ratio = [1.0, 0.9, 0.75, 0.5, 0.1, 0.0][random.below(6)];
        let spec = MapTaskSpec {
            items: Items { count: Some(count), ..Items::default() },
            template: json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } }),
            container: None,
            concurrency: random.chance(50).then(|| 1 + random.below(5) as i32),
            min_success_ratio: Some(ratio),
            min_successes: None,
            retries: random.below(4) as i32,
            suspend: random.chance(10),
            results: Results::default(),
        };
        let key = TaskKey::new("ns", format!("t{number}"));
        let task = TaskSeen {
            key: key.clone(),
            uid: format!("uid-{number}"),
            resource_version: self.next_version(),
            generation: 1,
            deleting: false,
            spec,
            status: MapTaskStatus::default(),
        };
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
            if self.steps == FAULTY_STEPS {
                self.calm_down();
            }
            if self.steps > MAX_STEPS {
                return Err(format!("not over after {MAX_STEPS} steps: {}", self.describe()));
            }
            self.step()?;
            self.truth.check_pods(&self.pods)?;
        }
        self.truth.check_end(&self.tasks, &self.pods, &self.results)
    }

    fn is_over(&self) -> bool {
        self.tasks.values().all(|t| t.status.phase.is_some_and(maptask::api::TaskPhase::is_terminal))
            && self.pods.values().all(|p| p.life == Life::Ended)
            && self.operator.is_quiet()
            && self.faults.late.is_empty()
    }

    fn calm_down(&mut self) {
        self.faults = Faults { late: std::mem::take(&mut self.faults.late), ..Faults::none() };
        let keys: Vec<_> = self.tasks.keys().cloned().collect();
        for key in &keys {
            self.edit(key, |spec| spec.suspend = false);
        }
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..20 => self.advance(),
            20..40 => self.pod_lives()?,
            40..60 => self.deliver_event(),
            60..80 => self.carry_out_request()?,
            80..95 => self.deliver_answer(),
            _ => self.misfortune(),
        }
        Ok(())
    }

    /// Time passes, and the operator plans.
    fn advance(&mut self) {
        let millis = if self.random.chance(80) { self.random.below(400) } else { self.random.below(4_000) };
        self.now = self.now.plus_millis(millis as u64);
        let plan = self.operator.fleet.poll_plan(self.now);
        for action in plan.actions {
            self.say(|| format!("plan: {action}"));
            self.operator.send(action);
        }
    }

    /// One pod takes a step in its life.
    fn pod_lives(&mut self) -> Result<(), String> {
        let Some(key) = self.pick_pod(|pod| pod.life != Life::Ended) else { return Ok(()) };
        let pod = &self.pods[&key];
        if pod.seen.deleting {
            self.say(|| format!("{}: gone by request", pod.seen.name));
            self.remove_pod(&key);
            return Ok(());
        }
        if pod.life == Life::Pending {
            self.truth.check_start(&key, &self.tasks)?;
            self.change_pod(&key, Life::Running, running());
        } else {
            let status = match pod.fate {
                Fate::Succeed => ended("Succeeded", 0, None, Some(&self.truth.result_of(&key))),
                Fate::Fail => ended("Failed", 3, None, None),
                Fate::OutOfMemory => ended("Failed", 137, Some("OOMKilled"), None),
            };
            self.truth.pod_ended(&key, pod.fate);
            self.change_pod(&key, Life::Ended, status);
        }
        Ok(())
    }

    pub fn pick_pod(&mut self, which: impl Fn(&Pod) -> bool) -> Option<PodKey> {
        let keys: Vec<_> = self.pods.iter().filter(|(_, pod)| which(pod)).map(|(key, _)| key.clone()).collect();
        (!keys.is_empty()).then(|| keys[self.random.below(keys.len())].clone())
    }

    pub fn change_pod(&mut self, key: &PodKey, life: Life, status: PodStatus) {
        let Some(pod) = self.pods.get_mut(key) else { return };
        pod.life = life;
        pod.seen.status = status;
        let seen = pod.seen.clone();
        self.say(|| format!("{}: {:?}", seen.name, seen.status.phase));
        self.operator.pod_events.push_back(Event::Pod(seen));
    }

    pub fn remove_pod(&mut self, key: &PodKey) {
        if let Some(pod) = self.pods.remove(key) {
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
        self.say(|| format!("{key}: edited, suspend {}", task.spec.suspend));
        self.operator.task_events.push_back(Event::Task(task));
    }

    pub fn describe(&self) -> String {
        let tasks: Vec<_> = self
            .tasks
            .values()
            .map(|t| format!("{} {:?} {:?} {:?}", t.key, t.status.phase, t.status.counts, t.status.waiting))
            .collect();
        let pods: Vec<_> =
            self.pods.values().map(|p| format!("{} {:?} deleting {}", p.seen.name, p.life, p.seen.deleting)).collect();
        format!("{tasks:#?} {pods:#?} {}", self.operator.describe(self.now))
    }
}

pub fn running() -> PodStatus {
    let state = ContainerState { running: Some(Running {}), terminated: None };
    PodStatus {
        phase: Some("Running".to_owned()),
        container_statuses: Some(vec![main_container(state)]),
        ..PodStatus::default()
    }
}

pub fn ended(phase: &str, exit_code: i32, reason: Option<&str>, message: Option<&str>) -> PodStatus {
    let terminated = Terminated { exit_code, reason: reason.map(str::to_owned), message: message.map(str::to_owned) };
    let state = ContainerState { running: None, terminated: Some(terminated) };
    PodStatus {
        phase: Some(phase.to_owned()),
        container_statuses: Some(vec![main_container(state)]),
        ..PodStatus::default()
    }
}

pub fn evicted(started: bool) -> PodStatus {
    let target = PodCondition {
        type_: "DisruptionTarget".to_owned(),
        status: "True".to_owned(),
        reason: Some("EvictionByEvictionAPI".to_owned()),
    };
    let base = if started {
        ended("Failed", 143, None, None)
    } else {
        PodStatus { phase: Some("Failed".to_owned()), ..PodStatus::default() }
    };
    PodStatus { conditions: Some(vec![target]), ..base }
}

fn main_container(state: ContainerState) -> ContainerStatus {
    ContainerStatus { name: "main".to_owned(), state: Some(state) }
}
