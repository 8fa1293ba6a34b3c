//! The pod that computes the list of the items: `spec.items.pod`, and what the status says of it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::failures::FailureGroup;
use super::items::ItemFormat;
use super::status::ReducePhase;
use super::{schema, template_schema};

/// Items from what a pod writes, which runs once before the others. The list is what its container writes to stdout, or
/// to the file that `MAPTASK_ITEMS_FILE` names: at most 1,000,000 items and 128 MiB of text.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodItems {
    /// The pod template of the list. Its container needs `command`: the program of the image can't be known.
    #[schemars(schema_with = "template_schema::listing_template")]
    pub template: Value,
    /// Name of the container that writes the list. Defaults to the first container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// How the text is split into items. The text is UTF-8. Defaults to Lines.
    #[serde(default)]
    pub format: ItemFormat,
    /// Maximum number of further attempts after application failures, 0 to 1000. Defaults to 0. Infrastructure failures
    /// follow retryPolicy.infrastructureRetries, as for items.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1_000))]
    pub retries: i32,
    /// Seconds from the creation of its pod within which one of its containers must run. If unset, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub start_deadline_seconds: Option<i32>,
    /// Seconds from the start of the listing after which it fails, over all its attempts. If unset, only the task's
    /// limit applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
    /// Where the list is stored, from `status.listing`. No part of the object.
    #[serde(skip)]
    #[schemars(skip)]
    pub stored: Option<StoredList>,
}

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

/// A list that a pod has written, in ConfigMaps. It is that of one attempt, and whole.
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
