//! Tasks with workers in a cluster that answers at once: who gets what, and who gives what up.

use std::collections::BTreeMap;

use maptask_exchange::{Answer, AttemptId, End, Leaving, Outcome, Request, State};
use serde_json::{Value, json};

use super::Fleet;
use super::story::{LIMITS, empty_fleet, new_task, pod_of, running, with};
use crate::api::MapTaskStatus;
use crate::api::status::WaitingReason;
use crate::core::exchange_address::ExchangeAddress;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::limits::Limits;
use crate::core::pod::PodSeen;
use crate::core::port::{
    Action, Answer as Answered, CheckOutcome, CreateOutcome, DeleteOutcome, EmitEvent, Event, Exchange, PodId,
    TaskSeen, WriteOutcome,
};

/// A worker that holds to the exchange.
struct Speaker {
    pod: PodSeen,
    epoch: u64,
    number: u64,
    sequence: u64,
    held: Vec<AttemptId>,
    ended: Vec<End>,
    stopped: bool,
    waits: bool,
}

fn task(name: &str, items: u32, extra: &Value) -> TaskSeen {
    let container = json!({ "name": "main", "image": "x", "command": ["run"] });
    let spec = json!({ "items": { "count": items }, "workers": { "idleSeconds": 1 }, "retries": 1,
                       "retryPolicy": { "backoffSeconds": 0 },
                       "template": { "spec": { "containers": [container] } } });
    new_task(TaskKey::new("ns", name), name, 1, &with(spec, extra))
}

struct Cluster {
    fleet: Fleet,
    now: Time,
    version: u64,
    ticket: u64,
    speakers: BTreeMap<PodId, Speaker>,
    tickets: BTreeMap<u64, PodId>,
    statuses: BTreeMap<TaskKey, MapTaskStatus>,
    told: Vec<EmitEvent>,
    /// Nodes that replacements avoid.
    avoided: Vec<String>,
    /// Workers that never get through.
    mute: bool,
}

impl Cluster {
    fn new(max_pods: usize) -> Self {
        let mut fleet = empty_fleet(Limits { max_pods, ..LIMITS });
        let url = "https://10.0.0.1:443".to_owned();
        fleet.set_exchange(Some(ExchangeAddress { url, server_name: "o".to_owned(), ca_pem: String::new() }));
        Self {
            fleet,
            now: Time(0),
            version: 10,
            ticket: 0,
            speakers: BTreeMap::new(),
            tickets: BTreeMap::new(),
            statuses: BTreeMap::new(),
            told: Vec::new(),
            avoided: Vec::new(),
            mute: false,
        }
    }

    fn add(&mut self, name: &str, items: u32, extra: &Value) -> TaskKey {
        let task = task(name, items, extra);
        let key = task.key.clone();
        self.fleet.handle_task(self.now, task);
        key
    }

    /// Another operator, which finds the task as it is recorded.
    fn find(&mut self, task: TaskSeen) {
        let before = std::mem::replace(self, Self::new(10));
        (self.now, self.version, self.statuses) = (before.now, before.version, before.statuses);
        let status = self.statuses[&task.key].clone();
        self.fleet.handle_task(self.now, TaskSeen { status, resource_version: self.version, ..task });
    }
    /// One round; `fate` says how an attempt ends that a worker holds, if it ends now.
    fn round(&mut self, millis: u64, fate: impl Fn(&PodId, AttemptId) -> Option<Outcome>) {
        self.now = self.now.plus_millis(millis);
        let plan = self.fleet.poll_plan(self.now);
        for reply in plan.replies {
            let Some(id) = self.tickets.remove(&reply.ticket) else { continue };
            match reply.for_worker() {
                Some(answer) => self.hear(&id, &answer),
                None => {
                    self.speakers.get_mut(&id).into_iter().for_each(|speaker| speaker.waits = false);
                }
            }
        }
        for action in plan.actions {
            self.carry_out(action);
        }
        for id in self.speakers.keys().cloned().collect::<Vec<_>>() {
            self.live(&id, &fate);
        }
    }

    fn rounds(&mut self, rounds: usize, fate: impl Fn(&PodId, AttemptId) -> Option<Outcome>) {
        (0..rounds).for_each(|_| self.round(100, &fate));
    }

    fn hear(&mut self, id: &PodId, answer: &Answer) {
        let Some(speaker) = self.speakers.get_mut(id) else { return };
        speaker.waits = false;
        speaker.ended.retain(|end| end.sequence > answer.acknowledged);
        speaker.held.retain(|held| !answer.recall.contains(held) && !answer.revoked.contains(held));
        speaker.held.extend(answer.grants.iter().map(|grant| grant.id));
        speaker.stopped |= answer.stop.is_some();
    }

    fn live(&mut self, id: &PodId, fate: &impl Fn(&PodId, AttemptId) -> Option<Outcome>) {
        let Some(speaker) = self.speakers.get_mut(id) else { return };
        let mut news = !speaker.waits || speaker.stopped;
        for attempt in std::mem::take(&mut speaker.held) {
            let Some(outcome) = fate(id, attempt) else {
                speaker.held.push(attempt);
                continue;
            };
            speaker.sequence += 1;
            speaker.ended.push(End { sequence: speaker.sequence, id: attempt, micros: 50_000, outcome });
            news = true;
        }
        if speaker.stopped && speaker.held.is_empty() && speaker.ended.is_empty() {
            let mut pod = self.speakers.remove(id).unwrap().pod;
            self.version += 1;
            (pod.version, pod.status.phase) = (self.version, Some("Succeeded".to_owned()));
            self.fleet.handle_pod(self.now, pod.clone());
            return self.fleet.handle_pod_gone(self.now, &pod);
        }
        if !news || self.mute {
            return;
        }
        speaker.number += 1;
        speaker.waits = true;
        let state = if speaker.stopped {
            State::Leaving { reason: Leaving::Stopped, message: String::new() }
        } else {
            State::Working
        };
        let (running, ended) = (speaker.held.clone(), speaker.ended.clone());
        let session = format!("{:016x}", 1);
        let begun = speaker.sequence + running.len() as u64;
        let (number, epoch) = (speaker.number, speaker.epoch);
        let request = Request { session, number, epoch, running, stock: vec![], ended, begun, state };
        self.ticket += 1;
        self.tickets.insert(self.ticket, id.clone());
        let (namespace, pod, pod_uid) = (id.key.namespace.clone(), id.pod_name(), speaker.pod.uid.clone());
        let exchange = Exchange { ticket: self.ticket, namespace, pod, pod_uid, request };
        self.fleet.handle_event(self.now, Event::Exchange(Box::new(exchange)));
    }

    fn carry_out(&mut self, action: Action) {
        let answer = match action {
            Action::Check(check) => Answered::Checked(check.key, check.uid, CheckOutcome::Good),
            Action::Create(create) => {
                let id = create.id();
                self.avoided.clone_from(&create.avoid);
                self.start(&id, &create.blueprint.uid, create.epoch.unwrap());
                Answered::Created(id, create.blueprint.uid.clone(), CreateOutcome::Created)
            }
            Action::Write(write) => {
                self.version += 1;
                self.statuses.insert(write.key.clone(), write.status);
                let written = WriteOutcome::Written { version: self.version, rewritten: 0, uncached: None };
                Answered::Written(write.key, write.uid, written)
            }
            Action::Delete(delete) => {
                if let Some(speaker) = self.speakers.remove(&delete.id) {
                    self.fleet.handle_pod_gone(self.now, &speaker.pod);
                }
                Answered::Deleted(delete.id, delete.task_uid, DeleteOutcome::Taken)
            }
            Action::EmitEvent(event) => return self.told.push(event),
            _ => return,
        };
        self.fleet.handle_answer(self.now, answer);
    }

    fn start(&mut self, id: &PodId, uid: &str, epoch: u64) {
        self.version += 1;
        let pod = PodSeen {
            uid: format!("{}-{}", id.pod_name(), self.version),
            version: self.version,
            node: Some(format!("node-{}", id.role).into()),
            ..pod_of(id, uid, serde_json::from_value(running()).unwrap())
        };
        self.fleet.handle_pod(self.now, pod.clone());
        let (held, ended) = (Vec::new(), Vec::new());
        let speaker = Speaker { pod, epoch, number: 0, sequence: 0, held, ended, stopped: false, waits: false };
        self.speakers.insert(id.clone(), speaker);
    }

    fn pods(&self, key: &TaskKey) -> usize {
        self.speakers.keys().filter(|id| id.key == *key).count()
    }

    fn counts(&self, key: &TaskKey) -> (i32, i32) {
        let counts = self.statuses.get(key).and_then(|status| status.counts).unwrap_or_default();
        (counts.succeeded, counts.failed)
    }

    fn events(&self, reason: &str) -> Vec<&str> {
        self.told.iter().filter(|event| event.reason.as_str() == reason).map(|event| event.note.as_str()).collect()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an attempt may also run on")]
fn good() -> Option<Outcome> {
    Some(Outcome::Succeeded { result: Some("1".to_owned()) })
}

#[expect(clippy::unnecessary_wraps, reason = "an attempt may also run on")]
fn bad() -> Option<Outcome> {
    Some(Outcome::Failed { exit_code: 1, message: "no such device".to_owned() })
}

#[test]
fn a_task_above_its_fair_share_gives_workers_up_while_another_waits_for_pods() {
    let mut cluster = Cluster::new(6);
    let first = cluster.add("first", 100_000, &json!({}));
    cluster.rounds(30, |_, _| good());
    assert_eq!(cluster.pods(&first), 6, "alone it has all pods");
    let second = cluster.add("second", 100_000, &json!({}));
    cluster.rounds(60, |_, _| good());
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (3, 3));
    cluster.rounds(60, |_, _| good());
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (3, 3), "and that is stable");
    let pods = |cluster: &Cluster| cluster.speakers.keys().cloned().collect::<Vec<_>>();
    let before = pods(&cluster);
    cluster.rounds(60, |_, _| good());
    assert_eq!(pods(&cluster), before, "the same pods");
    assert_eq!((cluster.counts(&first).1, cluster.counts(&second).1), (0, 0), "a drain costs nothing");
}

#[test]
fn a_task_that_wants_little_gets_no_more_than_that() {
    let mut cluster = Cluster::new(6);
    let first = cluster.add("first", 100_000, &json!({}));
    cluster.rounds(30, |_, _| good());
    let second = cluster.add("second", 1, &json!({}));
    cluster.rounds(20, |id, _| if *id.key.name == *"second" { None } else { good() });
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (5, 1));
    cluster.rounds(60, |_, _| good());
    assert_eq!((cluster.pods(&first), cluster.counts(&second)), (6, (1, 0)), "and it is given back");
}

#[test]
fn what_runs_is_not_stopped_for_another_task_and_one_of_lower_priority_gets_nothing() {
    let mut cluster = Cluster::new(2);
    let first = cluster.add("first", 100_000, &json!({}));
    cluster.rounds(30, |_, _| None);
    let second = cluster.add("second", 100_000, &json!({}));
    cluster.rounds(60, |_, _| None);
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (2, 0), "items of an hour");
    assert_eq!(cluster.speakers.values().filter(|speaker| speaker.stopped).count(), 1, "one takes no more");
    cluster.rounds(9, |id, _| if cluster_is_first(id) { good() } else { None });
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (1, 1));
    let low = cluster.add("low", 100_000, &json!({ "priority": -1 }));
    cluster.rounds(700, |id, _| if cluster_is_first(id) { good() } else { None });
    assert_eq!(cluster.pods(&low), 0);
}

fn cluster_is_first(id: &PodId) -> bool {
    *id.key.name == *"first"
}

#[test]
fn tasks_take_turns_where_there_are_more_tasks_than_pods() {
    let mut cluster = Cluster::new(1);
    let first = cluster.add("first", 1_000_000, &json!({}));
    cluster.rounds(30, |_, _| good());
    let second = cluster.add("second", 1_000_000, &json!({}));
    cluster.rounds(100, |_, _| good());
    assert_eq!((cluster.pods(&first), cluster.pods(&second)), (1, 0), "a turn takes a minute");
    cluster.rounds(600, |_, _| good());
    assert!(cluster.counts(&second).0 > 0, "{:?}", cluster.counts(&second));
}

#[test]
fn a_worker_on_a_broken_node_fails_only_a_few_items_and_its_replacement_avoids_the_node() {
    let mut cluster = Cluster::new(10);
    let broken = PodRole::Worker(1);
    let task = cluster.add("t", 2_000, &json!({ "concurrency": 4 }));
    cluster.rounds(2_000, |id, _| if id.role == broken { bad() } else { good() });
    assert_eq!(cluster.counts(&task), (2_000, 0), "what failed there was retried elsewhere");
    assert!(cluster.speakers.keys().all(|id| id.role != broken));
    let events = cluster.events("WorkerDrained");
    assert!(events.len() == 1 && events[0].contains("t-worker-1 on node node-worker-1"), "{events:?}");
    assert_eq!(cluster.avoided, ["node-worker-1"]);
}

#[test]
fn a_retry_goes_to_another_worker_if_one_is_free_and_to_the_same_one_if_there_is_no_other() {
    let mut cluster = Cluster::new(10);
    let task = cluster.add("t", 20, &json!({ "concurrency": 2, "retries": 1 }));
    // Each worker fails each first attempt, and each retry of what it has failed itself.
    cluster.rounds(300, |id, attempt| {
        let of_first = PodRole::Worker(attempt.0 % 2 + 1);
        if id.role == of_first { bad() } else { good() }
    });
    assert_eq!(cluster.counts(&task), (20, 0));
    let mut alone = Cluster::new(10);
    let task = alone.add("t", 5, &json!({ "concurrency": 1 }));
    alone.rounds(100, |_, attempt| if attempt.1 == 1 { bad() } else { good() });
    assert_eq!(alone.counts(&task), (5, 0));
}

#[test]
fn the_last_item_that_takes_much_longer_than_the_others_is_named_in_an_event() {
    let mut cluster = Cluster::new(10);
    cluster.add("t", 30, &json!({ "concurrency": 2 }));
    let fate = |_: &PodId, attempt: AttemptId| if attempt.0 == 7 { None } else { good() };
    cluster.rounds(100, fate);
    assert_eq!(cluster.events("Straggler"), [] as [&str; 0]);
    cluster.rounds(700, fate);
    let events = cluster.events("Straggler");
    assert!(events.len() == 1 && events[0].starts_with("item 7 has run for 1m"), "{events:?}");
}

#[test]
fn a_worker_that_never_speaks_is_reported_within_a_minute_with_the_address_to_open() {
    let mut cluster = Cluster::new(10);
    cluster.mute = true;
    let task = cluster.add("t", 3, &json!({ "concurrency": 1 }));
    cluster.rounds(200, |_, _| good());
    let waiting = |cluster: &Cluster| cluster.fleet.task(&task).unwrap().waiting().cloned();
    assert_ne!(waiting(&cluster).map(|waiting| waiting.reason), Some(WaitingReason::WorkersUnreachable));
    cluster.rounds(150, |_, _| good());
    let told = waiting(&cluster).unwrap();
    let words = told.message.unwrap();
    assert_eq!(told.reason, WaitingReason::WorkersUnreachable);
    assert!(words.contains("t-worker-1") && words.contains("https://10.0.0.1:443"), "{words}");
    cluster.mute = false;
    cluster.rounds(60, |_, _| good());
    assert_eq!(cluster.counts(&task), (3, 0));
}

#[test]
fn items_that_run_again_after_a_restart_run_in_new_workers() {
    let spec = json!({ "retries": 0, "minSuccessRatio": 0.0 });
    let mut cluster = Cluster::new(10);
    let key = cluster.add("t", 5, &spec);
    cluster.rounds(100, |_, attempt| if attempt.0 == 3 { bad() } else { good() });
    assert_eq!(cluster.counts(&key), (4, 1));
    let before = cluster.statuses[&key].workers.unwrap();
    let rerun = json!({ "rerun": { "id": "1", "items": "Failed" } });
    cluster.find(TaskSeen { generation: 2, ..task("t", 5, &with(spec, &rerun)) });
    // Creates of the operator before may come until then.
    cluster.rounds(780, |id, _| if id.role.is_worker() { good() } else { None });
    assert_eq!(cluster.counts(&key), (5, 0));
    assert_eq!(cluster.statuses[&key].workers.unwrap().epoch, before.epoch + 1);
}
