//! What holds items back: quotas, limits, and lists that change.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task};
use crate::life::counts;
use crate::undisturbed;

fn quota(namespace: &Namespace, name: &str, hard: &Value) {
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": name }, "spec": { "hard": hard },
    }));
    namespace
        .wait("quota in force", || (namespace.get("resourcequota", name)?["status"]["hard"] == *hard).then_some(()));
}

fn asking(name: &str, count: i32, resources: &Value) -> Value {
    let work = json!({ "fake.maptask.dev/duration": "1s" });
    let mut task = fake_task(name, &json!({ "items": { "count": count } }), &work);
    task["spec"]["template"]["spec"]["containers"][0]["resources"] = resources.clone();
    task
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn every_kind_of_quota_holds_items_back_until_there_is_room() {
    let _undisturbed = undisturbed();
    let memory = json!({ "requests": { "memory": "1Gi" }, "limits": { "memory": "1Gi" } });
    let cases = [
        ("requests.memory", json!({ "requests.memory": "3Gi" }), memory.clone()),
        ("limits.memory", json!({ "limits.memory": "2500Mi" }), memory),
        // Finished pods that are kept count here, too.
        ("count-pods", json!({ "count/pods": "4" }), json!({})),
    ];
    for (name, hard, resources) in cases {
        let namespace = Namespace::new("quotas");
        quota(&namespace, "q", &hard);
        namespace.apply(&asking("t", 12, &resources));
        namespace.wait("word on the quota", || (namespace.status("t")["waiting"]["reason"] == "Quota").then_some(()));
        let status = namespace.wait_for_end("t");
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [12, 0, 0, 0]), "{name}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_can_never_fit_fails_its_task_early_and_says_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("never");
    quota(&namespace, "small", &json!({ "requests.memory": "1Gi" }));
    namespace.apply(&asking("large", 3, &json!({ "requests": { "memory": "2Gi" } })));
    let status = namespace.wait_for_end("large");
    let accepted = condition(&status, "Accepted");
    assert!(accepted.starts_with("False NeverFits") && accepted.contains("quota small"), "{accepted}");
    assert!(accepted.contains("requests.memory=2Gi") && accepted.contains("1Gi in total"), "{accepted}");

    let namespace = Namespace::new("limitrange");
    let mut hang = asking("t", 2, &json!({ "limits": { "memory": "2Gi" } }));
    hang["spec"]["concurrency"] = json!(1);
    namespace.apply(&hang);
    namespace.wait("the first pod", || namespace.get("pod", "t-0-1").map(drop));
    // A limit that comes while the task runs.
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "tight" },
        "spec": { "limits": [{ "type": "Container", "max": { "memory": "1Gi" } }] },
    }));
    let status = namespace.wait_for_end("t");
    let failed = condition(&status, "Failed");
    assert!(
        failed.starts_with("True NeverFits") && failed.contains("maximum memory usage per Container is 1Gi")
            || status["phase"] == "Succeeded",
        "{failed}"
    );
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_of_a_configmap_are_those_that_it_held_when_the_task_was_accepted() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("inputs");
    let inputs = |lines: &str, json_lines: &str, array: &str| {
        let data = json!({ "lines": lines, "json": json_lines, "array": array });
        namespace
            .apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "inputs" }, "data": data }));
    };
    let task = |name: &str, key: &str, format: &str| {
        let source = json!({ "configMap": { "name": "inputs", "key": key, "format": format } });
        let mut task = fake_task(name, &json!({ "items": source }), &json!({}));
        task["spec"]["concurrency"] = json!(1);
        task
    };
    // The task may come before its list.
    namespace.apply(&task("lines", "lines", "Lines"));
    namespace.wait("word on the list", || {
        namespace.status("lines")["message"].as_str()?.contains("ConfigMap inputs does not exist").then_some(())
    });
    inputs("a\nb b\n\n$c\n", "{\"lr\": 0.1}\n7\n", "[1, \"x\", null]");
    namespace.apply(&task("json", "json", "JsonLines"));
    namespace.apply(&task("array", "array", "JsonArray"));
    namespace.apply(&task("wrong", "lines", "JsonLines"));
    namespace.wait("all accepted", || {
        ["lines", "json", "array"].iter().all(|task| namespace.status(task)["itemsHash"].is_string()).then_some(())
    });
    // What comes later changes nothing.
    inputs("z\n", "8\n", "[]");
    let env = |pod: &str, name: &str| {
        let pod = namespace.wait(pod, || namespace.get("pod", pod));
        let env = pod["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        env.iter().find(|variable| variable["name"] == name).map(|variable| variable["value"].clone())
    };
    assert_eq!(env("lines-2-1", "MAPTASK_ITEM"), Some(json!("$$c")), "a $ of an item is kept from expansion");
    assert_eq!(env("json-0-1", "MAPTASK_ITEM_LR"), Some(json!("0.1")));
    for (name, count) in [("lines", 3), ("json", 2), ("array", 3)] {
        assert_eq!(counts(&namespace.wait_for_end(name)), [count, 0, 0, 0], "{name}");
    }
    let accepted = condition(&namespace.wait_for_end("wrong"), "Accepted");
    assert!(accepted.starts_with("False InvalidItems") && accepted.contains("inputs/lines line 1"), "{accepted}");
}
