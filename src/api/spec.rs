//! The desired state: `spec` of a MapTask.

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use super::items::{ConfigMapItems, ItemFormat, Items, OnDependencyFailure, PodItems, Range, ResultsOfItems};
use super::remaining_items::RemainingItems;
use super::retry_policy::RetryPolicy;
use super::schema;
use super::status::MapTaskStatus;
use super::template_schema;
use super::values;
use super::workers::Workers;

/// Runs one pod for each item of a list, and succeeds once enough items have succeeded.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, KubeSchema)]
#[kube(
    group = "maptask.dev",
    version = "v1alpha1",
    kind = "MapTask",
    plural = "maptasks",
    shortname = "mt",
    category = "all",
    namespaced,
    status = "MapTaskStatus",
    doc = "Runs one pod for each item of a list, and succeeds once enough items have succeeded.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Done", type_ = "string", json_path = ".status.done"),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.counts.running"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.counts.failed"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Cached", type_ = "integer", json_path = ".status.counts.cached", priority = 1),
    printcolumn(name = "Ratio", type_ = "string", json_path = ".status.ratio", priority = 1),
    printcolumn(name = "Duration", type_ = "string", json_path = ".status.duration", priority = 1),
    printcolumn(name = "Rate", type_ = "integer", json_path = ".status.progress.itemsPerMinute", priority = 1),
    printcolumn(name = "Pods", type_ = "integer", json_path = ".status.pods", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    scale(spec_replicas_path = ".spec.concurrency", status_replicas_path = ".status.counts.running"),
    selectable = ".status.phase",
    selectable = ".status.waiting.reason",
    validation = kube::core::Rule::new(schema::NAME_RULE).message(schema::NAME_MESSAGE).field_path(".metadata.name"),
    validation = kube::core::Rule::new(schema::RESULTS_OF_RULE).message(schema::RESULTS_OF_MESSAGE)
        .field_path(".spec.items.resultsOf.name"),
    validation = kube::core::Rule::new(schema::CACHE_NAME_RULE).message(schema::CACHE_NAME_MESSAGE)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::immutable_spec, transform = values::of_spec)]
pub struct MapTaskSpec {
    /// The list of items, from exactly one source.
    pub items: Items,
    /// The pod template for the items. Each attempt at an item creates one pod from it, or each worker with
    /// spec.workers; restartPolicy must be Never or unset. activeDeadlineSeconds in its spec limits one attempt. While
    /// the task is suspended and nothing has started, labels, annotations, nodeSelector, tolerations, schedulingGates
    /// and affinity.nodeAffinity can change.
    #[schemars(schema_with = "template_schema::template")]
    pub template: Value,
    /// Name of the container whose termination message is the item's result. Defaults to the first container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// Pods stay and take one item after another, instead of one pod for each attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Workers")]
    pub workers: Option<Workers>,
    /// What ends an attempt: the end of its pod, or the end of the item's container (for the reduce: of its container).
    /// In the second case the operator then deletes the pod. Defaults to Pod.
    #[serde(default)]
    pub completion: Completion,
    /// Maximum number of items that run at the same time, 1 to 100000. If unset, only the operator's own limits apply.
    /// With workers in mode Stream it counts slots: each of them holds up to pipeline items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub concurrency: Option<i32>,
    /// Minimum concurrency with which Kueue may admit the task, if its queue has no room for all of concurrency, 1 to
    /// 100000. If unset, the task waits for room for all of concurrency. More than concurrency counts as concurrency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub min_concurrency: Option<i32>,
    /// Share of the items that must succeed, an exact decimal from 0 to 1. Defaults to 1. With 0, all items run,
    /// however many of them fail, and the task succeeds once all have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub min_success_ratio: Option<f64>,
    /// Number of items that must succeed, in place of minSuccessRatio. 0 has the same meaning as `minSuccessRatio: 0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1_000_000))]
    pub min_successes: Option<i32>,
    /// What happens to the remaining items once the outcome of the task is certain.
    #[serde(default)]
    pub remaining_items: RemainingItems,
    /// Maximum number of further attempts at an item after application failures (exit code, out of memory, deadline), 0
    /// to 1000. Defaults to 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000))]
    pub retries: i32,
    /// When, and after which outcomes, an item gets another attempt.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
    /// Seconds from the creation of a pod within which one of its containers must run. Missing images, volumes and
    /// capacity count. If unset, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub start_deadline_seconds: Option<i32>,
    /// Seconds after which the task fails if it has not ended, from its start or from when it was last resumed. If
    /// unset, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
    /// Seconds from the end of the task until it is deleted with its pods and results. If unset, it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 315_360_000))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// Number of finished pods that the task keeps for their logs: the newest pod of each failure group first, then
    /// other failed ones, then the newest. All others are deleted a minute after their end. Defaults to the operator's
    /// --finished-pods (finishedPods of its chart: 10). At most --max-finished-pods (maxFinishedPods of its chart: 100)
    /// are kept; if this asks for more, the Event `FinishedPodsLimited` says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1_000))]
    pub finished_pods: Option<i32>,
    /// Tasks of higher priority start their items first, but never stop running items. Defaults to 0.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// While true, no more items start.
    #[serde(default)]
    pub suspend: bool,
    /// What happens to running items when the task is suspended. Defaults to Drain.
    #[serde(default)]
    pub suspend_policy: SuspendPolicy,
    /// If true, ends the task with what it has: running items are stopped, pending items are Cancelled, the results of
    /// items that succeeded stay, and the reduce does not run. The task is Failed with the reason Cancelled, unless its
    /// outcome was already decided. Takes precedence over suspend. A rerun starts once this is false again. Defaults to
    /// false.
    #[serde(default)]
    pub cancel: bool,
    /// Runs items of a finished task again, once for each id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Rerun")]
    pub rerun: Option<Rerun>,
    /// Who runs the task: a domain, a slash and a name, at most 63 characters. This operator leaves a task alone whose
    /// value is not `maptask.dev/operator`: the controller that it names writes the status. With
    /// `kueue.x-k8s.io/multikueue` and a queue, MultiKueue runs the task in another cluster. Defaults to
    /// `maptask.dev/operator`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::managed_by")]
    pub managed_by: Option<String>,
    /// What to store of each item that succeeded.
    #[serde(default)]
    pub results: Results,
    /// A directory for the files that each attempt writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Artifacts")]
    pub artifacts: Option<Artifacts>,
    /// Reuses cached results: an item that was computed before does not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cache")]
    pub cache: Option<Cache>,
    /// A pod that runs once after enough items have succeeded, with all results mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Reduce")]
    pub reduce: Option<Reduce>,
}

impl MapTaskSpec {
    /// Whether this operator runs the task.
    pub fn is_ours(&self) -> bool {
        self.managed_by.as_deref().is_none_or(|manager| manager == super::MANAGER)
    }

    /// The rerun that is asked for and that this status does not report as started.
    pub fn pending_rerun(&self, status: &super::MapTaskStatus) -> Option<&Rerun> {
        Rerun::pending(self.rerun.as_ref(), status.rerun.as_ref())
    }

    /// Whether Kueue runs the task in another cluster.
    pub fn is_of_multikueue(&self) -> bool {
        self.managed_by.as_deref() == Some(super::MULTIKUEUE)
    }
}

impl Rerun {
    /// The rerun that is asked for, unless it is the last one that was started.
    pub fn pending<'a>(wanted: Option<&'a Self>, done: Option<&super::status::RerunDone>) -> Option<&'a Self> {
        wanted.filter(|wanted| done.is_none_or(|done| done.id != wanted.id))
    }
}

/// Reuses cached results: an item does not run if any task of the namespace with this cache has computed it before.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    /// Change this when the program's output changes but its pod template does not.
    #[schemars(length(min = 1, max = 63))]
    pub version: String,
    /// Tasks of a namespace with the same cache name share their results. Defaults to the task's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub name: Option<String>,
    /// Whether the pod template is left out of the cache key. Defaults to false.
    #[serde(default)]
    pub ignore_template: bool,
    /// Whether an item waits while another task with this cache computes the same item. Defaults to false.
    #[serde(default)]
    pub serialize: bool,
}

/// A pod that runs once after enough items have succeeded, with all results mounted. Its result is `status.result`.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Reduce {
    /// The pod template of the reduce. Its containers find the results under /maptask/results, one JSON value a line,
    /// in files whose names sort in the order of the items.
    #[schemars(schema_with = "template_schema::template")]
    pub template: Value,
    /// Name of the container whose termination message is the result. Defaults to the first container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// Maximum number of further attempts after application failures, 0 to 1000. Defaults to 0. Infrastructure failures
    /// follow retryPolicy.infrastructureRetries, as for items.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000))]
    pub retries: i32,
    /// Seconds from the creation of its pod within which one of its containers must run. If unset, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub start_deadline_seconds: Option<i32>,
    /// Seconds from the start of the reduce after which it fails, over all its attempts. If unset, only the task's
    /// limit applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
}

/// A directory for the files of each attempt, on a volume of the template.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// Name of a volume in the pod template, such as one of a `PersistentVolumeClaim`.
    #[schemars(schema_with = "schema::dns_label")]
    pub volume: String,
    /// Absolute path at which the item's container finds its directory.
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^/[^:]+$"))]
    pub path: String,
}

/// What ends an attempt.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum Completion {
    /// The end of its pod, and so of all containers in it.
    #[default]
    Pod,
    /// The end of the item's container. Once it is recorded, the operator deletes the pod. Its other containers, such
    /// as the proxy of a service mesh, then have terminationGracePeriodSeconds to stop.
    Container,
}

/// What happens to running items when the task is suspended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum SuspendPolicy {
    /// They run to their end.
    #[default]
    Drain,
    /// They are stopped, and start again from the beginning when the task is resumed. This costs no retry.
    Stop,
}

/// Runs items of a finished task again.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rerun {
    /// Any text of 1 to 63 characters. Each id works once.
    #[schemars(length(min = 1, max = 63))]
    pub id: String,
    /// The items to run: Failed, Cancelled, All or indexes such as `3,17-19`, separated by commas; or only Reduce, to
    /// run the reduce again; or only List, to read or compute the list again and to run all items of it. List needs
    /// `items.configMap`, `items.resultsOf` or `items.pod`; phases and results of the former list are forgotten.
    #[schemars(
        length(min = 1, max = 4096),
        regex(
            pattern = r"^(Reduce|List)$|^(Failed|Cancelled|All|[0-9]{1,6}(-[0-9]{1,6})?)(,(Failed|Cancelled|All|[0-9]{1,6}(-[0-9]{1,6})?))*$"
        )
    )]
    pub items: String,
}

/// What to store of each item that succeeded.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// Where an item's result comes from. Defaults to `TerminationMessage`.
    #[serde(default)]
    pub source: ResultSource,
    /// Maximum size of one result in bytes, as JSON, 4 to 4096, or to 65536 with workers. Defaults to 1024. Without
    /// workers, the kubelet keeps the last 4096 bytes of a termination message, and at most 12288 divided by the number
    /// of the pod's containers, including init containers and sidecars. A larger value is refused. A message of exactly
    /// the kubelet's limit counts as too long, since it may have been truncated. Times the number of items, at most 1
    /// GiB.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 4, max = 65_536))]
    pub max_bytes_per_item: i32,
    /// What happens to a longer result. Defaults to `FailAttempt`.
    #[serde(default)]
    pub on_too_large: OnTooLarge,
}

/// What happens to a result that is too long.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum OnTooLarge {
    /// Its attempt has failed.
    #[default]
    #[serde(alias = "FailItem")]
    FailAttempt,
    /// Only its end is stored, as a string: the last bytes of what the kubelet keeps. In pods of up to three containers
    /// these are the last bytes of the message.
    Truncate,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            source: ResultSource::default(),
            max_bytes_per_item: default_max_bytes(),
            on_too_large: OnTooLarge::default(),
        }
    }
}

fn default_max_bytes() -> i32 {
    1024
}

/// Where an item's result comes from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum ResultSource {
    /// The termination message of the item's container.
    #[default]
    TerminationMessage,
    /// No results are stored.
    None,
}
