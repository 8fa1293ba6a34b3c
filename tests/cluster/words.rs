//! What a task says of its failures, on a real node.

use serde_json::{Value, json};

use crate::endings::one;
use crate::kubectl::{Namespace, real_task};
use crate::undisturbed;

/// The groups of a task's failures, as container, number of attempts and the sample's message.
fn groups(status: &Value) -> Vec<(&str, i64, &str)> {
    let text = |value: &'_ Value| value.as_str().unwrap_or_default().to_owned().leak() as &str;
    let groups = status["failures"].as_array().map(Vec::as_slice).unwrap_or_default();
    let group = |group: &Value| {
        (text(&group["container"]), group["attempts"].as_i64().unwrap_or(0), text(&group["sample"]["message"]))
    };
    groups.iter().map(group).collect()
}

const TRACEBACK: &str = r#"cat >&2 <<'X'
Traceback (most recent call last):
  File "/opt/venv/lib/python3.12/site-packages/framework/runtime/entrypoint.py", line 212, in main
    result = handler(context, item, settings)
  File "/opt/venv/lib/python3.12/site-packages/framework/runtime/wrappers.py", line 87, in inner
    return function(*args, **kwargs)
  File "/app/steps/embed.py", line 41, in run
    vectors = model.encode(load(item))
X
if [ $((MAPTASK_INDEX % 2)) = 0 ]; then echo "KeyError: 'language'" >&2; else echo "FileNotFoundError: no such bucket" >&2; fi
exit 1"#;

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn tracebacks_of_two_exceptions_are_two_groups_and_the_task_names_one() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("traceback");
    let spec = json!({ "items": { "count": 5 }, "remainingItems": { "onFailure": "Run" } });
    namespace.apply(&real_task("t", &spec, TRACEBACK));
    // Eighty lines of log before it: the kubelet keeps 2,048 bytes, which begin somewhere in a line. All of it is of
    // one stream: of two, a container runtime does not keep the order.
    let log = format!(
        "i=0; while [ $i -lt $((70 + MAPTASK_INDEX)) ]; do echo \"2026-01-31T10:20:30Z step $i of item $MAPTASK_INDEX\" >&2; i=$((i+1)); done\n{TRACEBACK}"
    );
    namespace.apply(&real_task("log", &spec, &log));
    for name in ["t", "log"] {
        let status = namespace.wait_for_end(name);
        let mut found = groups(&status);
        found.sort_by_key(|group| -group.1);
        assert_eq!(
            found.iter().map(|group| (group.0, group.1)).collect::<Vec<_>>(),
            [("main", 3), ("main", 2)],
            "{status}"
        );
        assert!(found[0].2.ends_with("KeyError: 'language'"), "{status}");
        assert!(found[1].2.ends_with("FileNotFoundError: no such bucket"), "{status}");
        let message = status["message"].as_str().unwrap();
        assert!(message.contains("most often (3 attempts): Failed exit 1 in container main: "), "{message}");
        assert!(message.contains("KeyError: 'language'") && message.chars().count() <= 512, "{message}");
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_end_of_the_log_stands_in_for_the_missing_message_of_a_failed_container() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("silent");
    let fails = "echo 'the disk is full' >&2; exit 1";
    let init =
        json!({ "initContainers": [{ "name": "prepare", "image": "busybox:1.36", "command": ["sh", "-c", fails] }] });
    let none = json!({});
    namespace.apply(&one("main", &none, fails, &none, &none));
    namespace.apply(&one("init", &none, "true", &init, &none));
    namespace.apply(&one("file", &none, fails, &none, &json!({ "terminationMessagePolicy": "File" })));
    let reduce = json!({ "template": { "spec": { "containers": [
        { "name": "sum", "image": "busybox:1.36", "command": ["sh", "-c", fails] },
    ] } } });
    namespace.apply(&one("reduce", &json!({ "reduce": reduce }), "echo 'a log is no result'", &none, &none));
    for (name, container, message) in
        [("main", "main", "the disk is full"), ("init", "prepare", "the disk is full"), ("file", "main", "")]
    {
        let status = namespace.wait_for_end(name);
        assert_eq!(groups(&status), [(container, 1, message)], "{name}: {status}");
    }
    let status = namespace.wait_for_end("reduce");
    let message = status["message"].as_str().unwrap();
    assert!(message.contains("Failed exit 1 in container sum: the disk is full"), "{message}");
    assert_eq!(namespace.results("reduce"), [Value::Null], "of a container that succeeds the log says nothing");
}

/// A container with this memory limit.
fn limited(name: &str, memory: &str, script: &str) -> Value {
    let resources = json!({ "limits": { "memory": memory }, "requests": { "cpu": "10m", "memory": "16Mi" } });
    json!({ "name": name, "image": "busybox:1.36", "command": ["sh", "-c", script], "resources": resources })
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_container_that_ran_out_of_memory_gets_more_of_it() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("short");
    // Too little until the second raise; the exit code says what main has.
    let short = "limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)
        if [ \"$limit\" -lt 90000000 ]; then sleep 1; tail /dev/zero; fi";
    let main = "limit=$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || cat /sys/fs/cgroup/memory.max)
        sleep 4; echo $limit > /dev/termination-log";
    let policy = json!({ "backoffSeconds": 0, "outOfMemory": { "factor": 2, "maxMemory": "256Mi" } });
    let spec = json!({ "items": { "count": 1 }, "retries": 3, "retryPolicy": policy });
    let containers = json!({ "containers": [limited("main", "32Mi", main), limited("side", "24Mi", short)] });
    namespace.apply(&one("side", &spec, "", &containers, &json!({})));
    let init = json!({
        "initContainers": [limited("prepare", "24Mi", short)],
        "containers": [limited("main", "32Mi", "true")],
    });
    namespace.apply(&one("init", &spec, "", &init, &json!({})));
    let status = namespace.wait_for_end("side");
    assert_eq!(status["phase"], "Succeeded", "{status}");
    assert_eq!(namespace.results("side"), [json!(32 * 1024 * 1024)], "main keeps its own");
    assert_eq!(status["failures"].as_array().map(Vec::len), Some(1), "{status}");
    let group = &status["failures"][0];
    assert_eq!((&group["category"], &group["container"]), (&json!("OutOfMemory"), &json!("side")), "{status}");
    assert_eq!(group["attempts"], 2, "24, 48 and 96 MiB: {status}");
    let status = namespace.wait_for_end("init");
    let group = &status["failures"][0];
    assert_eq!((&status["phase"], &group["container"]), (&json!("Succeeded"), &json!("prepare")), "{status}");
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_child_process_that_runs_out_of_memory_counts_by_the_exit_code_of_its_container() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("child");
    let child = "(head -c 40000000 /dev/zero | tail -c 39000000 > /tmp/x) || echo \"child died $?\"";
    let spec = json!({ "items": { "count": 1 }, "retries": 0 });
    for (name, then) in [("good", "echo fine > /dev/termination-log"), ("bad", "exit 7")] {
        let containers = json!({ "containers": [limited("main", "32Mi", &format!("{child}\n{then}"))] });
        namespace.apply(&one(name, &spec, "", &containers, &json!({})));
    }
    for name in ["good", "bad"] {
        let status = namespace.wait_for_end(name);
        let pod = namespace.get("pod", &format!("{name}-0-1")).map(|pod| pod["status"]["containerStatuses"].clone());
        println!("{name}: {} of {pod:?}", status["failures"]);
        let terminated = &pod.as_ref().expect("it is kept")[0]["state"]["terminated"];
        // Where the kernel ends all of a container at once, the program has no say.
        let code = terminated["exitCode"].as_i64();
        let wanted = if code == Some(0) { "Succeeded" } else { "Failed" };
        assert_eq!(status["phase"], wanted, "{name}: {status}");
        if code != Some(0) {
            let group = &status["failures"][0];
            let category = if terminated["reason"] == "OOMKilled" { "OutOfMemory" } else { "Failed" };
            assert_eq!(
                (group["category"].as_str(), group["exitCode"].as_i64()),
                (Some(category), code),
                "{name}: {status}"
            );
        }
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn a_column_says_in_one_word_why_a_task_failed_or_waits() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("table");
    let mut refused = real_task("refused", &json!({ "items": { "count": 1 } }), "true");
    refused["spec"]["template"]["spec"]["containers"][0]["imagePullPolicy"] = json!("Sometimes");
    namespace.apply(&refused);
    namespace.apply(&real_task("failed", &json!({ "items": { "count": 1 } }), "exit 3"));
    namespace.apply(&real_task("good", &json!({ "items": { "count": 1 } }), "true"));
    let missing = json!({ "items": { "configMap": { "name": "nobody", "key": "items" } } });
    namespace.apply(&real_task("missing", &missing, "true"));
    for name in ["refused", "failed", "good"] {
        namespace.wait_for_end(name);
    }
    namespace
        .wait("the missing items told", || (namespace.status("missing")["reason"] == "ItemsMissing").then_some(()));
    let table = namespace.kubectl(&["get", "maptasks"]);
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["NAME", "PHASE", "DONE", "RUNNING", "FAILED", "REASON", "AGE"], "{table}");
    let row =
        |name: &str| rows.iter().find(|row| row[0] == name).unwrap_or_else(|| panic!("{name} in {table}")).join(" ");
    assert!(row("refused").contains("Failed 0/1 0 0 TemplateRefused"), "{table}");
    assert!(row("failed").contains("Failed 1/1 0 1 TooManyFailures"), "{table}");
    assert!(row("missing").contains("Pending 0/? 0 0 ItemsMissing"), "{table}");
    assert!(row("good").contains("Succeeded 1/1 0 0 "), "{table}");
    let wide = namespace.kubectl(&["get", "maptasks", "-o", "wide"]);
    let columns: Vec<&str> = wide.lines().next().unwrap_or_default().split_whitespace().collect();
    assert_eq!(columns[7..], ["CACHED", "RATIO", "DURATION", "RATE", "PODS", "MESSAGE"], "{wide}");
    assert!(wide.contains("exit 3 in container main"), "{wide}");
}
