//! The API: what users write and read. `crds/maptasks.yaml` is generated from here.

pub mod conditions;
mod crd;
pub mod failures;
#[allow(unreachable_pub, reason = "what kube's derive makes")]
pub mod items;
pub mod json;
#[allow(unreachable_pub, reason = "what kube's derive makes")]
pub mod listing;
pub mod progress;
pub mod reasons;
pub mod remaining_items;
#[allow(unreachable_pub, reason = "what kube's derive makes")]
pub mod retry_policy;
mod schema;
mod solo;
#[allow(unreachable_pub, reason = "what kube's derive makes")]
pub mod spec;
pub mod status;
mod template_schema;
mod values;
mod waiting;
#[allow(unreachable_pub, reason = "what kube's derive makes")]
pub mod workers;

pub use crd::crd;
pub use failures::{FailureGroup, FailureSample};
pub use json::Json;
pub use reasons::{ConditionReason, EventReason};
pub use retry_policy::{OutcomeCategory, RetryPolicy, RuleAction};
pub use spec::{Items, MapTask, MapTaskSpec, Range, ResultSource, Results};
pub use status::{ItemCounts, MapTaskStatus, ResultShards, TaskPhase, Waiting, WaitingReason};

/// The manager that the API server notes for the fields that the operator writes.
pub const FIELD_MANAGER: &str = "maptask-operator";

/// The value of `spec.managedBy` that names this operator.
pub const MANAGER: &str = "maptask.dev/operator";

/// The value of `spec.managedBy` that has Kueue run the task in another cluster.
pub const MULTIKUEUE: &str = "kueue.x-k8s.io/multikueue";

/// Labels of the objects that the operator creates.
pub mod labels {
    /// The task's name, on pods and ConfigMaps of results.
    pub const NAME: &str = "maptask.dev/name";
    /// The task's UID, on pods and ConfigMaps of results: another task of the same name has another.
    pub const CONTROLLER_UID: &str = "maptask.dev/controller-uid";
    /// A label that Kubernetes recommends, on every pod and ConfigMap: the program that manages the object.
    pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
    /// The value of [`MANAGED_BY`].
    pub const OPERATOR: &str = "maptask-operator";
    /// The item's index, on pods.
    pub const INDEX: &str = "maptask.dev/index";
    /// The number of the attempt, from 1, on pods.
    pub const ATTEMPT: &str = "maptask.dev/attempt";
    /// How often the memory of its containers was raised, on pods of workers where it was.
    pub const MEMORY_RAISES: &str = "maptask.dev/memory-raises";
    /// The number of the ConfigMap among those of its task, from 0, on ConfigMaps of results and of a list.
    pub const SHARD: &str = "maptask.dev/shard";
    /// The name of the cache, on the ConfigMaps that store it.
    pub const CACHE: &str = "maptask.dev/cache";
}

/// Names of annotations, on the ConfigMaps of results where nothing else is said.
pub mod annotations {
    /// Checksums of the lines, which detect changes by others.
    pub const CHECKS: &str = "maptask.dev/checks";
    /// Lines, from 0, that others have changed or deleted and that are lost, such as `3,17-19`.
    pub const DAMAGED: &str = "maptask.dev/damaged";
    /// Of which list of items the lines are: `status.attemptBase` of it, absent for the first one.
    pub const LIST: &str = "maptask.dev/list";
    /// The id of the rerun that it is for, on the Workload of a task that runs in another cluster.
    pub const RERUN: &str = "maptask.dev/rerun";
}
