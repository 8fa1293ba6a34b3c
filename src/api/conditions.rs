//! The conditions of a MapTask.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// Maximum length of a condition's message in characters: messages of the API server can be long.
pub const MESSAGE_LIMIT: usize = 1024;
/// Most conditions: the types below, and room for those of a later version.
const MAX_CONDITIONS: u32 = 32;

/// The types of a MapTask's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The spec is valid and its pods can be created.
    Accepted,
    /// Enough items have succeeded.
    SuccessCriteriaMet,
    /// The task can't succeed any more.
    FailureTarget,
    /// The task succeeded and no pod of it runs.
    Complete,
    /// The task failed and no pod of it runs.
    Failed,
    /// Somebody else changed or deleted results while the task ran, and they are lost.
    ResultsDamaged,
    /// The task has ended, with success or failure. Its reason is that of Complete or Failed.
    Finished,
    /// `spec.suspend` keeps items from starting; the same type as a Job's.
    Suspended,
    /// The task has not ended; a type of kstatus.
    Reconciling,
    /// The task has failed and continues only after somebody changes it; a type of kstatus.
    Stalled,
}

impl ConditionType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Accepted,
        Self::SuccessCriteriaMet,
        Self::FailureTarget,
        Self::Complete,
        Self::Failed,
        Self::Finished,
        Self::Suspended,
        Self::Reconciling,
        Self::Stalled,
        Self::ResultsDamaged,
    ];

    /// The word as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "Accepted",
            Self::SuccessCriteriaMet => "SuccessCriteriaMet",
            Self::FailureTarget => "FailureTarget",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
            Self::ResultsDamaged => "ResultsDamaged",
            Self::Finished => "Finished",
            Self::Suspended => "Suspended",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
        }
    }
}

/// Whether a condition holds. The operator always knows, so it sets no `Unknown`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not, or no longer.
    False,
}

impl ConditionStatus {
    /// The word as it stands in the status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
        }
    }
}

/// Sets a condition; its transition time moves only when the condition's status does.
pub fn set(
    conditions: &mut Vec<Condition>,
    type_: ConditionType,
    status: ConditionStatus,
    reason: &str,
    message: &str,
    observed_generation: Option<i64>,
    now: Time,
) {
    let status = status.as_str();
    let old = conditions.iter().position(|c| c.type_ == type_.as_str());
    let last_transition_time = match old.map(|i| &conditions[i]) {
        Some(c) if c.status == status => c.last_transition_time.clone(),
        _ => now,
    };
    let condition = Condition {
        type_: type_.as_str().to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: crate::text::cut(message, MESSAGE_LIMIT),
        observed_generation,
        last_transition_time,
    };
    match old {
        Some(i) => conditions[i] = condition,
        None => conditions.push(condition),
    }
}

/// The condition, if it is there and True.
pub fn find_true(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|c| c.type_ == type_.as_str() && c.status == ConditionStatus::True.as_str())
}

/// Whether the condition is there and True.
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find_true(conditions, type_).is_some()
}

pub(super) fn schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "maxItems": MAX_CONDITIONS,
        "items": {
            "type": "object",
            "required": ["type", "status", "reason", "message", "lastTransitionTime"],
            "properties": {
                "type": text(64, "The type of the condition, in CamelCase."),
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "Whether the condition holds: True, False or Unknown.",
                },
                "reason": text(64, "One word in CamelCase for the cause of the last transition."),
                "message": text(4_096, "The details of the transition for people; may be empty."),
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "The metadata.generation for which the condition was set.",
                },
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the status of the condition last changed.",
                },
            },
        },
    })
}

fn text(limit: u32, description: &str) -> Value {
    json!({ "type": "string", "maxLength": limit, "description": description })
}
