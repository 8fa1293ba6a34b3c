//! Ends that are not of the program's making: nodes, the scheduler, starts that never come, refusals.

use serde_json::{Value, json};

use crate::endings::*;
use crate::kubectl::{Namespace, fake_task, kubectl, kubectl_with};
use crate::life::counts;
use crate::undisturbed;

/// A fake node of one test, which may be tainted, filled and removed.
struct FakeNode(String);

impl FakeNode {
    /// Its name alone: pods can wait for it.
    fn planned(namespace: &Namespace) -> Self {
        Self(format!("{}-node", namespace.0))
    }

    fn create(&self) {
        let room = json!({ "cpu": "1", "memory": "1Gi", "pods": "10" });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.0,
                "annotations": { "kwok.x-k8s.io/node": "fake", "node.alpha.kubernetes.io/ttl": "0" },
                "labels": { "kubernetes.io/hostname": self.0, "kubernetes.io/os": "linux" },
            },
            "spec": { "taints": [{ "key": "kwok.x-k8s.io/node", "value": "fake", "effect": "NoSchedule" }] },
            "status": { "allocatable": room, "capacity": room },
        });
        let (good, text) = kubectl_with(&node.to_string(), &["create", "-f", "-"]);
        assert!(good, "{text}");
    }

    fn delete(&self) {
        kubectl(&["delete", "node", &self.0]);
    }

    /// A task of one pod on this node, whose first attempt hangs if `hangs`.
    fn task(&self, spec: &Value, pod: &Value, hangs: bool) -> Value {
        let work = if hangs { json!({ "fake.maptask.dev/outcome": "hang" }) } else { json!({}) };
        let mut task = fake_task("t", &json!({ "items": { "count": 1 } }), &work);
        put(&mut task["spec"], spec);
        put(&mut task["spec"]["template"]["spec"], pod);
        task["spec"]["template"]["spec"]["nodeSelector"] = json!({ "kubernetes.io/hostname": self.0 });
        task
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        let _ = kubectl_with("", &["delete", "node", &self.0, "--ignore-not-found", "--wait=false"]);
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn preemption_taints_and_lost_nodes_cost_an_item_no_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("node");
    let node = FakeNode::planned(&namespace);
    node.create();
    let mut task = node.task(&json!({ "retries": 0, "retryPolicy": { "backoffSeconds": 0 } }), &json!({}), true);
    task["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "1" } });
    let mut rival = task["spec"]["template"].clone();
    put(&mut rival, &json!({ "apiVersion": "v1", "kind": "Pod" }));
    rival["metadata"]["name"] = json!("rival");
    rival["spec"]["priorityClassName"] = json!("system-cluster-critical");
    let categories = || {
        let groups = namespace.status("t")["failures"].as_array().cloned().unwrap_or_default();
        groups.iter().map(|g| g["category"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let wait_for = |wanted: &[&str]| {
        namespace.wait(&format!("endings {wanted:?}"), || (categories() == wanted).then_some(()));
    };
    namespace.apply(&task);
    wait_for_phase(&namespace, "t-0-1", "Running");

    namespace.apply(&rival);
    wait_for(&["Preempted"]);
    namespace.kubectl(&["delete", "pod", "rival"]);
    wait_for_phase(&namespace, "t-0-2", "Running");

    let taint = |what: &str| kubectl(&["taint", "node", &node.0, what]);
    taint("maptask.dev/test=drain:NoExecute");
    wait_for(&["Preempted", "Evicted"]);
    taint("maptask.dev/test-");
    wait_for_phase(&namespace, "t-0-3", "Running");

    // PodGC takes a minute to see it.
    node.delete();
    wait_for(&["Preempted", "Evicted", "NodeLost"]);
    node.create();
    wait_for_phase(&namespace, "t-0-4", "Running");
    let status = namespace.status("t");
    let nodes = status["failures"].as_array().unwrap().iter().map(|group| group["sample"]["node"].as_str().unwrap());
    assert!(nodes.into_iter().all(|name| name == node.0), "{status}");
    assert_eq!(counts(&status)[1], 0, "{status}");
}

/// Puts into a pod's status what its kubelet would.
fn kubelet_says(namespace: &Namespace, pod: &str, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    namespace.kubectl(&["patch", "pod", pod, "--subresource=status", "--type=merge", "-p", &patch]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_on_a_silent_node_counts_as_running_until_it_is_removed() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("silent");
    let node = FakeNode::planned(&namespace);
    node.create();
    let policy = json!({ "backoffSeconds": 0, "infrastructureRetries": 1 });
    let spec = json!({ "retries": 0, "startDeadlineSeconds": 2, "retryPolicy": policy });
    namespace.apply(&node.task(&spec, &json!({}), true));
    wait_for_phase(&namespace, "t-0-1", "Running");
    let silent = json!({ "phase": "Unknown", "reason": "NodeLost", "message": "the node is silent" });
    kubelet_says(&namespace, "t-0-1", &silent);
    std::thread::sleep(std::time::Duration::from_secs(5));
    let status = namespace.status("t");
    assert_eq!((counts(&status), &status["failures"]), ([0, 0, 0, 0], &Value::Null), "{status}");
    assert_eq!(namespace.list("pods").len(), 1, "no second pod beside it");

    namespace.kubectl(&["delete", "pod", "t-0-1", "--force", "--grace-period=0"]);
    wait_for_phase(&namespace, "t-0-2", "Running");
    let refused = json!({ "phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no device",
        "containerStatuses": null });
    kubelet_says(&namespace, "t-0-2", &refused);
    let status = namespace.wait_for_end("t");
    assert_end(&status, "t", "Failed", [0, 1, 0, 1]);
    let groups = status["failures"].as_array().unwrap();
    let categories: Vec<_> = groups.iter().map(|group| group["category"].as_str().unwrap()).collect();
    assert_eq!(categories, ["Deleted", "Rejected"], "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_evicted_before_it_started_costs_nothing_and_a_deleted_one_an_infrastructure_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("unstarted");
    let spec = json!({ "retries": 0, "retryPolicy": { "backoffSeconds": 0, "infrastructureRetries": 0 } });
    // Without a node.
    let node = FakeNode::planned(&namespace);
    namespace.apply(&node.task(&spec, &json!({}), false));
    wait_for_phase(&namespace, "t-0-1", "Pending");
    evict(&namespace, "t-0-1");
    wait_for_failure(&namespace, "Evicted");
    node.create();
    assert_end(&namespace.wait_for_end("t"), "t", "Succeeded", [1, 0, 0, 1]);

    // On a node, which tells of its containers as if they had run.
    let volume = json!({ "volumes": [{ "name": "v", "configMap": { "name": "late" } }] });
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    for (name, deed) in [("evicted", evict as fn(&Namespace, &str)), ("deleted", delete)] {
        namespace.apply(&one(name, &spec, "true", &volume, &mount));
        let pod = format!("{name}-0-1");
        namespace.wait("word from the kubelet", || {
            let waiting = &namespace.get("pod", &pod)?["status"]["containerStatuses"][0]["state"]["waiting"];
            (waiting["reason"] == "ContainerCreating").then_some(())
        });
        deed(&namespace, &pod);
    }
    let status = namespace.wait_for_end("deleted");
    assert_end(&status, "deleted", "Failed", [0, 1, 0, 0]);
    assert_eq!(ending(&status), ("Deleted", None, 1), "{status}");
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "late" } }));
    assert_end(&namespace.wait_for_end("evicted"), "evicted", "Succeeded", [1, 0, 0, 1]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_never_starts_costs_a_retry_if_its_template_is_to_blame() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("never");
    let soon = json!({ "startDeadlineSeconds": 6 });
    let none = json!({});
    let secret =
        json!({ "env": [{ "name": "X", "valueFrom": { "secretKeyRef": { "name": "none", "key": "none" } } }] });
    let root = json!({ "securityContext": { "runAsNonRoot": true } });
    let (bad_name, no_image) = (json!({ "image": "Not A Name" }), json!({ "image": "localhost:1/none:1" }));
    let never_pull = json!({ "image": "none:1", "imagePullPolicy": "Never" });
    let cases: [(&str, &Value, &Value, &str); 5] = [
        // This one can't get better: nothing is waited for.
        ("name", &none, &bad_name, "InvalidImageName"),
        ("image", &soon, &no_image, "localhost:1/none:1"),
        ("local", &soon, &never_pull, "ErrImageNeverPull"),
        ("secret", &soon, &secret, "secret \"none\" not found"),
        ("root", &soon, &root, "CreateContainerConfigError"),
    ];
    for (name, spec, container, _) in &cases {
        namespace.apply(&one(name, spec, "true", &none, container));
    }
    for (name, _, _, words) in cases {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Failed", [0, 1, 0, 0]);
        assert_eq!(ending(&status), ("NeverStarted", None, 1), "{name}: {status}");
        let sample = &status["failures"][0]["sample"];
        assert!(sample["message"].as_str().unwrap().contains(words), "{name}: {sample}");
        assert_eq!(sample["node"], "localhost", "{name}: {sample}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_never_starts_costs_an_infrastructure_retry_if_the_cluster_is_to_blame() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("stuck");
    let policy = json!({ "backoffSeconds": 0, "infrastructureRetries": 1 });
    let spec = json!({ "startDeadlineSeconds": 4, "retries": 0, "retryPolicy": policy });
    let none = json!({});
    let huge = json!({ "resources": { "requests": { "cpu": "1000" } } });
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "unbound" },
        "spec": {
            "accessModes": ["ReadWriteOnce"], "storageClassName": "none",
            "resources": { "requests": { "storage": "1Gi" } },
        },
    }));
    let volume = json!({ "volumes": [{ "name": "v", "persistentVolumeClaim": { "claimName": "unbound" } }] });
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    let cases: [(&str, &Value, &Value, &str); 2] =
        [("room", &none, &huge, "Insufficient cpu"), ("volume", &volume, &mount, "unbound")];
    for (name, pod, container, _) in &cases {
        namespace.apply(&one(name, &spec, "true", pod, container));
    }
    for (name, _, _, words) in cases {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Failed", [0, 1, 0, 1]);
        let groups = status["failures"].as_array().unwrap();
        assert!(groups.iter().all(|group| group["category"] == "NeverStarted"), "{name}: {status}");
        assert_eq!(groups.iter().map(|group| group["attempts"].as_i64().unwrap()).sum::<i64>(), 2, "{name}: {status}");
        assert!(groups[0]["sample"]["message"].as_str().unwrap().contains(words), "{name}: {status}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_the_api_server_refuses_uses_up_infrastructure_retries() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("refused");
    let policy = json!({ "backoffSeconds": 0, "infrastructureRetries": 2 });
    let spec = json!({ "suspend": true, "retries": 0, "retryPolicy": policy });
    namespace.apply(&one("t", &spec, "true", &json!({}), &json!({})));
    namespace.wait("phase Suspended", || (namespace.status("t")["phase"] == "Suspended").then_some(()));
    let level = "pod-security.kubernetes.io/enforce=restricted";
    namespace.kubectl(&["label", "namespace", &namespace.0, level]);
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    let status = namespace.wait_for_end("t");
    assert_end(&status, "t", "Failed", [0, 1, 0, 1]);
    assert_eq!(ending(&status), ("Refused", None, 3), "{status}");
    assert!(status["failures"][0]["sample"]["message"].as_str().unwrap().contains("violates PodSecurity"), "{status}");
    assert!(namespace.list("pods").is_empty());
}
