//! A fleet of one task whose creates, writes and deletes are answered well at once.

use serde_json::json;

use super::{Fleet, Limits};
use crate::api::spec::ConfigMapItems;
use crate::api::{MapTaskStatus, TaskPhase};
use crate::core::ids::{Attempt, Index, PodRole, TaskKey, Time};
use crate::core::items::{ExternalSource, Part};
use crate::core::pod::EventType;
use crate::core::pod::explain::Said;
use crate::core::pod::{PodSeen, PodStatus};
use crate::core::port::{
    Action, Answer, CacheLookup, CheckOutcome, CreateOutcome, DeleteOutcome, EmitEvent, Event, ExplainOutcome,
    FetchOutcome, FlavorsOutcome, PieceOutcome, PodId, TaskSeen, WorkloadOutcome, WriteOutcome,
};
use crate::core::workload::Flavor;

/// A fleet of one task, `ns/t`.
pub(crate) struct Story {
    pub fleet: Fleet,
    pub now: Time,
    pub version: u64,
    /// The task as it was last written.
    pub written: Option<TaskSeen>,
    /// The answer to creates, if there is one.
    pub created: Option<CreateOutcome>,
    /// The answer to deletes, if there is one.
    pub deleted: Option<DeleteOutcome>,
    /// The Events so far.
    pub told: Vec<EmitEvent>,
    /// Whether dry runs are answered well.
    pub checks: bool,
    /// The task as it was created.
    pub task: TaskSeen,
    /// The look-up in a cache that was asked for last, and has no answer yet.
    pub lookup: Option<CacheLookup>,
}

pub(crate) fn key() -> TaskKey {
    TaskKey::new("ns", "t")
}

/// A fleet that has seen all there is, which is nothing.
pub(crate) fn empty_fleet(limits: Limits) -> Fleet {
    let mut fleet = Fleet::new(limits, 1);
    for event in [Event::TasksListing, Event::TasksListed, Event::PodsListing, Event::PodsListed] {
        fleet.handle_event(Time(0), event);
    }
    fleet
}

/// A spec with further fields.
pub(crate) fn with(mut spec: serde_json::Value, extra: &serde_json::Value) -> serde_json::Value {
    for (field, value) in extra.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

/// The lines of a plan that begin so.
pub(crate) fn lines<'a>(plan: &'a [String], start: &str) -> Vec<&'a str> {
    plan.iter().map(String::as_str).filter(|line| line.starts_with(start)).collect()
}

/// What the Events say about a pod whose ConfigMap does not exist.
/// What was read of a ConfigMap with this text.
pub(crate) fn read_lines(text: &str) -> FetchOutcome {
    let source = ExternalSource::ConfigMap(ConfigMapItems { key: "items".to_owned(), ..ConfigMapItems::default() });
    FetchOutcome::Found(source.read(&[Part::new("inputs", text)]).unwrap())
}

pub(crate) fn missing_config_map() -> ExplainOutcome {
    ExplainOutcome::Said(vec![Said {
        claim: None,
        type_: EventType::Warning,
        reason: "FailedMount".to_owned(),
        message: "MountVolume.SetUp failed for volume \"conf\" : configmap \"nobody\" not found".to_owned(),
        at: Time(1),
    }])
}

/// A task as it is created, of one container unless its template says more.
pub(crate) fn new_task(key: TaskKey, uid: &str, resource_version: u64, spec: &serde_json::Value) -> TaskSeen {
    let mut spec = spec.clone();
    if spec.get("template").is_none() {
        spec["template"] = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
    }
    TaskSeen {
        key,
        uid: uid.to_owned(),
        resource_version,
        generation: 1,
        deleting: false,
        queue: None,
        prebuilt: None,
        spec: serde_json::from_value(spec).unwrap(),
        // As the API server stores a new object.
        status: MapTaskStatus { observed_generation: Some(-1), ..MapTaskStatus::default() },
    }
}

/// A pod of the task of this UID.
pub(crate) fn pod_of(id: &PodId, owner_uid: &str, status: PodStatus) -> PodSeen {
    PodSeen {
        namespace: id.key.namespace.clone(),
        name: id.pod_name(),
        uid: id.role.to_string(),
        task: id.key.name.clone(),
        owner_uid: Some(owner_uid.to_owned()),
        ..PodSeen::in_state(status)
    }
}

/// The status of a pod whose container runs.
pub(crate) fn running() -> serde_json::Value {
    json!({ "phase": "Running", "containerStatuses": [{ "name": "main", "state": { "running": {} } }] })
}

/// Stands for the reduce where a story names an item.
pub(crate) const REDUCE: u32 = u32::MAX;

fn role(index: u32, attempt: u32) -> PodRole {
    match index {
        REDUCE => PodRole::Reduce(Attempt(attempt)),
        index => PodRole::Item(Index(index), Attempt(attempt)),
    }
}

impl Story {
    pub(crate) fn new(limits: Limits, spec: &serde_json::Value) -> Self {
        let task = new_task(key(), "u", 1, spec);
        let mut story = Self {
            fleet: empty_fleet(limits),
            now: Time(0),
            version: 1,
            written: None,
            created: Some(CreateOutcome::Created),
            deleted: Some(DeleteOutcome::Taken),
            told: Vec::new(),
            checks: true,
            task: task.clone(),
            lookup: None,
        };
        story.fleet.handle_task(story.now, task);
        story
    }

    /// A story after some rounds in which nothing happens but that requests are answered.
    pub(crate) fn after(rounds: usize, limits: Limits, spec: &serde_json::Value) -> Self {
        let mut story = Self::new(limits, spec);
        (0..rounds).for_each(|_| drop(story.plan(0)));
        story
    }

    /// The phase as of now, which need not be recorded.
    pub(crate) fn phase(&self) -> TaskPhase {
        self.fleet.task(&key()).expect("the task is known").phase()
    }

    /// The status as it was last written.
    pub(crate) fn status(&self) -> &MapTaskStatus {
        &self.written.as_ref().expect("it was written").status
    }

    /// The Events about a pod have been read.
    pub(crate) fn says(&mut self, index: u32, outcome: &ExplainOutcome) {
        self.fleet.handle_explained(self.now, &Self::id(index, 1), "u", outcome);
    }

    /// What is planned after a number of milliseconds; writes and deletes are answered well at once, and so are creates
    /// unless it is said otherwise.
    pub(crate) fn plan(&mut self, millis: u64) -> Vec<String> {
        self.now = self.now.plus_millis(millis);
        let plan = self.fleet.poll_plan(self.now);
        for action in &plan.actions {
            if let Some(answer) = self.answer(action) {
                self.fleet.handle_answer(self.now, answer);
            }
        }
        plan.to_string().lines().map(str::to_owned).collect()
    }

    /// The answer to an action, if it has one.
    pub(crate) fn answer(&mut self, action: &Action) -> Option<Answer> {
        match action {
            Action::Create(create) => {
                Some(Answer::Created(create.id(), create.blueprint.uid.clone(), self.created.clone()?))
            }
            Action::Write(write) => {
                self.version += 1;
                if write.key == key() {
                    let (resource_version, status) = (self.version, write.status.clone());
                    self.written = Some(TaskSeen { resource_version, status, ..self.task.clone() });
                }
                let written = WriteOutcome::Written { version: self.version, rewritten: 0, uncached: None };
                Some(Answer::Written(write.key.clone(), write.uid.clone(), written))
            }
            Action::Delete(delete) => Some(Answer::Deleted(delete.id.clone(), delete.task_uid.clone(), self.deleted?)),
            Action::Check(check) if self.checks => {
                Some(Answer::Checked(check.key.clone(), check.uid.clone(), CheckOutcome::Good))
            }
            Action::EmitEvent(tell) => {
                self.told.push(tell.clone());
                None
            }
            Action::ChangeWorkload(change) => {
                Some(Answer::WorkloadChanged(change.key.clone(), change.uid.clone(), WorkloadOutcome::Done))
            }
            Action::ReadFlavors(read) => {
                let flavor = |name: &String| Flavor { name: name.clone(), ..Flavor::default() };
                let found = FlavorsOutcome::Found(read.names.iter().map(flavor).collect());
                Some(Answer::FlavorsRead(read.key.clone(), read.uid.clone(), found))
            }
            Action::CacheLookup(lookup) => {
                self.lookup = Some(lookup.clone());
                None
            }
            Action::StorePiece(piece) => {
                Some(Answer::PieceStored(piece.id.clone(), piece.uid.clone(), PieceOutcome::Stored))
            }
            Action::Check(_)
            | Action::GetPod(..)
            | Action::Explain(_)
            | Action::Note(_)
            | Action::Reread(_)
            | Action::Fetch(_)
            | Action::Expire(..) => None,
        }
    }

    /// Another operator takes over from what was last written, and finds these pods.
    pub(crate) fn restart(&mut self, pods: impl IntoIterator<Item = PodSeen>) {
        self.fleet = Fleet::new(LIMITS, 2);
        self.fleet.handle_tasks_listing();
        self.fleet.handle_task(self.now, self.written.clone().expect("a task that was written"));
        self.fleet.handle_tasks_listed(self.now);
        self.fleet.handle_pods_listing();
        for pod in pods {
            self.fleet.handle_pod(self.now, pod);
        }
        self.fleet.handle_pods_listed(self.now);
    }

    /// Somebody changes the task.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut TaskSeen)) {
        self.version += 1;
        let mut task = self.written.clone().expect("a task that was written");
        (task.resource_version, task.generation) = (self.version, task.generation + 1);
        change(&mut task);
        (self.task.spec, self.task.generation) = (task.spec.clone(), task.generation);
        self.written = Some(task.clone());
        self.fleet.handle_task(self.now, task);
    }

    pub(crate) fn id(index: u32, attempt: u32) -> PodId {
        PodId { key: key(), role: role(index, attempt) }
    }

    pub(crate) fn pod(index: u32, attempt: u32, status: &serde_json::Value) -> PodSeen {
        pod_of(&Self::id(index, attempt), "u", serde_json::from_value(status.clone()).unwrap())
    }

    pub(crate) fn running(index: u32, attempt: u32) -> PodSeen {
        PodSeen { version: 2, ..Self::pod(index, attempt, &running()) }
    }

    pub(crate) fn runs(&mut self, index: u32, attempt: u32) {
        self.fleet.handle_pod(self.now, Self::running(index, attempt));
    }

    pub(crate) fn ends(&mut self, index: u32, attempt: u32, exit_code: i32) {
        self.fleet.handle_pod(self.now, Self::ended(index, attempt, exit_code));
    }

    pub(crate) fn ended(index: u32, attempt: u32, exit_code: i32) -> PodSeen {
        Self::ended_pod(&Self::id(index, attempt), exit_code)
    }

    pub(crate) fn ended_pod(id: &PodId, exit_code: i32) -> PodSeen {
        let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
        let terminated = json!({ "exitCode": exit_code, "message": "7" });
        let status =
            json!({ "phase": phase, "containerStatuses": [{ "name": "main", "state": { "terminated": terminated } }] });
        PodSeen { version: 3, ..pod_of(id, "u", serde_json::from_value(status).unwrap()) }
    }
}

pub(crate) const LIMITS: Limits =
    Limits { max_pods: 10, finished_pods: 1, linger_millis: 0, lingering_pods: 0, ..Limits::DEFAULT };
