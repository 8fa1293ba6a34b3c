//! What the CRD's schema says of a pod template: its outside, and what of its containers says which program runs.
//!
//! A schema of a whole pod would be 400 KB, and older than the API server's own within months. So the outside is typed,
//! such that an unknown field is refused there as it is in a Job, and within `spec` all fields are kept as they are:
//! the API server is asked about them by a dry run. What is typed of a container is what CEL can see, to refuse a
//! change of it.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::schema::{fixed, rule_of_default};

/// Most containers of a template, so that the rules over them have a bound.
const MAX_CONTAINERS: usize = 64;
/// Most words of a command or of its arguments, and most characters of each, for the same reason.
const MAX_WORDS: usize = 1_024;
const MAX_WORD: usize = 262_144;

/// A pod template.
pub(super) fn template(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "required": ["spec"],
        "properties": { "metadata": metadata(), "spec": {
            "description": "The pod spec, with all fields that the API server knows.",
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "required": ["containers"],
            "properties": { "containers": containers() },
        } },
    })
}

/// The schema of the template for the pod that computes a list, whose container must say what runs.
pub(super) fn listing_template(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = template(generator);
    // With several containers the one that counts may be another; the operator checks that one.
    let rule = json!({
        "rule": "self.spec.containers.size() > 1 || (has(self.spec.containers[0].command) && self.spec.containers[0].command.size() > 0)",
        "message": "the container has no command: give command (and args); what an image runs by itself is in its configuration \
                    (Entrypoint and Cmd)",
        "fieldPath": ".spec.containers",
        "reason": "FieldValueInvalid",
    });
    schema.insert("x-kubernetes-validations".to_owned(), json!([rule]));
    schema
}

/// Labels and annotations; all else is let in as in a Job's template, and has no effect.
fn metadata() -> Value {
    let text = json!({ "type": "string" });
    let texts = json!({ "type": "object", "additionalProperties": text });
    let time = json!({ "type": "string", "format": "date-time", "nullable": true });
    let integer = json!({ "type": "integer", "format": "int64" });
    let objects = json!({
        "type": "array",
        "items": { "type": "object", "x-kubernetes-preserve-unknown-fields": true },
    });
    json!({
        "description": "Labels and annotations of the pods. Other metadata fields have no effect.",
        "type": "object",
        "properties": {
            "annotations": texts, "labels": texts,
            "creationTimestamp": time, "deletionTimestamp": time,
            "deletionGracePeriodSeconds": integer, "generation": integer,
            "finalizers": { "type": "array", "items": text },
            "generateName": text, "name": text, "namespace": text, "resourceVersion": text, "selfLink": text, "uid": text,
            "managedFields": objects, "ownerReferences": objects,
        },
    })
}

fn containers() -> Value {
    let words = json!({ "type": "array", "maxItems": MAX_WORDS, "items": { "type": "string", "maxLength": MAX_WORD } });
    let same =
        |field: &str, nothing: &str| fixed(&rule_of_default("self", field, nothing), "template", &format!(".{field}"));
    json!({
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_CONTAINERS,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": true,
            "required": ["name"],
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 63 },
                "image": { "type": "string", "maxLength": 4_096 },
                "command": words,
                "args": words,
            },
            "x-kubernetes-validations": [same("image", "''"), same("command", "[]"), same("args", "[]")],
        },
    })
}
