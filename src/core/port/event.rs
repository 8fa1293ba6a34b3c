//! What the watches show.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api::spec::MapTaskSpec;
use crate::api::status::{MapTaskStatus, TaskPhase};
use crate::core::ids::TaskKey;
use crate::core::pod::PodSeen;
use crate::core::port::exchange::{Exchange, Listed};
use crate::core::workload::WorkloadSeen;

/// What a watch shows.
#[derive(Clone, Debug)]
pub enum Event {
    /// A task, new or changed.
    Task(Box<TaskSeen>),
    /// A task is gone.
    TaskGone(TaskKey),
    /// These namespaces may not be read for now, and all others may.
    LeftOut(BTreeSet<Arc<str>>),
    /// A complete list of tasks begins.
    TasksListing,
    /// It is complete.
    TasksListed,
    /// A pod, new or changed.
    Pod(PodSeen),
    /// A pod is gone; its last state.
    PodGone(PodSeen),
    /// A complete list of pods begins.
    PodsListing,
    /// It is complete.
    PodsListed,
    /// The Workload of a task, new or changed.
    Workload(Box<WorkloadSeen>),
    /// A Workload is gone.
    WorkloadGone(Box<WorkloadSeen>),
    /// A complete list of Workloads begins.
    WorkloadsListing,
    /// It is complete.
    WorkloadsListed,
    /// A worker speaks.
    Exchange(Box<Exchange>),
    /// The pod of a list speaks.
    Listed(Box<Listed>),
}

/// A MapTask as the watch shows it.
#[derive(Clone, Debug)]
pub struct TaskSeen {
    /// Namespace and name.
    pub key: TaskKey,
    /// Its UID.
    pub uid: String,
    /// Its version; versions of one object compare.
    pub resource_version: u64,
    /// The version of its spec.
    pub generation: i64,
    /// Whether its deletion has been asked for.
    pub deleting: bool,
    /// The `LocalQueue` of Kueue that it is to wait in, by its label.
    pub queue: Option<String>,
    /// The Workload that was made for it already, by its label.
    pub prebuilt: Option<String>,
    /// What is asked for.
    pub spec: MapTaskSpec,
    /// What was last reported.
    pub status: MapTaskStatus,
}

impl TaskSeen {
    /// Whether it is suspended, or was when this change was made.
    pub fn is_suspended(&self) -> bool {
        self.spec.suspend || self.status.phase == Some(TaskPhase::Suspended)
    }
}
