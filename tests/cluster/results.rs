//! The results of a task as its user reads them, and what belongs to a task by its labels.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, fake_task, real_task};
use crate::undisturbed;

fn names(list: &[Value]) -> Vec<&str> {
    list.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_results_of_a_task_come_in_the_order_of_its_items() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("order");
    // A ConfigMap has 62 lines of 4096 bytes: the eleventh has the last three.
    let spec = json!({ "items": { "count": 623 }, "results": { "maxBytesPerItem": 4_096 } });
    let quick = json!({ "fake.maptask.dev/duration": "100ms", "fake.maptask.dev/message": "index" });
    namespace.apply(&fake_task("t", &spec, &quick));
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], &status["results"]["shards"]), (&json!("Succeeded"), &json!(11)), "{status}");
    let indexes: Vec<i64> = namespace.results("t").iter().map(|line| line["index"].as_i64().unwrap()).collect();
    assert_eq!(indexes, (0..623).collect::<Vec<_>>());
    let last = namespace.kubectl(&["get", "configmap", "-l", "maptask.dev/shard=10", "-o", "name"]);
    assert_eq!(last.trim(), "configmap/t-results-10");
    assert!(namespace.get("configmap", "t-results-07").is_some());
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_objects_of_a_task_are_selected_by_its_uid_and_not_those_of_the_task_before_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("uid");
    let task = real_task("t", &json!({ "items": { "count": 1 } }), "echo 1 > /dev/termination-log");
    namespace.apply(&task);
    namespace.wait_for_end("t");
    // What the garbage collector has yet to take.
    let keep = json!({ "metadata": { "finalizers": ["example.com/keep"] } }).to_string();
    namespace.kubectl(&["patch", "pod", "t-0-1", "--type=merge", "-p", &keep]);
    namespace.kubectl(&["delete", "maptask", "t"]);
    let mut again = task;
    again["spec"]["items"]["count"] = json!(2);
    namespace.apply(&again);
    let uid = namespace.get("maptask", "t").unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
    let list = |kind: &str, selector: &str| -> Vec<Value> {
        let list = namespace.kubectl(&["get", kind, "-l", selector, "-o", "json"]);
        serde_json::from_str::<Value>(&list).unwrap()["items"].as_array().unwrap().clone()
    };
    let own = format!("maptask.dev/controller-uid={uid}");
    namespace.wait("the second pod", || (names(&list("pods", &own)) == ["t-1-1"]).then_some(()));
    assert_eq!(names(&list("pods", "maptask.dev/name=t")), ["t-0-1", "t-1-1"]);
    let none = json!({ "metadata": { "finalizers": null } }).to_string();
    namespace.kubectl(&["patch", "pod", "t-0-1", "--type=merge", "-p", &none]);
    // The ConfigMap may be the one before it until then, too.
    namespace.wait_for_end("t");
    assert_eq!(names(&list("configmaps", &own)), ["t-results-0"]);
    let all = list("pods,configmaps", "app.kubernetes.io/managed-by=maptask-operator");
    assert_eq!(names(&all), ["t-0-1", "t-1-1", "t-results-0"]);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_guide_tells_apart_items_that_failed_were_cancelled_or_silent_and_results_that_are_lost() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("nulls");
    let script = r#"case $MAPTASK_INDEX in
        0|3) echo '"ok"' > /dev/termination-log;;
        1) ;;
        2) exit 3;;
        *) sleep 600;;
    esac"#;
    namespace.apply(&real_task("t", &json!({ "items": { "count": 5 }, "minSuccesses": 4 }), script));
    namespace.wait("all but the last", || {
        let counts = namespace.status("t")["counts"].clone();
        (counts["succeeded"] == 3 && counts["failed"] == 1).then_some(())
    });
    let damage = || namespace.documented("This prints the condition, or nothing:", "t");
    assert_eq!(damage(), "");
    // Its pod can't tell it again.
    namespace.kubectl(&["delete", "pod", "t-0-1", "--now"]);
    namespace.kubectl(&["delete", "configmap", "t-results-0"]);
    namespace.documented("A cancelled task ends as Failed", "t");
    let status = namespace.wait_for_end("t");
    let phases = namespace.documented("prints the phase of every item", "t");
    assert_eq!(phases, "0 Succeeded\n1 Succeeded\n2 Failed\n3 Succeeded\n4 Cancelled\n");
    assert!(damage().starts_with("True: results in ConfigMap t-results-0 (items 0) were changed"), "{}", damage());
    assert_eq!(status["failedIndexes"], "2");
    let mut results = namespace.results("t");
    results.resize(5, Value::Null);
    assert_eq!(results, [json!(null), json!(null), json!(null), json!("ok"), json!(null)]);
    let curve = namespace.documented("`status.progress.samples` is a curve", "t");
    assert!(curve.starts_with("0 0 0\n") && curve.ends_with(" 4 1\n"), "{curve}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_guide_shows_how_fast_a_task_proceeds() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("rate");
    let quick = json!({ "fake.maptask.dev/duration": "500ms" });
    namespace.apply(&fake_task("t", &json!({ "items": { "count": 1000 }, "concurrency": 2 }), &quick));
    let rate = namespace.wait("the rate", || namespace.documented("The rate of the last minute", "t").parse().ok());
    assert!((1..=240).contains(&rate), "{rate} items a minute");
}
