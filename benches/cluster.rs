//! A cluster that answers at once, for measurements of the core.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use maptask::api::status::MapTaskStatus;
use maptask::core::exchange_address::ExchangeAddress;
use maptask::core::fleet::Fleet;
use maptask::core::ids::{TaskKey, Time};
use maptask::core::limits::Limits;
use maptask::core::pod::{PodSeen, PodStatus};
use maptask::core::port::{
    Action, Answer, CacheLookupOutcome, CheckOutcome, CreateOutcome, DeleteOutcome, Event, ExplainOutcome,
    GetPodOutcome, Plan, PodId, TaskSeen, WriteOutcome,
};
use serde_json::{Value, json};

const LIMITS: Limits = Limits::DEFAULT;

pub struct Cluster {
    fleet: Fleet,
    now: Time,
    version: u64,
    task: Option<TaskSeen>,
    running: VecDeque<PodId>,
}

/// A task with this number of items.
pub fn task(items: u32) -> TaskSeen {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
    task_of(&json!({ "items": { "count": items }, "template": template, "results": { "maxBytesPerItem": 64 } }))
}

/// A task with this spec.
pub fn task_of(spec: &Value) -> TaskSeen {
    TaskSeen {
        key: TaskKey::new("ns", "t"),
        uid: "u".to_owned(),
        resource_version: 1,
        generation: 1,
        deleting: false,
        queue: None,
        prebuilt: None,
        spec: serde_json::from_value(spec.clone()).unwrap(),
        status: MapTaskStatus::default(),
    }
}

fn pod(id: &PodId, phase: &str) -> PodSeen {
    let state = match phase {
        "Succeeded" => json!({ "terminated": { "exitCode": 0, "message": id.role.label() } }),
        _ => json!({ "running": {} }),
    };
    let status = json!({ "phase": phase, "containerStatuses": [{ "name": "main", "state": state }] });
    PodSeen {
        namespace: id.key.namespace.clone(),
        name: id.pod_name(),
        uid: id.role.to_string(),
        version: 1,
        task: id.key.name.clone(),
        labelled: true,
        owner_uid: Some("u".to_owned()),
        created: None,
        deleted: None,
        memory_raises: maptask::core::phases::Raises::NONE,
        node: None,
        gating: maptask::core::pod::Gating::Never,
        status: serde_json::from_value::<PodStatus>(status).unwrap(),
    }
}

fn empty_fleet(events: impl IntoIterator<Item = Event>, now: Time) -> Fleet {
    let mut fleet = Fleet::new(LIMITS, 1);
    let (url, server_name, ca_pem) = ("https://o".to_owned(), "o".to_owned(), String::new());
    fleet.set_exchange(Some(ExchangeAddress { url, server_name, ca_pem }));
    for event in events {
        fleet.handle_event(now, event);
    }
    fleet
}

impl Cluster {
    pub fn new() -> Self {
        let listed = [Event::TasksListing, Event::TasksListed, Event::PodsListing, Event::PodsListed];
        Self { fleet: empty_fleet(listed, Time(0)), now: Time(0), version: 1, task: None, running: VecDeque::new() }
    }

    pub fn apply(&mut self, task: TaskSeen) {
        self.task = Some(task.clone());
        self.fleet.handle_task(self.now, task);
    }

    /// Plans and carries out until nothing more is planned at this time.
    pub fn settle(&mut self) {
        loop {
            let (_, actions) = self.plan();
            if actions.is_empty() {
                return;
            }
            self.carry_out(actions);
        }
    }

    /// One round of planning: how long it took, and what is to be done.
    pub fn plan(&mut self) -> (Duration, Vec<Action>) {
        let began = Instant::now();
        let plan = self.fleet.poll_plan(self.now);
        (began.elapsed(), plan.actions)
    }

    /// One round of planning, with the answers to workers.
    pub fn whole_plan(&mut self) -> Plan {
        self.fleet.poll_plan(self.now)
    }

    /// Takes in an event.
    pub fn hear(&mut self, event: Event) {
        self.fleet.handle_event(self.now, event);
    }

    /// Lets this many milliseconds of the core's time pass.
    pub fn wait(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
    }

    /// The pods that run, in the order of their creation.
    pub fn pods(&self) -> impl Iterator<Item = PodId> {
        self.running.iter().cloned()
    }

    /// The pod that runs for the longest time succeeds: how long it took to take that in. The clock advances.
    pub fn end_oldest(&mut self, millis: u64) -> Option<Duration> {
        self.now = self.now.plus_millis(millis);
        let pod = pod(&self.running.pop_front()?, "Succeeded");
        let began = Instant::now();
        self.fleet.handle_pod(self.now, pod);
        Some(began.elapsed())
    }

    pub fn carry_out(&mut self, actions: Vec<Action>) {
        for action in actions {
            let now = self.now;
            let answer = match action {
                Action::Check(check) => Answer::Checked(check.key.clone(), check.uid.clone(), CheckOutcome::Good),
                Action::Create(create) => {
                    self.fleet.handle_pod(now, pod(&create.id(), "Running"));
                    self.running.push_back(create.id());
                    Answer::Created(create.id(), create.blueprint.uid.clone(), CreateOutcome::Created)
                }
                Action::Delete(delete) => {
                    self.fleet.handle_pod_gone(now, &pod(&delete.id, "Succeeded"));
                    Answer::Deleted(delete.id, delete.task_uid, DeleteOutcome::Taken)
                }
                Action::GetPod(id, uid) => Answer::GotPod(id, uid, GetPodOutcome::NotFound),
                Action::Explain(explain) => {
                    Answer::Explained(explain.id, explain.task_uid, ExplainOutcome::Indeterminate)
                }
                Action::Write(write) => {
                    self.version += 1;
                    if let Some(task) = &mut self.task {
                        task.status = write.status;
                        task.resource_version = self.version;
                    }
                    let outcome = WriteOutcome::Written { version: self.version, rewritten: 0, uncached: None };
                    Answer::Written(write.key, write.uid, outcome)
                }
                Action::CacheLookup(recall) => {
                    let outcome =
                        CacheLookupOutcome::Found { from: recall.from, entries: Vec::new(), damaged: 0, next: None };
                    Answer::CacheLookedUp(recall.task, recall.uid, outcome)
                }
                Action::Note(_)
                | Action::StorePiece(_)
                | Action::Reread(_)
                | Action::Fetch(_)
                | Action::Expire(_)
                | Action::EmitEvent(_)
                | Action::ChangeWorkload(_)
                | Action::ReadFlavors(_) => {
                    continue;
                }
            };
            self.fleet.handle_answer(now, answer);
        }
    }

    /// How long another operator takes from the lists of what there is to its first plan.
    pub fn restarted(&self) -> Duration {
        let task = self.task.clone().unwrap();
        let pods: Vec<Event> = self.running.iter().map(|id| Event::Pod(pod(id, "Running"))).collect();
        let began = Instant::now();
        let mut events = vec![Event::TasksListing, Event::Task(Box::new(task)), Event::TasksListed, Event::PodsListing];
        events.extend(pods);
        events.push(Event::PodsListed);
        let mut fleet = empty_fleet(events, self.now);
        std::hint::black_box(fleet.poll_plan(self.now));
        began.elapsed()
    }

    /// Bytes of the task's status as it was last written.
    pub fn status_bytes(&self) -> usize {
        self.task.as_ref().map_or(0, |task| serde_json::to_string(&task.status).unwrap().len())
    }
}
