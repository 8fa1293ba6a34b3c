//! What a user asks for: `spec` of a MapTask.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::json::Json;
use super::remaining_items::RemainingItems;
use super::retry_policy::RetryPolicy;
use super::schema;
use super::status::MapTaskStatus;
use super::template_schema;

/// Runs one pod per item of a list and is done once enough items have succeeded.
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
    doc = "Runs one pod per item of a list and is done once enough items have succeeded.",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Done", type_ = "string", json_path = ".status.done"),
    printcolumn(name = "Running", type_ = "integer", json_path = ".status.counts.running"),
    printcolumn(name = "Failed", type_ = "integer", json_path = ".status.counts.failed"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.reason"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Ratio", type_ = "string", json_path = ".status.ratio", priority = 1),
    printcolumn(name = "Required", type_ = "integer", json_path = ".status.required", priority = 1),
    printcolumn(name = "Cached", type_ = "integer", json_path = ".status.counts.cached", priority = 1),
    printcolumn(name = "Retried", type_ = "integer", json_path = ".status.counts.retried", priority = 1),
    printcolumn(name = "Cancelled", type_ = "integer", json_path = ".status.counts.cancelled", priority = 1),
    printcolumn(name = "Waiting", type_ = "string", json_path = ".status.waiting.message", priority = 1),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.message", priority = 1),
    selectable = ".status.phase",
    validation = kube::core::Rule::new(schema::NAME_RULE).message(schema::NAME_MESSAGE),
    validation = kube::core::Rule::new(schema::CACHE_NAME_RULE).message(schema::CACHE_NAME_MESSAGE)
)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::immutable_spec)]
pub struct MapTaskSpec {
    /// The list to map over: exactly one source.
    pub items: Items,
    /// An ordinary pod template; one pod is made from it for each attempt at an item. restartPolicy is Never.
    #[schemars(schema_with = "template_schema::template")]
    pub template: Value,
    /// Name of the container whose termination message is the item's result; default the first container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// What ends an attempt: its pod, or the item's container (and the reduce's), with which the pod is then stopped; default Pod.
    #[serde(default)]
    pub completion: Completion,
    /// Most items in flight at once; unset: bounded by the operator's own limits alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 100_000))]
    pub concurrency: Option<i32>,
    /// Share of the items that must succeed, an exact decimal from 0 to 1; default 1. With 0 all items run, however many of
    /// them fail, and the task succeeds once all have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64", range(min = 0, max = 1))]
    pub min_success_ratio: Option<f64>,
    /// Number of items that must succeed, instead of minSuccessRatio. 0 is as `minSuccessRatio: 0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1_000_000))]
    pub min_successes: Option<i32>,
    /// What happens to the remaining items once the outcome of the task is certain.
    #[serde(default)]
    pub remaining_items: RemainingItems,
    /// Further attempts at an item after its own failure; default 0.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000))]
    pub retries: i32,
    /// When, and after which endings, an item gets another attempt.
    #[serde(default)]
    pub retry_policy: RetryPolicy,
    /// Seconds from the creation of a pod until a container of it must run (image, volume, capacity); unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub start_deadline_seconds: Option<i32>,
    /// Seconds from the start of the task, or from when it was last resumed, until it fails; unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
    /// Seconds from the end of the task until it is deleted with its pods and results; unset: it stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 315_360_000))]
    pub ttl_seconds_after_finished: Option<i32>,
    /// Tasks of higher priority start their items first; default 0.
    #[serde(default)]
    #[schemars(range(min = -1_000_000, max = 1_000_000))]
    pub priority: i32,
    /// Start no more items while true.
    #[serde(default)]
    pub suspend: bool,
    /// What becomes of running items when the task is suspended; default Drain.
    #[serde(default)]
    pub suspend_policy: SuspendPolicy,
    /// Starts items of a finished task again, once for each id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Rerun")]
    pub rerun: Option<Rerun>,
    /// What is kept of each item that succeeded.
    #[serde(default)]
    pub results: Results,
    /// A place for the files that each item writes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Artifacts")]
    pub artifacts: Option<Artifacts>,
    /// An item whose result is known is not run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Cache")]
    pub cache: Option<Cache>,
    /// Runs once when the map is successful, with all results before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Reduce")]
    pub reduce: Option<Reduce>,
}

/// Results outlive their task: an item that was computed before, by any task of the namespace with this cache, is not run.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Cache {
    /// Give another one when the program computes something else though its template looks the same.
    #[schemars(length(min = 1, max = 63))]
    pub version: String,
    /// Tasks of a namespace that give the same name share what they know; default the task's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub name: Option<String>,
    /// An item is the same whatever the template says; default false.
    #[serde(default)]
    pub ignore_template: bool,
    /// An item that is being computed by another task with this cache is waited for; default false.
    #[serde(default)]
    pub serialize: bool,
}

/// Runs once when the map is successful, with all results before it; what it says is `status.result`.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Reduce {
    /// An ordinary pod template. Its containers find the results under /maptask/results, one JSON value a line, in files
    /// whose names are in order.
    #[schemars(schema_with = "template_schema::template")]
    pub template: Value,
    /// Name of the container whose termination message is the result; default the first container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// Further attempts after its own failure; default 0. Endings by the cluster's fault are as for items.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000))]
    pub retries: i32,
    /// Seconds from the creation of its pod until a container of it must run; unset: no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub start_deadline_seconds: Option<i32>,
    /// Seconds from when it begins until it fails, over all its attempts; unset: no limit but the task's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
}

/// A place for the files that each item writes: a directory of its own for each attempt, on a volume of the template.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// The name of a volume in the template, such as that of a claim on persistent storage.
    #[schemars(schema_with = "schema::dns_label")]
    pub volume: String,
    /// Where the item's container finds the directory; an absolute path.
    #[schemars(length(min = 2, max = 1024), regex(pattern = r"^/[^:]+$"))]
    pub path: String,
}

/// What ends an attempt.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum Completion {
    /// The end of its pod, and so of all containers in it.
    #[default]
    Pod,
    /// The end of the item's container. Once that is recorded, the pod is deleted, with the time that
    /// terminationGracePeriodSeconds gives its other containers, such as the proxy of a service mesh.
    Container,
}

/// What becomes of running items when the task is suspended.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum SuspendPolicy {
    /// They are left to end.
    #[default]
    Drain,
    /// They are stopped, and start anew when the task is resumed. It costs them no retry.
    Stop,
}

/// Starts items of a finished task again.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rerun {
    /// Any word; a rerun is done once for each id.
    #[schemars(length(min = 1, max = 63))]
    pub id: String,
    /// Failed, Cancelled, All, or indexes such as `3,17-19`; several with commas between them. Or Reduce alone.
    #[schemars(
        length(min = 1, max = 4096),
        regex(
            pattern = r"^Reduce$|^(Failed|Cancelled|All|[0-9]{1,6}(-[0-9]{1,6})?)(,(Failed|Cancelled|All|[0-9]{1,6}(-[0-9]{1,6})?))*$"
        )
    )]
    pub items: String,
}

/// The list to map over: exactly one source.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::exactly_one_source)]
pub struct Items {
    /// The items themselves, any JSON. Numbers are what the API server makes of them (it rounds integers above 2^63): quote ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::json_list")]
    pub values: Option<Vec<Json>>,
    /// Item i is the number i, from 0 to count - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1_000_000))]
    pub count: Option<i32>,
    /// Numbers from start, step by step, stop excluded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Range")]
    pub range: Option<Range>,
    /// Every combination of the values of each key; keys in alphabetical order, the last varies fastest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::matrix")]
    pub matrix: Option<BTreeMap<String, Vec<Json>>>,
    /// The content of a ConfigMap of the same namespace, read once when the task is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConfigMapItems")]
    pub config_map: Option<ConfigMapItems>,
}

/// Items from a ConfigMap.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapItems {
    /// The name of the ConfigMap.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// The key in it.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// How the text is cut into items; default Lines.
    #[serde(default)]
    pub format: ItemFormat,
}

/// How a text is cut into items. Blank lines are left out.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum ItemFormat {
    /// Each line is an item, a string. LF, CR LF or CR ends a line; the text is UTF-8, or UTF-16 with a byte order mark.
    #[default]
    Lines,
    /// Each line is an item, any JSON; numbers keep their text.
    JsonLines,
    /// The text is one JSON list of the items.
    JsonArray,
}

/// Numbers from start, step by step, stop excluded.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The first number.
    #[serde(default)]
    pub start: i64,
    /// The end, itself not part of the list.
    pub stop: i64,
    /// The distance from one number to the next, not 0; default 1.
    #[serde(default = "one")]
    #[schemars(transform = schema::not_zero)]
    pub step: i64,
}

fn one() -> i64 {
    1
}

/// What is kept of each item that succeeded.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Results {
    /// Where an item's result comes from: its termination message, or nothing is kept.
    #[serde(default)]
    pub source: ResultSource,
    /// Most bytes of one result, as JSON. The kubelet keeps the last 4096 bytes of a container's termination message, and no more
    /// than 12288 divided by the number of the pod's containers (init containers and sidecars count): more than that is refused,
    /// and a message of just that length counts as too long, since it may have been cut.
    #[serde(default = "default_max_bytes")]
    #[schemars(range(min = 4, max = 4096))]
    pub max_bytes_per_item: i32,
    /// What becomes of a longer result; default `FailItem`.
    #[serde(default)]
    pub on_too_large: OnTooLarge,
}

/// What becomes of a result that is too long.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum OnTooLarge {
    /// Its attempt counts as failed.
    #[default]
    FailItem,
    /// Its end is kept, as a string whatever it was: the last bytes of what the kubelet keeps, which are the last bytes of the
    /// message itself in pods of up to three containers.
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
    /// Nothing is kept.
    None,
}
