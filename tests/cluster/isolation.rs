//! Trouble that the cluster can heal: it is waited for, in its own words, and nobody else notices.

use std::net::TcpListener;

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, kubectl_with};
use crate::undisturbed;

/// A webhook for the pods of one namespace, which goes with the test.
struct Webhook(String);

impl Webhook {
    fn new(namespace: &Namespace, url: &str) -> Self {
        let name = format!("{}.example.com", namespace.0);
        namespace.apply(&json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingWebhookConfiguration",
            "metadata": { "name": name },
            "webhooks": [{
                "name": format!("down.{name}"),
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "timeoutSeconds": 2,
                "failurePolicy": "Fail",
                "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": namespace.0 } },
                "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
                "clientConfig": { "url": url },
            }],
        }));
        Self(name)
    }
}

impl Drop for Webhook {
    fn drop(&mut self) {
        let _ = kubectl_with("", &["delete", "validatingwebhookconfiguration", &self.0, "--ignore-not-found"]);
    }
}

fn wait_for_reason(namespace: &Namespace, task: &str, reason: &str) -> String {
    namespace.wait(&format!("{reason} of {task}"), || {
        let waiting = namespace.status(task)["waiting"].clone();
        (waiting["reason"] == reason).then(|| waiting["message"].as_str().unwrap_or_default().to_owned())
    })
}

fn short(name: &str, spec: &Value) -> Value {
    fake_task(name, spec, &json!({}))
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_webhook_that_stops_answering_holds_up_its_namespace_and_no_other() {
    let _undisturbed = undisturbed();
    // One that refuses connections, and one that takes them and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("https://127.0.0.1:{}/validate", silent.local_addr().unwrap().port());
    for (kind, url) in [("refuses", "https://127.0.0.1:9/validate"), ("hangs", &silent)] {
        let namespace = Namespace::new(&format!("webhook-{kind}"));
        let neighbour = Namespace::new(&format!("beside-{kind}"));
        namespace.apply(&fake_task(
            "running",
            &json!({ "items": { "count": 200 }, "concurrency": 20 }),
            &json!({ "fake.maptask.dev/duration": "1s" }),
        ));
        namespace.wait("first pods", || namespace.get("pod", "running-0-1").map(drop));
        let webhook = Webhook::new(&namespace, url);
        // One that was accepted before, and one that is not accepted without it.
        let words = wait_for_reason(&namespace, "running", "FailedCreate");
        assert!(words.contains("failed calling webhook") && words.contains(&webhook.0), "{words}");
        namespace.apply(&short("new", &json!({ "items": { "count": 3 } })));
        let words = wait_for_reason(&namespace, "new", "FailedCreate");
        assert!(words.contains("first pod of spec.template") && words.contains("failed calling webhook"), "{words}");
        let accepted = condition(&namespace.status("new"), "Accepted");
        assert!(accepted.starts_with("False FailedCreate"), "{accepted}");
        namespace.wait("Event", || {
            let events = namespace.list("events");
            let is_word = |event: &Value| {
                let note = event["message"].as_str().unwrap_or_default();
                event["reason"] == "Blocked" && note.contains("failed calling webhook")
            };
            events.iter().any(is_word).then_some(())
        });
        neighbour.apply(&short("t", &json!({ "items": { "count": 60 }, "concurrency": 10 })));
        assert_eq!(neighbour.wait_for_end("t")["phase"], "Succeeded");
        assert_eq!(namespace.status("running")["phase"], "Running", "{kind}: the neighbour ended first");
        drop(webhook);
        for task in ["running", "new"] {
            let status = namespace.wait_for_end(task);
            assert_eq!(status["phase"], "Succeeded", "{kind} {task}: {status}");
            assert_eq!(status["failures"], Value::Null, "it cost no attempt");
        }
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_is_too_large_for_the_store_fails_its_item_with_the_words() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("toolarge");
    // Each `$` is doubled in the pod, in the variables of the item and of its key, in every container.
    let large = json!([{ "a": "$".repeat(95_000) }]);
    let mut task = short("t", &json!({ "items": { "values": large }, "retries": 3 }));
    let containers: Vec<Value> = (0..5).map(|i| json!({ "name": format!("c{i}"), "image": "fake" })).collect();
    task["spec"]["template"]["spec"]["containers"] = json!(containers);
    let (good, text) = kubectl_with(&task.to_string(), &["-n", &namespace.0, "create", "-f", "-"]);
    assert!(good, "{text}");
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Failed");
    let failure = &status["failures"][0];
    assert_eq!((failure["category"].as_str(), failure["attempts"].as_i64()), (Some("Refused"), Some(1)), "{failure}");
    assert!(failure["sample"]["message"].as_str().unwrap().contains("too large"), "{failure}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_waits_for_what_the_cluster_lacks_and_names_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("lacks");
    let class = format!("class-{}", namespace.0);
    let cases = [
        ("account", json!({ "serviceAccountName": "worker" }), "serviceaccount \"worker\" not found"),
        ("priority", json!({ "priorityClassName": class }), "no PriorityClass with name"),
        ("runtime", json!({ "runtimeClassName": class }), "RuntimeClass"),
    ];
    for (name, part, _) in &cases {
        let mut task = short(name, &json!({ "items": { "count": 2 } }));
        for (key, value) in part.as_object().unwrap() {
            task["spec"]["template"]["spec"][key] = value.clone();
        }
        namespace.apply(&task);
    }
    for (name, _, words) in &cases {
        let said = wait_for_reason(&namespace, name, "FailedCreate");
        assert!(said.contains(words), "{name}: {said}");
        assert_eq!(namespace.status(name)["phase"], "Pending");
    }
    assert!(namespace.list("pods").is_empty());
    namespace.kubectl(&["create", "serviceaccount", "worker"]);
    namespace.apply(&json!({
        "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": class }, "value": 1,
    }));
    namespace.apply(&json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": { "name": class }, "handler": "runc",
    }));
    let ends: Vec<Value> = cases.iter().map(|(name, ..)| namespace.wait_for_end(name)).collect();
    for kind in ["priorityclass", "runtimeclass"] {
        let _ = kubectl_with("", &["delete", kind, &class]);
    }
    assert!(ends.iter().all(|status| status["phase"] == "Succeeded"), "{ends:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_quota_that_wants_limits_is_waited_for_until_a_limitrange_sets_them() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("unset");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q" },
        "spec": { "hard": { "limits.cpu": "4" } },
    }));
    namespace.wait("quota in force", || {
        (namespace.get("resourcequota", "q")?["status"]["hard"]["limits.cpu"] == "4").then_some(())
    });
    namespace.apply(&short("t", &json!({ "items": { "count": 2 } })));
    let words = wait_for_reason(&namespace, "t", "FailedCreate");
    assert!(words.contains("must specify limits.cpu"), "{words}");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "defaults" },
        "spec": { "limits": [{ "type": "Container", "default": { "cpu": "100m" } }] },
    }));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_policy_that_denies_a_task_is_waited_for_until_it_allows_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("policy");
    let level = |level: &str| {
        let label = format!("pod-security.kubernetes.io/enforce={level}");
        namespace.kubectl(&["label", "--overwrite", "namespace", &namespace.0, &label]);
    };
    level("restricted");
    namespace.apply(&short("t", &json!({ "items": { "count": 2 } })));
    let words = wait_for_reason(&namespace, "t", "FailedCreate");
    assert!(words.contains("violates PodSecurity"), "{words}");
    level("privileged");
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_of_a_configmap_that_is_not_there_are_waited_for() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("noitems");
    namespace.apply(&short("t", &json!({ "items": { "configMap": { "name": "list", "key": "lines" } } })));
    let words = wait_for_reason(&namespace, "t", "ItemsMissing");
    assert!(words.contains("ConfigMap list does not exist"), "{words}");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "list" }, "data": { "lines": "a\nb\n" },
    }));
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), status["items"].as_i64()), (Some("Succeeded"), Some(2)));
}
