//! How tasks go: attempts, ratios, quotas, lost pods, suspension, deletion.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, kubectl_with, real_task};
use crate::undisturbed;

pub fn counts(status: &Value) -> [i64; 4] {
    ["succeeded", "failed", "cancelled", "retried"].map(|name| status["counts"][name].as_i64().unwrap())
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_that_fails_gets_another_attempt_and_its_result_is_the_last_ones() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("retry");
    let script = r#"echo "try $MAPTASK_ATTEMPT of $MAPTASK_NAME/$MAPTASK_INDEX of $MAPTASK_COUNT"
        echo "{\"item\":$MAPTASK_ITEM,\"attempt\":$MAPTASK_ATTEMPT}" > /dev/termination-log
        test "$MAPTASK_ATTEMPT" -ge "$MAPTASK_ITEM_TRIES""#;
    let spec = json!({ "items": { "values": [{ "tries": 1 }, { "tries": 3 }, { "tries": 2 }] }, "retries": 2 });
    namespace.apply(&real_task("retry", &spec, script));
    let status = namespace.wait_for_end("retry");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [3, 0, 0, 2]));
    let attempts: Vec<_> = namespace.results("retry").iter().map(|r| r["attempt"].clone()).collect();
    assert_eq!(attempts, [1, 3, 2]);
    let log = namespace.kubectl(&["logs", "retry-1-3"]);
    assert_eq!(log.trim(), "try 3 of retry/1 of 3");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_ends_as_soon_as_its_ratio_is_met_or_out_of_reach() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("ratio");
    let hang = "case $MAPTASK_INDEX in 0|1|2) exit $MAPTASK_ITEM;; *) sleep 1000;; esac";
    let spec = |first: i32| json!({ "items": { "values": [first, first, first, 0, 0] }, "minSuccessRatio": 0.6 });
    namespace.apply(&real_task("met", &spec(0), hang));
    namespace.apply(&real_task("missed", &spec(7), hang));
    let met = namespace.wait_for_end("met");
    assert_eq!((met["phase"].as_str(), counts(&met)), (Some("Succeeded"), [3, 0, 2, 0]));
    assert!(condition(&met, "SuccessCriteriaMet").starts_with("True EnoughSuccesses"));
    let missed = namespace.wait_for_end("missed");
    assert_eq!((missed["phase"].as_str(), counts(&missed)), (Some("Failed"), [0, 3, 2, 0]));
    assert!(condition(&missed, "Failed").starts_with("True TooManyFailures"));
    let alive = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Running"));
    assert!(!namespace.list("pods").iter().any(alive), "a pod runs after the end");
    let table = namespace.kubectl(&["get", "maptasks", "-o", "wide"]);
    assert!(table.contains("100/60%") && table.contains("0/60%") && table.contains("3/5"), "{table}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_small_quota_makes_items_wait_and_not_fail() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("quota");
    namespace.apply(&json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "five" }, "spec": { "hard": { "pods": "5" } },
    }));
    namespace.wait("quota in force", || {
        namespace.get("resourcequota", "five")?["status"]["hard"]["pods"].as_str().map(str::to_owned)
    });
    namespace.apply(&fake_task(
        "many",
        &json!({ "items": { "count": 50 } }),
        &json!({ "fake.maptask.dev/duration": "1s" }),
    ));
    let waiting = namespace.wait("word on the quota", || {
        let status = namespace.status("many");
        (status["waiting"]["reason"] == "Quota").then(|| status["waiting"]["message"].as_str().unwrap().to_owned())
    });
    assert!(waiting.contains("exceeded quota: five"), "{waiting}");
    let status = namespace.wait_for_end("many");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [50, 0, 0, 0]));
    let events = namespace.kubectl(&["get", "events", "--field-selector", "involvedObject.kind=MapTask"]);
    assert!(events.contains("Blocked") && events.contains("Accepted") && events.contains("Succeeded"), "{events}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_vanishes_is_made_again_at_no_cost_to_the_item() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("vanish");
    namespace.apply(&fake_task(
        "t",
        &json!({ "items": { "count": 3 }, "retries": 0 }),
        &json!({ "fake.maptask.dev/duration": "6s" }),
    ));
    namespace.wait("pod that runs", || (namespace.get("pod", "t-1-1")?["status"]["phase"] == "Running").then_some(()));
    namespace.kubectl(&["delete", "pod", "t-1-1", "--force", "--grace-period=0"]);
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [3, 0, 0, 1]));
    assert!(namespace.get("pod", "t-1-2").is_some());
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_suspended_task_starts_nothing_and_continues_when_resumed() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("suspend");
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 4 }, "suspend": true }), &json!({})));
    namespace.wait("phase Suspended", || (namespace.status("t")["phase"] == "Suspended").then_some(()));
    assert!(namespace.list("pods").is_empty());
    namespace.kubectl(&["patch", "maptask", "t", "--type=merge", "-p", r#"{"spec":{"suspend":false}}"#]);
    assert_eq!(counts(&namespace.wait_for_end("t")), [4, 0, 0, 0]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_list_of_nothing_succeeds_at_once() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("nothing");
    namespace.apply(&fake_task("t", &json!({ "items": { "values": [] } }), &json!({})));
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), status["done"].as_str()), (Some("Succeeded"), Some("0/0")));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_waits_for_a_foreign_pod_that_has_its_name_and_leaves_it_alone() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("taken");
    let mut pod = fake_task("x", &json!({ "items": { "count": 1 } }), &json!({}))["spec"]["template"].clone();
    pod["apiVersion"] = json!("v1");
    pod["kind"] = json!("Pod");
    pod["metadata"] = json!({ "name": "t-0-1" });
    namespace.apply(&pod);
    let uid = namespace.get("pod", "t-0-1").unwrap()["metadata"]["uid"].clone();
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 2 } }), &json!({})));
    let message = namespace.wait("word on the name", || {
        let status = namespace.status("t");
        (status["waiting"]["reason"] == "NameTaken").then(|| status["waiting"]["message"].as_str().unwrap().to_owned())
    });
    assert!(message.contains("a pod named t-0-1 exists and belongs to another owner"), "{message}");
    assert_eq!(namespace.get("pod", "t-0-1").unwrap()["metadata"]["uid"], uid);
    namespace.kubectl(&["delete", "pod", "t-0-1", "--force", "--grace-period=0"]);
    assert_eq!(counts(&namespace.wait_for_end("t")), [2, 0, 0, 0]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_result_that_is_too_long_fails_its_item() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("long");
    let spec = json!({ "items": { "count": 1 }, "results": { "maxBytesPerItem": 10 } });
    namespace.apply(&fake_task("t", &spec, &json!({ "fake.maptask.dev/message": "12345678901" })));
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Failed"), [0, 1, 0, 0]));
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn few_finished_pods_stay_and_a_deleted_task_takes_all_with_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("delete");
    let quick = json!({ "fake.maptask.dev/duration": "100ms", "fake.maptask.dev/message": "1" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 40 } }), &quick));
    namespace.wait_for_end("t");
    namespace.wait("clean-up of all but 10 pods", || (namespace.list("pods").len() == 10).then_some(()));
    namespace.apply(&fake_task("u", &json!({ "items": { "count": 40 }, "concurrency": 4 }), &json!({})));
    namespace.wait("pods of u", || {
        namespace.list("pods").iter().any(|pod| pod["metadata"]["labels"]["maptask.dev/name"] == "u").then_some(())
    });
    namespace.kubectl(&["delete", "maptask", "t", "u", "--cascade=foreground", "--timeout=120s"]);
    assert!(namespace.list("maptasks").is_empty());
    namespace.wait("end of all pods", || namespace.list("pods").is_empty().then_some(()));
    let (found, _) = kubectl_with("", &["-n", &namespace.0, "get", "configmap", "t-results-0"]);
    assert!(!found, "the results outlive their task");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_keeps_as_many_finished_pods_as_its_spec_says_and_one_of_each_failure_group() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("finished");
    // The last to fail is one of many; the first fails in another way.
    let script = r#"echo "no luck with $MAPTASK_INDEX" > /dev/termination-log; test "$MAPTASK_INDEX" -eq 0 && exit 7
        test "$MAPTASK_INDEX" -lt 3 || exit 9"#;
    let spec = json!({ "items": { "count": 8 }, "concurrency": 1, "finishedPods": 2, "minSuccesses": 0 });
    namespace.apply(&real_task("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!(counts(&status), [2, 6, 0, 0], "{status}");
    let names = || -> Vec<String> {
        let pods = namespace.list("pods");
        pods.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect()
    };
    namespace.wait("clean-up of all but 2 pods", || (names().len() == 2).then_some(()));
    assert_eq!(names(), ["t-0-1", "t-7-1"]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_foreign_config_map_in_the_place_of_the_results_is_left_alone_and_told() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("foreign");
    let foreign = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "t-results-0" }, "data": { "mine": "1" } });
    namespace.apply(&foreign);
    let quick = json!({ "fake.maptask.dev/message": "1" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1 } }), &quick));
    let events = namespace.wait("word on the ConfigMap", || {
        let events = namespace.kubectl(&["get", "events", "--field-selector", "involvedObject.kind=MapTask"]);
        events.contains("ConfigMap t-results-0 exists and belongs to another owner").then_some(events)
    });
    assert!(events.contains("Blocked"), "{events}");
    assert_eq!(namespace.get("configmap", "t-results-0").unwrap()["data"], json!({ "mine": "1" }));
    namespace.kubectl(&["delete", "configmap", "t-results-0"]);
    assert_eq!(counts(&namespace.wait_for_end("t")), [1, 0, 0, 0]);
    assert_eq!(namespace.results("t"), [1]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn what_somebody_else_manages_is_left_to_them() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("managed");
    let task = |name: &str, manager: &str| {
        namespace.apply(&fake_task(name, &json!({ "items": { "count": 1 }, "managedBy": manager }), &json!({})));
    };
    task("theirs", "kueue.x-k8s.io/multikueue");
    task("ours", "maptask.dev/operator");
    assert_eq!(namespace.wait_for_end("ours")["phase"], "Succeeded");
    let status = namespace.status("theirs");
    assert_eq!(status["observedGeneration"], -1, "{status}");
    assert!(namespace.list("pods").iter().all(|pod| pod["metadata"]["labels"]["maptask.dev/name"] == "ours"));
}
