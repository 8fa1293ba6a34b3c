//! Every way in which an attempt can end, brought about on the real node (or, where said, on a fake one), and what it
//! counts as. docs/behaviour.md has the table.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, fake_task, kubectl, kubectl_with, real_task};
use crate::life::counts;
use crate::undisturbed;

/// Category, reason and exit code of the task's only group of failures, and how many there were.
fn failure(status: &Value) -> (String, String, Option<i64>, i64) {
    let groups = status["failures"].as_array().cloned().unwrap_or_default();
    assert_eq!(groups.len(), 1, "{status}");
    let text = |name: &str| groups[0][name].as_str().unwrap_or_default().to_owned();
    (text("category"), text("reason"), groups[0]["exitCode"].as_i64(), groups[0]["count"].as_i64().unwrap())
}

fn of(category: &str, reason: &str, exit_code: Option<i64>) -> (String, String, Option<i64>, i64) {
    (category.to_owned(), reason.to_owned(), exit_code, 1)
}

fn one(name: &str, script: &str, change: impl Fn(&mut Value)) -> Value {
    let mut task = real_task(name, &json!({ "items": { "count": 1 } }), script);
    change(&mut task["spec"]);
    task
}

fn pod_spec(spec: &mut Value) -> &mut Value {
    &mut spec["template"]["spec"]
}

fn main(spec: &mut Value) -> &mut Value {
    &mut pod_spec(spec)["containers"][0]
}

fn wait_running(namespace: &Namespace, pod: &str) {
    namespace
        .wait(&format!("{pod} running"), || (namespace.get("pod", pod)?["status"]["phase"] == "Running").then_some(()));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn what_a_program_or_its_template_does_wrong_costs_retries() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("own");
    let plain = |_: &mut Value| {};
    let side = |code: i32| {
        move |spec: &mut Value| {
            let script = format!("exit {code}");
            let side = json!({ "name": "side", "image": "busybox:1.36", "command": ["sh", "-c", script] });
            pod_spec(spec)["containers"].as_array_mut().unwrap().push(side);
        }
    };
    let init = |spec: &mut Value| {
        let init = json!({ "name": "init", "image": "busybox:1.36", "command": ["sh", "-c", "exit 4"] });
        pod_spec(spec)["initContainers"] = json!([init]);
    };
    let native = |spec: &mut Value| {
        let script = "trap 'exit 0' TERM; while :; do sleep 1; done";
        let sidecar = json!({ "name": "log", "image": "busybox:1.36", "restartPolicy": "Always", "command": ["sh", "-c", script] });
        pod_spec(spec)["initContainers"] = json!([sidecar]);
    };
    let memory = |spec: &mut Value| main(spec)["resources"] = json!({ "limits": { "memory": "20Mi" } });
    let deadline = |spec: &mut Value| pod_spec(spec)["activeDeadlineSeconds"] = json!(2);
    let no_command = |spec: &mut Value| main(spec)["command"] = json!(["/no/such/program"]);
    let bad_image = |spec: &mut Value| main(spec)["image"] = json!("NO:such:image");
    let missing_key = |spec: &mut Value| {
        spec["startDeadlineSeconds"] = json!(6);
        let reference = json!({ "secretKeyRef": { "name": "nobody", "key": "x" } });
        main(spec)["env"] = json!([{ "name": "SECRET", "valueFrom": reference }]);
    };
    let large = |spec: &mut Value| spec["results"] = json!({ "maxBytesPerItem": 4 });
    let cases = [
        (one("exit", "exit 3", plain), of("Failed", "Error", Some(3))),
        (one("side", "true", side(9)), of("Failed", "Error", Some(9))),
        (one("both", "exit 3", side(9)), of("Failed", "Error", Some(3))),
        (one("init", "true", init), of("Failed", "Error", Some(4))),
        (one("sidecar", "exit 5", native), of("Failed", "Error", Some(5))),
        (one("memory", "tail /dev/zero", memory), of("OutOfMemory", "OOMKilled", Some(137))),
        (one("deadline", "sleep 100", deadline), of("Deadline", "DeadlineExceeded", None)),
        (one("command", "", no_command), of("Failed", "StartError", Some(128))),
        (one("image", "", bad_image), of("NeverStarted", "", None)),
        (one("config", "", missing_key), of("NeverStarted", "", None)),
        (one("result", "echo too long > /dev/termination-log", large), of("ResultTooLarge", "", None)),
    ];
    for (task, _) in &cases {
        namespace.apply(task);
    }
    for (task, expected) in &cases {
        let name = task["metadata"]["name"].as_str().unwrap();
        let status = namespace.wait_for_end(name);
        let found = failure(&status);
        let reason_fits = expected.1.is_empty() || found.1 == expected.1;
        assert_eq!((&found.0, found.2, found.3), (&expected.0, expected.2, expected.3), "{name}: {status}");
        assert!(reason_fits, "{name}: {found:?}");
        assert_eq!(status["counts"]["failed"], 1, "{name} has no retries: {status}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_sidecar_ends_with_the_item_and_does_not_fail_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("sidecar");
    let sidecar =
        json!({ "name": "log", "image": "busybox:1.36", "restartPolicy": "Always", "command": ["sleep", "1000"] });
    namespace.apply(&one("t", "echo 7 > /dev/termination-log", |spec| {
        pod_spec(spec)["initContainers"] = json!([sidecar]);
        spec["container"] = json!("main");
    }));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Succeeded");
    assert_eq!(namespace.results("t"), [7]);
}

/// Sleeps at the first attempt and is done at the second.
const ONCE: &str = r#"test "$MAPTASK_ATTEMPT" -ge 2 || exec sleep 100"#;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn what_is_done_to_a_pod_costs_infrastructure_retries_and_no_others() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("done-to");
    for name in ["deleted", "evicted", "disk"] {
        let script = if name == "disk" {
            r#"test "$MAPTASK_ATTEMPT" -ge 2 || { dd if=/dev/zero of=/tmp-files/x bs=1M count=8; sleep 100; }"#
        } else {
            ONCE
        };
        namespace.apply(&one(name, script, |spec| {
            pod_spec(spec)["volumes"] = json!([{ "name": "files", "emptyDir": { "sizeLimit": "1Mi" } }]);
            main(spec)["volumeMounts"] = json!([{ "name": "files", "mountPath": "/tmp-files" }]);
        }));
    }
    wait_running(&namespace, "deleted-0-1");
    namespace.kubectl(&["delete", "pod", "deleted-0-1", "--wait=false"]);
    wait_running(&namespace, "evicted-0-1");
    let eviction = json!({ "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": "evicted-0-1", "namespace": namespace.0 } });
    let path = format!("/api/v1/namespaces/{}/pods/evicted-0-1/eviction", namespace.0);
    let (good, text) = kubectl_with(&eviction.to_string(), &["create", "--raw", &path, "-f", "-"]);
    assert!(good, "{text}");
    for (name, category) in [("deleted", "Deleted"), ("evicted", "Evicted"), ("disk", "Evicted")] {
        let status = namespace.wait_for_end(name);
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [1, 0, 0, 1]), "{name}: {status}");
        assert_eq!(failure(&status).0, category, "{name}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_program_that_ends_well_when_it_is_told_to_stop_has_succeeded() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("trap");
    let script = "trap 'echo 8 > /dev/termination-log; exit 0' TERM; while :; do sleep 0.2; done";
    namespace.apply(&one("t", script, |spec| pod_spec(spec)["terminationGracePeriodSeconds"] = json!(20)));
    wait_running(&namespace, "t-0-1");
    // The shell may not have set its trap yet when its container is running.
    namespace
        .wait("trap set", || kubectl_with("", &["-n", &namespace.0, "exec", "t-0-1", "--", "true"]).0.then_some(()));
    namespace.kubectl(&["delete", "pod", "t-0-1", "--wait=false"]);
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [1, 0, 0, 0]), "{status}");
    assert_eq!(namespace.results("t"), [8]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_its_kubelet_refuses_is_tried_again_as_often_as_infrastructure_retries_say() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("refused");
    let policy = json!({ "infrastructureRetries": 1, "backoffSeconds": 0 });
    for name in ["affinity", "cpu"] {
        namespace.apply(&one(name, "true", |spec| {
            spec["retryPolicy"] = policy.clone();
            pod_spec(spec)["nodeName"] = json!("localhost");
            if name == "cpu" {
                main(spec)["resources"] = json!({ "requests": { "cpu": "4000" } });
            } else {
                pod_spec(spec)["nodeSelector"] = json!({ "no": "such" });
            }
        }));
    }
    for (name, reason) in [("affinity", "NodeAffinity"), ("cpu", "OutOfcpu")] {
        let status = namespace.wait_for_end(name);
        let (category, found, _, count) = failure(&status);
        assert_eq!((category.as_str(), found.as_str(), count), ("Rejected", reason, 2), "{status}");
    }
}

/// Fake nodes of one test, with room for one of its pods each, and a priority class; gone when it ends.
struct Nodes(String);

impl Nodes {
    fn new(name: &str) -> Self {
        let nodes = Self(name.to_owned());
        for node in ["a", "b"] {
            nodes.add(&format!("{name}-{node}"));
        }
        let class = json!({ "apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": { "name": name }, "value": 1000 });
        assert!(kubectl_with(&class.to_string(), &["create", "-f", "-"]).0);
        nodes
    }

    fn add(&self, node: &str) {
        let room = json!({ "cpu": "1", "memory": "1Gi", "pods": "10" });
        let node = json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {
                "name": node,
                "annotations": { "kwok.x-k8s.io/node": "fake" },
                "labels": { "type": self.0, "kubernetes.io/hostname": node },
            },
            "status": { "allocatable": room, "capacity": room },
        });
        let (good, text) = kubectl_with(&node.to_string(), &["create", "-f", "-"]);
        assert!(good, "{text}");
    }

    /// A task of one item that takes most of a node.
    fn task(&self, name: &str, duration: &str) -> Value {
        let work = json!({ "fake.maptask.dev/duration": duration });
        let mut task = fake_task(name, &json!({ "items": { "count": 1 } }), &work);
        pod_spec(&mut task["spec"])["nodeSelector"] = json!({ "type": self.0 });
        main(&mut task["spec"])["resources"] = json!({ "requests": { "cpu": "800m" } });
        task
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        kubectl_with("", &["delete", "node", "--selector", &format!("type={}", self.0), "--wait=false"]);
        kubectl_with("", &["delete", "priorityclass", &self.0]);
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn preemption_taints_and_lost_nodes_cost_an_item_nothing_of_its_own() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("nodes");
    let nodes = Nodes::new(&namespace.0);
    let node_of = |pod: &str| {
        wait_running(&namespace, pod);
        namespace.get("pod", pod).unwrap()["spec"]["nodeName"].as_str().unwrap().to_owned()
    };
    let hasten = |pod: &str| {
        namespace.wait(pod, || namespace.get("pod", pod));
        namespace.kubectl(&["annotate", "pod", pod, "fake.maptask.dev/duration=1s", "--overwrite"]);
    };
    for item in ["tainted", "lost"] {
        namespace.apply(&nodes.task(item, "1000s"));
    }
    let (tainted, lost) = (node_of("tainted-0-1"), node_of("lost-0-1"));
    kubectl(&["taint", "node", &tainted, "leave=now:NoExecute"]);
    kubectl(&["delete", "node", &lost]);
    // Their second attempts have no node until these are mended.
    ["tainted-0-2", "lost-0-2"].into_iter().for_each(hasten);
    kubectl(&["taint", "node", &tainted, "leave:NoExecute-"]);
    nodes.add(&lost);
    for (task, category) in [("tainted", "Evicted"), ("lost", "NodeLost")] {
        let status = namespace.wait_for_end(task);
        assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [1, 0, 0, 1]), "{task}: {status}");
        assert_eq!(failure(&status).0, category, "{task}");
    }
    for item in ["one", "two"] {
        namespace.apply(&nodes.task(item, "1000s"));
        wait_running(&namespace, &format!("{item}-0-1"));
    }
    // Both nodes are taken: what comes with a higher priority class takes the place of one of them.
    let mut urgent = nodes.task("urgent", "1s");
    pod_spec(&mut urgent["spec"])["priorityClassName"] = json!(namespace.0);
    namespace.apply(&urgent);
    assert_eq!(namespace.wait_for_end("urgent")["phase"], "Succeeded");
    let preempted = namespace.wait("one of them preempted", || {
        ["one", "two"].into_iter().find(|task| namespace.status(task)["counts"]["retried"] == 1)
    });
    hasten(&format!("{preempted}-0-2"));
    let status = namespace.wait_for_end(preempted);
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [1, 0, 0, 1]), "{status}");
    assert_eq!(failure(&status).0, "Preempted");
}
