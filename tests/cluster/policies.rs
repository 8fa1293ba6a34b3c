//! What a spec says about the end of items and tasks: policies, deadlines, suspension, rerun, expiry.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, condition, fake_task, real_task};
use crate::life::counts;
use crate::undisturbed;

fn patch(namespace: &Namespace, task: &str, spec: &Value) {
    let patch = json!({ "spec": spec }).to_string();
    namespace.kubectl(&["patch", "maptask", task, "--type=merge", "-p", &patch]);
}

fn live_pods(namespace: &Namespace) -> usize {
    let alive = |pod: &Value| matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Running"));
    namespace.list("pods").iter().filter(|pod| alive(pod)).count()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_remaining_items_of_a_decided_task_are_cancelled_drained_or_run_as_its_spec_says() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("course");
    // Items 0 and 1 end at once, 2 a little later, 3 starts only when there is room.
    let script = "case $MAPTASK_INDEX in 0|1) exit $MAPTASK_ITEM;; 2) sleep 6;; esac";
    let spec = |code: i32, policies: Value| {
        let mut spec = json!({ "items": { "values": [code, code, 0, 0] }, "minSuccessRatio": 0.5, "concurrency": 3 });
        if code != 0 {
            spec["minSuccessRatio"] = json!(0.75);
        }
        spec.as_object_mut().unwrap().extend(policies.as_object().unwrap().clone());
        spec
    };
    let cases = [
        ("drain", spec(0, json!({ "remainingItems": { "onSuccess": "Drain" } })), "Succeeded"),
        ("all", spec(0, json!({ "remainingItems": { "onSuccess": "Run" } })), "Succeeded"),
        ("hopeless", spec(3, json!({ "remainingItems": { "onFailure": "Run" } })), "Failed"),
        ("stop", spec(3, json!({})), "Failed"),
    ];
    for (name, spec, _) in &cases {
        namespace.apply(&real_task(name, spec, script));
    }
    namespace.wait("the criterion met while an item runs", || {
        let status = namespace.status("all");
        (condition(&status, "SuccessCriteriaMet").starts_with("True") && status["phase"] == "Running").then_some(())
    });
    let ended = cases.map(|(name, _, phase)| {
        let status = namespace.wait_for_end(name);
        assert_eq!(status["phase"], phase, "{name}");
        counts(&status)
    });
    let [drain, all, hopeless, stop] = ended;
    assert!(drain[0] >= 3 && drain[1] == 0, "running items were left to end: {drain:?}");
    assert_eq!((all, hopeless), ([4, 0, 0, 0], [2, 2, 0, 0]));
    assert_eq!(stop[0] + stop[2], 2, "{stop:?}");
    let status = namespace.status("hopeless");
    assert!(condition(&status, "FailureTarget").starts_with("True TooManyFailures"), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn rules_decide_what_follows_an_exit_code() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rules");
    let script = r#"test "$MAPTASK_ATTEMPT" -ge 3 || exit $MAPTASK_ITEM"#;
    let rules = json!([
        { "exitCodes": [42], "action": "FailItem" },
        { "exitCodes": [43], "action": "FailTask" },
        { "exitCodes": [44], "container": "main", "action": "Ignore" },
    ]);
    let spec = |values: Value| {
        let policy = json!({ "rules": rules, "backoffSeconds": 1 });
        json!({ "items": { "values": values }, "retries": 1, "retryPolicy": policy, "remainingItems": { "onFailure": "Run" } })
    };
    namespace.apply(&real_task("item", &spec(json!([42, 44, 7])), script));
    namespace.apply(&real_task("task", &spec(json!([43, 44])), script));
    let status = namespace.wait_for_end("item");
    // 42 fails at once, 44 has all the attempts it needs, and 7 its one retry.
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Failed"), [1, 2, 0, 2]));
    assert!(namespace.get("pod", "item-0-2").is_none());
    let status = namespace.wait_for_end("task");
    assert!(condition(&status, "Failed").starts_with("True FailTaskRule"), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_that_is_out_of_memory_gets_more_of_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("memory");
    let script = r#"limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)
        echo "$limit" > /dev/termination-log
        if [ "$limit" -lt 60000000 ]; then tail /dev/zero; fi
        test "$MAPTASK_ATTEMPT" -ge 4"#;
    let policy = json!({ "outOfMemory": { "factor": 2, "maxMemory": "100Mi" }, "backoffSeconds": 1 });
    let mut task = real_task("t", &json!({ "items": { "count": 1 }, "retries": 3, "retryPolicy": policy }), script);
    task["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "limits": { "memory": "20Mi" } });
    namespace.apply(&task);
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    // 20, 40 and 80 MiB; the fourth attempt, after a failure of another kind, has what the third had.
    assert_eq!(namespace.results("t"), [json!(80 * 1024 * 1024)]);
    let group = &status["failures"][0];
    assert_eq!((group["category"].as_str(), group["attempts"].as_i64()), (Some("OutOfMemory"), Some(2)), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_pod_that_does_not_start_in_time_ends_its_attempt_and_says_why() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("start");
    let mut image = real_task("image", &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 8 }), "true");
    let container = &mut image["spec"]["template"]["spec"]["containers"][0];
    container["image"] = json!("no-such-image:1");
    container["imagePullPolicy"] = json!("Never");
    let mut capacity = real_task("capacity", &json!({ "items": { "count": 1 } }), "true");
    capacity["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "requests": { "cpu": "4000" } });
    namespace.apply(&image);
    namespace.apply(&capacity);
    // The first words may be those of the kubelet before it has looked for the image.
    let wait_for = |task: &str, reason: &str, words: &str| {
        namespace.wait(&format!("{task} waits for {reason}: {words}"), || {
            let waiting = &namespace.status(task)["waiting"];
            let says_so = waiting["message"].as_str().is_some_and(|message| message.contains(words));
            (waiting["reason"] == reason && says_so).then_some(())
        });
    };
    wait_for("image", "NotStarting", "pod image-0-1: ErrImageNeverPull");
    wait_for("capacity", "NoCapacity", "Insufficient cpu");
    let status = namespace.wait_for_end("image");
    let group = &status["failures"][0];
    assert_eq!((status["phase"].as_str(), group["category"].as_str()), (Some("Failed"), Some("NeverStarted")));
    assert!(group["sample"]["message"].as_str().unwrap().contains("no-such-image"), "{group}");
    assert_eq!(group["sample"]["node"], "localhost", "{group}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_fails_at_its_deadline_and_is_deleted_after_its_ttl() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("times");
    let spec = json!({ "items": { "count": 2 }, "activeDeadlineSeconds": 4, "ttlSecondsAfterFinished": 3600 });
    namespace.apply(&fake_task("t", &spec, &json!({ "fake.maptask.dev/outcome": "hang" })));
    let status = namespace.wait_for_end("t");
    assert!(condition(&status, "Failed").starts_with("True DeadlineExceeded"), "{status}");
    assert_eq!((counts(&status), live_pods(&namespace)), ([0, 0, 2, 0], 0));
    patch(&namespace, "t", &json!({ "ttlSecondsAfterFinished": 0 }));
    namespace.wait("the end of the task and its pods", || {
        (namespace.get("maptask", "t").is_none() && namespace.list("pods").is_empty()).then_some(())
    });
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn suspending_stops_running_items_at_no_cost_if_the_spec_says_so() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("pause");
    let spec = json!({ "items": { "count": 4 }, "concurrency": 2, "suspendPolicy": "Stop" });
    namespace.apply(&fake_task("t", &spec, &json!({ "fake.maptask.dev/duration": "5s" })));
    namespace.wait("two that run", || (namespace.status("t")["counts"]["running"] == 2).then_some(()));
    patch(&namespace, "t", &json!({ "suspend": true }));
    let status = namespace.wait("all at rest", || {
        let status = namespace.status("t");
        (status["phase"] == "Suspended" && status["counts"]["pending"] == 4 && live_pods(&namespace) == 0)
            .then_some(status)
    });
    assert_eq!(status["counts"]["failed"], 0);
    patch(&namespace, "t", &json!({ "suspend": false, "concurrency": 4 }));
    namespace.wait("four that run", || (namespace.status("t")["counts"]["running"] == 4).then_some(()));
    let status = namespace.wait_for_end("t");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [4, 0, 0, 2]));
    assert!(status["failures"].as_array().is_none_or(Vec::is_empty), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_rerun_starts_selected_items_again_once_and_replaces_their_results() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rerun");
    let script = r#"echo "\"$MAPTASK_INDEX of attempt $MAPTASK_ATTEMPT\"" > /dev/termination-log
        test "$MAPTASK_INDEX" != 1 -o "$MAPTASK_ATTEMPT" != 1"#;
    let spec = json!({ "items": { "count": 3 }, "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
    assert_eq!(namespace.wait_for_end("t")["phase"], "Failed");
    let again = |id: &str, items: &str| {
        patch(&namespace, "t", &json!({ "rerun": { "id": id, "items": items } }));
        namespace.wait("end of the rerun", || {
            let status = namespace.status("t");
            let ended = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
            (status["rerun"]["id"] == id && ended).then_some(status)
        })
    };
    let status = again("second", "Failed");
    assert_eq!((status["phase"].as_str(), counts(&status)), (Some("Succeeded"), [3, 0, 0, 1]));
    assert!(condition(&status, "Failed").starts_with("False Rerun"), "{status}");
    let status = again("third", "0,2-2");
    assert_eq!((status["phase"].as_str(), status["rerun"]["items"].as_i64()), (Some("Succeeded"), Some(2)));
    assert_eq!(namespace.results("t"), ["0 of attempt 2", "1 of attempt 2", "2 of attempt 2"]);
    let status = again("fourth", "7");
    assert!(status["rerun"]["message"].as_str().unwrap().contains("from 0 to 2"), "{status}");
    assert_eq!(status["phase"], "Succeeded");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn failures_are_reported_in_groups_of_similar_ones_even_if_the_task_succeeded() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("digest");
    let script = r#"test $((MAPTASK_INDEX % 4)) != 0 && exit 0
        echo "can't read /data/part-$MAPTASK_INDEX.csv at line $((MAPTASK_INDEX * 77))" > /dev/termination-log
        exit 3"#;
    let spec = json!({ "items": { "count": 12 }, "minSuccessRatio": 0.75, "remainingItems": { "onSuccess": "Run" } });
    namespace.apply(&real_task("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    let groups = status["failures"].as_array().unwrap();
    assert_eq!(groups.len(), 1, "{status}");
    let group = &groups[0];
    assert_eq!((group["category"].as_str(), group["exitCode"].as_i64()), (Some("Failed"), Some(3)), "{group}");
    assert_eq!(group["pattern"], "can't read … at line #");
    assert_eq!((group["indexes"].as_str(), group["attempts"].as_i64()), (Some("0,4,8"), Some(3)), "{group}");
    assert_eq!(group["sample"]["node"], "localhost");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn deleting_a_running_task_deletes_everything_in_the_background_and_in_the_foreground() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("delete");
    let spec = json!({ "items": { "count": 6 }, "concurrency": 3 });
    for (name, how) in [("a", "background"), ("b", "foreground"), ("c", "background")] {
        let suspended = name == "c";
        let mut spec = spec.clone();
        spec["suspend"] = json!(suspended);
        namespace.apply(&fake_task(name, &spec, &json!({ "fake.maptask.dev/outcome": "hang" })));
        namespace.wait("its first pods", || {
            let status = namespace.status(name);
            (suspended && status["phase"] == "Suspended" || status["counts"]["running"] == 3).then_some(())
        });
        namespace.kubectl(&["delete", "maptask", name, &format!("--cascade={how}"), "--timeout=60s"]);
        namespace.wait("nothing left", || namespace.list("pods").is_empty().then_some(()));
        assert!(namespace.get("maptask", name).is_none());
    }
}
