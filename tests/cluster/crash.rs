//! The operator is killed, and two work at once: nothing is lost, nothing is done twice.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::alone;
use crate::kubectl::{Namespace, Running, fake_task, program};

/// Every pod that was ever seen in a namespace: name to UIDs.
pub struct Witness {
    _watch: Running,
    seen: Arc<Mutex<BTreeMap<String, Vec<String>>>>,
}

impl Witness {
    pub fn new(namespace: &Namespace) -> Self {
        let mut command = program("kubectl", "KUBECTL");
        let columns = "custom-columns=N:.metadata.name,U:.metadata.uid";
        command.args(["-n", &namespace.0, "get", "pods", "--watch", "--no-headers", "-o", columns]);
        let mut watch = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let seen: Arc<Mutex<BTreeMap<String, Vec<String>>>> = Arc::default();
        let (into, lines) = (Arc::clone(&seen), BufReader::new(watch.stdout.take().unwrap()).lines());
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut columns = line.split_whitespace().map(str::to_owned);
                let (Some(name), Some(uid)) = (columns.next(), columns.next()) else { continue };
                let mut seen = into.lock().unwrap();
                let uids = seen.entry(name).or_default();
                if !uids.contains(&uid) {
                    uids.push(uid);
                }
            }
        });
        Self { _watch: Running(watch), seen }
    }

    /// Asserts that each of `count` items had exactly one pod, its first attempt, made once.
    pub fn each_item_ran_once(&self, task: &str, count: usize) {
        let mut seen = self.seen.lock().unwrap();
        // An operator of the namespace has pods there, too.
        seen.retain(|name, _| !name.contains("-maptask-operator-"));
        for index in 0..count {
            let name = format!("{task}-{index}-1");
            assert_eq!(seen.get(&name).map(Vec::len), Some(1), "{name} was made {:?}", seen.get(&name));
        }
        assert_eq!(
            seen.len(),
            count,
            "other pods: {:?}",
            seen.keys().filter(|k| !k.ends_with("-1")).collect::<Vec<_>>()
        );
    }
}

/// The task `t` of items that take a second each.
pub fn seconds(count: u32, concurrency: u32) -> Value {
    let work = json!({ "fake.maptask.dev/duration": "1s", "fake.maptask.dev/message": "done" });
    fake_task("t", &json!({ "items": { "count": count }, "concurrency": concurrency }), &work)
}

/// Waits for the end of the task of [`seconds`]: all items have succeeded, each at once.
pub fn all_succeeded(namespace: &Namespace, count: u32) {
    let status = namespace.wait_for_end("t");
    let counts = &status["counts"];
    assert_eq!((&status["phase"], &counts["succeeded"]), (&json!("Succeeded"), &json!(count)), "{status}");
    assert_eq!(counts["retried"], 0, "an item was taken for lost");
    assert!(namespace.results("t").iter().all(|line| line == "done"));
}

/// The installed operator's processes on this machine: those of its name that run in a container.
pub fn operators() -> Vec<String> {
    let dirs = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let pids = dirs.filter_map(|dir| dir.file_name().into_string().ok()).filter(|name| name.parse::<u32>().is_ok());
    pids.filter(|pid| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        read("comm").trim() == "maptask-operato" && read("cgroup").contains("/maptask-")
    })
    .collect()
}

pub fn kill_operator() -> usize {
    let pids = operators();
    for pid in &pids {
        assert!(Command::new("kill").args(["-KILL", pid]).status().unwrap().success());
    }
    pids.len()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn an_operator_killed_in_the_middle_loses_nothing_and_repeats_nothing() {
    let _alone = alone();
    let namespace = Namespace::new("kill");
    let witness = Witness::new(&namespace);
    namespace.apply(&seconds(200, 20));
    for done in [20, 80] {
        namespace.wait_for_successes("t", done);
        namespace.wait("operator to kill", || (kill_operator() > 0).then_some(()));
    }
    all_succeeded(&namespace, 200);
    witness.each_item_ran_once("t", 200);
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn two_operators_at_once_run_each_item_once() {
    let _alone = alone();
    let namespace = Namespace::new("two");
    let witness = Witness::new(&namespace);
    // A second one that does not ask for the lease, as after a network split.
    let log = std::fs::File::create(std::env::temp_dir().join(format!("{}.log", namespace.0))).unwrap();
    let second = Command::new(env!("CARGO_BIN_EXE_maptask-operator"))
        .args(["--leader-election=false", "--listen=127.0.0.1:0", "--namespace", &namespace.0])
        .stderr(log)
        .spawn()
        .unwrap();
    let mut second = Running(second);
    namespace.apply(&seconds(100, 20));
    let status = namespace.wait_for_end("t");
    let alive = second.0.try_wait().unwrap().is_none();
    drop(second);
    assert!(alive, "the second operator ended by itself");
    assert_eq!((status["phase"].as_str(), status["counts"]["succeeded"].as_i64()), (Some("Succeeded"), Some(100)));
    witness.each_item_ran_once("t", 100);
}
