//! One task with workers: time, the wire between workers and operator, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use maptask::api::TaskPhase;
use maptask::api::status::MapTaskStatus;
use maptask::core::cache::Entry;
use maptask::core::exchange_address::ExchangeAddress;
use maptask::core::fleet::Fleet;
use maptask::core::ids::{PodRole, TaskKey, Time};
use maptask::core::limits::Limits;
use maptask::core::pod::PodSeen;
use maptask::core::port::{Action, Answer, Create, Event, Exchange, TaskSeen};
use maptask_exchange::{AttemptId, End, Request};
use serde_json::json;

use crate::random::Random;
use crate::reach::Reach;
use crate::truth::Truth;
use crate::worker::Worker;

const FAULTY_STEPS: usize = 1_500;
/// A list of 1,200 items whose workers fail every attempt takes 630,000.
const MAX_STEPS: usize = 900_000;

#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct Pod {
    pub seen: PodSeen,
    pub slots: usize,
    pub epoch: u64,
    pub worker: Option<Worker>,
    pub ended: bool,
    /// Nothing of it goes through.
    pub cut_off: bool,
    /// It ran when the operator before this one was replaced.
    pub known_to_zombie: bool,
    /// Its program runs, and the kubelet reports that at this time.
    pub reported_at: Option<Time>,
    /// It worked for a run before this one.
    pub of_run_before: bool,
}

/// What is on its way between a worker and an operator.
pub enum Message {
    Request { worker: u32, uid: String, request: Request, to_zombie: bool },
    Answer { uid: String, answer: maptask_exchange::Answer },
}

pub struct World {
    pub random: Random,
    pub now: Time,
    pub talk: bool,
    pub task: TaskSeen,
    pub pods: BTreeMap<u32, Pod>,
    pub lines: BTreeMap<u32, String>,
    pub fleet: Fleet,
    /// An operator that has been replaced and does not know it: no watch tells it anything.
    pub zombie: Option<Fleet>,
    pub task_events: VecDeque<Event>,
    pub pod_events: VecDeque<Event>,
    pub requests: Vec<Action>,
    pub answers: Vec<Answer>,
    /// Creates without an answer that the API server carries out at this time.
    pub late: Vec<(Time, Create)>,
    pub wire: Vec<Message>,
    /// What the operator knows about each worker.
    pub reach: Reach,
    /// The requests that operators keep, by ticket: the worker's pod, and whose it is.
    pub kept: BTreeMap<u64, String>,
    pub cache: Vec<Entry>,
    pub truth: Truth,
    /// To whom each attempt was granted last, and those that were granted to more than one.
    granted: BTreeMap<AttemptId, String>,
    regranted: BTreeSet<AttemptId>,
    pub ticket: u64,
    pub version: u64,
    pub faults: u64,
    pub retries: u32,
    /// Items differ in the memory that they need, and get it.
    pub grows: bool,
    pub count: u32,
    steps: usize,
}

/// Where workers reach the operator.
pub fn address() -> ExchangeAddress {
    ExchangeAddress { url: "https://o".to_owned(), server_name: "o".to_owned(), ca_pem: String::new() }
}

impl World {
    pub fn new(mut random: Random, talk: bool) -> Self {
        let count = [0, 1, 3, 8, 20, 40, 1_200][random.below(7)];
        let retries = random.below(4) as u32;
        let mut spec = json!({
            "items": { "count": count },
            "template": { "spec": { "containers": [{ "name": "main", "image": "x", "command": ["run"] }] } },
            "workers": { "slots": 1 + random.below(3), "idleSeconds": random.below(40) },
            "concurrency": 1 + random.below(6),
            "minSuccessRatio": ([1.0, 0.8, 0.5, 0.0][random.below(4)]),
            "remainingItems": { "onSuccess": (["Cancel", "Drain", "Run"][random.below(3)]) },
            "suspendPolicy": (["Drain", "Stop"][random.below(2)]),
            "retries": retries,
            "retryPolicy": { "backoffSeconds": random.below(2), "infrastructureRetries": 50 },
        });
        // An item that is short of memory costs a pod or two.
        let grows = count < 100 && random.chance(50);
        if grows {
            spec["template"]["spec"]["containers"][0]["resources"] = json!({ "limits": { "memory": "100Mi" } });
            spec["retryPolicy"]["outOfMemory"] = json!({ "factor": 2, "maxMemory": "400Mi" });
        }
        // Equal items wait for each other.
        let equals = (0 < count && count < 100 && random.chance(40)).then_some(count / 2 + 1);
        if let Some(different) = equals {
            let values: Vec<u32> = (0..count).map(|index| index % different).collect();
            spec["items"] = json!({ "values": values });
            spec["cache"] = json!({ "version": "1", "serialize": true });
        }
        let task = TaskSeen {
            key: TaskKey::new("ns", "t"),
            uid: "uid".to_owned(),
            resource_version: 1,
            generation: 1,
            deleting: false,
            queue: None,
            prebuilt: None,
            spec: serde_json::from_value(spec).unwrap(),
            status: MapTaskStatus { observed_generation: Some(-1), ..MapTaskStatus::default() },
        };
        let faults = [0, 2, 10, 30][random.below(4)];
        let mut fleet = Fleet::new(Limits { max_pods: 1 + random.below(8), ..Limits::DEFAULT }, random.next());
        fleet.set_exchange(Some(address()));
        let mut world = Self {
            now: Time(1_700_000_000_000),
            talk,
            task,
            pods: BTreeMap::new(),
            lines: BTreeMap::new(),
            fleet,
            zombie: None,
            task_events: VecDeque::new(),
            pod_events: VecDeque::new(),
            requests: Vec::new(),
            answers: Vec::new(),
            late: Vec::new(),
            wire: Vec::new(),
            reach: Reach::default(),
            kept: BTreeMap::new(),
            cache: Vec::new(),
            truth: Truth::of(equals),
            granted: BTreeMap::new(),
            regranted: BTreeSet::new(),
            ticket: 0,
            version: 1,
            faults,
            retries,
            grows,
            count,
            steps: 0,
            random,
        };
        world.say(|| format!("{}, faults {faults}", serde_json::to_string(&world.task.spec).unwrap()));
        world.list();
        world
    }

    pub fn say(&self, what: impl FnOnce() -> String) {
        if self.talk {
            println!("{:>8} {}", self.now.0 - 1_700_000_000_000, what());
        }
    }

    pub fn next_version(&mut self) -> u64 {
        self.version += 1;
        self.version
    }

    pub fn run_to_the_end(&mut self) -> Result<(), String> {
        while !self.is_over() {
            self.steps += 1;
            if self.steps == FAULTY_STEPS {
                self.faults = 0;
                self.zombie = None;
                self.pods.values_mut().for_each(|pod| pod.cut_off = false);
                self.edit(|spec| spec.suspend = false);
            }
            if self.steps > MAX_STEPS {
                return Err(format!("not over after {MAX_STEPS} steps: {}", self.describe()));
            }
            self.step()?;
        }
        self.truth.check_end(&self.task.status, &self.lines, self.retries)
    }

    fn is_over(&self) -> bool {
        let rerun = self.task.spec.rerun.as_ref().map(|rerun| &rerun.id);
        rerun == self.task.status.rerun.as_ref().map(|done| &done.id)
            && self.late.is_empty()
            && self.task.status.phase.is_some_and(TaskPhase::is_terminal)
            && self.pods.values().all(|pod| pod.ended)
            && self.requests.is_empty()
            && self.answers.is_empty()
            && self.task_events.is_empty()
            && self.pod_events.is_empty()
    }

    fn describe(&self) -> String {
        let pods: Vec<String> = self
            .pods
            .iter()
            .filter(|(_, pod)| !pod.ended)
            .map(|(number, pod)| {
                let worker = pod.worker.as_ref();
                let holds = worker.map(|w| (w.running.len(), w.stock.len(), w.unacknowledged.len(), w.leaving));
                format!(
                    "worker {number} {:?} {holds:?} deleted {:?}",
                    pod.seen.status.phase,
                    pod.seen.deleted.is_some()
                )
            })
            .collect();
        let status = &self.task.status;
        let requests: Vec<String> = self.requests.iter().map(ToString::to_string).collect();
        let wake = self.fleet.next_wake(self.now).map(|time| time.0 - self.now.0);
        format!(
            "{:?} {:?} {:?} {:?} {pods:#?} {requests:?} {wake:?}",
            status.phase, status.counts, status.waiting, status.workers
        )
    }

    fn step(&mut self) -> Result<(), String> {
        match self.random.below(100) {
            0..15 => self.advance(),
            15..40 => self.worker_lives(),
            40..60 => self.carry_message(),
            60..72 => {
                self.deliver_event();
                Ok(())
            }
            72..84 => self.carry_out_request(),
            84..94 => {
                self.deliver_answer();
                Ok(())
            }
            94..97 => {
                self.pod_starts();
                Ok(())
            }
            _ => {
                self.misfortune();
                Ok(())
            }
        }
    }

    /// Time passes, and the operators plan.
    fn advance(&mut self) -> Result<(), String> {
        let millis = match self.random.below(100) {
            0..70 => self.random.below(200),
            70..97 => self.random.below(3_000),
            _ => self.random.below(60_000),
        };
        self.now = self.now.plus_millis(millis as u64);
        self.report_starts();
        self.carry_out_late();
        for number in self.pods.keys().copied().collect::<Vec<_>>() {
            let killed = self.worker(number).map(|(worker, now)| worker.kill_unconfirmed(now)).unwrap_or_default();
            for id in killed {
                // Its pod may end without a word, and then it counts as having run to that end.
                self.truth.gone(number, id);
                *self.truth.failed.entry(id.0).or_default() += 1;
            }
        }
        let plan = self.fleet.poll_plan(self.now);
        self.check_unheard()?;
        self.check_refusals(&plan.replies)?;
        self.reply(plan.replies);
        for action in plan.actions {
            self.say(|| format!("plan: {action}"));
            if !matches!(action, Action::EmitEvent(_)) {
                self.requests.push(action);
            }
        }
        if let Some(zombie) = &mut self.zombie {
            // Its writes fail, and its creates and deletes are those of before: only its answers matter.
            let plan = zombie.poll_plan(self.now);
            self.reply(plan.replies);
        }
        let (running, most) = (self.truth.running(), self.task.spec.concurrency.unwrap_or(0) as usize);
        if running > most {
            return Err(format!("{running} items run at once, concurrency is {most}"));
        }
        Ok(())
    }

    pub fn worker(&mut self, number: u32) -> Option<(&mut Worker, Time)> {
        let now = self.now;
        let pod = self.pods.get_mut(&number).filter(|pod| !pod.ended)?;
        Some((pod.worker.as_mut()?, now))
    }

    fn reply(&mut self, replies: Vec<maptask::core::port::Reply>) {
        for reply in replies {
            let Some(uid) = self.kept.remove(&reply.ticket) else { continue };
            self.say(|| {
                format!(
                    "{reply} to {uid}: {:?}",
                    reply.clone().for_worker().map(|answer| (
                        answer.number,
                        answer.epoch,
                        answer.acknowledged,
                        answer.slots,
                        answer.grants.iter().map(|grant| grant.id).collect::<Vec<_>>(),
                        answer.recall,
                        answer.revoked
                    ))
                )
            });
            if let Some(answer) = reply.for_worker() {
                for grant in &answer.grants {
                    if self.granted.insert(grant.id, uid.clone()).is_some_and(|before| before != uid) {
                        self.regranted.insert(grant.id);
                    }
                }
                self.wire.push(Message::Answer { uid, answer });
            } else if let Some(pod) = self.pods.values_mut().find(|pod| pod.seen.uid == uid) {
                // It tries again.
                pod.worker.as_mut().into_iter().for_each(|worker| worker.news = true);
            }
        }
    }

    /// A message arrives, or does not.
    fn carry_message(&mut self) -> Result<(), String> {
        if self.wire.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.wire.len());
        let message = self.wire.swap_remove(place);
        let lost = self.random.chance(self.faults);
        match message {
            Message::Request { worker, uid, request, to_zombie } => {
                let cut_off = self.pods.get(&worker).is_none_or(|pod| pod.cut_off);
                if lost || cut_off {
                    if let Some((worker, _)) = self.worker(worker) {
                        worker.news = true;
                    }
                    return Ok(());
                }
                self.ticket += 1;
                let ticket = self.ticket;
                self.say(|| format!("request {ticket} of worker {worker}, zombie {to_zombie}: {request:?}"));
                self.kept.insert(ticket, uid.clone());
                if self.zombie.is_none() || !to_zombie {
                    self.reach.spoke(self.now, &uid);
                }
                let pod = format!("t-{}", PodRole::Worker(worker));
                let exchange = Exchange { ticket, namespace: "ns".into(), pod, pod_uid: uid, request };
                let event = Event::Exchange(Box::new(exchange));
                match &mut self.zombie {
                    Some(zombie) if to_zombie => zombie.handle_event(self.now, event),
                    _ => self.fleet.handle_event(self.now, event),
                }
                Ok(())
            }
            Message::Answer { uid, answer } => self.answer_arrives(&uid, answer, lost),
        }
    }

    fn answer_arrives(&mut self, uid: &str, answer: maptask_exchange::Answer, lost: bool) -> Result<(), String> {
        let Some((number, pod)) = self.pods.iter_mut().find(|(_, pod)| pod.seen.uid == uid && !pod.ended) else {
            return Ok(());
        };
        let (number, cut_off) = (*number, pod.cut_off);
        let Some(worker) = pod.worker.as_mut() else { return Ok(()) };
        if lost || cut_off {
            worker.news = true;
            return Ok(());
        }
        let (acknowledged, killed) = worker.hear(answer);
        killed.into_iter().for_each(|id| self.truth.gone(number, id));
        // Of an attempt that was taken from a silent worker, the end does not count.
        let counts = |end: &&End| !self.regranted.contains(&end.id);
        let mut ends = acknowledged.iter().filter(counts);
        ends.try_for_each(|end| Truth::check_acknowledged(end, &self.task.status))
    }
}
