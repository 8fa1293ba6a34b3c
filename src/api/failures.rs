//! Which failures are alike: `status.failures`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Attempts that did not succeed and are alike in category, reason, exit code, container and message.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct FailureGroup {
    /// How they ended; `Other` for all that came after nine groups were full.
    pub category: String,
    /// The container's or pod's own word for it, such as Error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The exit code, where a container had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The container that brought it about, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Number of such attempts.
    pub attempts: i32,
    /// Number of items that had such an attempt, each counted once however many of its attempts ended so.
    pub items: i32,
    /// Their items as ranges, such as `3,17-19`, cut to 64 characters: `…` stands for those left out. `status.failedIndexes`
    /// has all that failed in the end.
    pub indexes: String,
    /// What their messages have in common, at most 200 characters: numbers, addresses, UUIDs, paths and the places in the code of a
    /// stack trace are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Its message, at most 400 characters: of a longer one its end and its beginning, of a stack trace what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}
