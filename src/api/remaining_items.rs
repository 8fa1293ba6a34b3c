//! What happens to the remaining items of a decided task: `spec.remainingItems`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to the items that have not ended once the outcome of the task is certain.
///
/// A deadline, a `FailTask` rule or a pod that can never fit always cancels them.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct RemainingItems {
    /// What happens once enough items have succeeded. Defaults to Cancel.
    #[serde(default)]
    pub on_success: OnSuccess,
    /// What happens once too many items have failed for the task to succeed. Defaults to Cancel.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What happens to the remaining items once enough have succeeded.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum OnSuccess {
    /// Pending items are cancelled, and running ones stopped.
    #[default]
    Cancel,
    /// Pending items are cancelled; running ones run to their end.
    Drain,
    /// All items run to their end.
    Run,
}

/// What happens to the remaining items once too many have failed.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum OnFailure {
    /// Pending items are cancelled, and running ones stopped.
    #[default]
    Cancel,
    /// All items run to their end.
    Run,
}
