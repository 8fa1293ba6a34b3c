//! Bad input, and what the user reads: from the API server where the schema can say it, else from the Accepted
//! condition.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, kubectl_with};
use crate::undisturbed;

fn task(spec: &Value) -> Value {
    fake_task("a", spec, &json!({}))
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_api_server_refuses_what_the_schema_can_tell() {
    let namespace = Namespace::new("schema");
    let long_name = "a".repeat(64);
    let cases = [
        (json!({ "items": { "count": 3 }, "retrys": 2 }), "unknown field \"spec.retrys\""),
        (json!({ "items": { "count": "three" } }), "spec.items.count in body must be of type integer"),
        (
            json!({ "items": { "count": 3, "values": [1] } }),
            "\"spec.items\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
        ),
        (json!({ "items": {} }), "\"spec.items\" must validate one and only one schema (oneOf). Found none valid"),
        (
            json!({ "items": { "count": 1_000_001 } }),
            "spec.items.count in body should be less than or equal to 1000000",
        ),
        (json!({ "items": { "range": { "stop": 3, "step": 0 } } }), "step must not be 0"),
        (
            json!({ "items": { "count": 3 }, "minSuccessRatio": 1.5 }),
            "spec.minSuccessRatio in body should be less than or equal to 1",
        ),
        (
            json!({ "items": { "count": 3 }, "minSuccessRatio": -0.5 }),
            "spec.minSuccessRatio in body should be greater than or equal to 0",
        ),
        (
            json!({ "items": { "count": 3 }, "minSuccessRatio": 0.5, "minSuccesses": 2 }),
            "set minSuccessRatio or minSuccesses, not both",
        ),
        (
            json!({ "items": { "count": 3 }, "retries": -1 }),
            "spec.retries in body should be greater than or equal to 0",
        ),
        (
            json!({ "items": { "count": 3 }, "concurrency": 0 }),
            "spec.concurrency in body should be greater than or equal to 1",
        ),
        (json!({ "items": { "count": 3 }, "container": "No Name" }), "spec.container in body should match"),
        (
            json!({ "items": { "count": 3 }, "results": { "maxBytesPerItem": 5000 } }),
            "results.maxBytesPerItem is above 4096, the kubelet's limit for a termination message",
        ),
        (json!({ "items": { "count": 3 }, "managedBy": "somebody" }), "managedBy must be a domain, a slash and a name"),
        (
            json!({ "items": { "count": 3 }, "workers": { "slots": 0 } }),
            "spec.workers.slots in body should be greater than",
        ),
        (
            json!({ "items": { "count": 3 }, "workers": { "slots": 257 } }),
            "spec.workers.slots in body should be less than",
        ),
        (
            json!({ "items": { "count": 3 }, "workers": {}, "template": { "spec": { "containers": [{ "name": "m", "image": "x" }] } } }),
            "workers run the command of the item's container once for each item, and it has none: give command",
        ),
        (
            json!({ "items": { "count": 3 }, "results": { "source": "None" }, "reduce": { "template": { "spec": { "containers": [{ "name": "m" }] } } } }),
            "reduce reads the results, but results.source is None",
        ),
        (
            json!({ "items": { "count": 3 }, "results": { "source": "None" }, "cache": { "version": "1" } }),
            "cache stores results, but results.source is None",
        ),
        (json!({ "items": { "count": 3 }, "cache": {} }), "spec.cache.version: Required value"),
        (
            json!({ "items": { "count": 3 }, "template": { "spec": { "containers": [] } } }),
            "spec.template.spec.containers in body should have at least 1 items",
        ),
        (json!({ "items": { "count": 3 }, "template": {} }), "spec.template.spec: Required value"),
        (
            json!({ "items": { "count": 3 }, "template": { "metdata": {}, "spec": { "containers": [{ "name": "m" }] } } }),
            "unknown field \"spec.template.metdata\"",
        ),
        (
            json!({ "items": { "count": 3 }, "template": { "metadata": { "lables": {} }, "spec": { "containers": [{ "name": "m" }] } } }),
            "unknown field \"spec.template.metadata.lables\"",
        ),
        (
            json!({ "items": { "range": { "stop": 9_007_199_254_740_993_i64, "step": 1_000_000_000_000_000_i64 } } }),
            "spec.items.range.stop in body should be less than or equal to 9007199254740991",
        ),
        (
            json!({ "items": { "count": 3 }, "artifacts": { "volume": "out", "path": "out" } }),
            "spec.artifacts.path in body should match",
        ),
    ];
    for (spec, message) in &cases {
        let (good, text) = namespace.try_apply(&task(spec));
        assert!(!good && text.contains(message), "{spec}: {text}");
    }
    let (good, text) = namespace.try_apply(&fake_task(&long_name, &json!({ "items": { "count": 3 } }), &json!({})));
    assert!(!good && text.contains("metadata.name: Invalid value"), "{text}");
    assert!(text.contains("metadata.name must be at most 63 characters"), "{text}");
    assert!(namespace.list("maptasks").is_empty());
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn what_was_created_stays_as_it_is() {
    let namespace = Namespace::new("fixed");
    let good = json!({ "items": { "values": [1, { "k": [null] }] }, "suspend": true, "minSuccessRatio": 0.5, "container": "main" });
    namespace.apply(&task(&good));
    let cases = [
        ("items", json!({ "items": { "values": [2, { "k": [null] }] } })),
        ("template", json!({ "template": { "spec": { "containers": [{ "name": "main", "image": "other" }] } } })),
        ("container", json!({ "container": "side" })),
        ("minSuccessRatio", json!({ "minSuccessRatio": 0.6 })),
        ("minSuccesses", json!({ "minSuccesses": 1, "minSuccessRatio": null })),
        ("retries", json!({ "retries": 3 })),
        ("results", json!({ "results": { "source": "None" } })),
        ("reduce", json!({ "reduce": { "template": { "spec": { "containers": [{ "name": "m" }] } } } })),
        ("artifacts", json!({ "artifacts": { "volume": "out", "path": "/out" } })),
        ("managedBy", json!({ "managedBy": "acme.io/controller" })),
    ];
    for (field, change) in &cases {
        let patch = json!({ "spec": change }).to_string();
        let (good, text) =
            kubectl_with("", &["-n", &namespace.0, "patch", "maptask", "a", "--type=merge", "-p", &patch]);
        assert!(!good && text.contains(&format!("{field} can't be changed after creation")), "{field}: {text}");
    }
    namespace.kubectl(&[
        "patch",
        "maptask",
        "a",
        "--type=merge",
        "-p",
        r#"{"spec":{"suspend":false,"concurrency":7}}"#,
    ]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_operator_refuses_the_rest_and_creates_nothing() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("refused");
    let axis = |n: usize| vec![0; n];
    let template = |spec: Value| json!({ "items": { "count": 3 }, "template": { "spec": spec } });
    let cases = [
        (
            "matrix",
            json!({ "items": { "matrix": { "a": axis(200), "b": axis(100), "c": axis(100) } } }),
            "False TooManyItems",
            "has 2000000 items (200 × 100 × 100); the limit is 1000000",
        ),
        (
            "always",
            template(json!({ "restartPolicy": "Always", "containers": [{ "name": "m", "image": "x" }] })),
            "False InvalidTemplate",
            "restartPolicy is \"Always\"",
        ),
        (
            "nobody",
            json!({ "items": { "count": 3 }, "container": "nobody" }),
            "False InvalidTemplate",
            "spec.container is \"nobody\", but spec.template.spec.containers has only main",
        ),
        (
            "many",
            json!({ "items": { "count": 3 }, "minSuccesses": 4 }),
            "False InvalidSuccessCriterion",
            "spec.minSuccesses is 4, but there are only 3 items",
        ),
        (
            "typo",
            template(json!({ "containers": [{ "name": "m", "image": "x", "comand": ["x"] }] })),
            "False TemplateRefused",
            "unknown field \"spec.containers[0].comand\"",
        ),
        (
            "image",
            template(json!({ "containers": [{ "name": "m" }] })),
            "False TemplateRefused",
            "spec.containers[0].image: Required value",
        ),
        (
            "artifacts",
            json!({ "items": { "count": 3 }, "artifacts": { "volume": "out", "path": "/out" } }),
            "False InvalidTemplate",
            "spec.artifacts.volume is \"out\", but spec.template.spec.volumes has only []",
        ),
        (
            "reduce",
            json!({ "items": { "count": 3 }, "reduce": { "container": "nobody", "template": { "spec": { "containers": [{ "name": "m" }] } } } }),
            "False InvalidTemplate",
            "spec.reduce.container is \"nobody\"",
        ),
        (
            "reduce-typo",
            json!({ "items": { "count": 0 }, "reduce": { "template": { "spec": { "containers": [{ "name": "m" }] } } } }),
            "False TemplateRefused",
            "first pod of spec.reduce.template: Pod",
        ),
    ];
    for (name, spec, ..) in &cases {
        namespace.apply(&fake_task(name, spec, &json!({})));
    }
    for (name, _, reason, message) in &cases {
        let status = namespace.wait_for_end(name);
        let accepted = condition(&status, "Accepted");
        assert!(accepted.starts_with(reason) && accepted.contains(message), "{name}: {accepted}");
        assert_eq!(status["phase"], "Failed", "{name}");
    }
    assert!(namespace.list("pods").is_empty());
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn lists_that_are_too_large_are_refused_with_their_size() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("large");
    let create = |name: &str, values: Vec<String>| {
        let task = fake_task(name, &json!({ "items": { "values": values } }), &json!({}));
        kubectl_with(&task.to_string(), &["-n", &namespace.0, "create", "-f", "-"])
    };
    let (good, text) = create("a", vec!["x".repeat(1_000); 1_100]);
    assert!(good, "{text}");
    let accepted = condition(&namespace.wait_for_end("a"), "Accepted");
    assert!(accepted.contains("spec.items.values has 1103300 bytes of JSON; the limit is 1000000"), "{accepted}");
    // More than the store takes at all, so that the API server refuses it.
    let (good, text) = create("b", vec!["x".repeat(1_000); 2_000]);
    assert!(!good && text.contains("too large"), "{text}");
}
