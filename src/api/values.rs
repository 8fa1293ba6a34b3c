//! What both halves of the schema share: enums explained by value, list types, and no `null` in a status.

use schemars::Schema;
use serde_json::{Map, Value, json};

/// Most characters of a word in a status that a later version may add to.
const MAX_WORD: usize = 64;

/// A spec: a value that is not in an enum is refused.
pub(super) fn of_spec(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        walk(object, Enums::Closed);
    }
}

/// A status: its enums are open strings, since the schema in a cluster may be older than the operator that writes. What
/// is absent is left out: it is never `null`, and no default is put in its place.
pub(super) fn of_status(schema: &mut Schema) {
    if let Some(object) = schema.as_object_mut() {
        walk(object, Enums::Open);
    }
}

/// Whether the schema refuses a word that it does not know.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Enums {
    Closed,
    Open,
}

/// Rewrites a schema and all within it.
fn walk(node: &mut Map<String, Value>, enums: Enums) {
    if enums == Enums::Open {
        node.remove("default");
        drop_null(node);
    }
    explain(node, enums);
    if node.get("type") == Some(&json!("array")) {
        node.entry("x-kubernetes-list-type").or_insert_with(|| json!("atomic"));
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = node.get_mut(key).and_then(Value::as_object_mut) {
            walk(inner, enums);
        }
    }
    if let Some(properties) = node.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().filter_map(Value::as_object_mut).for_each(|property| walk(property, enums));
    }
}

/// Takes `null` out of what a value may be.
fn drop_null(node: &mut Map<String, Value>) {
    if let Some(types) = node.get("type").and_then(Value::as_array) {
        let mut types: Vec<Value> = types.iter().filter(|type_| **type_ != json!("null")).cloned().collect();
        if types.len() == 1 {
            node.insert("type".to_owned(), types.remove(0));
        }
    }
    let Some(of) = node.get("anyOf").and_then(Value::as_array) else { return };
    let others: Vec<Value> = of.iter().filter(|one| one["type"] != "null").cloned().collect();
    if let [Value::Object(only)] = others.as_slice() {
        node.remove("anyOf");
        for (key, value) in only {
            // The field's own description says more than its type's.
            node.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
}

/// Says in the description of an enum what each of its values means.
fn explain(node: &mut Map<String, Value>, enums: Enums) {
    let Some(variants) = node.get("oneOf").and_then(Value::as_array) else { return };
    let words: Option<Vec<(String, String)>> = variants
        .iter()
        .map(|one| Some((one.get("const")?.as_str()?.to_owned(), one.get("description")?.as_str()?.replace('\n', " "))))
        .collect();
    let Some(words) = words else { return };
    let lines: Vec<String> = words.iter().map(|(word, meaning)| format!("- {word}: {meaning}")).collect();
    let before = node.get("description").and_then(Value::as_str).map(|text| format!("{text}\n")).unwrap_or_default();
    node.remove("oneOf");
    node.insert("type".to_owned(), json!("string"));
    node.insert("description".to_owned(), json!(format!("{before}{}", lines.join("\n"))));
    match enums {
        Enums::Closed => {
            node.insert("enum".to_owned(), words.iter().map(|(word, _)| json!(word)).collect());
        }
        Enums::Open => {
            node.insert("maxLength".to_owned(), json!(MAX_WORD));
        }
    }
}
