//! What became of the actions of a plan.

use super::event::TaskSeen;
use super::plan::{PieceId, PodId};
use crate::core::cache::Entry;
use crate::core::ids::TaskKey;
use crate::core::items::{ItemsError, ReadList};
use crate::core::pod::explain::Said;
use crate::core::pod::{Holder, PodSeen};
use crate::core::results::keeping::Damage;
use crate::core::workload::Flavor;

/// How long a request without an answer may still be carried out: the API server gives a request up after a minute.
pub const INDETERMINATE_MILLIS: u64 = 75_000;

/// How a dry run went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    /// The API server would take the pod.
    Good,
    /// It would, but for a quota of the namespace.
    Quota(String),
    /// No cluster ever would: the template itself is wrong.
    Invalid(String),
    /// It would not as the cluster is now; somebody may change that.
    Refused(String),
    /// No answer.
    Indeterminate(String),
}

/// How a create went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CreateOutcome {
    /// The pod is there, made now or before by this task.
    Created,
    /// The name belongs to another owner's object.
    NameTaken(Holder),
    /// No room in the namespace's quota.
    Quota(String),
    /// Not created, since another create was charged to the same quota at the same time.
    Contended,
    /// The API server asks for fewer requests, and for a pause of this many milliseconds.
    Throttled(Option<u64>),
    /// No answer: the pod may be there or come.
    Indeterminate,
    /// The API server failed at this request: to be tried again later, at no cost to the item.
    Failed {
        /// Its words.
        message: String,
        /// Whether the pod may be there, or come, all the same.
        may_exist: bool,
    },
    /// A policy of the cluster refuses this pod.
    Refused(String),
    /// No cluster takes this pod.
    Invalid(String),
}

/// What became of reading a list.
#[derive(Clone, Debug, PartialEq)]
pub enum FetchOutcome {
    /// The list.
    Found(ReadList),
    /// Something is there that is no list of items.
    Invalid(ItemsError),
    /// No such ConfigMap, key or result.
    Missing(String),
    /// The task whose results these are has not succeeded yet; with how far it is.
    Waits(String),
    /// There will be no list, since the task whose results they are has failed, or stores none.
    Failed(String),
    /// No answer.
    Indeterminate(String),
}

/// What a look-up in a cache found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CacheLookupOutcome {
    /// A page.
    Found {
        /// Which page.
        from: u64,
        /// Entries of wanted keys.
        entries: Vec<Entry>,
        /// Entries that can't be read.
        damaged: u32,
        /// The page that follows, if one does.
        next: Option<u64>,
    },
    /// The API server does not let us read.
    Refused(String),
    /// No answer.
    Indeterminate(String),
}

/// How a delete went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeleteOutcome {
    /// Taken, or there was nothing to delete.
    Taken,
    /// To be sent again.
    Failed,
    /// The pod has another version by now.
    Changed,
}

/// What a look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GetPodOutcome {
    /// The pod, as it is.
    Found(Box<PodSeen>),
    /// No pod of that name and owner.
    NotFound,
    /// No answer.
    Indeterminate,
}

/// How a write went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Everything is stored.
    Written {
        /// The object's new version.
        version: u64,
        /// Bytes that ConfigMaps had already and that were written again with what is new.
        rewritten: u64,
        /// Why the cache did not take what it was to know, if it did not.
        uncached: Option<String>,
    },
    /// The object has another version.
    Conflict,
    /// The object is gone.
    Gone,
    /// Nothing of the status was recorded, since results that were stored before were changed or deleted by somebody
    /// else; they were left as they were found.
    Damaged(Vec<Damage>),
    /// Certainly not: nothing of the status was recorded, and maybe not all results are stored.
    NotStored {
        /// Why, in the API server's words where they are its own.
        message: String,
        /// Whether it has refused, and will as long as nothing changes.
        refused: bool,
    },
    /// Something is not stored, or not known to be.
    Failed(String),
}

/// What became of a piece of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceOutcome {
    /// It is stored.
    Stored,
    /// It is not, or that is not known; with why, in the API server's words.
    Failed(String),
}

/// What the Events about a pod say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainOutcome {
    /// All that are kept, in any order.
    Said(Vec<Said>),
    /// The operator has no right to list Events.
    Denied,
    /// No answer.
    Indeterminate,
}

/// How a request about a Workload went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadOutcome {
    /// It was carried out, or nothing was to be done; the watch shows the result.
    Done,
    /// The API server refuses it, in its words.
    Refused(String),
    /// Another version of it exists, or there was no answer.
    Indeterminate,
}

/// What became of reading the flavors of a Workload.
#[derive(Clone, Debug, PartialEq)]
pub enum FlavorsOutcome {
    /// All of them.
    Found(Vec<Flavor>),
    /// Not all, for this reason.
    Failed(String),
}

/// What became of an action.
#[derive(Debug)]
pub enum Answer {
    /// Of a dry run; with the task's UID.
    Checked(TaskKey, String, CheckOutcome),
    /// Of a create; with the task's UID.
    Created(PodId, String, CreateOutcome),
    /// Of a delete; with the task's UID.
    Deleted(PodId, String, DeleteOutcome),
    /// Of a look; with the task's UID.
    GotPod(PodId, String, GetPodOutcome),
    /// Of reading the Events about a pod; with the task's UID.
    Explained(PodId, String, ExplainOutcome),
    /// Of a status write; with the task's UID.
    Written(TaskKey, String, WriteOutcome),
    /// Of a note; with the task's UID.
    Noted(TaskKey, String, WriteOutcome),
    /// The object, read again.
    Reread(Box<TaskSeen>),
    /// Of reading a list; with the task's UID.
    Fetched(TaskKey, String, FetchOutcome),
    /// Of a look-up in a cache; with the task's UID.
    CacheLookedUp(TaskKey, String, CacheLookupOutcome),
    /// Of a request about a Workload; with the task's UID.
    WorkloadChanged(TaskKey, String, WorkloadOutcome),
    /// Of reading flavors; with the task's UID.
    FlavorsRead(TaskKey, String, FlavorsOutcome),
    /// Of storing a piece of a list; with the task's UID.
    PieceStored(PieceId, String, PieceOutcome),
}
