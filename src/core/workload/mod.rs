//! The Workload of a task in Kueue: what it says, and what is to be done about it. A task with a queue is one Workload,
//! whatever the number of its items.

mod decide;
mod manifest;
mod patch;
mod placement;
mod remote;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::core::ids::TaskKey;

pub use decide::{Need, Step, Wanted, WantedSet, granted, next_step, why_not};
pub use manifest::{adoption, manifest, name};
pub use patch::{StatusPatch, granted_with};
pub use placement::{Flavor, Placement};
pub use remote::next_remote_step;

/// The pod set of the items.
pub const MAIN: &str = "main";
/// The pod set of the reduce.
pub const REDUCE: &str = "reduce";
/// The label of a task, and of Kueue's other jobs, that names its `LocalQueue`.
pub const QUEUE_NAME: &str = "kueue.x-k8s.io/queue-name";
/// The label of a task that names a Workload which was made for it already: by MultiKueue, in the cluster that runs it.
pub const PREBUILT_WORKLOAD: &str = "kueue.x-k8s.io/prebuilt-workload-name";

/// Whether tasks with a queue wait for Kueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queueing {
    /// Queues are ignored.
    Off,
    /// They do, and no Workload is known yet.
    Unknown,
    /// They do, and all Workloads are known.
    Known,
}

/// A Workload of a task, as the watch shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadSeen {
    /// The task that owns it.
    pub task: TaskKey,
    /// The UID of that task.
    pub task_uid: String,
    /// Its UID.
    pub uid: String,
    /// Its version.
    pub version: u64,
    /// The version of its spec.
    pub generation: i64,
    /// Whether its deletion has been asked for.
    pub deleting: bool,
    /// Whether it may be admitted at all.
    pub active: bool,
    /// The id of the rerun that it is for, of a task that runs in another cluster.
    pub rerun: Option<String>,
    /// The `LocalQueue` that it waits in.
    pub queue: String,
    /// Its place in the queue.
    pub priority: i32,
    /// The pods that it asks for.
    pub pod_sets: Vec<PodSet>,
    /// What it was given, once quota is reserved.
    pub assignments: Vec<Assignment>,
    /// What admission checks add to pods.
    pub updates: Vec<PodSetUpdate>,
    /// Pods of each set that it needs no more.
    pub reclaimable: BTreeMap<String, u32>,
    /// Its conditions.
    pub conditions: Vec<Condition>,
}

/// Pods of one kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSet {
    /// Its name.
    pub name: String,
    /// Their number.
    pub count: u32,
}

/// What a pod set was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The name of the set.
    pub name: String,
    /// How many pods, if it says so: fewer than were asked for, if the Workload was admitted in part.
    pub count: Option<u32>,
    /// The flavors of its resources.
    pub flavors: Vec<String>,
}

/// What an admission check adds to the pods of a set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PodSetUpdate {
    /// The name of the set.
    pub name: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
    /// Labels that the node has to have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate.
    pub tolerations: Vec<serde_json::Value>,
}

/// The types of a Workload's conditions that count here.
mod condition {
    pub(super) const RESERVED: &str = "QuotaReserved";
    pub(super) const ADMITTED: &str = "Admitted";
    pub(super) const EVICTED: &str = "Evicted";
    pub(super) const FINISHED: &str = "Finished";
    pub(super) const REQUEUED: &str = "Requeued";
    pub(super) const PODS_READY: &str = "PodsReady";
}

impl WorkloadSeen {
    /// Whether the condition of this type is there and True.
    fn is(&self, type_: &str) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == "True")
    }

    fn condition(&self, type_: &str) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_)
    }

    /// By what it is known whether it has changed.
    pub fn revision(&self) -> (&str, u64) {
        (&self.uid, self.version)
    }

    /// Whether its pods may run.
    pub fn is_admitted(&self) -> bool {
        let ended = self.deleting || self.is(condition::EVICTED) || self.is(condition::FINISHED);
        !ended && self.is(condition::ADMITTED) && !self.assignments.is_empty()
    }

    /// Whether Kueue has yet to hear that its pods run.
    pub fn awaits_start(&self) -> bool {
        self.is_admitted() && !self.is(condition::PODS_READY)
    }

    /// The flavors that were assigned to it, each once.
    pub fn flavors(&self) -> Vec<String> {
        let mut names: Vec<String> = self.assignments.iter().flat_map(|set| set.flavors.iter().cloned()).collect();
        names.sort();
        names.dedup();
        names
    }

    fn asked(&self, set: &str) -> u32 {
        self.pod_sets.iter().find(|pods| pods.name == set).map_or(0, |pods| pods.count)
    }

    fn reclaimed(&self, set: &str) -> u32 {
        self.reclaimable.get(set).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
