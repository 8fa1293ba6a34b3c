//! Memory that grows in workers, and items that wait for their equals, on a real node.

use serde_json::{Value, json};

use crate::kubectl::{Namespace, real_task};
use crate::undisturbed;

/// The memory limit of the container, as its programs see it.
const LIMIT: &str =
    "limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)";

/// A task whose workers begin with 40 MiB and may grow.
fn growing(name: &str, spec: &Value, script: &str) -> Value {
    let policy = json!({ "outOfMemory": { "factor": 2, "maxMemory": "160Mi" }, "backoffSeconds": 0 });
    let mut spec = spec.clone();
    spec["retryPolicy"] = policy;
    let mut task = real_task(name, &spec, &format!("{LIMIT}\n{script}\necho $limit > $MAPTASK_RESULT"));
    let resources = json!({ "limits": { "memory": "40Mi" }, "requests": { "cpu": "10m", "memory": "16Mi" } });
    task["spec"]["template"]["spec"]["containers"][0]["resources"] = resources;
    task
}

fn mebibytes(namespace: &Namespace, task: &str) -> Vec<i64> {
    namespace.results(task).iter().map(|limit| limit.as_i64().unwrap_or_default() / 1_048_576).collect()
}

/// The pods of workers of raised memory.
fn larger(namespace: &Namespace) -> usize {
    let pods = namespace.list("pods");
    pods.iter().filter(|pod| pod["metadata"]["labels"]["maptask.dev/memory-raises"].is_string()).count()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_that_is_short_of_memory_in_a_worker_runs_in_a_larger_one() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-memory");
    let spec = json!({ "items": { "count": 6 }, "concurrency": 1, "retries": 2, "workers": { "slots": 1 } });
    let script = "if [ $MAPTASK_INDEX = 3 ] && [ $limit -lt 100000000 ]; then tail /dev/zero; exit 9; fi";
    namespace.apply(&growing("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    assert_eq!(mebibytes(&namespace, "t"), [40, 40, 40, 160, 40, 40]);
    let group = &status["failures"][0];
    assert_eq!((&group["category"], &group["attempts"]), (&json!("OutOfMemory"), &json!(2)), "40 and 80 MiB: {status}");
    assert_eq!(larger(&namespace), 2, "of 80 and 160 MiB");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_beside_one_that_is_short_of_memory_loses_no_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-beside");
    let spec = json!({ "items": { "count": 2 }, "concurrency": 2, "retries": 1, "workers": { "slots": 2 } });
    let script = "if [ $MAPTASK_INDEX = 1 ]; then sleep 4; else sleep 1; \
                  if [ $limit -lt 80000000 ]; then tail /dev/zero; exit 9; fi; fi";
    namespace.apply(&growing("t", &spec, script));
    let status = namespace.wait_for_end("t");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    assert_eq!(mebibytes(&namespace, "t"), [80, 40]);
    // Beside the other one it is not blamed, and alone it is.
    let groups = status["failures"].as_array().cloned().unwrap_or_default();
    let attempts: Vec<&Value> = groups.iter().map(|group| &group["attempts"]).collect();
    assert_eq!(attempts, [&json!(1)], "{status}");
    assert_eq!(groups[0]["category"], "OutOfMemory", "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn tasks_with_workers_run_equal_items_once() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-equal");
    let cache = json!({ "name": "letters", "version": "1", "serialize": true });
    let task = |name: &str, items: &Value| {
        let spec = json!({ "items": { "values": items }, "concurrency": 2, "workers": {}, "cache": cache });
        let script = "if [ $MAPTASK_ITEM = slow ]; then sleep 4; fi; echo -n $MAPTASK_ITEM > $MAPTASK_RESULT";
        real_task(name, &spec, script)
    };
    namespace.apply(&task("first", &json!(["slow", "a"])));
    namespace
        .wait("first to run", || (namespace.status("first")["counts"]["running"].as_i64() > Some(0)).then_some(()));
    namespace.apply(&task("second", &json!(["a", "slow"])));
    let mut counts = [0, 0];
    for (name, results) in [("first", ["slow", "a"]), ("second", ["a", "slow"])] {
        let status = namespace.wait_for_end(name);
        assert_eq!(status["phase"], "Succeeded", "{status}");
        assert_eq!(namespace.results(name), results);
        for (sum, phase) in counts.iter_mut().zip(["succeeded", "cached"]) {
            *sum += status["counts"][phase].as_i64().unwrap_or(0);
        }
    }
    assert_eq!(counts, [2, 2], "each of the two has run once");
}
