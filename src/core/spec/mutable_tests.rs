use kube::CustomResourceExt;
use serde_json::{Value, json};

use super::*;
use crate::api::MapTask;

/// Every field of the spec, two values of it, and whether it may change while the task lives. Who adds a field says so
/// here and in `MutableSpec::of`; `api::schema` and the reference of the spec name those that may.
fn fields() -> Vec<(&'static str, [Value; 2], bool)> {
    let template = |image: &str| json!({ "spec": { "containers": [{ "name": "main", "image": image }] } });
    vec![
        ("items", [json!({ "count": 1 }), json!({ "count": 2 })], false),
        ("template", [template("x:1"), template("x:2")], false),
        ("container", [json!("main"), json!("side")], false),
        ("workers", [json!({ "slots": 1 }), json!({ "slots": 2 })], false),
        ("completion", [json!("Pod"), json!("Container")], false),
        ("concurrency", [json!(1), json!(2)], true),
        ("minConcurrency", [json!(1), json!(2)], true),
        ("minSuccessRatio", [json!(0.5), json!(0.6)], false),
        ("minSuccesses", [json!(1), json!(2)], false),
        ("remainingItems", [json!({ "onSuccess": "Drain" }), json!({ "onFailure": "Run" })], false),
        ("retries", [json!(1), json!(2)], false),
        ("retryPolicy", [json!({ "backoffSeconds": 1 }), json!({ "backoffSeconds": 2 })], false),
        ("startDeadlineSeconds", [json!(1), json!(2)], false),
        ("activeDeadlineSeconds", [json!(1), json!(2)], true),
        ("ttlSecondsAfterFinished", [json!(1), json!(2)], true),
        ("finishedPods", [json!(1), json!(2)], true),
        ("priority", [json!(1), json!(2)], true),
        ("suspend", [json!(false), json!(true)], true),
        ("suspendPolicy", [json!("Drain"), json!("Stop")], true),
        ("cancel", [json!(false), json!(true)], true),
        ("rerun", [json!({ "id": "1", "items": "All" }), json!({ "id": "2", "items": "All" })], true),
        ("managedBy", [json!("acme.io/a"), json!("acme.io/b")], false),
        ("results", [json!({ "maxBytesPerItem": 8 }), json!({ "maxBytesPerItem": 9 })], false),
        ("artifacts", [json!({ "volume": "a", "path": "/a" }), json!({ "volume": "b", "path": "/a" })], false),
        ("cache", [json!({ "version": "1" }), json!({ "version": "2" })], false),
        ("reduce", [json!({ "template": template("x:1") }), json!({ "template": template("x:2") })], false),
    ]
}

/// The schema of the spec.
fn schema() -> Value {
    let crd = serde_json::to_value(MapTask::crd()).unwrap();
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap().clone()
}

/// The rules that compare a field with what it was: their paths, texts and messages.
fn rules(schema: &Value) -> Vec<[&str; 3]> {
    let all = schema["x-kubernetes-validations"].as_array().unwrap().iter();
    let all = all.map(|rule| ["fieldPath", "rule", "message"].map(|name| rule[name].as_str().unwrap()));
    // When a rerun may be asked for is another question than whether it may change.
    all.filter(|[_, rule, _]| rule.contains("oldSelf") && !rule.contains("self.cancel")).collect()
}

#[test]
fn of_every_field_of_the_spec_it_is_said_whether_it_may_change() {
    let schema = schema();
    let mut known: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut told: Vec<&str> = fields().iter().map(|(field, ..)| *field).collect();
    known.sort_unstable();
    told.sort_unstable();
    assert_eq!(told, known);
}

#[test]
fn what_may_change_is_what_the_core_looks_at_again() {
    let base: Value = fields().into_iter().map(|(field, [value, _], _)| (field.to_owned(), value)).collect();
    let mutable = |spec: &Value| MutableSpec::of(&serde_json::from_value(spec.clone()).unwrap());
    for (field, [_, other], may_change) in fields() {
        let mut changed = base.clone();
        changed[field] = other;
        assert_eq!(mutable(&changed) != mutable(&base), may_change, "{field}");
    }
}

#[test]
fn what_may_not_change_is_refused_by_the_schema_and_nothing_else_is() {
    let schema = schema();
    let required: Vec<&str> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let rules = rules(&schema);
    for (field, _, may_change) in fields() {
        let path = format!(".{field}");
        let own: Vec<_> = rules.iter().filter(|[of, ..]| *of == path).collect();
        if may_change {
            assert!(own.is_empty(), "{field}: {own:?}");
            continue;
        }
        let [[_, rule, _]] = own[..] else { panic!("{field} has {} rules that say that it can't change", own.len()) };
        let named = [format!("self.{field}"), format!("oldSelf.{field}")];
        assert!(named.iter().all(|name| rule.contains(name)), "{field}: {rule}");
        // To CEL a field that is not there is an error.
        let there = required.contains(&field) || schema["properties"][field].get("default").is_some();
        let asks = named.iter().all(|name| rule.contains(&format!("has({name})")));
        assert!(there || asks, "{field} may be absent, and {rule} does not ask whether it is");
    }
}

#[test]
fn messages_and_the_reference_name_what_may_change() {
    let schema = schema();
    let reference = include_str!("../../../docs/reference/maptask.md");
    let (_, sentence) = reference.split_once("After creation only").expect("a sentence of docs/reference/maptask.md");
    let (reference, _) = sentence.split_once("can change").unwrap();
    let named = |text: &str, field: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == field);
    for [of, _, message] in rules(&schema) {
        let (_, rest) = message.split_once('(').unwrap_or_else(|| panic!("{of}: {message}"));
        let (list, _) = rest.split_once(')').unwrap_or_else(|| panic!("{of}: {message}"));
        for (field, _, may_change) in fields() {
            assert_eq!(named(list, field), may_change, "{field} in {message}");
            assert_eq!(named(reference, field), may_change, "{field} in docs/reference/maptask.md");
        }
    }
}
