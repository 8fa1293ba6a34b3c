//! docs/reference/cli.md: each of its commands runs as it stands there, and prints what the page shows.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::alone;
use crate::documented::{Shell, Shown, shown};
use crate::kubectl::{Namespace, fake_task, kubectl, kubectl_with, real_task};
use crate::plugin::timeless;
use crate::release::Away;
use crate::undisturbed;

const PAGE: &str = include_str!("../../docs/reference/cli.md");
/// The section whose task is too large for a test. Another test gives it the status that the page shows.
const LARGE: &str = "See how it is";
/// What the node of the tests has instead of the images and programs of the page.
const INSTEAD: [(&str, &str); 4] = [
    ("python:3.12", "busybox:1.36"),
    ("curlimages/curl", "busybox:1.36"),
    ("python train.py", "echo"),
    ("curl -sf", "echo"),
];

/// Whether a command of the page is one for a test. The others install the program itself.
fn is_run(command: &str) -> bool {
    !command.starts_with("cargo install") && !command.contains("completion install")
}

/// A text with what differs from run to run replaced: times, ages, addresses, versions, names of nodes.
pub fn normal(text: &str, namespace: &str) -> Vec<String> {
    let text = timeless(&text.replace(namespace, "team"));
    text.lines().filter(|line| !is_progress(line)).map(|line| normal_line(line.trim_end())).collect()
}

/// What is said while a task is followed begins with the time of day.
fn is_progress(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 9 && bytes[2] == b':' && bytes[5] == b':' && bytes[..2].iter().all(u8::is_ascii_digit)
}

fn normal_line(line: &str) -> String {
    let mut out = String::new();
    for word in line.split(' ').filter(|word| !word.is_empty()) {
        let inner = word.trim_start_matches('(');
        let bare = inner.trim_end_matches([',', ';', ')', ':']);
        let (begin, end) = (&word[..word.len() - inner.len()], &inner[bare.len()..]);
        let is_age = bare.len() > 1
            && bare.ends_with(['s', 'm', 'h', 'd'])
            && bare[..bare.len() - 1].bytes().all(|byte| byte.is_ascii_digit() || b"smh".contains(&byte));
        let bare = if is_age {
            "TIME"
        } else if bare.starts_with("https://") {
            "SERVER"
        } else if bare.bytes().filter(|byte| *byte == b'.').count() == 2 && bare.starts_with("1.") {
            "VERSION"
        } else if bare.len() == 5 && bare.as_bytes()[2] == b':' {
            "CLOCK"
        } else {
            bare
        };
        let _ = write!(out, "{}{begin}{bare}{end}", if out.is_empty() { "" } else { " " });
    }
    out
}

/// What the page's commands find: a task of which two items fail at first, one that runs for long, a list of addresses.
fn prepare(namespace: &Namespace, shell: &Shell) {
    std::fs::write(shell.folder.join("urls.txt"), "https://a.example/1\nhttps://a.example/2\n").unwrap();
    let script = "echo reading; if [ $MAPTASK_ATTEMPT = 1 ] && [ $((MAPTASK_INDEX % 14)) = 3 ]; then \
                  echo no such table: $MAPTASK_ITEM_TABLE$MAPTASK_ITEM_SHARD; exit 2; fi; \
                  echo \"{\\\"rows\\\":$((MAPTASK_INDEX * 100))}\" > /dev/termination-log";
    let shards: Vec<u32> = (0..10).collect();
    let sum = "cat /maptask/results/* | wc -l > /dev/termination-log";
    let container = json!({ "name": "main", "image": "busybox:1.36", "command": ["sh", "-c", sum] });
    let spec = json!({ "items": { "matrix": { "table": ["orders", "returns"], "shard": shards } }, "concurrency": 8,
        "cache": { "version": "1" }, "remainingItems": { "onFailure": "Run" }, "reduce": { "template": { "spec": { "containers": [container] } } } });
    namespace.apply(&real_task("etl", &spec, script));
    let many = json!({ "items": { "count": 200 }, "concurrency": 20 });
    namespace.apply(&fake_task("embed", &many, &json!({ "fake.maptask.dev/duration": "10m" })));
    assert_eq!(namespace.wait_for_end("etl")["phase"], "Failed");
    namespace.wait("items that run", || (namespace.status("embed")["counts"]["running"] == 20).then_some(()));
}

/// A user who may edit, a quota that is full, and nothing else that runs.
fn prepare_doctor(namespace: &Namespace) {
    namespace.kubectl(&["create", "rolebinding", "anna", "--clusterrole=edit", "--user=anna@example.org"]);
    let container = json!({ "name": "main", "image": "fake", "resources": { "limits": { "memory": "1Gi" } } });
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "other" },
        "spec": { "nodeSelector": { "no-such": "node" }, "containers": [container] } }));
    namespace.apply(&json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "team" },
        "spec": { "hard": { "limits.memory": "1Gi" } } }));
    namespace.wait("a full quota", || {
        (namespace.get("resourcequota", "team")?["status"]["used"]["limits.memory"] == "1Gi").then_some(())
    });
    namespace.wait("the rights of anna", || {
        let ask = ["-n", &namespace.0, "auth", "can-i", "create", "maptasks.maptask.dev", "--as", "anna@example.org"];
        kubectl_with("", &ask).0.then_some(())
    });
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn every_command_of_the_page_runs_and_prints_what_the_page_shows() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("cli-docs");
    let shell = Shell::new(&namespace);
    prepare(&namespace, &shell);
    let mut wrong = Vec::new();
    for shown in shown(PAGE).iter().filter(|shown| is_run(&shown.command) && shown.section != LARGE) {
        let mut command = INSTEAD.iter().fold(shown.command.clone(), |text, (here, there)| text.replace(here, there));
        if shown.section == "Find out what blocks" {
            prepare_doctor(&namespace);
            command += " --as anna@example.org";
        }
        let answer = shell.run(&command);
        if shown.lines.is_empty() {
            assert_eq!(answer.code, 0, "{command}: {answer:?}");
        } else {
            compare(shown, &answer.out, &namespace.0, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Notes where an output is not what the page shows.
fn compare(shown: &Shown, printed: &str, namespace: &str, wrong: &mut Vec<String>) {
    let (expected, found) = (normal(&shown.lines.join("\n"), namespace), normal(printed, namespace));
    if expected != found {
        let (shown_, command) = (shown.lines.join("\n"), &shown.command);
        wrong.push(format!("$ {command}\n--- docs/reference/cli.md shows\n{shown_}\n--- it prints\n{printed}--- compared\n{expected:#?}\n{found:#?}"));
    }
}

/// The statuses of the large tasks of the page.
fn large() -> Vec<(&'static str, Value, Value)> {
    let ago = |seconds: i64| {
        let time = std::time::SystemTime::now() - std::time::Duration::from_secs(u64::try_from(seconds).unwrap());
        let seconds = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        date(seconds)
    };
    let group = |category: &str, attempts: i32, indexes: &str, message: &str| {
        json!({ "category": category, "attempts": attempts, "items": attempts, "indexes": indexes,
            "sample": { "index": 212, "attempt": 1, "message": message } })
    };
    let counts = |all: [i32; 6]| {
        json!({ "succeeded": all[0], "cached": all[1], "running": all[2], "pending": all[3], "cancelled": all[4],
            "failed": all[5], "retried": 0 })
    };
    let embed = json!({ "phase": "Running", "observedGeneration": 1, "items": 20_000, "required": 19_600,
        "startTime": ago(16 * 60), "counts": counts([13_204, 1_850, 64, 4_764, 0, 118]), "done": "15172/20000",
        "reason": "Quota",
        "progress": { "time": ago(0), "itemsPerMinute": 852, "strideSeconds": 16, "samples": "" },
        "waiting": { "reason": "Quota", "since": ago(7 * 60), "message": "64 pods fill limits.cpu of quota team-vision (128)" },
        "failures": [group("OutOfMemory", 158, "212,977,1504,…", "killed at its limit of memory"),
            group("Deadline", 48, "11902-11917", "ran longer than 60 seconds")] });
    let etl = json!({ "phase": "Failed", "observedGeneration": 1, "items": 20_000, "required": 19_600,
        "startTime": ago(15 * 60), "completionTime": ago(12 * 60), "done": "1420/20000", "reason": "TooManyFailures",
        "counts": counts([1_019, 0, 0, 0, 18_580, 401]), "message": "401 of 20000 items failed, at most 400 may" });
    let spec = json!({ "items": { "count": 20_000 }, "concurrency": 100, "minSuccessRatio": 0.98,
        "remainingItems": { "onSuccess": "Run" } });
    vec![("embed-catalog", spec.clone(), embed), ("etl", spec, etl)]
}

/// RFC 3339 of seconds since 1970.
fn date(seconds: u64) -> String {
    let text =
        std::process::Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(text.unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn large_tasks_are_shown_as_the_page_shows_them() {
    let _alone = alone();
    let namespace = Namespace::new("cli-docs-large");
    let shell = Shell::new(&namespace);
    let _away = Away::new();
    for (name, spec, status) in large() {
        namespace.apply(&real_task(name, &spec, "true"));
        let patch = json!({ "status": status }).to_string();
        namespace.kubectl(&["patch", "maptask", name, "--subresource=status", "--type=merge", "-p", &patch]);
    }
    let mut wrong = Vec::new();
    let shown = shown(PAGE);
    let large: Vec<_> = shown.iter().filter(|shown| shown.section == LARGE).collect();
    assert!(large.len() >= 2, "{large:?}");
    for shown in large {
        let answer = shell.run(&shown.command);
        assert_eq!(answer.code, 0, "{answer:?}");
        compare(shown, &answer.out, &namespace.0, &mut wrong);
    }
    // Nothing of it is for an operator.
    kubectl(&["-n", &namespace.0, "delete", "maptasks", "--all"]);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_differs_from_run_to_run_is_replaced() {
    let text = "10:20:30 t 1/2 done\nt  Failed  3 items, ended 12 s ago\na   16m   3m12s (14:24 UTC)\n\
                ok    cluster    https://127.0.0.1:6443/, Kubernetes 1.34.1, in ns-1\n";
    let lines = [
        "t Failed 3 items, ended TIME ago",
        "a TIME TIME (CLOCK UTC)",
        "ok cluster SERVER, Kubernetes VERSION, in team",
    ];
    assert_eq!(normal(text, "ns-1"), lines);
}
