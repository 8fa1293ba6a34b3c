//! What the operator tells: `status` of a MapTask, small whatever the number of items.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a MapTask goes. Written by the operator alone.
///
/// Absent values are written as `null`, so that a merge patch removes what an earlier status had.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct MapTaskStatus {
    /// Where the task as a whole stands.
    pub phase: Option<TaskPhase>,
    /// The generation of the spec that this status speaks of.
    pub observed_generation: Option<i64>,
    /// Number of items in the list.
    pub items: Option<i32>,
    /// Number of items that must succeed.
    pub required: Option<i32>,
    /// Number of items in each phase.
    #[serde(default)]
    pub counts: Option<ItemCounts>,
    /// The phase of every item, packed; docs/phases.md tells how.
    pub phases: Option<String>,
    /// The items beyond their first attempt, packed; docs/phases.md tells how.
    pub attempts: Option<String>,
    /// Items ended of all items, for people: `8123/10000`.
    pub done: Option<String>,
    /// Share of successes among ended items against the share required, for people: `99.5/98%`.
    pub ratio: Option<String>,
    /// One word for why the task waits, or why it failed, at most 64 characters: the reason in `waiting`, or that of the condition
    /// Failed or `FailureTarget`; empty while all is well.
    pub reason: Option<String>,
    /// Why nothing more starts now.
    pub waiting: Option<Waiting>,
    /// One sentence about the state of the task.
    pub message: Option<String>,
    /// Attempts that did not succeed, in at most 10 groups of like ones.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
    /// SHA-256 of the ConfigMap's text that the items were read from.
    pub items_hash: Option<String>,
    /// SHA-256 of spec.template and spec.reduce.template as they were accepted, without what may be left out of them; before it,
    /// the number of the rules for that.
    pub template_hash: Option<String>,
    /// The last rerun that was done.
    pub rerun: Option<RerunDone>,
    /// The rerun that is asked for and has yet to start: once the task has ended.
    #[serde(default)]
    pub pending_rerun: Option<PendingRerun>,
    /// ConfigMaps that hold the results, in order; each has a key results.jsonl with one line an item.
    pub results: Option<ResultShards>,
    /// How it goes with `spec.reduce`.
    pub reduce: Option<ReduceStatus>,
    /// What the reduce said: any JSON, or else a string. JSON is a string of its text where the API server would make another
    /// number of one in it (beyond 64 bits, or with more digits than a float has), and a number alone where it would write it in
    /// another way (3.10 as 3.1).
    #[serde(default)]
    #[schemars(schema_with = "super::schema::any_value")]
    pub result: Option<super::Json>,
    /// The text of what the reduce said, where the API server writes a number of status.result in another way (3.10 as 3.1).
    pub result_text: Option<String>,
    /// When the task was accepted.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// When the task ended.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub completion_time: Option<Time>,
    /// Accepted, SuccessCriteriaMet, `FailureTarget`, Complete, Failed, Finished (True at either end) and
    /// `ResultsDamaged` (results were changed or deleted by somebody else while the task ran).
    #[serde(default)]
    #[schemars(schema_with = "super::conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// Where a task stands.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum TaskPhase {
    /// Not yet accepted.
    Pending,
    /// Items run or wait for their turn.
    Running,
    /// Held back by `spec.suspend`.
    Suspended,
    /// The map is successful; its results are being reduced.
    Reducing,
    /// Enough items succeeded. Final.
    Succeeded,
    /// Refused, or the success criterion can't be met any more. Final.
    Failed,
}

impl TaskPhase {
    /// Whether the task has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// Number of items in each phase.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ItemCounts {
    /// Items that have not started or wait for their next attempt.
    pub pending: i32,
    /// Items with a pod.
    pub running: i32,
    /// Items that succeeded.
    pub succeeded: i32,
    /// Items whose attempts are used up.
    pub failed: i32,
    /// Items whose result was known before.
    pub cached: i32,
    /// Items that were not run to their end, since the task was decided.
    pub cancelled: i32,
    /// Items beyond their first attempt.
    pub retried: i32,
}

/// Why nothing more starts now.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What is short.
    pub reason: WaitingReason,
    /// The API server's message, where it gave one; at most 512 characters.
    pub message: Option<String>,
}

/// What is short when items wait.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitingReason {
    /// `spec.concurrency` items are in flight.
    Concurrency,
    /// A ResourceQuota of the namespace is used up.
    Quota,
    /// The operator's own limit on pods is reached.
    OperatorLimit,
    /// The items left wait for the time of their next attempt.
    Backoff,
    /// Another object has the name that the next pod needs.
    NameTaken,
    /// The API server asks for fewer requests.
    Throttled,
    /// No node has room for pods that exist; with the scheduler's message.
    NoCapacity,
    /// Pods can't start, for want of an image, a volume or of what their template refers to, or have not started for ten seconds.
    NotStarting,
    /// The item's container of a pod has ended, and others of it have run for ten seconds since; see `spec.completion`.
    ContainersRunning,
    /// Scheduling gates hold back pods that exist: whoever set them has yet to remove them.
    SchedulingGated,
    /// The ConfigMap of the items, or the key in it, is not there.
    ItemsMissing,
    /// The ConfigMap of the items is not what it was at acceptance, and the operator has been restarted since.
    ItemsChanged,
    /// `spec.template` or `spec.reduce.template` is not what it was at acceptance.
    TemplateChanged,
    /// The items left are being computed by others with the same cache; see `spec.cache.serialize`.
    Serialized,
    /// Results, or the status itself, can't be stored: the rest of the status is older than that. Pods that have ended stay
    /// until it works again, and nothing new starts.
    ResultsNotStored,
    /// The API server does not create the task's pods, for a reason that the cluster can heal, such as a webhook that is
    /// down or a `ServiceAccount` that is missing; with its message. Tried again, up to a minute apart.
    FailedCreate,
}

impl WaitingReason {
    /// The word as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Concurrency => "Concurrency",
            Self::Quota => "Quota",
            Self::OperatorLimit => "OperatorLimit",
            Self::Backoff => "Backoff",
            Self::NameTaken => "NameTaken",
            Self::Throttled => "Throttled",
            Self::NoCapacity => "NoCapacity",
            Self::NotStarting => "NotStarting",
            Self::ContainersRunning => "ContainersRunning",
            Self::SchedulingGated => "SchedulingGated",
            Self::ItemsMissing => "ItemsMissing",
            Self::ItemsChanged => "ItemsChanged",
            Self::TemplateChanged => "TemplateChanged",
            Self::Serialized => "Serialized",
            Self::ResultsNotStored => "ResultsNotStored",
            Self::FailedCreate => "FailedCreate",
        }
    }
}

/// Attempts that did not succeed and are alike in category, reason, exit code, container and message.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// How they ended; `Other` for all that came after nine groups were full.
    pub category: String,
    /// The container's or pod's own word for it, such as Error.
    pub reason: Option<String>,
    /// The exit code, where a container had one.
    pub exit_code: Option<i32>,
    /// The container that brought it about, where one did.
    pub container: Option<String>,
    /// Number of such attempts.
    pub count: i32,
    /// Their items as ranges, such as `3,17-19`, cut to 64 characters.
    pub indexes: String,
    /// What their messages have in common, at most 200 characters: numbers, addresses, UUIDs, paths and the places in the code of a
    /// stack trace are left out.
    pub pattern: Option<String>,
    /// The first of them.
    pub sample: FailureSample,
}

/// One attempt that did not succeed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureSample {
    /// Its item.
    pub index: i32,
    /// Which attempt it was.
    pub attempt: i32,
    /// The node that its pod was on.
    pub node: Option<String>,
    /// Its message, at most 400 characters: of a longer one its end and its beginning, of a stack trace what went wrong.
    pub message: Option<String>,
}

/// A rerun that was done.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RerunDone {
    /// Its id.
    pub id: String,
    /// Number of items that were started again.
    pub items: i32,
    /// Whether they were picked, so that all of them run whatever the others' counts say; not so for All.
    #[serde(default)]
    pub explicit_selection: bool,
    /// Why it could not be done.
    pub message: Option<String>,
}

/// A rerun that is yet to start.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PendingRerun {
    /// Its id. Another one in the spec takes its place.
    pub id: String,
    /// What it waits for, or why it will be refused; at most 512 characters.
    pub message: String,
}

/// How it goes with the reduce.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReduceStatus {
    /// Where it stands: Pending, Running, Succeeded, Failed, Cancelled.
    pub phase: ReducePhase,
    /// The attempt that is meant, from 1; its pod is `<task>-reduce-<attempt>`.
    pub attempt: i32,
    /// Failures of its own.
    pub application_failures: i32,
    /// Endings by the cluster's fault.
    pub infrastructure_failures: i32,
    /// When it began.
    #[serde(default)]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// Its attempts that did not succeed, in groups of like ones.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
}

/// Where a reduce stands.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ReducePhase {
    /// It has not started, or waits for its next attempt.
    Pending,
    /// Its pod exists.
    Running,
    /// It succeeded.
    Succeeded,
    /// Its attempts are used up.
    Failed,
    /// It was stopped.
    Cancelled,
}

/// Where the results are.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ResultShards {
    /// The ConfigMaps are `<configMapPrefix><k>` for k from 0 to shards - 1. Zeros before k give all names the digits of the
    /// last, so that they sort as their items do: with 11 ConfigMaps from `00` to `10`. The label `maptask.dev/shard` is k.
    pub config_map_prefix: String,
    /// Number of ConfigMaps that the whole list takes. Once the task has succeeded all are there; until then, and of a task that
    /// failed, those that would hold only null may be missing, after the end of a failed task only the last ones.
    pub shards: i32,
    /// Item i is line i mod itemsPerShard of shard i div itemsPerShard.
    pub items_per_shard: i32,
}
