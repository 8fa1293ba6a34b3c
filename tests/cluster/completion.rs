//! Containers that outlive the item's, on a real node.

use serde_json::{Value, json};

use crate::endings::{assert_end, delete, ending, first_until_stopped, one};
use crate::kubectl::Namespace;
use crate::undisturbed;

/// The pod's containers: the item's with this script, and one that never ends by itself.
fn with_proxy(script: &str) -> Value {
    let container = |name: &str, command: &[&str]| json!({ "name": name, "image": "busybox:1.36", "command": command });
    json!({ "containers": [container("main", &["sh", "-c", script]), container("istio-proxy", &["sleep", "100000"])] })
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn containers_that_outlive_the_items_are_told_with_their_names() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("outlived");
    namespace.apply(&one("t", &json!({}), "", &with_proxy("echo 1 > /dev/termination-log"), &json!({})));
    let status = namespace.wait("words about the proxy", || {
        let status = namespace.status("t");
        (status["waiting"]["reason"] == "ContainersRunning").then_some(status)
    });
    let message = status["waiting"]["message"].as_str().unwrap();
    assert!(message.contains("pod t-0-1: container main has ended, still running: istio-proxy"), "{message}");
    assert_eq!((&status["phase"], &status["reason"]), (&json!("Running"), &json!("ContainersRunning")));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_whose_other_containers_keep_running_ends_with_its_item_if_the_spec_says_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("completion");
    let spec = |retries: i32| json!({ "items": { "count": 2 }, "concurrency": 1, "completion": "Container", "retries": retries });
    let writes = "echo $MAPTASK_INDEX > /dev/termination-log";
    namespace.apply(&one("good", &spec(0), "", &with_proxy(writes), &json!({})));
    let retried = format!(r#"test "$MAPTASK_ATTEMPT" -ge 2 || {{ echo 'no luck' >&2; exit 3; }}; {writes}"#);
    namespace.apply(&one("retried", &spec(1), "", &with_proxy(&retried), &json!({})));
    namespace.apply(&one("bad", &spec(0), "", &with_proxy("exit 3"), &json!({})));
    let mut reduced = spec(0);
    reduced["reduce"] =
        json!({ "template": { "spec": with_proxy("cat /maptask/results/* | wc -l > /dev/termination-log") } });
    reduced["reduce"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(1);
    namespace.apply(&one("reduced", &reduced, "", &with_proxy(writes), &json!({})));
    namespace.apply(&one("deleted", &spec(0), "", &with_proxy(&first_until_stopped(143)), &json!({})));
    crate::endings::wait_until_ready(&namespace, "deleted-0-1");
    delete(&namespace, "deleted-0-1");
    for (name, phase, wanted) in [
        ("good", "Succeeded", [2, 0, 0, 0]),
        ("retried", "Succeeded", [2, 0, 0, 2]),
        ("reduced", "Succeeded", [2, 0, 0, 0]),
        ("bad", "Failed", [0, 1, 1, 0]),
    ] {
        assert_end(&namespace.wait_for_end(name), name, phase, wanted);
    }
    assert_eq!(namespace.results("good"), [json!(0), json!(1)]);
    assert_eq!(namespace.results("retried"), [json!(0), json!(1)]);
    assert_eq!(namespace.status("reduced")["result"], json!(2));
    let status = namespace.status("retried");
    assert_eq!(
        (ending(&status), &status["failures"][0]["sample"]["message"]),
        (("Failed", Some(3), 2), &json!("no luck"))
    );
    namespace.wait("the retry of the item whose pod was deleted", || {
        let status = namespace.status("deleted");
        (status["failures"][0]["category"] == "Deleted" && status["counts"]["retried"].as_i64() > Some(0)).then_some(())
    });
    namespace.kubectl(&["delete", "maptask", "deleted"]);
    namespace.wait("the end of all pods", || namespace.list("pods").is_empty().then_some(()));
}
