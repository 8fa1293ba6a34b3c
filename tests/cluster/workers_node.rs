//! Programs that misbehave in workers, and what is done to the workers, on a real node.

use std::process::Command;

use serde_json::{Value, json};

use crate::endings::{delete, evict};
use crate::kubectl::{Namespace, kubectl_with, real_task};
use crate::life::counts;
use crate::undisturbed;

/// A task with a directory for the files of each attempt, a deadline of 3 s, and no further attempts.
fn task(name: &str, spec: &Value, script: &str) -> Value {
    let mut task = real_task(name, spec, script);
    for (field, value) in [
        ("retries", json!(0)),
        ("minSuccessRatio", json!(0)),
        ("artifacts", json!({ "volume": "files", "path": "/files" })),
        ("results", json!({ "maxBytesPerItem": 64 })),
    ] {
        task["spec"][field] = value;
    }
    let pod = &mut task["spec"]["template"]["spec"];
    pod["activeDeadlineSeconds"] = json!(3);
    pod["volumes"] = json!([{ "name": "files", "emptyDir": {} }]);
    task
}

/// Category and exit code of the only attempt at an item that has failed, and its message.
fn failure(status: &Value, index: usize) -> (String, Option<i64>, String) {
    let groups = status["failures"].as_array().unwrap();
    let is_of = |group: &&Value| group["sample"]["index"] == index;
    let group = groups.iter().find(is_of).unwrap_or_else(|| panic!("item {index} has not failed: {status}"));
    let text = |value: &Value| value.as_str().unwrap_or_default().trim().to_owned();
    (text(&group["category"]), group["exitCode"].as_i64(), text(&group["sample"]["message"]))
}

/// What items in either mode come to: the index itself, but for those that are said here; failed ones have none.
fn assert_results(namespace: &Namespace, name: &str, items: usize, others: &[(usize, Value)]) {
    for (index, result) in namespace.results(name).iter().enumerate() {
        let other = others.iter().find(|(other, _)| *other == index).map(|(_, value)| value.clone());
        assert_eq!(*result, other.unwrap_or_else(|| json!(index)), "item {index} of {name}");
    }
    assert_eq!(namespace.results(name).len(), items, "{name}");
}

/// In mode Exec. `ps` shows the script as well, and must not find in it what it looks for.
const EXEC: &str = r#"case $MAPTASK_INDEX in
  2) setsid sleep $((98000 + 765)) > /dev/null 2>&1 & ;;
  4) ps | grep -c '[9]8765' > "$MAPTASK_RESULT"; exit 0 ;;
  6) echo 'no luck' >&2; exit 3 ;;
  8) yes "$(printf '%0100d' 8)" | head -n 20000 ;;
  10) exec >&- 2>&- ;;
  12) trap '' TERM; while :; do sleep 1; done ;;
  14) head -c 1000000 /dev/zero | tr '\0' x > "$MAPTASK_RESULT"; exit 0 ;;
  16) echo own > "$MAPTASK_ARTIFACTS_PATH/file"; cat "$MAPTASK_ARTIFACTS_PATH/file" > "$MAPTASK_RESULT"; exit 0 ;;
  18) exit 0 ;;
esac
echo "$MAPTASK_INDEX" > "$MAPTASK_RESULT""#;

/// In mode Stream, where the program outlives the item. It answers on descriptor 3.
const STREAM: &str = r#"echo started
while IFS= read -r line; do
  i=${line#*:} i=${i%%,*}
  files=${line##*\"artifacts\":\"} files=${files%%\"*}
  result=$i
  case $i in
    2) setsid sleep $((98000 + 765)) > /dev/null 2>&1 & ;;
    4) result=2; echo "{\"index\":$i,\"result\":$i}" ;;
    6) echo '{"index":6,"reslt":5}' >&3; continue ;;
    7) echo '{"index":999,"result":1}' >&3; echo '{"index":9,"result":"of another"}' >&3 ;;
    8) yes "$(printf '%0100d' 8)" | head -n 20000 ;;
    10) exec 1>&- ;;
    12) trap '' TERM; while :; do sleep 1; done ;;
    13) result=$(ps | grep -c '[9]8765') ;;
    14) result=\"$(head -c 1000 /dev/zero | tr '\0' x)\" ;;
    16) echo own > "$files/file"; result=\"$(cat "$files/file")\" ;;
    18) echo "{\"index\":$i,\"error\":\"no luck\"}"; continue ;;
    20) echo 'no more' >&2; exit 4 ;;
  esac
  echo "{\"index\":$i,\"result\":$result}" >&3
done"#;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_program_that_misbehaves_fails_its_own_item_and_no_other() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-bad");
    let spec = |mode: &str| json!({ "items": { "count": 24 }, "concurrency": 1, "workers": { "mode": mode } });
    namespace.apply(&task("exec", &spec("Exec"), EXEC));
    namespace.apply(&task("stream", &spec("Stream"), STREAM));

    let status = namespace.wait_for_end("exec");
    assert_eq!(counts(&status), [21, 3, 0, 0], "{status}");
    assert_eq!(failure(&status, 6), ("Failed".to_owned(), Some(3), "no luck".to_owned()));
    assert_eq!(failure(&status, 12).0, "Deadline");
    assert_eq!(failure(&status, 14).0, "ResultTooLarge");
    let uid = namespace.get("maptask", "exec").unwrap()["metadata"]["uid"].as_str().unwrap()[..8].to_owned();
    let none = Value::Null;
    let directory = json!(format!("exec-{uid}-18-1"));
    let others = [(4, json!(0)), (6, none.clone()), (12, none.clone()), (14, none.clone()), (16, json!("own"))];
    assert_results(&namespace, "exec", 24, &[&others[..], &[(18, directory)]].concat());

    let status = namespace.wait_for_end("stream");
    assert_eq!(counts(&status), [19, 5, 0, 0], "{status}");
    let (category, code, message) = failure(&status, 6);
    assert_eq!((category.as_str(), code), ("Failed", Some(1)));
    assert!(message.contains("reslt"), "{message}");
    assert_eq!(failure(&status, 12).0, "Deadline");
    assert_eq!(failure(&status, 14).0, "ResultTooLarge");
    assert_eq!(failure(&status, 18), ("Failed".to_owned(), Some(1), "no luck".to_owned()));
    let (category, code, message) = failure(&status, 20);
    assert_eq!((category.as_str(), code), ("Failed", Some(4)), "{message}");
    assert!(message.contains("no more"), "{message}");
    let failed = [6, 12, 14, 18, 20].map(|index| (index, none.clone()));
    assert_results(&namespace, "stream", 24, &[&failed[..], &[(13, json!(0)), (16, json!("own"))]].concat());

    for name in ["exec", "stream"] {
        let logs = namespace.kubectl(&["logs", "-l", &format!("maptask.dev/name={name}"), "--tail=-1"]);
        let of_8 = format!("[8] {:0100}", 8);
        assert_eq!(logs.lines().filter(|line| *line == of_8).count(), 20_000, "megabytes of {name} in the log");
    }
    let starts = namespace.kubectl(&["logs", "-l", "maptask.dev/name=stream", "--tail=-1"]);
    // After the deadline and after the exit.
    assert_eq!(starts.lines().filter(|line| line.ends_with("started")).count(), 3);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_item_that_is_out_of_memory_fails_alone_in_one_slot_and_in_several() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-memory");
    let script =
        "if [ $MAPTASK_INDEX = 5 ]; then exec tail /dev/zero; fi; sleep 0.1; echo $MAPTASK_INDEX > $MAPTASK_RESULT";
    for slots in [1, 4] {
        let spec = json!({ "items": { "count": 40 }, "concurrency": slots, "workers": { "slots": slots } });
        let mut task = task(&format!("slots-{slots}"), &spec, script);
        task["spec"]["template"]["spec"]["activeDeadlineSeconds"] = json!(60);
        task["spec"]["template"]["spec"]["containers"][0]["resources"] = json!({ "limits": { "memory": "64Mi" } });
        namespace.apply(&task);
    }
    for name in ["slots-1", "slots-4"] {
        let status = namespace.wait_for_end(name);
        // With retries: 0, an innocent item that had lost one would have failed.
        assert_eq!(counts(&status)[..2], [39, 1], "{name}: {status}");
        assert_eq!(status["failedIndexes"], "5", "{name}: {status}");
        assert_eq!(failure(&status, 5).0, "OutOfMemory", "{name}: {status}");
        assert_results(&namespace, name, 40, &[(5, Value::Null)]);
    }
}

/// The worker programs of a task on this machine, each the first process of its container.
fn workers_of(task: &str) -> Vec<String> {
    let dirs = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = dirs.filter_map(|dir| dir.file_name().into_string().ok()).filter(|name| name.parse::<u32>().is_ok());
    pids.filter(|pid| {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let environ = String::from_utf8_lossy(&read("environ")).into_owned();
        let status = String::from_utf8_lossy(&read("status")).into_owned();
        let is_first = status.lines().any(|line| line.starts_with("NSpid:") && line.ends_with("\t1"));
        is_first && environ.contains(&format!(r#""task":"{task}""#))
    })
    .collect()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_worker_that_dies_with_several_items_costs_them_no_retry() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-killed");
    // The name is this run's own: the worker is found by it.
    let name = namespace.0.clone();
    let spec = json!({ "items": { "count": 12 }, "concurrency": 4, "workers": { "slots": 4 }, "retries": 0,
                       "retryPolicy": { "infrastructureRetries": 0 } });
    namespace.apply(&real_task(&name, &spec, "echo ready; sleep 2; echo $MAPTASK_INDEX > $MAPTASK_RESULT"));
    let label = format!("maptask.dev/name={name}");
    namespace.wait("four programs", || {
        let logs = kubectl_with("", &["-n", &namespace.0, "logs", "-l", &label, "--tail=-1"]).1;
        (logs.matches("] ready").count() >= 4).then_some(())
    });
    let workers = workers_of(&name);
    assert_eq!(workers.len(), 1, "{workers:?}");
    assert!(Command::new("kill").args(["-KILL", &workers[0]]).status().unwrap().success());
    let status = namespace.wait_for_end(&name);
    // Four have run twice, though none of them has a retry.
    assert_eq!((&status["phase"], counts(&status)), (&json!("Succeeded"), [12, 0, 0, 4]), "{status}");
    assert_eq!(namespace.results(&name), (0..12).collect::<Vec<_>>());
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_evicted_worker_and_a_deleted_one_cost_their_items_nothing() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("workers-evicted");
    // Two items run until their workers stop them: neither has a retry of any kind.
    let script = "if [ $MAPTASK_INDEX -lt 2 ] && [ $MAPTASK_ATTEMPT = 1 ]; then \
                  trap '' TERM; echo ready; while :; do sleep 1; done; fi; echo $MAPTASK_INDEX > $MAPTASK_RESULT";
    let spec = json!({ "items": { "count": 20 }, "concurrency": 2, "workers": {}, "retries": 0,
                       "retryPolicy": { "infrastructureRetries": 0 } });
    let mut task = real_task("t", &spec, script);
    task["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(6);
    namespace.apply(&task);
    for (index, deed) in [(0, evict as fn(&Namespace, &str)), (1, delete)] {
        let pod = namespace.wait(&format!("item {index} to run"), || {
            let pods = namespace.list("pods");
            let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
            let logs = |name: &&str| kubectl_of(&namespace, name).contains(&format!("[{index}] ready"));
            names.map(str::to_owned).find(|name| logs(&name.as_str()))
        });
        deed(&namespace, &pod);
    }
    let status = namespace.wait_for_end("t");
    assert_eq!((&status["phase"], counts(&status)), (&json!("Succeeded"), [20, 0, 0, 2]), "{status}");
    assert_eq!(namespace.results("t"), (0..20).collect::<Vec<_>>());
}

/// The log of a pod, empty if it has none yet.
fn kubectl_of(namespace: &Namespace, pod: &str) -> String {
    kubectl_with("", &["-n", &namespace.0, "logs", pod]).1
}
