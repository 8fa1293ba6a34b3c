//! Groups of similar failures: `status.failures`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attempts that did not succeed, with the same category, reason, exit code and container, and similar messages.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// Their category, one of those of spec.retryPolicy.rules, or `Other` for all attempts that came after nine groups
    /// existed.
    pub category: String,
    /// The reason in the status of the container or the pod, such as Error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit code of the container, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The container that caused the failure, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Number of attempts in this group.
    pub attempts: i32,
    /// Number of items with an attempt in this group. Each item counts once.
    pub items: i32,
    /// Their items as ranges, such as `3,17-19`, cut to 64 characters: `…` stands for those left out.
    /// `status.failedIndexes` has all that failed in the end.
    pub indexes: String,
    /// What their messages have in common, at most 200 characters, without numbers, addresses, UUIDs, paths and the
    /// frames of stack traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The first attempt of this group.
    pub sample: FailureSample,
}

/// One attempt that did not succeed.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureSample {
    /// Index of its item.
    pub index: i32,
    /// Number of the attempt, from 1.
    pub attempt: i32,
    /// The node of its pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its message, at most 400 characters. A longer message is shortened to its beginning and its end, a stack trace
    /// to its error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
