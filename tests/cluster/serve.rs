//! What the operator tells about itself.

use crate::kubectl::{Namespace, fake_task, kubectl, kubectl_with};
use crate::undisturbed;

use serde_json::{Value, json};

/// An answer of the operator's HTTP server, through the API server.
fn ask(path: &str) -> (bool, String) {
    let label = "app.kubernetes.io/name=maptask-operator";
    let pods = kubectl(&["get", "pods", "--all-namespaces", "-l", label, "-o", "json"]);
    let pods: Value = serde_json::from_str(&pods).unwrap();
    let pod = &pods["items"][0];
    let (namespace, name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
    let port = &pod["spec"]["containers"][0]["ports"][0]["containerPort"];
    let (namespace, name) = (namespace.as_str().unwrap(), name.as_str().unwrap());
    kubectl_with("", &["get", "--raw", &format!("/api/v1/namespaces/{namespace}/pods/{name}:{port}/proxy{path}")])
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn health_and_metrics_are_served_without_a_name_of_any_task() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("metrics");
    namespace.apply(&fake_task("counted", &json!({ "items": { "count": 2 } }), &json!({})));
    namespace.wait_for_end("counted");
    assert_eq!(ask("/livez"), (true, "ok\n".to_owned()));
    assert_eq!(ask("/readyz"), (true, "ok\n".to_owned()));
    let text = namespace.wait("the task in the metrics", || {
        let (good, text) = ask("/metrics");
        (good && text.contains("maptask_item_attempts_total{outcome=\"Succeeded\"}")).then_some(text)
    });
    for metric in [
        "maptask_tasks{phase=\"Succeeded\"}",
        "maptask_pod_creates_total{outcome=\"created\"}",
        "maptask_items{phase=\"Pending\"}",
        "maptask_leader 1",
    ] {
        assert!(text.contains(metric), "{metric} is not in {text}");
    }
    assert!(!text.contains("counted") && !text.contains(&namespace.0), "{text}");
}
