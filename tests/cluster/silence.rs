//! What holds up pods that do not say so themselves, on a real node.

use serde_json::{Value, json};

use crate::endings::{ending, one};
use crate::kubectl::Namespace;
use crate::undisturbed;

/// Waits until the task says for what it waits, with these words.
fn wait_for_words(namespace: &Namespace, task: &str, reason: &str, words: &str) -> Value {
    namespace.wait(&format!("{task} waits for {words}"), || {
        let status = namespace.status(task);
        let message = status["waiting"]["message"].as_str().unwrap_or_default();
        (status["waiting"]["reason"] == reason && message.contains(words)).then_some(status.clone())
    })
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_object_that_a_pod_waits_for_is_named_even_if_the_pods_status_does_not_name_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("silence");
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let volume = |source: Value| {
        let mut volume = json!({ "name": "v" });
        volume.as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        json!({ "volumes": [volume] })
    };
    namespace.apply(
        &json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "there" }, "data": { "a": "1" } }),
    );
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "unbound" },
        "spec": { "accessModes": ["ReadWriteOnce"], "storageClassName": "nobody",
                  "resources": { "requests": { "storage": "1Mi" } } },
    }));
    let none = json!({});
    let sources = json!([{ "configMap": { "name": "there" } }, { "secret": { "name": "nobody-s" } }]);
    let key = json!({ "configMap": { "name": "there", "items": [{ "key": "gone", "path": "x" }] } });
    let env = json!({ "env": [{ "name": "A", "valueFrom": { "secretKeyRef": { "name": "nobody-e", "key": "k" } } }] });
    let pull = json!({ "imagePullSecrets": [{ "name": "nobody-p" }] });
    let no_image = json!({ "image": "127.0.0.1:9/none:1", "imagePullPolicy": "Always" });
    let gate = json!({ "schedulingGates": [{ "name": "example.com/wait" }] });
    let cases: Vec<(&str, Value, &Value, &str, &str)> = vec![
        (
            "config-map",
            volume(json!({ "configMap": { "name": "nobody-c" } })),
            &mount,
            "NotStarting",
            "configmap \"nobody-c\" not found",
        ),
        (
            "secret",
            volume(json!({ "secret": { "secretName": "nobody-t" } })),
            &mount,
            "NotStarting",
            "secret \"nobody-t\" not found",
        ),
        (
            "projected",
            volume(json!({ "projected": { "sources": sources } })),
            &mount,
            "NotStarting",
            "secret \"nobody-s\" not found",
        ),
        ("key", volume(key), &mount, "NotStarting", "references non-existent config key: gone"),
        (
            "claim",
            volume(json!({ "persistentVolumeClaim": { "claimName": "nobody-v" } })),
            &mount,
            "NotStarting",
            "persistentvolumeclaim \"nobody-v\" not found",
        ),
        (
            "unbound",
            volume(json!({ "persistentVolumeClaim": { "claimName": "unbound" } })),
            &mount,
            "NotStarting",
            "claim unbound: ",
        ),
        ("env", none.clone(), &env, "NotStarting", "secret \"nobody-e\" not found"),
        ("pull", pull, &no_image, "NotStarting", "nobody-p"),
        ("gate", gate, &none, "SchedulingGated", "example.com/wait"),
    ];
    for (name, pod, container, ..) in &cases {
        namespace.apply(&one(name, &none, "true", pod, container));
    }
    for (name, _, _, reason, words) in &cases {
        let status = wait_for_words(&namespace, name, reason, words);
        assert_eq!(status["reason"], *reason, "{name}: {status}");
        println!("{name}: {}", status["waiting"]);
    }
    // What was missing comes.
    namespace.kubectl(&["create", "configmap", "nobody-c"]);
    assert_eq!(namespace.wait_for_end("config-map")["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_whose_volume_is_missing_until_its_start_deadline_costs_its_item_a_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("late");
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let volume = json!({ "volumes": [{ "name": "v", "configMap": { "name": "nobody" } }] });
    let spec = json!({ "items": { "count": 2 }, "startDeadlineSeconds": 14, "retries": 0, "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&one("t", &spec, "true", &volume, &mount));
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), ending(&status)), (Some("Failed"), ("NeverStarted", None, 2)), "{status}");
    let message = status["failures"][0]["sample"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("configmap \"nobody\" not found"), "{status}");
}
