//! The parts that all pods of tasks have, and objects without copies.

use serde_json::{Map, Value, json};

use crate::api::labels;

/// An object that takes its parts over, where `json!` would copy each of them.
pub(super) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.map(|(name, value)| (name.to_owned(), value)).into_iter().collect())
}

/// A pod of these parts.
pub(super) fn pod(metadata: Value, spec: Map<String, Value>) -> Value {
    object([("apiVersion", "v1".into()), ("kind", "Pod".into()), ("metadata", metadata), ("spec", spec.into())])
}

/// The labels by which the objects of a task are selected. They stand in the place of the template's own of the same
/// names.
pub fn owner_labels(task: &str, uid: &str) -> Map<String, Value> {
    let labels = [(labels::NAME, task), (labels::CONTROLLER_UID, uid), (labels::MANAGED_BY, labels::OPERATOR)];
    labels.map(|(name, value)| (name.to_owned(), value.into())).into_iter().collect()
}

/// Makes the task the owner of an object, so that the object goes with it.
pub fn owner_reference(task: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "maptask.dev/v1alpha1",
        "kind": "MapTask",
        "name": task,
        "uid": uid,
        "controller": true,
        "blockOwnerDeletion": true,
    })
}
