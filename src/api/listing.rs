//! What the status says of the pod that computes the list of the items, and of that list.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::failures::FailureGroup;
use super::solo::ReducePhase;

/// State of the pod that computes the list.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ListingStatus {
    /// Its phase: Pending, Running, Succeeded, Failed or Cancelled.
    pub phase: ReducePhase,
    /// Number of the current attempt, from 1. Its pod is `<task>-list-<attempt>`.
    pub attempt: i32,
    /// Number of application failures.
    pub application_failures: i32,
    /// Number of infrastructure failures.
    pub infrastructure_failures: i32,
    /// When the listing started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// Its attempts that did not succeed, in groups of similar ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub failures: Vec<FailureGroup>,
    /// The list, once all of it is stored. Items only start after that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<StoredList>,
}

/// The complete list that one attempt wrote, in ConfigMaps.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct StoredList {
    /// The ConfigMaps are `<configMapPrefix><k>` for k from 0 to pieces - 1. Each has the key `items.gz` with lines as
    /// gzip.
    pub config_map_prefix: String,
    /// Number of ConfigMaps; 0 for an empty list.
    pub pieces: i32,
    /// Number of items.
    pub items: i32,
    /// Bytes of its text, not compressed.
    pub bytes: i64,
    /// SHA-256 of the list: the value that status.itemsHash has once the task is accepted.
    pub hash: String,
    /// The attempt that has written it.
    pub attempt: i32,
    /// The UID of that attempt's pod.
    pub pod_uid: String,
}
