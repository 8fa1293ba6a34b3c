use std::collections::BTreeSet;

use kube::CustomResourceExt;
use serde_json::json;

use super::*;
use crate::api::MapTask;

/// A spec that sets each field, so that a changed value differs from a field that was added.
fn spec() -> Value {
    json!({
        "items": { "values": ["a"] },
        "template": { "metadata": { "labels": { "team": "x" } }, "spec": {
            "nodeSelector": { "disk": "fast" },
            "serviceAccountName": "reader",
            "containers": [{ "name": "main", "image": "x:1", "command": ["run"], "env": [{ "name": "A", "value": "1" }],
                "resources": { "limits": { "memory": "1Gi" } }, "imagePullPolicy": "Always" }],
            "volumes": [{ "name": "out", "emptyDir": {} }, { "name": "other", "emptyDir": {} }],
        } },
        "container": "main", "completion": "Pod", "concurrency": 5, "minSuccessRatio": 0.5, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" },
        "retries": 1, "retryPolicy": { "backoffSeconds": 1 }, "startDeadlineSeconds": 10,
        "activeDeadlineSeconds": 10, "ttlSecondsAfterFinished": 10, "finishedPods": 1, "priority": 1, "suspend": false, "cancel": false,
        "suspendPolicy": "Drain", "rerun": { "id": "1", "items": "All" },
        "results": { "maxBytesPerItem": 100, "onTooLarge": "FailAttempt" },
        "artifacts": { "volume": "out", "path": "/out" },
        "cache": { "version": "1", "name": "c", "serialize": false },
        "reduce": { "template": { "spec": {} } },
        "workers": { "slots": 1 },
    })
}

fn key_of(spec: &Value) -> Key {
    let spec = serde_json::from_value(spec.clone()).unwrap();
    Keys::of(&TaskKey::new("ns", "t"), &spec).unwrap().key(&Json::string("a"))
}

/// Each field of the spec, a change of it, and whether that makes another item of it.
const CHANGES: [(&str, &str, bool); 47] = [
    ("/items", r#"{"values": ["a", "b"]}"#, false),
    ("/template/metadata/labels/team", r#""y""#, false),
    ("/template/spec/nodeSelector/disk", r#""slow""#, false),
    ("/template/spec/serviceAccountName", r#""writer""#, true),
    ("/template/spec/containers/0/name", r#""other""#, true),
    ("/template/spec/containers/0/image", r#""x:2""#, true),
    ("/template/spec/containers/0/command", r#"["walk"]"#, true),
    ("/template/spec/containers/0/env/0/value", r#""2""#, true),
    ("/template/spec/containers/0/resources/limits/memory", r#""2Gi""#, false),
    ("/template/spec/containers/0/imagePullPolicy", r#""Never""#, false),
    ("/template/spec/volumes/0", r#"{"name": "out", "hostPath": {"path": "/x"}}"#, true),
    ("/template/spec/tolerations", "[]", false),
    ("/template/spec/topologySpreadConstraints", "[]", false),
    ("/template/spec/priorityClassName", r#""high""#, false),
    ("/template/spec/terminationGracePeriodSeconds", "5", false),
    ("/template/spec/someFieldOfTomorrow", "5", true),
    ("/container", r#""side""#, true),
    ("/completion", r#""Container""#, false),
    ("/concurrency", "6", false),
    ("/minSuccessRatio", "0.6", false),
    ("/minSuccesses", "2", false),
    ("/remainingItems/onSuccess", r#""Cancel""#, false),
    ("/remainingItems/onFailure", r#""Run""#, false),
    ("/retries", "2", false),
    ("/retryPolicy", r#"{"backoffSeconds": 2}"#, false),
    ("/startDeadlineSeconds", "11", false),
    ("/activeDeadlineSeconds", "11", false),
    ("/ttlSecondsAfterFinished", "11", false),
    ("/finishedPods", "2", false),
    ("/priority", "2", false),
    ("/suspend", "true", false),
    ("/suspendPolicy", r#""Stop""#, false),
    ("/cancel", "true", false),
    ("/rerun", r#"{"id": "2", "items": "All"}"#, false),
    ("/results/maxBytesPerItem", "200", false),
    ("/workers/slots", "2", false),
    ("/minConcurrency", "2", false),
    ("/managedBy", r#""acme.io/controller""#, false),
    ("/results/onTooLarge", r#""Truncate""#, true),
    ("/artifacts/volume", r#""other""#, true),
    ("/artifacts/path", r#""/elsewhere""#, true),
    ("/cache/version", r#""2""#, true),
    ("/cache/name", r#""d""#, true),
    ("/cache/ignoreTemplate", "true", true),
    ("/cache/serialize", "true", false),
    ("/reduce", r#"{"template": {"spec": {"containers": []}}}"#, false),
    ("/template/spec/affinity", "{}", false),
];

fn change(spec: &Value, place: &str, value: &str) -> Value {
    let (parent, field) = place.rsplit_once('/').unwrap();
    let mut spec = spec.clone();
    let parent = spec.pointer_mut(parent).unwrap();
    let value = serde_json::from_str(value).unwrap();
    match parent {
        Value::Array(list) => list[field.parse::<usize>().unwrap()] = value,
        parent => parent[field] = value,
    }
    spec
}

#[test]
fn a_cache_key_changes_with_what_is_computed_and_with_nothing_else() {
    for (place, value, differs) in CHANGES {
        let changed = change(&spec(), place, value);
        assert_ne!(changed, spec(), "{place}");
        assert_eq!(key_of(&changed) != key_of(&spec()), differs, "{place}");
    }
}

#[test]
fn every_field_of_the_spec_either_is_part_of_the_cache_key_or_is_declared_not_to_be() {
    let crd = serde_json::to_value(MapTask::crd()).unwrap();
    let fields = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties").unwrap();
    let top = |place: &str| place.split('/').nth(1).unwrap().to_owned();
    let told: BTreeSet<String> = CHANGES.iter().map(|(place, ..)| top(place)).collect();
    let known: BTreeSet<String> = fields.as_object().unwrap().keys().cloned().collect();
    assert_eq!(told, known);
}

#[test]
fn without_the_template_a_cache_key_has_only_version_name_and_item() {
    let ignoring = change(&spec(), "/cache/ignoreTemplate", "true");
    for (place, value, _) in CHANGES {
        let differs = ["/cache/version", "/cache/name", "/results/onTooLarge"].contains(&place);
        let changed = change(&ignoring, place, value);
        assert_eq!(key_of(&changed) != key_of(&ignoring), differs, "{place}");
    }
}

#[test]
fn a_key_is_of_the_item_wherever_it_stands_and_of_no_other() {
    let keys = |namespace: &str, task: &str, cache: Value| {
        let mut spec = spec();
        spec["cache"] = cache;
        Keys::of(&TaskKey::new(namespace, task), &serde_json::from_value(spec).unwrap()).unwrap()
    };
    let shared = json!({ "version": "1", "name": "c" });
    let all = [
        r#""a""#,
        r#""b""#,
        "1",
        r#""1""#,
        "null",
        "[1]",
        r#"{"a":1}"#,
        "1.0",
        r#"{"a":1.0}"#,
        "12345678901234567890123",
    ];
    let all = all.map(|text| Json::parse(text).unwrap());
    let a = keys("ns", "t", shared.clone());
    let distinct: BTreeSet<Key> = all.iter().map(|item| a.key(item)).collect();
    assert_eq!(distinct.len(), all.len());
    assert_eq!(keys("ns", "u", shared.clone()).key(&all[0]), a.key(&all[0]), "another task of the same cache");
    assert_ne!(keys("other", "t", shared).key(&all[0]), a.key(&all[0]), "another namespace");
    let own = json!({ "version": "1" });
    assert_ne!(keys("ns", "t", own.clone()).key(&all[0]), keys("ns", "u", own).key(&all[0]), "each its own cache");
    let key = a.key(&all[0]);
    assert_eq!((Key::parse(&key.to_string()), key.to_string().len()), (Some(key), KEY_CHARACTERS));
}
