//! The reduce on a real node: what it sees, what it costs, and that it can be run again.

use serde_json::{Value, json};

use crate::endings::put;
use crate::kubectl::{Namespace, condition, real_task};
use crate::undisturbed;

/// A map whose items say their index, and a reduce of this script.
fn task(name: &str, items: u32, reduce: &Value, script: &str) -> Value {
    let mut task =
        real_task(name, &json!({ "items": { "count": items } }), "echo -n $MAPTASK_INDEX > /dev/termination-log");
    let mut template = task["spec"]["template"].clone();
    template["spec"]["containers"][0]["command"] = json!(["sh", "-c", script]);
    task["spec"]["reduce"] = json!({ "template": template });
    put(&mut task["spec"]["reduce"], reduce);
    task
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_reduce_sees_all_results_in_order_and_how_many_there_are() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("reduce");
    let script = r#"echo "{\"counts\":[$MAPTASK_COUNT,$MAPTASK_SUCCEEDED,$MAPTASK_FAILED],\"lines\":[$(cat /maptask/results/* |
        tr '\n' , | sed 's/,$//')]}" > /dev/termination-log; ! touch /maptask/results/x"#;
    let mut sees = task("sees", 5, &json!({}), script);
    sees["spec"]["items"] = json!({ "values": ["a", "b", "c", "d", "e"] });
    sees["spec"]["minSuccessRatio"] = json!(0.8);
    sees["spec"]["remainingItems"] = json!({ "onSuccess": "Run" });
    sees["spec"]["template"]["spec"]["containers"][0]["command"][2] =
        json!(r#"test "$MAPTASK_ITEM" != b && echo -n "$MAPTASK_ITEM" > /dev/termination-log"#);
    namespace.apply(&sees);
    namespace.apply(&task("none", 0, &json!({}), script));
    let status = namespace.wait_for_end("sees");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    let wanted = json!({ "counts": [5, 4, 1], "lines": ["a", null, "c", "d", "e"] });
    assert_eq!(status["result"], wanted, "{status}");
    let status = namespace.wait_for_end("none");
    assert_eq!(status["result"], json!({ "counts": [0, 0, 0], "lines": [] }), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_failed_reduce_fails_the_task_and_keeps_the_results_for_a_rerun() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("reduce-fails");
    // The third attempt is that of the rerun.
    let script = r#"echo "try $MAPTASK_ATTEMPT" > /dev/termination-log; test "$MAPTASK_ATTEMPT" -ge 3"#;
    let mut wanted = task("t", 3, &json!({ "retries": 1 }), script);
    wanted["spec"]["retryPolicy"] = json!({ "backoffSeconds": 0 });
    namespace.apply(&wanted);
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], &status["result"]), (&json!("Failed"), &Value::Null), "{status}");
    assert!(condition(&status, "Failed").starts_with("True ReduceFailed"), "{status}");
    assert_eq!(
        (&status["reduce"]["attempt"], &status["reduce"]["applicationFailures"]),
        (&json!(2), &json!(1)),
        "{status}"
    );
    let message = status["message"].as_str().unwrap();
    assert!(message.contains("failed in attempt 2; most often (2 attempts)") && message.contains("try 1"), "{message}");
    assert_eq!(namespace.results("t"), [0, 1, 2]);
    let rerun = r#"{"spec":{"rerun":{"id":"2","items":"Reduce"}}}"#;
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", rerun]);
    namespace.wait("success of the rerun", || (namespace.status("t")["phase"] == "Succeeded").then_some(()));
    let status = namespace.status("t");
    assert_eq!((&status["result"], &status["counts"]["retried"]), (&json!("try 3"), &json!(0)), "{status}");
    let pods: Vec<_> = namespace.list("pods").iter().map(|pod| pod["metadata"]["name"].clone()).collect();
    assert!(!pods.contains(&json!("t-0-2")), "no item ran again: {pods:?}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_reduce_that_takes_too_long_fails_the_task() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("reduce-late");
    namespace.apply(&task("t", 1, &json!({ "activeDeadlineSeconds": 3 }), "exec sleep 1000"));
    let status = namespace.wait_for_end("t");
    assert!(condition(&status, "Failed").starts_with("True ReduceFailed"), "{status}");
    assert!(status["message"].as_str().unwrap().contains("spec.reduce.activeDeadlineSeconds"), "{status}");
}
