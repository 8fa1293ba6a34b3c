//! What is to be done: a plan is a value, and prints itself.

use std::fmt;
use std::sync::Arc;

use crate::api::reasons::EventReason;
use crate::api::status::{MapTaskStatus, Waiting};
use crate::core::blueprint::Blueprint;
use crate::core::cache::{CacheId, Entry, LookupKeys};
use crate::core::ids::{Attempt, PodRole, TaskKey};
use crate::core::items::ExternalSource;
use crate::core::phases::Raises;
use crate::core::pod::{EventType, pod_name};
use crate::core::port::exchange::Reply;
use crate::core::results::Shard;
use crate::core::workload::{Placement, StatusPatch};
use serde_json::Value;

/// The actions of one round, each to be answered through `Fleet::handle_answer`, in any order.
#[derive(Debug, Default)]
pub struct Plan {
    /// Independent of each other.
    pub actions: Vec<Action>,
    /// What workers and pods of lists are answered.
    pub replies: Vec<Reply>,
}

/// How many actions of each kind a round may still start.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Deletes.
    pub deletes: usize,
    /// GETs of pods.
    pub gets: usize,
}

/// One thing to be done in the API server.
#[derive(Debug)]
pub enum Action {
    /// A dry run of the first pod.
    Check(Check),
    /// A pod is created.
    Create(Create),
    /// A pod is deleted.
    Delete(Delete),
    /// Does this pod exist? With the task's UID.
    GetPod(PodId, String),
    /// What do the Events about a pod say that has not started?
    Explain(Explain),
    /// Results are stored and then the status is written.
    Write(Box<Write>),
    /// The status says why it can't be written, and nothing else in it changes.
    Note(Box<Note>),
    /// The object is read again.
    Reread(TaskKey),
    /// The items of a task are read that are not in its spec.
    Fetch(Fetch),
    /// Items are looked up in a cache.
    CacheLookup(CacheLookup),
    /// The Workload of a task is created, changed or deleted.
    ChangeWorkload(Box<ChangeWorkload>),
    /// Flavors are read that were assigned to a Workload.
    ReadFlavors(ReadFlavors),
    /// A piece of a list is stored.
    StorePiece(Box<StorePiece>),
    /// A task is deleted, its time being over; has no answer.
    Expire(Expire),
    /// A Kubernetes Event; has no answer.
    EmitEvent(EmitEvent),
}

/// A pod of a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId {
    /// Its task.
    pub key: TaskKey,
    /// What it is to the task.
    pub role: PodRole,
}

impl PodId {
    /// The name of the pod.
    pub fn pod_name(&self) -> String {
        pod_name(&self.key.name, self.role)
    }
}

/// Templates of a task whose first pods the API server is to validate.
#[derive(Clone, Debug)]
pub struct Check {
    /// The task.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// What the pods are made from.
    pub blueprints: Vec<Arc<Blueprint>>,
}

/// A pod to be created.
#[derive(Clone, Debug)]
pub struct Create {
    /// What it is made from.
    pub blueprint: Arc<Blueprint>,
    /// Its role.
    pub role: PodRole,
    /// How often the memory of its containers was raised.
    pub memory_raises: Raises,
    /// Of a worker, the epoch of the operator that makes it.
    pub epoch: Option<u64>,
    /// Nodes that it is to avoid if it can.
    pub avoid: Vec<String>,
    /// Where Kueue wants it to run.
    pub placement: Option<Arc<Placement>>,
}

/// A request about the Workload of a task.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangeWorkload {
    /// The task.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// The name of the Workload.
    pub name: String,
    /// What is done.
    pub change: WorkloadChange,
}

/// What is done to a Workload.
#[derive(Clone, Debug, PartialEq)]
pub enum WorkloadChange {
    /// It is created, as this object.
    Create(Value),
    /// It was made by somebody else, and gets this metadata, unless it has another owner.
    Adopt(Value),
    /// The one of this UID is deleted.
    Delete(String),
    /// Its status is changed, if it still has this version.
    Patch(u64, StatusPatch),
}

/// Flavors to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFlavors {
    /// The task that they are for.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// Their names.
    pub names: Vec<String>,
}

/// A task to be deleted. Only this version of it: it may have been asked to run again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expire {
    /// The task.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub resource_version: u64,
}

impl Expire {
    /// If the task is still there after this many milliseconds, its deletion is sent again.
    pub const AGAIN_MILLIS: u64 = 30_000;
}

/// A list of items to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// The task whose items they are.
    pub task: TaskKey,
    /// The task's UID.
    pub uid: String,
    /// Where they are.
    pub source: ExternalSource,
}

/// Items to be looked up in a cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheLookup {
    /// The task whose items they are.
    pub task: TaskKey,
    /// The task's UID.
    pub uid: String,
    /// The cache.
    pub cache: CacheId,
    /// Their keys.
    pub wanted: Arc<LookupKeys>,
    /// From this page on: 0, or what the answer before said.
    pub from: u64,
}

/// A piece of a list that a pod has computed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceId {
    /// The task.
    pub key: TaskKey,
    /// The attempt at the list.
    pub attempt: Attempt,
    /// The number of the piece, from 0.
    pub number: u32,
}

/// A piece of a list to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorePiece {
    /// Which piece.
    pub id: PieceId,
    /// The task's UID.
    pub uid: String,
    /// The UID of the pod that has sent it.
    pub pod_uid: String,
    /// Its bytes, in base64.
    pub data: Arc<str>,
}

impl Create {
    /// Which pod it is.
    pub fn id(&self) -> PodId {
        PodId { key: self.blueprint.key.clone(), role: self.role }
    }
}

/// A pod to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delete {
    /// Which pod.
    pub id: PodId,
    /// Only the pod of this UID.
    pub uid: String,
    /// The task's UID.
    pub task_uid: String,
    /// Only this version of it, if it is to go for what it looked like.
    pub version: Option<u64>,
    /// Whether it has ended, so that there is nothing to wait for.
    pub ended: bool,
}

/// A status to be written, and before it the results of the items that it says have succeeded.
#[derive(Clone, Debug)]
pub struct Write {
    /// The task.
    pub key: TaskKey,
    /// Only the task of this UID.
    pub uid: String,
    /// Only this version of it.
    pub resource_version: u64,
    /// Lines for the results.
    pub results: Vec<Shard>,
    /// What a cache is to know from now on.
    pub cache: Option<(CacheId, Vec<Entry>)>,
    /// The whole status.
    pub status: MapTaskStatus,
}

/// Why results or status can't be stored, for `status.waiting`. All else of the status stays as it is recorded: it must
/// not tell of ends whose results are not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The task.
    pub key: TaskKey,
    /// Only the task of this UID.
    pub uid: String,
    /// Only this version of it.
    pub resource_version: u64,
    /// What is waited for.
    pub waiting: Waiting,
}

/// A Kubernetes Event about a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmitEvent {
    /// The task.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// Normal or Warning.
    pub type_: EventType,
    /// What happened.
    pub reason: EventReason,
    /// Its message, at most 1,000 characters.
    pub note: String,
}

/// A pod whose Events are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explain {
    /// Which pod.
    pub id: PodId,
    /// The task's UID.
    pub task_uid: String,
    /// The pod's UID.
    pub uid: String,
    /// Claims of it whose Events are to be read, too.
    pub claims: Vec<String>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.actions.iter().try_for_each(|action| writeln!(f, "{action}"))?;
        self.replies.iter().try_for_each(|reply| writeln!(f, "{reply}"))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Check(check) => write!(f, "check {}", check.key),
            Self::Create(create) => write!(f, "create {}", create.id()),
            Self::Delete(Delete { id, ended: true, .. }) => write!(f, "clean up {id}"),
            Self::Delete(Delete { id, ended: false, .. }) => write!(f, "stop {id}"),
            Self::GetPod(id, _) => write!(f, "get {id}"),
            Self::Explain(explain) => write!(f, "explain {}", explain.id),
            Self::Write(write) => write.fmt(f),
            Self::Note(note) => write!(f, "note {} waiting {}", note.key, note.waiting.reason.as_str()),
            Self::Reread(key) => write!(f, "reread {key}"),
            Self::Fetch(fetch) => write!(f, "fetch {} for {}", fetch.source, fetch.task),
            Self::CacheLookup(CacheLookup { task, cache, wanted, from, .. }) => {
                write!(f, "look up {} items of {task} from {cache} page {from}", wanted.len())
            }
            Self::ChangeWorkload(workload) => workload.fmt(f),
            Self::ReadFlavors(read) => write!(f, "read flavors {} for {}", read.names.join(", "), read.key),
            Self::StorePiece(piece) => write!(f, "store {}", piece.id),
            Self::Expire(expire) => write!(f, "expire {}", expire.key),
            Self::EmitEvent(event) => write!(f, "emit event {} {}: {}", event.key, event.reason.as_str(), event.note),
        }
    }
}

impl fmt::Display for PieceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "piece {} of the list of {} in attempt {}", self.number, self.key, self.attempt)
    }
}

impl fmt::Display for ChangeWorkload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change {
            WorkloadChange::Create(_) => write!(f, "queue {}", self.key),
            WorkloadChange::Adopt(_) => write!(f, "adopt {} for {}", self.name, self.key),
            WorkloadChange::Delete(_) => write!(f, "dequeue {}", self.key),
            WorkloadChange::Patch(_, patch) => write!(f, "patch workload of {}: {}", self.key, patch.fields()),
        }
    }
}

impl fmt::Display for PodId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.key.namespace, self.pod_name())
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = &self.status;
        let lines: usize = self.results.iter().map(|shard| shard.lines.len()).sum();
        write!(f, "write {}", self.key)?;
        if let Some(phase) = status.phase {
            write!(f, " {phase:?}")?;
        }
        if let (Some(done), Some(counts)) = (&status.done, &status.counts) {
            write!(f, " {done} running {} failed {}", counts.running, counts.failed)?;
        }
        if let Some(waiting) = &status.waiting {
            write!(f, " waiting {}", waiting.reason.as_str())?;
        }
        if lines > 0 {
            write!(f, " +{lines} results")?;
        }
        if let Some((cache, entries)) = &self.cache {
            write!(f, " +{} entries of {cache}", entries.len())?;
        }
        Ok(())
    }
}
