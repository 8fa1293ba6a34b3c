//! A pod beside those of the items: of the reduce, or of the list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Phase of the reduce, or of the pod that computes the list.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
pub enum ReducePhase {
    /// It has not started, or waits for its next attempt.
    Pending,
    /// Its pod exists.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed and has no attempts left.
    Failed,
    /// It was stopped.
    Cancelled,
}
