//! The observed state: `status` of a MapTask. Its size hardly depends on the number of items.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failures::FailureGroup;
use super::listing::ListingStatus;
use super::progress::Progress;
pub use super::solo::ReducePhase;
pub use super::waiting::{BlockedEvent, Waiting, WaitingReason};

/// The observed state of a MapTask. Only the operator writes it, always as a whole; absent values are omitted.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = super::values::of_status)]
pub struct MapTaskStatus {
    /// Phase of the task as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<TaskPhase>,
    /// The generation of the spec that this status describes.
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
    /// The phase of every item, packed. `kubectl maptask items NAME` prints it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phases: Option<String>,
    /// The attempts of items beyond their first, packed. `kubectl maptask items NAME` prints them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<String>,
    /// The items in phase Failed as ranges in the form of a Job's failedIndexes, such as `1,3-5,7`: at most 16 KiB.
    /// The highest indexes are omitted first; failedIndexesOmitted counts them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_indexes: Option<String>,
    /// Number of failed items that failedIndexes has no room for; absent if it lists all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_indexes_omitted: Option<i32>,
    /// Pods that are requested, start or run for the task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pods: Option<i32>,
    /// State of the workers for the next leader; only with spec.workers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkersStatus>,
    /// Ended items of all items, for people: `8123/10000`, with `?` for a number that is not known yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<String>,
    /// Share of successes among ended items against the share required, for people: `99.5/98%`; `-` before any end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ratio: Option<String>,
    /// One word for why the task waits or failed, at most 64 characters: the reason in `waiting`, or that of the
    /// condition Failed or `FailureTarget`. Empty if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Time from startTime to completionTime, for people: `3m12s`; absent until the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<String>,
    /// Progress of the task over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Why no more items start at the moment.
    #[serde(default, deserialize_with = "super::waiting::if_known", skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
    /// One sentence about the state of the task: why it ended, or what it waits for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Attempts that did not succeed, in at most 10 groups of similar ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
    /// SHA-256 of the list, if it is not in the spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items_hash: Option<String>,
    /// SHA-256 of spec.template, spec.reduce.template and spec.items.pod.template as accepted, in canonical form: two
    /// hashes with a slash between them, of the immutable part, and of the part that can change while the task is
    /// suspended and not started. A prefix gives the version of that form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_hash: Option<String>,
    /// The last rerun that was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun: Option<RerunDone>,
    /// Attempts of the items are numbered above this one. Earlier lists used the numbers up to it. Set by a rerun of
    /// List.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_base: Option<i32>,
    /// The requested rerun that has not started yet. It starts once the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending_rerun: Option<PendingRerun>,
    /// The ConfigMaps with the results. Each has the key results.jsonl with one line for each item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultShards>,
    /// The ConfigMaps with the results of a former list, while a rerun of List reads or computes the next one. Those
    /// that the next one does not use are emptied once it is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former_results: Option<ResultShards>,
    /// State of the pod of `spec.items.pod`, and where its list is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<ListingStatus>,
    /// State of `spec.reduce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduce: Option<ReduceStatus>,
    /// Result of the reduce: any JSON, or otherwise a string. If the API server would change a number in it (beyond 64
    /// bits, or with more digits than a double has), this is a string of the JSON text. A single number is also a
    /// string if the API server would write it differently (3.10 as 3.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::any_value")]
    pub result: Option<super::Json>,
    /// Text of the result of the reduce, if the API server writes a number in status.result differently (3.10 as 3.1).
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
    /// - Accepted: the spec is valid and its pods can be created.
    /// - SuccessCriteriaMet: enough items have succeeded; remaining items may still run.
    /// - `FailureTarget`: the task can't succeed any more; remaining items may still run.
    /// - Complete: the task succeeded, and no pod of it runs.
    /// - Failed: the task failed or was refused, and no pod of it runs.
    /// - Finished: the task has ended, with the reason of Complete or Failed.
    /// - Suspended: spec.suspend keeps items from starting.
    /// - Reconciling: the task has work to do: it has not ended, and is not suspended and idle. For kstatus.
    /// - Stalled: the task failed or was refused, and continues only after somebody changes it, for kstatus.
    /// - `ResultsDamaged`: somebody else changed or deleted results while the task ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "super::conditions::schema")]
    pub conditions: Vec<Condition>,
}

/// State of the workers for the next leader.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct WorkersStatus {
    /// Number of times that a leader has taken the task over. Workers ignore leaders with a lower epoch.
    pub epoch: i64,
    /// Items from this index on have never been granted to a worker.
    pub granted_below: i32,
}

/// Phase of a task.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum TaskPhase {
    /// Not yet accepted.
    Pending,
    /// The pod of `spec.items.pod` computes the list.
    Listing,
    /// Items run or wait for their turn.
    Running,
    /// `spec.suspend` keeps items from starting.
    Suspended,
    /// Enough items have succeeded, and the reduce runs.
    Reducing,
    /// Enough items have succeeded, and the reduce, if there is one. Final.
    Succeeded,
    /// The task was refused, or can no longer succeed. Final.
    Failed,
}

impl TaskPhase {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Listing, Self::Running, Self::Suspended, Self::Reducing, Self::Succeeded, Self::Failed];

    /// The word as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Listing => "Listing",
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
    /// Items whose pod exists and is not held by scheduling gates, or that a worker has begun.
    pub running: i32,
    /// Items that succeeded.
    pub succeeded: i32,
    /// Items that failed and have no attempts left.
    pub failed: i32,
    /// Items with a cached result.
    pub cached: i32,
    /// Items that did not run to their end, because the outcome of the task was decided.
    pub cancelled: i32,
    /// Items with more than one attempt.
    pub retried: i32,
}

/// A rerun that was started.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RerunDone {
    /// The id of the rerun.
    pub id: String,
    /// Number of items that were started again.
    pub items: i32,
    /// Whether the items were selected explicitly, that is not by All. They then all run, whatever the counts of the
    /// other items.
    #[serde(default)]
    pub explicit_selection: bool,
    /// Why it could not be started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A rerun that has not started yet.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct PendingRerun {
    /// The id of the rerun. A later id in the spec replaces it.
    pub id: String,
    /// What it waits for, or why it will be refused; at most 512 characters.
    pub message: String,
}

/// State of the reduce.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ReduceStatus {
    /// Its phase: Pending, Running, Succeeded, Failed or Cancelled.
    pub phase: ReducePhase,
    /// Number of the current attempt, from 1. Its pod is `<task>-reduce-<attempt>`.
    pub attempt: i32,
    /// Number of application failures.
    pub application_failures: i32,
    /// Number of infrastructure failures.
    pub infrastructure_failures: i32,
    /// When the reduce started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// Its attempts that did not succeed, in groups of similar ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
}

/// The ConfigMaps with the results.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ResultShards {
    /// The ConfigMaps are `<configMapPrefix><k>` for k from 0 to shards - 1. Names are zero-padded, so that they sort
    /// in order: with 11 ConfigMaps, k goes from `00` to `10`. The label `maptask.dev/shard` is k.
    pub config_map_prefix: String,
    /// Number of ConfigMaps for all results. All exist once the task has succeeded; before that, and after a failure,
    /// those that would hold only null may be missing. After the end of a failed task, only the last ones may.
    pub shards: i32,
    /// Item i is line i mod itemsPerShard of shard i div itemsPerShard.
    pub items_per_shard: i32,
}
