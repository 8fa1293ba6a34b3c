//! Many items in a pod: what a user sees of `spec.workers` on a real node.

use serde_json::{Value, json};

use crate::crash::kill_operator;
use crate::kubectl::{Namespace, kubectl, real_task};
use crate::listing::listed;
use crate::{alone, undisturbed};

fn count(status: &Value, phase: &str) -> i64 {
    status["counts"][phase].as_i64().unwrap_or(-1)
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn items_that_share_pods_have_retries_results_in_order_and_a_log() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers");
    // Item 13 fails at first, item 77 always; an argument and a variable say which item it is.
    let script = "echo hello from $(MAPTASK_ITEM); \
                  if [ $MAPTASK_INDEX = 13 ] && [ $MAPTASK_ATTEMPT = 1 ]; then echo not yet >&2; exit 4; fi; \
                  if [ $(MAPTASK_ITEM) = 77 ]; then echo never >&2; exit 3; fi; \
                  echo \"{\\\"item\\\":$MAPTASK_ITEM,\\\"of\\\":$MAPTASK_COUNT}\" > $MAPTASK_RESULT";
    let spec = json!({
        "items": { "count": 200 }, "concurrency": 4, "workers": { "slots": 2 }, "retries": 1, "minSuccessRatio": 0.995,
        "remainingItems": { "onSuccess": "Run" },
    });
    namespace.apply(&real_task("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], count(&status, "succeeded")), (&json!("Succeeded"), 199), "{status}");
    assert_eq!((count(&status, "failed"), count(&status, "retried")), (1, 2), "{status}");
    assert_eq!(status["failedIndexes"], "77");
    let failures = status["failures"].to_string();
    assert!(failures.contains("never") && failures.contains("not yet"), "{failures}");
    for (index, line) in namespace.results("t").iter().enumerate() {
        let expected = if index == 77 { Value::Null } else { json!({ "item": index, "of": 200 }) };
        assert_eq!(*line, expected, "item {index}");
    }
    let pods = namespace.list("pods");
    let names: Vec<&str> = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str()).collect();
    assert!((1..=2).contains(&names.len()) && names.iter().all(|name| name.starts_with("t-worker-")), "{names:?}");
    let logs: String = names.iter().map(|name| namespace.kubectl(&["logs", name])).collect();
    assert!(logs.contains("[42] hello from 42"), "each line says of which item it is");
    // They end by themselves, and can be looked at.
    namespace.wait("the workers to end", || {
        let pods = namespace.list("pods");
        pods.iter().all(|pod| pod["status"]["phase"] == "Succeeded").then_some(())
    });
}

/// A number from the environment, for longer runs: `make soak` sets it.
fn number(variable: &str, otherwise: usize) -> usize {
    std::env::var(variable).map_or(otherwise, |n| n.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_operator_killed_while_workers_run_loses_nothing_and_repeats_nothing() {
    let _alone = alone();
    let (kills, items) = (number("WORKERS_KILLS", 3), number("WORKERS_ITEMS", 2_000));
    let namespace = Namespace::new("workers-kill");
    // Each attempt appends a line to a file on the node. One item of a hundred fails at first.
    let folder = format!("/tmp/maptask-{}", namespace.0);
    let script = "echo $MAPTASK_INDEX $MAPTASK_ATTEMPT >> /appended/lines; sleep 0.01; \
                  if [ $((MAPTASK_INDEX % 100)) = 7 ] && [ $MAPTASK_ATTEMPT = 1 ]; then exit 3; fi; \
                  echo $MAPTASK_INDEX > $MAPTASK_RESULT";
    let spec = json!({
        "items": { "count": items }, "concurrency": 2, "workers": { "slots": 2 }, "retries": 1,
        "retryPolicy": { "backoffSeconds": 0 },
    });
    let mut task = real_task("t", &spec, script);
    let pod = &mut task["spec"]["template"]["spec"];
    pod["volumes"] = json!([{ "name": "node", "hostPath": { "path": folder, "type": "DirectoryOrCreate" } }]);
    pod["containers"][0]["volumeMounts"] = json!([{ "name": "node", "mountPath": "/appended" }]);
    namespace.apply(&task);
    for kill in 1..=kills {
        let done = i64::try_from(kill * items / (kills + 1)).unwrap();
        namespace.wait(&format!("{done} successes"), || {
            let status = namespace.status("t");
            (count(&status, "succeeded") >= done || status["completionTime"].is_string()).then_some(())
        });
        namespace.wait("operator to kill", || (kill_operator() > 0).then_some(()));
        // Another pod takes over at once; the kubelet would restart this one's container later and later.
        let label = "app.kubernetes.io/name=maptask-operator";
        kubectl(&["delete", "pods", "-A", "-l", label, "--force", "--grace-period=0"]);
    }
    let status = namespace.wait_for_end("t");
    let (total, twice) = (i64::try_from(items).unwrap(), i64::try_from(items.div_ceil(100)).unwrap());
    assert_eq!((&status["phase"], count(&status, "succeeded")), (&json!("Succeeded"), total), "{status}");
    assert_eq!(count(&status, "retried"), twice, "an item was taken for lost: {status}");
    let indexes: Vec<i64> = namespace.results("t").iter().map(|line| line.as_i64().unwrap()).collect();
    assert_eq!(indexes, (0..total).collect::<Vec<_>>());
    let text = std::fs::read_to_string(format!("{folder}/lines")).unwrap();
    let mut lines: Vec<(i64, i64)> = text
        .lines()
        .map(|line| line.split_once(' ').unwrap())
        .map(|(index, attempt)| (index.parse().unwrap(), attempt.parse().unwrap()))
        .collect();
    lines.sort_unstable();
    let attempts = |index: i64| if index % 100 == 7 { 1..=2 } else { 1..=1 };
    let expected: Vec<_> = (0..total).flat_map(|index| attempts(index).map(move |attempt| (index, attempt))).collect();
    let odd: Vec<_> = lines.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    assert!(lines == expected, "each attempt began once; {} lines, more than once: {odd:?}", lines.len());
    assert!(status["workers"]["epoch"].as_i64() > i64::try_from(kills).ok(), "{status}");
    let _ = std::fs::remove_dir_all(folder);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_worker_that_somebody_deletes_costs_its_items_no_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-delete");
    let spec = json!({ "items": { "count": 200 }, "concurrency": 2, "workers": { "slots": 2 } });
    namespace.apply(&real_task("t", &spec, "sleep 0.05; echo $MAPTASK_INDEX > $MAPTASK_RESULT"));
    namespace.wait("a few successes", || (count(&namespace.status("t"), "succeeded") >= 20).then_some(()));
    namespace.kubectl(&["delete", "pod", "-l", "maptask.dev/name=t", "--wait=false"]);
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], count(&status, "succeeded")), (&json!("Succeeded"), 200), "{status}");
    assert_eq!(status["failures"].as_array().map_or(0, Vec::len), 0, "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_program_that_does_not_exist_is_reported_before_a_list_uses_up_its_retries() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-typo");
    let spec = json!({ "items": { "count": 100_000 }, "concurrency": 2, "workers": {}, "retries": 0 });
    let mut task = real_task("t", &spec, "true");
    task["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["/no/such/program"]);
    namespace.apply(&task);
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Failed");
    assert!(count(&status, "failed") < 1_000, "{status}");
    assert!(status["message"].as_str().unwrap().contains("NeverStarted"), "{status}");
}

/// The Service that workers speak to leads nowhere, until this is dropped.
struct CutOff {
    namespace: String,
    service: String,
}

impl CutOff {
    fn new() -> Self {
        let label = "app.kubernetes.io/name=maptask-operator";
        let all = kubectl(&["get", "services", "--all-namespaces", "-l", label, "-o", "json"]);
        let all: Value = serde_json::from_str(&all).unwrap();
        let text = |service: &Value, field: &str| service["metadata"][field].as_str().unwrap().to_owned();
        let services = all["items"].as_array().unwrap();
        let service = services.iter().find(|service| text(service, "name").ends_with("-workers")).unwrap();
        let cut = Self { namespace: text(service, "namespace"), service: text(service, "name") };
        cut.select(&json!("here"));
        cut
    }

    fn select(&self, nobody: &Value) {
        let patch = json!({ "spec": { "selector": { "nobody": nobody } } }).to_string();
        kubectl(&["-n", &self.namespace, "patch", "service", &self.service, "--type", "merge", "-p", &patch]);
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        self.select(&Value::Null);
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn workers_that_can_not_reach_the_operator_are_reported_and_work_once_they_can() {
    let _alone = alone();
    let namespace = Namespace::new("workers-unreachable");
    let cut = CutOff::new();
    let spec = json!({ "items": { "count": 10 }, "concurrency": 1, "workers": {} });
    namespace.apply(&real_task("t", &spec, "echo $MAPTASK_INDEX > $MAPTASK_RESULT"));
    namespace.apply(&listed("l", &json!({}), "sleep 10; echo a; echo b"));
    for (task, pod) in [("t", "t-worker-1"), ("l", "l-list-1")] {
        let message = namespace.wait("the report", || {
            let waiting = &namespace.status(task)["waiting"];
            (waiting["reason"] == "WorkersUnreachable").then(|| waiting["message"].as_str().unwrap().to_owned())
        });
        assert!(message.contains(pod) && message.contains("https://"), "{message}");
    }
    drop(cut);
    // The pod sends its list once the operator can be reached again.
    let listed = namespace.wait_for_end("l");
    assert_eq!((&listed["phase"], &listed["items"]), (&json!("Succeeded"), &json!(2)), "{listed}");
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], count(&status, "succeeded")), (&json!("Succeeded"), 10), "{status}");
    let is_worker = |pod: &&Value| pod["metadata"]["name"].as_str().is_some_and(|name| name.contains("-worker-"));
    assert_eq!(namespace.list("pods").iter().filter(is_worker).count(), 1, "the same worker");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_task_with_all_pods_of_a_quota_gives_workers_up_for_another_task_and_loses_nothing() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-share");
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "two" },
                        "spec": { "hard": { "pods": "2" } } });
    namespace.apply(&quota);
    namespace.wait("the quota", || {
        let quota = namespace.get("resourcequota", "two")?;
        quota["status"]["hard"]["pods"].is_string().then_some(())
    });
    let spec = json!({ "items": { "count": 100_000 }, "workers": {}, "retries": 0 });
    namespace.apply(&real_task("long", &spec, "sleep 0.2"));
    let pods = |task: &str| {
        let prefix = format!("{task}-worker-");
        let is_of = |pod: &&Value| pod["metadata"]["name"].as_str().unwrap().starts_with(&prefix);
        namespace.list("pods").iter().filter(is_of).filter(|pod| pod["status"]["phase"] == "Running").count()
    };
    namespace.wait("both pods", || (pods("long") == 2).then_some(()));
    let spec = json!({ "items": { "count": 20 }, "workers": {} });
    namespace.apply(&real_task("short", &spec, "sleep 0.2"));
    let status = namespace.wait_for_end("short");
    assert_eq!((&status["phase"], count(&status, "succeeded")), (&json!("Succeeded"), 20), "{status}");
    let long = namespace.status("long");
    assert!(long["completionTime"].is_null() && count(&long, "failed") == 0 && count(&long, "retried") == 0, "{long}");
    namespace.wait("both pods again", || (pods("long") == 2).then_some(()));
}
