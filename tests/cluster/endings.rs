//! How attempts end on real and fake nodes, and what the operator makes of each ending.
//!
//! Pods in these states are in src/core/pod/states; here they come about under a MapTask.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, kubectl_with, real_task};
use crate::life::counts;
use crate::undisturbed;

/// Writes `ready`, runs until it is stopped, and exits with this code.
pub fn until_stopped(code: i32) -> String {
    format!("trap 'exit {code}' TERM; echo ready; sleep 1000 & wait")
}

/// In the first attempt runs until it is stopped, as [`until_stopped`]; any other attempt succeeds at once.
pub fn first_until_stopped(code: i32) -> String {
    format!(r#"test "$MAPTASK_ATTEMPT" -ge 2 && exit 0; {}"#, until_stopped(code))
}

/// A task of one real pod; `pod` goes into its spec, `container` into its container.
pub fn one(name: &str, spec: &Value, script: &str, pod: &Value, container: &Value) -> Value {
    let mut task = real_task(name, &json!({ "items": { "count": 1 }, "retryPolicy": { "backoffSeconds": 0 } }), script);
    put(&mut task["spec"], spec);
    put(&mut task["spec"]["template"]["spec"]["containers"][0], container);
    put(&mut task["spec"]["template"]["spec"], pod);
    task
}

pub fn put(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().unwrap() {
        into[key] = value.clone();
    }
}

/// Category, exit code and number of the endings of a task that ended in one way only.
pub fn ending(status: &Value) -> (&str, Option<i64>, i64) {
    let groups = status["failures"].as_array().map(Vec::as_slice).unwrap_or_default();
    assert_eq!(groups.len(), 1, "{status}");
    let count = groups[0]["attempts"].as_i64().unwrap();
    (groups[0]["category"].as_str().unwrap(), groups[0]["exitCode"].as_i64(), count)
}

pub fn assert_end(status: &Value, name: &str, phase: &str, wanted: [i64; 4]) {
    assert_eq!((status["phase"].as_str(), counts(status)), (Some(phase), wanted), "{name}: {status}");
}

/// Waits until the pod runs and heeds SIGTERM.
pub fn wait_until_ready(namespace: &Namespace, pod: &str) {
    namespace.wait(&format!("word from {pod}"), || {
        let (good, log) = kubectl_with("", &["-n", &namespace.0, "logs", pod, "-c", "main"]);
        (good && log.contains("ready")).then_some(())
    });
}

pub fn evict(namespace: &Namespace, pod: &str) {
    let eviction = json!({
        "apiVersion": "policy/v1", "kind": "Eviction", "metadata": { "name": pod, "namespace": namespace.0 },
    });
    let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction", namespace.0);
    let (good, text) = kubectl_with(&eviction.to_string(), &["create", "--raw", &path, "-f", "-"]);
    assert!(good, "no eviction of {pod}: {text}");
}

pub fn delete(namespace: &Namespace, pod: &str) {
    namespace.kubectl(&["delete", "pod", pod, "--wait=false"]);
}

pub fn wait_for_phase(namespace: &Namespace, pod: &str, phase: &str) {
    namespace.wait(&format!("{pod} in phase {phase}"), || {
        (namespace.get("pod", pod)?["status"]["phase"] == phase).then_some(())
    });
}

pub fn wait_for_failure(namespace: &Namespace, category: &str) {
    namespace.wait(&format!("an ending of category {category}"), || {
        (namespace.status("t")["failures"][0]["category"] == category).then_some(())
    });
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_application_failure_costs_its_item_a_retry() {
    /// Name, script, parts of the pod's spec and of the container, category and exit code.
    type Case<'a> = (&'a str, &'a str, &'a Value, &'a Value, &'a str, Option<i64>);
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("own");
    let limit = json!({ "resources": { "limits": { "memory": "16Mi" } } });
    let deadline = json!({ "activeDeadlineSeconds": 5 });
    let other =
        |name: &str, script: &str| json!({ "name": name, "image": "busybox:1.36", "command": ["sh", "-c", script] });
    let mut sidecar = other("side", &until_stopped(0));
    sidecar["restartPolicy"] = json!("Always");
    let init = json!({ "initContainers": [other("prepare", "exit 4")] });
    let sidecar = json!({ "initContainers": [sidecar] });
    let second = json!({ "containers": [other("main", "exit 0"), other("second", "exit 9")] });
    let none = json!({});
    let no_program = json!({ "command": ["/no/such/program"] });
    let (stops, large) = (until_stopped(0), "echo 123456789 > /dev/termination-log".to_owned());
    let cases: [Case<'_>; 9] = [
        ("code", "exit 3", &none, &none, "Failed", Some(3)),
        ("memory", "tail /dev/zero", &none, &limit, "OutOfMemory", Some(137)),
        ("deadline", "sleep 1000", &deadline, &none, "Deadline", None),
        // Even if it exits with 0 when it is stopped: the pod's phase is Failed.
        ("politely", &stops, &deadline, &none, "Deadline", None),
        ("program", "", &none, &no_program, "Failed", Some(128)),
        ("init", "exit 0", &init, &none, "Failed", Some(4)),
        ("second", "exit 0", &second, &none, "Failed", Some(9)),
        ("sidecar", "exit 3", &sidecar, &none, "Failed", Some(3)),
        ("large", &large, &none, &none, "ResultTooLarge", None),
    ];
    let spec = json!({ "results": { "maxBytesPerItem": 8 } });
    for (name, script, pod, container, ..) in &cases {
        namespace.apply(&one(name, &spec, script, pod, container));
    }
    for (name, .., category, exit_code) in cases {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Failed", [0, 1, 0, 0]);
        assert_eq!(ending(&status), (category, exit_code, 1), "{name}: {status}");
        let sample = &status["failures"][0]["sample"];
        assert_eq!((sample["attempt"].as_i64(), sample["node"].as_str()), (Some(1), Some("localhost")), "{name}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_sidecar_ends_with_its_item_and_does_not_fail_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("sidecar");
    for (name, script) in [("stops", until_stopped(0)), ("fails", until_stopped(5)), ("killed", "sleep 1000".into())] {
        let sidecar = json!([{
            "name": "side", "image": "busybox:1.36", "restartPolicy": "Always", "command": ["sh", "-c", script],
        }]);
        let pod = json!({ "initContainers": sidecar });
        namespace.apply(&one(name, &json!({}), "echo 1 > /dev/termination-log", &pod, &json!({})));
    }
    for name in ["stops", "fails", "killed"] {
        assert_end(&namespace.wait_for_end(name), name, "Succeeded", [1, 0, 0, 0]);
        assert_eq!(namespace.results(name), [1], "{name}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_infrastructure_failure_costs_its_item_no_retry() {
    type Deed = fn(&Namespace, &str);
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("done-to");
    let force: Deed = |namespace, pod| {
        namespace.kubectl(&["delete", "pod", pod, "--force", "--grace-period=0"]);
    };
    let hangs = r#"test "$MAPTASK_ATTEMPT" -ge 2 && exit 0; echo ready; sleep 1000"#.to_owned();
    let cases: [(&str, String, Deed, &str); 6] = [
        ("deleted", first_until_stopped(143), delete, "Deleted"),
        ("deleted-five", first_until_stopped(5), delete, "Deleted"),
        ("deleted-killed", hangs.clone(), delete, "Deleted"),
        ("deleted-forced", hangs.clone(), force, "Deleted"),
        ("evicted", first_until_stopped(143), evict, "Evicted"),
        ("evicted-killed", hangs, evict, "Evicted"),
    ];
    for (name, script, ..) in &cases {
        namespace.apply(&one(name, &json!({ "retries": 0 }), script, &json!({}), &json!({})));
    }
    for (name, _, deed, _) in &cases {
        let pod = format!("{name}-0-1");
        wait_until_ready(&namespace, &pod);
        deed(&namespace, &pod);
    }
    for (name, .., category) in cases {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Succeeded", [1, 0, 0, 1]);
        let (told, _, count) = ending(&status);
        assert_eq!((told, count), (category, 1), "{name}: {status}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_program_that_exits_with_0_when_told_to_stop_has_succeeded() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("stopped");
    let script = format!("echo 1 > /dev/termination-log; {}", until_stopped(0));
    for name in ["deleted", "evicted"] {
        namespace.apply(&one(name, &json!({}), &script, &json!({}), &json!({})));
    }
    for (name, deed) in [("deleted", delete as fn(&Namespace, &str)), ("evicted", evict)] {
        let pod = format!("{name}-0-1");
        wait_until_ready(&namespace, &pod);
        deed(&namespace, &pod);
        assert_end(&namespace.wait_for_end(name), name, "Succeeded", [1, 0, 0, 0]);
        assert_eq!(namespace.results(name), [1], "{name}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_had_failed_before_it_was_deleted_has_failed() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("before");
    let container =
        |name: &str, script: &str| json!({ "name": name, "image": "busybox:1.36", "command": ["sh", "-c", script] });
    // The times of a pod are whole seconds: its end and its deletion must be in different ones.
    let pod =
        json!({ "containers": [container("item", "exit 3"), container("main", "sleep 3; echo ready; sleep 1000")] });
    namespace.apply(&one("t", &json!({}), "", &pod, &json!({})));
    wait_until_ready(&namespace, "t-0-1");
    delete(&namespace, "t-0-1");
    let status = namespace.wait_for_end("t");
    assert_end(&status, "t", "Failed", [0, 1, 0, 0]);
    assert_eq!(ending(&status), ("Failed", Some(3), 1), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_whose_pod_is_evicted_for_its_disk_usage_is_tried_again() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("disk");
    let script = |dir: &str| {
        format!(r#"test "$MAPTASK_ATTEMPT" -ge 2 && exit 0; dd if=/dev/zero of={dir}/x bs=1M count=5; sleep 1000"#)
    };
    let limit = json!({ "resources": { "limits": { "ephemeral-storage": "1Mi" } } });
    let volume = json!({ "volumes": [{ "name": "v", "emptyDir": { "sizeLimit": "1Mi" } }] });
    let mount = json!({ "volumeMounts": [{ "name": "v", "mountPath": "/v" }] });
    namespace.apply(&one("container", &json!({}), &script("/tmp"), &json!({}), &limit));
    namespace.apply(&one("volume", &json!({}), &script("/v"), &volume, &mount));
    for name in ["container", "volume"] {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Succeeded", [1, 0, 0, 1]);
        let group = &status["failures"][0];
        assert_eq!((group["category"].as_str(), group["reason"].as_str()), (Some("Evicted"), Some("Evicted")));
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_the_kubelet_rejects_uses_up_infrastructure_retries() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rejected");
    let spec = json!({ "retryPolicy": { "backoffSeconds": 0, "infrastructureRetries": 2 } });
    let here = json!({ "nodeName": "localhost" });
    let elsewhere = json!({ "nodeName": "localhost", "nodeSelector": { "type": "kwok" } });
    let huge = json!({ "resources": { "requests": { "cpu": "1000" } } });
    namespace.apply(&one("room", &spec, "true", &here, &huge));
    namespace.apply(&one("affinity", &spec, "true", &elsewhere, &json!({})));
    for (name, reason) in [("room", "OutOfcpu"), ("affinity", "NodeAffinity")] {
        let status = namespace.wait_for_end(name);
        assert_end(&status, name, "Failed", [0, 1, 0, 1]);
        assert_eq!(ending(&status), ("Rejected", None, 3), "{name}: {status}");
        assert_eq!(status["failures"][0]["reason"], reason, "{status}");
    }
}
