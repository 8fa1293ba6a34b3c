//! What other tools make of a task: `kubectl scale` and `wait`, selectors, Helm, and readers of the status.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, kubectl_with, program, real_task, run};
use crate::undisturbed;

/// A field of the task's scale.
fn scale(namespace: &Namespace, task: &str, pointer: &str) -> Value {
    let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{}/maptasks/{task}/scale", namespace.0);
    let scale: Value = serde_json::from_str(&namespace.kubectl(&["get", "--raw", &path])).unwrap();
    scale.pointer(pointer).cloned().unwrap_or_default()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn kubectl_scale_sets_the_concurrency() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("scale");
    let long = json!({ "fake.maptask.dev/duration": "10m" });
    namespace.apply(&fake_task("x", &json!({ "items": { "count": 6 }, "concurrency": 1 }), &long));
    namespace.wait("one running", || (scale(&namespace, "x", "/status/replicas") == 1).then_some(()));
    namespace.kubectl(&["scale", "maptask/x", "--replicas=4"]);
    namespace.wait("four running", || (scale(&namespace, "x", "/status/replicas") == 4).then_some(()));
    assert_eq!(scale(&namespace, "x", "/spec/replicas"), 4);
    assert_eq!(namespace.get("maptask", "x").unwrap()["spec"]["concurrency"], 4);
    // A task without a concurrency has no number to read, but takes one.
    namespace.apply(&fake_task("open", &json!({ "items": { "count": 2 }, "suspend": true }), &long));
    let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{}/maptasks/open/scale", namespace.0);
    let (good, text) = kubectl_with("", &["get", "--raw", &path]);
    assert!(!good && text.contains(".spec.concurrency"), "{text}");
    namespace.kubectl(&["scale", "maptask/open", "--replicas=50"]);
    assert_eq!(scale(&namespace, "open", "/spec/replicas"), 50);
    let (good, text) = kubectl_with("", &["-n", &namespace.0, "scale", "maptask/open", "--replicas=0"]);
    assert!(!good && text.contains("spec.concurrency") && text.contains("greater than or equal to 1"), "{text}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_suspension_can_be_waited_for_as_that_of_a_job() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("suspended");
    namespace.apply(&real_task("t", &json!({ "items": { "count": 1 }, "suspend": true }), "true"));
    let wait = |what: &str| namespace.kubectl(&["wait", "maptask/t", &format!("--for={what}"), "--timeout=60s"]);
    wait("condition=Suspended");
    let status = namespace.status("t");
    assert!(!condition(&status, "Reconciling").starts_with("True"), "it is as its spec says: {status}");
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    wait("condition=Suspended=false");
    wait("condition=Finished");
    let status = namespace.status("t");
    assert_eq!((&status["phase"], condition(&status, "Stalled")), (&json!("Succeeded"), "none".to_owned()), "{status}");
    assert!(status["duration"].as_str().is_some_and(|text| text.ends_with('s')), "{status}");
}

/// Installs a chart that holds nothing but this task, and waits for it; whether Helm calls that good, with its words.
fn install(namespace: &Namespace, task: &Value) -> (bool, String, Duration) {
    let name = task["metadata"]["name"].as_str().unwrap();
    let chart = std::env::temp_dir().join(format!("maptask-chart-{}-{name}", std::process::id()));
    std::fs::create_dir_all(chart.join("templates")).unwrap();
    std::fs::write(chart.join("Chart.yaml"), format!("apiVersion: v2\nname: {name}\nversion: 0.1.0\n")).unwrap();
    std::fs::write(chart.join("templates/task.yaml"), serde_yaml::to_string(task).unwrap()).unwrap();
    let began = Instant::now();
    let install = ["install", name, chart.to_str().unwrap(), "-n", &namespace.0, "--wait", "--timeout", "2m"];
    let (good, text) = run(program("helm", "HELM"), "", &install);
    std::fs::remove_dir_all(chart).unwrap();
    (good, text, began.elapsed())
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn helm_waits_for_the_end_of_a_task_and_fails_with_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("helm");
    let items = json!({ "items": { "count": 2 } });
    let (good, text, _) = install(&namespace, &real_task("good", &items, "sleep 3"));
    assert!(good, "{text}");
    assert_eq!(namespace.status("good")["phase"], "Succeeded", "Helm has waited for the end");
    let (good, text, time) = install(&namespace, &real_task("bad", &items, "sleep 1; exit 3"));
    assert!(!good && text.contains("Failed") && text.contains("exit 3"), "{text}");
    assert!(time < Duration::from_secs(90), "it does not wait for its timeout: {time:?}");
    let mut refused = real_task("refused", &items, "true");
    refused["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Sometimes");
    let (good, text, time) = install(&namespace, &refused);
    assert!(!good && text.contains("imagePullPolicy"), "{text}");
    assert!(time < Duration::from_secs(90), "it does not wait for its timeout: {time:?}");
    for name in ["bad", "refused"] {
        assert!(condition(&namespace.status(name), "Stalled").starts_with("True"), "{name}");
    }
}

/// The places of `null` in a value.
fn nulls(place: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Null => vec![place.to_owned()],
        Value::Array(all) => all.iter().flat_map(|value| nulls(&format!("{place}[]"), value)).collect(),
        Value::Object(all) => all.iter().flat_map(|(key, value)| nulls(&format!("{place}.{key}"), value)).collect(),
        _ => Vec::new(),
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_status_says_which_items_failed_how_fast_it_went_and_nothing_twice() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("whole");
    let script =
        "test $MAPTASK_ATTEMPT = 2 && sleep 1; case $MAPTASK_INDEX in 1|3|4|5|7) echo 'no luck' >&2; exit 3;; esac";
    let spec = json!({ "items": { "count": 9 }, "minSuccesses": 4, "retries": 1,
        "retryPolicy": { "backoffSeconds": 0 }, "remainingItems": { "onSuccess": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], &status["failedIndexes"]), (&json!("Succeeded"), &json!("1,3-5,7")), "{status}");
    let group = &status["failures"][0];
    assert_eq!((&group["items"], &group["attempts"]), (&json!(5), &json!(10)), "{group}");
    let samples = status["progress"]["samples"].as_str().unwrap();
    let sum = |place: usize| {
        samples.split(';').map(|s| s.split(',').nth(place).unwrap().parse::<u32>().unwrap()).sum::<u32>()
    };
    assert_eq!((sum(1), sum(2)), (9, 5), "{samples}");
    assert_eq!(nulls("status", &status), [""; 0], "{status}");
    assert_eq!(status["pods"], 0);
    // A rerun takes back what is no longer so.
    let rerun = r#"{"spec":{"rerun":{"id":"1","items":"Failed"}}}"#;
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", rerun]);
    let status = namespace.wait("the rerun", || {
        let status = namespace.status("t");
        (status["rerun"]["id"] == "1" && status["phase"] == "Running").then_some(status)
    });
    assert_eq!((&status["completionTime"], &status["duration"]), (&Value::Null, &Value::Null), "{status}");
    assert!(condition(&status, "Reconciling").starts_with("True"), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_status_with_words_of_a_later_version_is_stored_and_selectors_find_a_wait() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("later");
    let missing = json!({ "items": { "configMap": { "name": "nobody", "key": "items" } } });
    namespace.apply(&real_task("t", &missing, "true"));
    let since = namespace.wait("the missing items told", || {
        let status = namespace.status("t");
        (status["waiting"]["reason"] == "ItemsMissing").then(|| status["waiting"]["since"].clone())
    });
    assert!(since.is_string());
    let select = |reason: &str| {
        namespace.kubectl(&[
            "get",
            "maptasks",
            "-o",
            "name",
            "--field-selector",
            &format!("status.waiting.reason={reason}"),
        ])
    };
    assert!(select("ItemsMissing").contains("/t") && !select("Quota").contains("/t"));
    let later = r#"{"status":{"waiting":{"reason":"OfALaterVersion","message":"m","of":"later"}}}"#;
    namespace.kubectl(&["patch", "maptask", "t", "--subresource=status", "--type=merge", "-p", later]);
    // The operator does not know it, and continues.
    let items =
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "nobody" }, "data": { "items": "a" } });
    namespace.apply(&items);
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn every_field_and_every_value_is_explained() {
    let explain = |field: &str| crate::kubectl::kubectl(&["explain", field]);
    assert!(explain("maptask.status.phase").contains("Suspended:"));
    assert!(explain("maptask.status.waiting.reason").contains("NoCapacity:"));
    assert!(explain("maptask.spec.remainingItems.onSuccess").contains("Drain:"));
    assert!(explain("maptask.status.conditions.reason").contains("CamelCase"));
}
