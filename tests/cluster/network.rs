//! What a pod on the real node reaches: Services, by their names, and the operator through one.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, kubectl, kubectl_with, real_task};
use crate::undisturbed;

/// A Service in front of the operator's pods, which goes when the test ends.
struct OperatorService {
    namespace: String,
    name: String,
}

impl OperatorService {
    fn new(name: &str) -> Self {
        let label = "app.kubernetes.io/name=maptask-operator";
        let found = kubectl(&["get", "deployments", "--all-namespaces", "-l", label, "-o", "json"]);
        let found: Value = serde_json::from_str(&found).unwrap();
        let operator = &found["items"][0];
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
            "spec": {
                "selector": operator["spec"]["selector"]["matchLabels"],
                "ports": [{ "port": 80, "targetPort": "http" }],
            },
        });
        let this =
            Self { namespace: operator["metadata"]["namespace"].as_str().unwrap().to_owned(), name: name.to_owned() };
        let (good, text) = kubectl_with(&service.to_string(), &["-n", &this.namespace, "create", "-f", "-"]);
        assert!(good, "{text}");
        this
    }
}

impl Drop for OperatorService {
    fn drop(&mut self) {
        let _ = kubectl_with("", &["-n", &self.namespace, "delete", "service", &self.name]);
    }
}

/// A Service `web` and its pod, which serves the word `hello`, also to itself.
fn serve_hello(namespace: &Namespace) {
    let script = "mkdir /tmp/web; echo hello >/tmp/web/index.html; exec httpd -f -p 8080 -h /tmp/web";
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "server", "labels": { "app": "web" } },
        "spec": { "terminationGracePeriodSeconds": 0, "containers": [{
            "name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script],
            "readinessProbe": { "tcpSocket": { "port": 8080 }, "periodSeconds": 1 },
        }] },
    }));
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    }));
    namespace.kubectl(&["wait", "pod/server", "--for=condition=Ready", "--timeout=60s"]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_reaches_a_service_and_the_operator_by_their_names() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("network");
    let operator = OperatorService::new(&namespace.0);
    serve_hello(&namespace);
    // The names and rules of a new Service are everywhere a moment later: each item asks until it has its answer.
    let ask = |url: &str, answer: &str| json!({ "url": url, "answer": answer });
    let values = [
        ask("http://web", "hello"),
        ask(&format!("http://web.{}.svc.cluster.local:80", namespace.0), "hello"),
        ask(&format!("http://{}.{}/readyz", operator.name, operator.namespace), "ok"),
    ];
    // With its path: the shell of a static busybox prefers its own wget, which can't resolve names.
    let script =
        r#"until test "$(/bin/wget -q -O - -T 5 "$MAPTASK_ITEM_URL")" = "$MAPTASK_ITEM_ANSWER"; do sleep 0.2; done"#;
    let mut task = real_task("t", &json!({ "items": { "values": values }, "retries": 0 }), script);
    task["spec"]["template"]["spec"]["activeDeadlineSeconds"] = json!(60);
    namespace.apply(&task);
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    // A Service also leads a pod back to itself.
    let back = namespace.kubectl(&["exec", "server", "--", "wget", "-q", "-O", "-", "-T", "5", "http://web"]);
    assert_eq!(back, "hello\n");
}
