//! A world of one task whose list a pod computes: the pod dies half-way, sends pieces twice, late and out of order, or
//! after its successor has begun; pieces are written late; somebody edits what is stored, and puts it back; the
//! operator dies between any two steps; a user asks for another list. A map never runs on half a list.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use maptask::api::listing::StoredList;
use maptask::api::{MapTaskStatus, TaskPhase};
use maptask::core::exchange_address::ExchangeAddress;
use maptask::core::fleet::Fleet;
use maptask::core::ids::{PodRole, TaskKey, Time};
use maptask::core::items::{digest, hash_of_digests};
use maptask::core::limits::Limits;
use maptask::core::phases::Raises;
use maptask::core::pod::PodSeen;
use maptask::core::port::{Action, Answer, Create, Event, ListEnd, ListPart, Listed, Reply, Said, TaskSeen};
use maptask::core::task::Task;
use serde_json::json;

use crate::random::Random;
use crate::seeds;

const SEEDS: u64 = 1_000;
const FAULTY_STEPS: usize = 600;
const MAX_STEPS: usize = 20_000;

/// A pod, and of a list what its process does.
pub struct Pod {
    pub seen: PodSeen,
    pub role: PodRole,
    pub lists: Option<Process>,
}

/// The process in the pod of a list.
#[derive(Clone)]
pub struct Process {
    pub pieces: Vec<String>,
    pub next: usize,
    /// The request that it waits for.
    pub ticket: Option<u64>,
    pub done: bool,
}

pub struct World {
    pub random: Random,
    pub now: Time,
    talk: bool,
    fleet: Fleet,
    pub task: TaskSeen,
    pub pods: BTreeMap<String, Pod>,
    pub maps: BTreeMap<String, String>,
    /// The pieces of each pod that ever listed, by its UID.
    pub truth: BTreeMap<String, Vec<String>>,
    network: Vec<Listed>,
    replies: Vec<Reply>,
    pub events: VecDeque<Event>,
    requests: Vec<Action>,
    answers: Vec<Answer>,
    pub version: u64,
    tickets: u64,
    pub faults: bool,
    /// The list that items run on, and what `status.attemptBase` says of it.
    mapped: Option<(StoredList, Option<i32>)>,
    /// The pods whose lists were ever recorded, by UID.
    pub recorded: BTreeSet<String>,
    /// Pieces that are written once more, later.
    pub late: Vec<(String, String)>,
    /// What somebody has edited, as it was.
    pub edited: Option<(String, String)>,
}

/// Where pods of lists reach the operator.
pub fn address() -> ExchangeAddress {
    ExchangeAddress { url: "https://e".to_owned(), server_name: "e".to_owned(), ca_pem: String::new() }
}

fn key() -> TaskKey {
    TaskKey::new("ns", "t")
}

pub fn end_of(pieces: &[String]) -> ListEnd {
    let digests: Vec<_> = pieces.iter().map(|piece| digest(piece.as_bytes())).collect();
    let items = pieces.iter().map(|piece| piece.lines().count()).sum::<usize>() as u32;
    let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
    ListEnd { pieces: pieces.len() as u32, items, bytes, hash: hash_of_digests(&digests) }
}

impl World {
    fn new(mut random: Random, talk: bool) -> Self {
        let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x", "command": ["run"] }] } });
        let mut pod = json!({ "template": template, "retries": random.below(4) });
        if random.chance(20) {
            pod["activeDeadlineSeconds"] = json!(1 + random.below(120));
        }
        let spec = json!({ "items": { "pod": pod }, "template": template, "retries": 20, "minSuccessRatio": 1.0,
            "suspendPolicy": (["Drain", "Stop"][random.below(2)]),
            "retryPolicy": { "backoffSeconds": 0, "infrastructureRetries": 5 } });
        let task = TaskSeen {
            key: key(),
            uid: "u".to_owned(),
            resource_version: 1,
            generation: 1,
            deleting: false,
            queue: None,
            prebuilt: None,
            spec: serde_json::from_value(spec).unwrap(),
            status: MapTaskStatus { observed_generation: Some(-1), ..MapTaskStatus::default() },
        };
        let fleet = Fleet::new(Limits::DEFAULT, random.next());
        let mut world = Self {
            random,
            now: Time(1_700_000_000_000),
            talk,
            fleet,
            task,
            pods: BTreeMap::new(),
            maps: BTreeMap::new(),
            truth: BTreeMap::new(),
            network: Vec::new(),
            replies: Vec::new(),
            events: VecDeque::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            version: 1,
            tickets: 0,
            faults: true,
            mapped: None,
            recorded: BTreeSet::new(),
            late: Vec::new(),
            edited: None,
        };
        world.start_operator();
        world
    }

    fn say(&self, what: impl FnOnce() -> String) {
        if self.talk {
            println!("{:>8} {}", self.now.0 - 1_700_000_000_000, what());
        }
    }

    fn start_operator(&mut self) {
        self.fleet = Fleet::new(Limits::DEFAULT, self.random.next());
        self.fleet.set_exchange(Some(address()));
        self.events.clear();
        self.answers.clear();
        // What was on its way may still be carried out, once.
        for action in std::mem::take(&mut self.requests) {
            if self.random.chance(50) {
                let _ = self.carry_out(action);
            }
        }
        self.answers.clear();
        self.events.clear();
        self.events.extend([Event::TasksListing, Event::Task(Box::new(self.task.clone())), Event::TasksListed]);
        self.events.push_back(Event::PodsListing);
        self.events.extend(self.pods.values().map(|pod| Event::Pod(pod.seen.clone())));
        self.events.push_back(Event::PodsListed);
    }

    pub fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    fn plan(&mut self) -> Result<(), String> {
        let plan = self.fleet.poll_plan(self.now);
        for action in plan.actions {
            self.say(|| format!("plan: {action}"));
            if let Action::Create(create) = &action {
                self.check_create(create)?;
            }
            if !matches!(action, Action::EmitEvent(_)) {
                self.requests.push(action);
            }
        }
        self.replies.extend(plan.replies);
        Ok(())
    }

    /// SAFETY: an item runs only once a whole list of one pod is recorded, and has the item of that list.
    fn check_create(&mut self, create: &Create) -> Result<(), String> {
        let PodRole::Item(index, _) = create.role else { return Ok(()) };
        let listing = self.task.status.listing.as_ref();
        let list =
            listing.and_then(|listing| listing.list.as_ref()).ok_or("an item starts, and no list is recorded")?;
        let mapped = (list.clone(), self.task.status.attempt_base);
        if self.mapped.as_ref().is_some_and(|before| before.1 == mapped.1 && before.0 != mapped.0) {
            return Err("items run on two lists".to_owned());
        }
        self.mapped = Some(mapped);
        let pieces = self.truth.get(&list.pod_uid).ok_or("a list of nobody")?;
        let lines: Vec<&str> = pieces.iter().flat_map(|piece| piece.lines()).collect();
        let pod = create.blueprint.pod(create.role, Raises::NONE);
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        let value = |name: &str| {
            let variable = env.iter().find(|variable| variable["name"] == name);
            variable.and_then(|variable| variable["value"].as_str()).unwrap_or_default().to_owned()
        };
        let (item, count) = (value("MAPTASK_ITEM"), value("MAPTASK_COUNT"));
        if lines.get(index.offset()) != Some(&item.as_str()) || count != lines.len().to_string() {
            return Err(format!("item {index} is {item:?} of {count}, the list of {} has {lines:?}", list.pod_uid));
        }
        Ok(())
    }

    /// One pod takes a step.
    fn pod_lives(&mut self) {
        let alive = |pod: &&Pod| pod.seen.status.phase.as_deref() == Some("Running");
        let names: Vec<_> = self.pods.values().filter(alive).map(|pod| pod.seen.name.clone()).collect();
        if names.is_empty() {
            return;
        }
        let name = names[self.random.below(names.len())].clone();
        if self.faults && self.random.chance(6) {
            return match self.random.below(2) {
                0 => self.end(&name, 3),
                _ => self.remove(&name),
            };
        }
        let pod = self.pods.get_mut(&name).unwrap();
        let Some(process) = &mut pod.lists else { return self.end(&name, 0) };
        if process.done || self.faults && self.random.chance(1) {
            return self.end(&name, 0);
        }
        // It gives an answer up from time to time, and sends the same again.
        if process.ticket.is_some() && !self.random.chance(10) {
            return;
        }
        self.tickets += 1;
        process.ticket = Some(self.tickets);
        let part = match process.pieces.get(process.next) {
            // Its command may still run, or a request from when it did comes late.
            _ if self.random.chance(10) => ListPart::Running,
            Some(text) => {
                let (number, digest) = (process.next as u32, digest(text.as_bytes()));
                ListPart::Piece { number, digest, data: text.as_str().into() }
            }
            None => ListPart::End(end_of(&process.pieces)),
        };
        let (ticket, pod_uid) = (self.tickets, pod.seen.uid.clone());
        self.network.push(Listed { ticket, namespace: "ns".into(), pod: name, pod_uid, part });
    }

    /// A request arrives, in any order, and maybe not for the last time.
    fn deliver_request(&mut self) {
        if self.network.is_empty() {
            return;
        }
        let pick = self.random.below(self.network.len());
        let keeps = self.faults && self.random.chance(20);
        let listed = if keeps { self.network[pick].clone() } else { self.network.swap_remove(pick) };
        if self.faults && self.random.chance(10) {
            return;
        }
        self.say(|| format!("{} says {:?}", listed.pod_uid, listed.part));
        self.fleet.handle_event(self.now, Event::Listed(Box::new(listed)));
    }

    /// SAFETY: a pod hears that its list is complete only once that is recorded, since it ends with that.
    fn deliver_reply(&mut self) -> Result<(), String> {
        let Some(reply) = self.replies.pop() else { return Ok(()) };
        if self.faults && self.random.chance(10) {
            return Ok(());
        }
        self.say(|| reply.to_string());
        let mut lists = self.pods.values_mut().filter_map(|pod| Some((&pod.seen.uid, pod.lists.as_mut()?)));
        let Some((uid, process)) = lists.find(|(_, process)| process.ticket == Some(reply.ticket)) else {
            return Ok(());
        };
        process.ticket = None;
        if let Ok(Said::List(answer)) = reply.result {
            if answer.complete && !self.recorded.contains(uid) {
                return Err(format!("{uid} hears that its list is complete, which is not recorded"));
            }
            process.next = (answer.stored as usize).min(process.pieces.len());
            process.done = answer.complete;
        }
        Ok(())
    }

    fn misfortune(&mut self) {
        match self.random.below(10) {
            0..3 => self.start_operator(),
            3 => self.edit(|spec| spec.suspend = !spec.suspend),
            4 if self.task.status.phase.is_some_and(TaskPhase::is_terminal) => self.ask_for_another(),
            5 | 6 => self.write_late(),
            7 => self.edit_or_put_back(),
            _ => {}
        }
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..20 => {
                self.now = self.now.plus_millis(self.random.below(1_500) as u64);
                self.plan()?;
            }
            20..35 => self.pod_lives(),
            35..50 => {
                if let Some(event) = self.events.pop_front() {
                    self.fleet.handle_event(self.now, event);
                }
            }
            50..60 => self.deliver_request(),
            60..70 => self.deliver_reply()?,
            70..85 if !self.requests.is_empty() => {
                let pick = self.random.below(self.requests.len());
                let action = self.requests.swap_remove(pick);
                let answer = self.carry_out(action)?;
                self.answers.extend(answer);
            }
            85..98 if !self.answers.is_empty() => {
                let pick = self.random.below(self.answers.len());
                let answer = self.answers.swap_remove(pick);
                self.fleet.handle_answer(self.now, answer);
            }
            98.. if self.faults => self.misfortune(),
            _ => {}
        }
        Ok(())
    }

    fn run(&mut self) -> Result<(), String> {
        for step in 0..MAX_STEPS {
            if step == FAULTY_STEPS {
                self.faults = false;
                self.late.clear();
                if self.edited.is_some() {
                    self.edit_or_put_back();
                }
                if self.task.spec.suspend {
                    self.edit(|spec| spec.suspend = false);
                }
            }
            self.step()?;
            let settled = self.fleet.task(&key()).is_some_and(Task::is_settled);
            let asked = self.task.spec.rerun.as_ref().map(|rerun| &rerun.id);
            let is_done = asked == self.task.status.rerun.as_ref().map(|done| &done.id);
            if settled && is_done && self.task.status.phase.is_some_and(TaskPhase::is_terminal) && !self.faults {
                return self.check_end();
            }
        }
        Err(format!("not over after {MAX_STEPS} steps: {:?}", self.task.status))
    }

    /// SAFETY: a list is given up only once its retries are used up.
    fn check_retries(&self) -> Result<(), String> {
        let retries = self.task.spec.items.pod.as_ref().map_or(0, |pod| pod.retries);
        let listing = self.task.status.listing.as_ref().ok_or("a list that failed leaves no record")?;
        let infrastructure_retries = self.task.spec.retry_policy.infrastructure_retries;
        if listing.application_failures >= retries || listing.infrastructure_failures >= infrastructure_retries {
            return Ok(());
        }
        Err(format!("given up with {retries} and {infrastructure_retries} retries: {listing:?}"))
    }

    /// LIVENESS: the task has succeeded with all of a list, or failed for want of one.
    fn check_end(&self) -> Result<(), String> {
        let status = &self.task.status;
        let reason = status.reason.as_deref();
        let list = status.listing.as_ref().and_then(|listing| listing.list.as_ref());
        match (status.phase, list) {
            (Some(TaskPhase::Succeeded), Some(list)) if status.items == Some(list.items) => Ok(()),
            (Some(TaskPhase::Failed), None) if reason == Some("DeadlineExceeded") => Ok(()),
            (Some(TaskPhase::Failed), None) if reason == Some("ItemsPodFailed") => self.check_retries(),
            // Items have their own retries, which are many and not endless.
            (Some(TaskPhase::Failed), Some(_)) if reason == Some("TooManyFailures") => Ok(()),
            _ => Err(format!("an end that is none: {status:?}")),
        }
    }
}

fn run(seed: u64, talk: bool) -> Result<(), String> {
    World::new(Random::new(seed), talk).run().map_err(|problem| format!("listing seed {seed}: {problem}"))
}

#[test]
fn a_map_never_runs_on_half_a_list_under_any_seed() {
    seeds::under_every_seed(SEEDS, run);
}
