//! What the operator tells: `status` of a MapTask, small whatever the number of items.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::failures::FailureGroup;
use super::progress::Progress;

/// How a MapTask goes. Written by the operator alone, always as a whole: what is absent is left out.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::values::of_status)]
pub struct MapTaskStatus {
    /// Where the task as a whole stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TaskPhase>,
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Number of items in the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<i32>,
    /// Number of items that must succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<i32>,
    /// Number of items in each phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<ItemCounts>,
    /// The phase of every item, packed; docs/phases.md tells how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<String>,
    /// The items beyond their first attempt, packed; docs/phases.md tells how.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<String>,
    /// The items in phase Failed as ranges in the form of a Job's failedIndexes, such as `1,3-5,7`: at most 16 KiB. What has no
    /// room are the highest indexes; failedIndexesOmitted counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_indexes: Option<String>,
    /// Number of failed items that failedIndexes has no room for; absent if it lists all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_indexes_omitted: Option<i32>,
    /// Pods that are requested, start or run for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<i32>,
    /// Items ended of all items, for people: `8123/10000`, and `?` for a number that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Share of successes among ended items against the share required, for people: `99.5/98%`; `-` before any end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<String>,
    /// One word for why the task waits, or why it failed, at most 64 characters: the reason in `waiting`, or that of the condition
    /// Failed or `FailureTarget`; empty while all is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Time from startTime to completionTime, for people: `3m12s`; absent until the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// How fast the task goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Why nothing more starts now.
    #[serde(default, deserialize_with = "if_known", skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// One sentence about the state of the task: why it ended, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Attempts that did not succeed, in at most 10 groups of like ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
    /// SHA-256 of the ConfigMap's text that the items were read from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_hash: Option<String>,
    /// SHA-256 of spec.template and spec.reduce.template as they were accepted, without what may be left out of them; before it,
    /// the number of the rules for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_hash: Option<String>,
    /// The last rerun that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<RerunDone>,
    /// The rerun that is asked for and has yet to start: once the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_rerun: Option<PendingRerun>,
    /// ConfigMaps that hold the results, in order; each has a key results.jsonl with one line an item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultShards>,
    /// How it goes with `spec.reduce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<ReduceStatus>,
    /// What the reduce said: any JSON, or else a string. JSON is a string of its text where the API server would make another
    /// number of one in it (beyond 64 bits, or with more digits than a float has), and a number alone where it would write it in
    /// another way (3.10 as 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_value")]
    pub result: Option<super::Json>,
    /// The text of what the reduce said, where the API server writes a number of status.result in another way (3.10 as 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_text: Option<String>,
    /// When the task was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// When the task ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub completion_time: Option<Time>,
    /// What is true of the task, each with a reason and a message. A type that is absent is not true, or not yet known.
    /// - Accepted: the spec was found good and its pods can be created.
    /// - SuccessCriteriaMet: enough items have succeeded; remaining ones may still run.
    /// - `FailureTarget`: the task can't succeed any more; remaining items may still run.
    /// - Complete: the task succeeded, and no pod of it runs.
    /// - Failed: the task failed or was refused, and no pod of it runs.
    /// - Finished: the task has ended either way, with the reason of Complete or Failed.
    /// - Suspended: spec.suspend holds back its items.
    /// - Reconciling: the task is under way, for kstatus.
    /// - Stalled: the task failed or was refused, and goes on only once somebody has changed something, for kstatus.
    /// - `ResultsDamaged`: somebody else changed or deleted results while the task ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// The word as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Suspended => "Suspended",
            Self::Reducing => "Reducing",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
        }
    }

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when this is the reason, to the second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub since: Option<Time>,
}

impl Waiting {
    /// A reason that has begun, or may have: [`Self::since`] is for who knows what was before.
    pub fn new(reason: WaitingReason, message: Option<String>) -> Self {
        Self { reason, message, since: None }
    }
}

/// A reason of a later version that is not known here counts as none: it is found out again, and nothing depends on it.
fn if_known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Waiting>, D::Error> {
    let value = Option::<serde_json::Value>::deserialize(deserializer)?;
    Ok(value.and_then(|value| serde_json::from_value(value).ok()))
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// Its attempts that did not succeed, in groups of like ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
