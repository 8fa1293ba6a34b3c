//! `spec.items`: where the list of items comes from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::json::Json;
use crate::api::listing::StoredList;
use crate::api::{schema, template_schema};

/// The list of items, from exactly one source.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::exactly_one_source)]
pub struct Items {
    /// The items themselves: any JSON. The API server rounds integers above 2^63 and shortens decimals, so quote
    /// identifiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::json_list")]
    pub values: Option<Vec<Json>>,
    /// Number of items. Item i is the number i, from 0 to count - 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 0, max = 1_000_000))]
    pub count: Option<i32>,
    /// The integers from start up to but not including stop, in increments of step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Range")]
    pub range: Option<Range>,
    /// Every combination of one value for each key, as objects. Keys are in alphabetical order, and the last one varies
    /// fastest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::matrix")]
    pub matrix: Option<BTreeMap<String, Vec<Json>>>,
    /// Items from ConfigMaps of the same namespace, read once when the task is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ConfigMapItems")]
    pub config_map: Option<ConfigMapItems>,
    /// Items from the results of another MapTask of the same namespace, read once that has succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ResultsOfItems")]
    pub results_of: Option<ResultsOfItems>,
    /// Items from what a pod writes, which runs once before the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "PodItems")]
    pub pod: Option<PodItems>,
}

impl Items {
    /// Whether the list is not in the task itself, so that it may be another one when it is read again.
    pub fn are_elsewhere(&self) -> bool {
        let Self { config_map, results_of, pod, values: _, count: _, range: _, matrix: _ } = self;
        config_map.is_some() || results_of.is_some() || pod.is_some()
    }
}

/// Items from ConfigMaps of the same namespace. Give either name or names.
#[derive(Clone, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = schema::exactly_one_config_map)]
pub struct ConfigMapItems {
    /// The name of the ConfigMap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = 253))]
    pub name: Option<String>,
    /// The names of ConfigMaps, 1 to 128. The list is that of the first, then that of the second, and so on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<String>", length(min = 1, max = 128), inner(length(min = 1, max = 253)))]
    pub names: Option<Vec<String>>,
    /// The key in the data or binaryData of each. Content that begins like gzip is decompressed. At most 128 MiB of
    /// text in all.
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
    /// How the text of each is split into items. The text is UTF-8, or UTF-16 with a byte order mark. Defaults to
    /// Lines.
    #[serde(default)]
    pub format: ItemFormat,
}

impl ConfigMapItems {
    /// The names of the ConfigMaps, in the order of their lists.
    pub fn all_names(&self) -> &[String] {
        match (&self.name, &self.names) {
            (Some(name), _) => std::slice::from_ref(name),
            (None, Some(names)) => names,
            (None, None) => &[],
        }
    }
}

/// Items from the results of another MapTask.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct ResultsOfItems {
    /// The name of a MapTask of the same namespace. It may be created later. Its results become the items, in the order
    /// of its list, once it has succeeded.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
    /// Makes an item of each element of a result that is a list. Other results stay one item.
    #[serde(default)]
    pub flatten: bool,
    /// Leaves out null: results of failed items, and of those that had none.
    #[serde(default)]
    pub skip_null: bool,
    /// What happens if the other task fails. Defaults to Fail.
    #[serde(default)]
    pub on_failure: OnDependencyFailure,
}

/// What happens to a task if the one whose results it reads fails.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum OnDependencyFailure {
    /// The task fails too, with the reason `DependencyFailed`.
    #[default]
    Fail,
    /// The task waits until the other one was run again and has succeeded.
    Wait,
}

/// How a text is split into items. Blank lines are skipped.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum ItemFormat {
    /// Each line is an item: a string. LF, CR LF or CR ends a line.
    #[default]
    Lines,
    /// Each line is an item: any JSON. Numbers keep their text.
    JsonLines,
    /// The text is one JSON array of the items.
    JsonArray,
}

/// The integers from start up to but not including stop, in increments of step.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Range {
    /// The first number. Defaults to 0. All three numbers are integers that a double holds exactly, from -(2^53 - 1) to
    /// 2^53 - 1.
    #[serde(default)]
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub start: i64,
    /// The end of the range, which is not part of it.
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64))]
    pub stop: i64,
    /// The difference between one number and the next. Must not be 0. Defaults to 1.
    #[serde(default = "one")]
    #[schemars(range(min = -9_007_199_254_740_991_i64, max = 9_007_199_254_740_991_i64), transform = schema::not_zero)]
    pub step: i64,
}

fn one() -> i64 {
    1
}

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
    /// Seconds from the start of the listing after which it fails, over all its attempts. Time in suspension does not
    /// count. If unset, only the task's limit applies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<i32>,
    /// Where the list is stored, from `status.listing`. No part of the object.
    #[serde(skip)]
    #[schemars(skip)]
    pub stored: Option<StoredList>,
}
