//! The request for what the Events about a pod say.

use super::plan::PodId;
use crate::core::pod::explain::Said;

/// A pod whose Events are to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explain {
    /// Which pod.
    pub id: PodId,
    /// The task's UID.
    pub task_uid: String,
    /// The pod's UID.
    pub uid: String,
    /// Claims of it whose Events are to be read, too.
    pub claims: Vec<String>,
}

/// What the Events about a pod say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainOutcome {
    /// All that are kept, in any order.
    Said(Vec<Said>),
    /// The operator has no right to list Events.
    Denied,
    /// No answer.
    Unclear,
}
