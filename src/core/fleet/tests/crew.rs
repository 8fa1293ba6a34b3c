//! A story of a task with workers, which begin at once what they are granted and speak whenever they are answered.

use std::collections::{BTreeMap, BTreeSet};

use maptask_exchange::{AttemptId, End, Outcome, Request, State};
use serde_json::{Value, json};

use super::story::{LIMITS, Story, key, pod_of, running, with};
use crate::core::cache::Entry;
use crate::core::exchange_address::ExchangeAddress;
use crate::core::ids::{Attempt, Index, PodRole};
use crate::core::phases::{self, ItemPhase, Raises, Tries};
use crate::core::pod::{PodSeen, PodStatus};
use crate::core::port::{
    Action, Answer, CacheLookupOutcome, CreateOutcome, Event, Exchange, ExchangeRefusal, GetPodOutcome, PodId,
};

/// One worker.
#[derive(Default)]
pub(crate) struct Voice {
    /// How often the memory of its pod was raised.
    pub memory: Raises,
    /// What runs in it.
    pub running: Vec<AttemptId>,
    /// All that has begun in it.
    pub begun: Vec<AttemptId>,
    /// Why it was stopped.
    pub stop: Option<String>,
    starts: bool,
    number: u64,
    ends: Vec<End>,
    over: bool,
}

/// The workers of one task.
pub(crate) struct Crew {
    pub story: Story,
    pub workers: BTreeMap<u32, Voice>,
    /// Workers whose pods do not start.
    pub stuck: BTreeSet<u32>,
    /// Pods of other tasks that were created.
    pub others: Vec<String>,
    /// Requests that were to be sent again.
    pub refused: usize,
    epoch: u64,
    tickets: BTreeMap<u64, u32>,
    cache: Vec<Entry>,
}

fn id(number: u32) -> PodId {
    PodId { key: key(), role: PodRole::Worker(number) }
}

/// A task whose items need memory, with further fields.
pub(crate) fn task(extra: &Value) -> Value {
    let limit = json!({ "limits": { "memory": "100Mi" } });
    let container = json!({ "name": "main", "image": "x", "command": ["run"], "resources": limit });
    let spec = json!({
        "template": { "spec": { "containers": [container] } },
        "retries": 3,
        "retryPolicy": { "backoffSeconds": 0, "outOfMemory": { "factor": 2, "maxMemory": "400Mi" } },
    });
    with(spec, extra)
}

impl Crew {
    /// The task, some rounds after its creation.
    pub(crate) fn new(spec: &Value) -> Self {
        let story = Story::new(LIMITS, spec);
        let (workers, stuck, tickets) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let mut crew =
            Self { story, workers, stuck, others: Vec::new(), refused: 0, epoch: 0, tickets, cache: Vec::new() };
        crew.serve();
        crew.rounds(6);
        crew
    }

    fn serve(&mut self) {
        let (url, server_name) = ("https://o".to_owned(), "o".to_owned());
        self.story.fleet.set_exchange(Some(ExchangeAddress { url, server_name, ca_pem: String::new() }));
    }

    /// Seconds pass.
    pub(crate) fn rounds(&mut self, rounds: usize) {
        for _ in 0..rounds {
            let waiting = self.workers.iter().filter(|(number, worker)| !worker.starts && !self.stuck.contains(number));
            for number in waiting.map(|(number, _)| *number).collect::<Vec<u32>>() {
                self.workers.get_mut(&number).unwrap().starts = true;
                self.show(number, &running());
                self.speak(number);
            }
            self.round();
        }
    }

    fn round(&mut self) {
        self.story.now = self.story.now.plus_millis(1_000);
        let plan = self.story.fleet.poll_plan(self.story.now);
        for action in &plan.actions {
            let answer = self.story.answer(action).or_else(|| self.look_up(action));
            match action {
                Action::Create(create) if create.id().key != key() => self.others.push(create.id().pod_name()),
                Action::Create(create) => {
                    let made = matches!(&answer, Some(Answer::Created(_, _, CreateOutcome::Created)));
                    if let PodRole::Worker(number) = create.role
                        && made
                    {
                        let voice = Voice { memory: create.memory_raises, ..Voice::default() };
                        self.workers.insert(number, voice);
                    }
                }
                Action::Write(write) => self.cache.extend(write.cache.iter().flat_map(|(_, entries)| entries.clone())),
                _ => {}
            }
            if let Some(answer) = answer {
                self.story.fleet.handle_answer(self.story.now, answer);
            }
        }
        for reply in plan.replies {
            let Some(number) = self.tickets.remove(&reply.ticket) else { continue };
            let is_early = matches!(reply.result, Err(ExchangeRefusal::NotReady));
            match reply.for_worker() {
                Some(answer) => self.hear(number, answer),
                None if is_early => {
                    self.refused += 1;
                    self.speak(number);
                }
                None => {}
            }
        }
    }

    fn look_up(&self, action: &Action) -> Option<Answer> {
        let Action::CacheLookup(lookup) = action else { return None };
        let entries = self.cache.iter().filter(|entry| lookup.wanted.has(&entry.key)).cloned().collect();
        let found = CacheLookupOutcome::Found { from: lookup.from, entries, damaged: 0, next: None };
        Some(Answer::CacheLookedUp(lookup.task.clone(), lookup.uid.clone(), found))
    }

    /// What the watch shows of the pod of a worker.
    pub(crate) fn show(&mut self, number: u32, status: &Value) {
        let pod = self.pod(number, status);
        self.story.fleet.handle_pod(self.story.now, pod);
    }

    /// The pod of a worker is gone.
    pub(crate) fn vanishes(&mut self, number: u32) {
        let pod = self.pod(number, &json!({}));
        self.story.fleet.handle_pod_gone(self.story.now, &pod);
        self.rounds(2);
        self.story.fleet.handle_got_pod(self.story.now, &id(number), "u", GetPodOutcome::NotFound);
        self.rounds(6);
    }

    fn pod(&mut self, number: u32, status: &Value) -> PodSeen {
        self.story.version += 1;
        let status: PodStatus = serde_json::from_value(status.clone()).unwrap();
        let memory_raises = self.workers[&number].memory;
        PodSeen { version: self.story.version, memory_raises, ..pod_of(&id(number), "u", status) }
    }

    fn hear(&mut self, number: u32, answer: maptask_exchange::Answer) {
        self.epoch = self.epoch.max(answer.epoch);
        let worker = self.workers.get_mut(&number).unwrap();
        if answer.number != worker.number || worker.over {
            return;
        }
        worker.ends.retain(|end| end.sequence > answer.acknowledged);
        worker.begun.extend(answer.grants.iter().map(|grant| grant.id));
        worker.running.extend(answer.grants.iter().map(|grant| grant.id));
        worker.stop = worker.stop.take().or(answer.stop);
        if worker.stop.is_some() && worker.running.is_empty() && worker.ends.is_empty() {
            worker.over = true;
            let terminated = json!({ "terminated": { "exitCode": 0 } });
            let main = json!([{ "name": "main", "state": terminated }]);
            return self.show(number, &json!({ "phase": "Succeeded", "containerStatuses": main }));
        }
        self.speak(number);
    }

    pub(crate) fn speak(&mut self, number: u32) {
        let epoch = self.epoch;
        let worker = self.workers.get_mut(&number).unwrap();
        worker.number += 1;
        let request = Request {
            session: format!("{number:016x}"),
            number: worker.number,
            epoch,
            running: worker.running.clone(),
            stock: Vec::new(),
            ended: worker.ends.clone(),
            begun: worker.begun.len() as u64,
            state: State::Working,
        };
        let ticket = self.tickets.keys().last().map_or(1, |last| last + 1);
        self.tickets.insert(ticket, number);
        let (pod, pod_uid) = (format!("t-worker-{number}"), id(number).role.to_string());
        let exchange = Exchange { ticket, namespace: "ns".into(), pod, pod_uid, request };
        self.story.fleet.handle_event(self.story.now, Event::Exchange(Box::new(exchange)));
    }

    /// The program of an item ends, and some seconds pass.
    pub(crate) fn ends(&mut self, number: u32, index: u32, outcome: Outcome) {
        let worker = self.workers.get_mut(&number).unwrap();
        let place = worker.running.iter().position(|id| id.0 == index).expect("it runs there");
        let id = worker.running.remove(place);
        let sequence = worker.begun.iter().position(|begun| *begun == id).unwrap() as u64 + 1;
        worker.ends.push(End { sequence, id, micros: 9, outcome });
        self.speak(number);
        self.rounds(6);
    }

    /// Another operator takes over, and finds the pods of these workers.
    pub(crate) fn restart(&mut self, numbers: &[u32]) {
        self.restart_beside(Vec::new(), numbers);
    }

    /// Another operator takes over, to which the kubelet has yet to report that the program of `pending` runs.
    pub(crate) fn restart_pending(&mut self, pending: u32, numbers: &[u32]) {
        let pod = self.pod(pending, &json!({ "phase": "Pending" }));
        self.restart_beside(vec![PodSeen { node: Some("n".into()), ..pod }], numbers);
    }

    fn restart_beside(&mut self, mut pods: Vec<PodSeen>, numbers: &[u32]) {
        pods.extend(numbers.iter().map(|number| self.pod(*number, &running())));
        self.story.restart(pods);
        self.serve();
        self.tickets.clear();
        for number in numbers.iter().filter(|number| !self.stuck.contains(number)).copied().collect::<Vec<u32>>() {
            self.speak(number);
        }
        self.rounds(6);
    }

    /// The workers that run something, each with what.
    pub(crate) fn running(&self) -> BTreeMap<u32, Vec<(u32, u32)>> {
        let busy = self.workers.iter().filter(|(_, worker)| !worker.running.is_empty());
        busy.map(|(number, worker)| (*number, worker.running.iter().map(|id| (id.0, id.1)).collect())).collect()
    }

    /// How an item is recorded.
    pub(crate) fn item(&self, index: u32) -> (ItemPhase, Tries) {
        let phases = phases::recorded(self.story.status()).unwrap().unwrap();
        (phases.0.get(Index(index)).unwrap(), phases.1.get(Index(index)))
    }

    /// The attempt at an item that runs or is next, its failures of its own, and how often its memory was raised.
    pub(crate) fn tries(&self, index: u32) -> (u32, u32, u32) {
        let Tries { attempt: Attempt(attempt), application, memory_raises, .. } = self.item(index).1;
        (attempt, application, memory_raises.of(0))
    }
}

/// It has run out of memory.
pub(crate) fn short() -> Outcome {
    Outcome::OutOfMemory { exit_code: 137, message: String::new() }
}

/// It has succeeded.
pub(crate) fn good() -> Outcome {
    Outcome::Succeeded { result: Some("7".to_owned()) }
}
