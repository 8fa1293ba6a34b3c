//! Changes of a Workload's status, and how many pods are left to a task once one has been made.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde_json::{Value, json};

use super::condition::FINISHED;
use super::{WorkloadSeen, granted};

/// A change of a Workload's status.
#[derive(Clone, Debug, PartialEq)]
pub enum StatusPatch {
    /// Its conditions become these.
    Conditions(Vec<Condition>),
    /// It loses its admission, and its conditions become these.
    Release(Vec<Condition>),
    /// It needs this many pods of each set no more.
    Reclaim(Vec<(String, u32)>),
}

impl StatusPatch {
    /// The fields of the status that it changes.
    pub fn fields(&self) -> &'static str {
        match self {
            Self::Conditions(_) => "conditions",
            Self::Release(_) => "admission, conditions",
            Self::Reclaim(_) => "reclaimablePods",
        }
    }

    /// As a merge patch of the status.
    pub fn json(&self) -> Value {
        match self {
            Self::Conditions(conditions) => json!({ "conditions": conditions }),
            Self::Release(conditions) => json!({ "conditions": conditions, "admission": null }),
            Self::Reclaim(counts) => {
                let pods = |(name, count): &(String, u32)| json!({ "name": name, "count": count });
                json!({ "reclaimablePods": counts.iter().map(pods).collect::<Vec<_>>() })
            }
        }
    }
}

/// How many pods of a set may exist once the status of the Workload is changed.
pub fn granted_with(workload: &WorkloadSeen, patch: &StatusPatch, set: &str) -> u32 {
    let granted = granted(workload, set);
    match patch {
        StatusPatch::Release(_) => 0,
        StatusPatch::Conditions(conditions) => {
            let is_finished = |condition: &Condition| condition.type_ == FINISHED && condition.status == "True";
            if conditions.iter().any(is_finished) { 0 } else { granted }
        }
        StatusPatch::Reclaim(counts) => {
            let count = counts.iter().find(|(name, _)| name == set).map_or(0, |(_, count)| *count);
            granted.min(workload.asked(set).saturating_sub(count))
        }
    }
}
