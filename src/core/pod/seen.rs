//! What the operator looks at in a pod: a lean copy, a fraction of the real object.

use std::sync::Arc;

use k8s_openapi::jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::core::ids::Time;
use crate::core::phases::Raises;

/// The condition that Kueue sets on a pod before it deletes it, because it has evicted the pod's workload.
const QUEUE_TARGET: &str = "TerminationTarget";

/// A pod as the watch last showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodSeen {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: String,
    /// Its UID: a pod of the same name made later has another.
    pub uid: String,
    /// Its version.
    pub version: u64,
    /// The task that owns it; of a pod that no task owns, the one named by its label.
    pub task: Arc<str>,
    /// Whether it has the task's label, without which the watch of pods does not show it.
    pub labelled: bool,
    /// UID of the task that owns it, if one does.
    pub owner_uid: Option<String>,
    /// When it was created, to the second.
    pub created: Option<Time>,
    /// Its deletion, if it has been asked for.
    pub deleted: Option<Deletion>,
    /// Of a worker, how often the memory of its containers was raised.
    pub memory_raises: Raises,
    /// The node that it was given to.
    pub node: Option<Arc<str>>,
    /// Whether scheduling gates hold it back.
    pub gating: Gating,
    /// What its status says.
    pub status: PodStatus,
}

/// Whether scheduling gates hold a pod back. They can be removed, and never added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Gating {
    /// It has none, and never had any.
    #[default]
    Never,
    /// It has none any more, or never had any: nothing tells.
    Open,
    /// These hold it back.
    Held {
        /// Their names.
        names: String,
    },
}

impl PodSeen {
    /// Whether scheduling gates hold it back.
    pub fn is_gated(&self) -> bool {
        matches!(self.gating, Gating::Held { .. })
    }
}

#[cfg(test)]
impl PodSeen {
    /// The pod `ns/t-0-1` in this state, with nothing else known.
    pub(crate) fn in_state(status: PodStatus) -> Self {
        Self {
            namespace: "ns".into(),
            name: "t-0-1".to_owned(),
            uid: "u".to_owned(),
            version: 1,
            task: "t".into(),
            labelled: true,
            owner_uid: None,
            created: None,
            deleted: None,
            memory_raises: Raises::NONE,
            node: None,
            gating: Gating::Never,
            status,
        }
    }
}

/// The deletion of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// When it was asked for, to the second.
    pub asked: Time,
    /// Whether no grace is left. The kubelet asks once more in this way when the pod has ended, so that nothing tells
    /// any more when the deletion was asked for at first.
    pub last: bool,
}

impl Deletion {
    /// Whether a container ended for its pod's deletion; both are known to the second.
    pub(super) fn brought_about(self, terminated: &Terminated) -> bool {
        let since = terminated.finished_at.is_none_or(|finished| finished.as_millisecond() >= self.asked.0);
        // Killed by SIGTERM or SIGKILL: nothing else tells any more.
        since || self.last && matches!(terminated.exit_code, 137 | 143)
    }
}

/// The part of a pod's status that tells how its attempt goes.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct PodStatus {
    /// Pending, Running, Succeeded, Failed or Unknown.
    pub phase: Option<String>,
    /// Why the pod as a whole is in its phase, e.g. Evicted.
    pub reason: Option<String>,
    /// The message beside the pod's reason.
    pub message: Option<String>,
    /// Only `DisruptionTarget`, `TerminationTarget` and `PodScheduled` count here.
    pub conditions: Option<Vec<PodCondition>>,
    /// The containers of the template.
    pub container_statuses: Option<Vec<ContainerStatus>>,
    /// The init containers of the template.
    pub init_container_statuses: Option<Vec<ContainerStatus>>,
    /// How many containers somebody put into the running pod.
    #[serde(rename = "ephemeralContainerStatuses", deserialize_with = "count")]
    pub ephemeral_containers: u8,
}

/// A condition of a pod.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct PodCondition {
    /// Its type.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    pub status: String,
    /// Its reason, e.g. `PreemptionByScheduler`.
    pub reason: Option<String>,
    /// The message beside the reason.
    pub message: Option<String>,
    /// Since when it has its status.
    pub last_transition_time: Option<Timestamp>,
}

/// How a container fares.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerStatus {
    /// The container's name.
    pub name: String,
    /// Its state now.
    pub state: Option<ContainerState>,
    /// Its state before.
    pub last_state: Option<ContainerState>,
}

/// The state of a container; at most one is set.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerState {
    /// It has not started.
    pub waiting: Option<Waiting>,
    /// It runs.
    pub running: Option<Running>,
    /// It has ended.
    pub terminated: Option<Terminated>,
}

/// Why a container has not started.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(default)]
pub struct Waiting {
    /// `ContainerCreating`, `ImagePullBackOff`, …
    pub reason: Option<String>,
    /// The message beside the reason.
    pub message: Option<String>,
}

/// A container that runs; nothing more is asked of it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
pub struct Running {}

/// How a container ended.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase", default)]
pub struct Terminated {
    /// Its exit code; 128 and the number of a signal that ended it.
    pub exit_code: i32,
    /// `Completed`, `Error`, `OOMKilled`, …
    pub reason: Option<String>,
    /// Its termination message, as far as the kubelet kept it: see [`super::message`].
    pub message: Option<String>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let list = Option::<Vec<IgnoredAny>>::deserialize(deserializer)?;
    Ok(u8::try_from(list.map_or(0, |list| list.len())).unwrap_or(u8::MAX))
}

impl PodStatus {
    /// Number of containers of every kind, also of those that a webhook put into the pod.
    pub(super) fn count(&self) -> usize {
        let lists = [&self.container_statuses, &self.init_container_statuses];
        lists.into_iter().flatten().map(Vec::len).sum::<usize>() + usize::from(self.ephemeral_containers)
    }

    pub(super) fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.container_statuses.iter().flatten()
    }

    /// The condition of this type, if it has this status.
    pub(super) fn condition(&self, type_: &str, status: &str) -> Option<&PodCondition> {
        self.conditions.iter().flatten().find(|c| c.type_ == type_ && c.status == status)
    }

    /// Why somebody else ends the pod: for the node's or the cluster's sake, or since a queueing system takes it back.
    pub(super) fn disruption(&self) -> Option<&PodCondition> {
        self.condition(QUEUE_TARGET, "True").or_else(|| self.condition("DisruptionTarget", "True"))
    }

    /// Since when it has had a node, if it has one.
    pub fn scheduled_at(&self) -> Option<Time> {
        let since = self.condition("PodScheduled", "True")?.last_transition_time?;
        Some(Time(since.as_millisecond()))
    }

    pub(super) fn init_containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        self.init_container_statuses.iter().flatten()
    }
}

impl PodCondition {
    /// Whether a queueing system takes the pod back.
    pub(super) fn is_of_queue(&self) -> bool {
        self.type_ == QUEUE_TARGET
    }
}

impl Terminated {
    /// Whether the kubelet only says that there is no such container, for instance since it never started.
    pub(super) fn is_unknown(&self) -> bool {
        self.reason.as_deref() == Some("ContainerStatusUnknown")
    }
}

impl ContainerStatus {
    pub(super) fn terminated(&self) -> Option<&Terminated> {
        self.state.as_ref()?.terminated.as_ref()
    }

    pub(super) fn waiting(&self) -> Option<&Waiting> {
        self.state.as_ref()?.waiting.as_ref()
    }

    pub(super) fn is_running(&self) -> bool {
        self.state.as_ref().is_some_and(|s| s.running.is_some())
    }

    pub(super) fn has_run(&self) -> bool {
        let before = self.last_state.as_ref().is_some_and(|s| s.running.is_some() || s.terminated.is_some());
        before || self.is_running() || self.terminated().is_some_and(|terminated| !terminated.is_unknown())
    }
}
