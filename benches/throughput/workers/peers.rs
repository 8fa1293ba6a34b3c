//! Who else runs a program for each item on two cores.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::rows::Row;
use super::turn::{Turn, run_task, template};
use crate::bench::Bench;
use crate::requests::{follow, send};

/// Items of those that make a pod for each, and how many of them run at once.
pub const PODS: usize = 100;
const PODS_AT_ONCE: usize = 30;

pub const JOB: &str = "Indexed Job";
pub const POD_AN_ITEM: &str = "MapTask, a pod for each item";
pub const XARGS_IN_POD: &str = "xargs -P 2 in a pod";
pub const XARGS: &str = "xargs -P 2 on this machine";
pub const HYPERQUEUE: &str = "HyperQueue";

pub async fn job(bench: &mut Bench) -> Row {
    let namespace = bench.namespace().await;
    let turn = Turn::begin(bench).await;
    let began = Instant::now();
    let spec = json!({
        "completions": PODS, "parallelism": PODS_AT_ONCE, "completionMode": "Indexed",
        "template": template(&json!(["/bin/true"])),
    });
    let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
    let job = json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "b" }, "spec": spec });
    send(bench.client(), "POST", &path, &job).await.unwrap();
    let goes_on = |job: Value| !job["status"]["completionTime"].is_string();
    follow(bench.client().clone(), path, goes_on).await;
    let row = turn.end_of_peer(bench, JOB, PODS, began.elapsed()).await;
    bench.clean(&namespace).await;
    row
}

pub async fn pod_an_item(bench: &mut Bench) -> Row {
    let namespace = bench.namespace().await;
    let turn = Turn::begin(bench).await;
    let spec =
        json!({ "items": { "count": PODS }, "concurrency": PODS_AT_ONCE, "template": template(&json!(["/bin/true"])) });
    let ran = run_task(bench, &namespace, &spec).await;
    let row = turn.end(bench, POD_AN_ITEM, PODS, &ran).await;
    bench.clean(&namespace).await;
    row
}

/// In the image of the items, as one pod. Its start does not count.
pub async fn xargs_in_pod(bench: &mut Bench, items: usize) -> Row {
    let namespace = bench.namespace().await;
    let turn = Turn::begin(bench).await;
    let script = format!(
        "read a _ </proc/uptime; seq {items} | xargs -P 2 -n 1 /bin/true; read b _ </proc/uptime; echo \"$a $b\" >/dev/termination-log"
    );
    let mut pod = template(&json!(["sh", "-c", script]));
    (pod["apiVersion"], pod["kind"], pod["metadata"]) = (json!("v1"), json!("Pod"), json!({ "name": "xargs" }));
    let path = format!("/api/v1/namespaces/{namespace}/pods");
    send(bench.client(), "POST", &path, &pod).await.unwrap();
    let mut message = String::new();
    let each = |pod: Value| {
        let terminated = &pod["status"]["containerStatuses"][0]["state"]["terminated"];
        terminated["message"].as_str().unwrap_or_default().clone_into(&mut message);
        terminated.is_null()
    };
    follow(bench.client().clone(), path, each).await;
    let times: Vec<f64> = message.split_whitespace().filter_map(|time| time.parse().ok()).collect();
    let took = Duration::from_secs_f64(times[1] - times[0]);
    let row = turn.end_of_peer(bench, XARGS_IN_POD, items, took).await;
    bench.clean(&namespace).await;
    row
}

/// The program that the image has as /bin/true, here.
fn program() -> PathBuf {
    let program = PathBuf::from(concat!(env!("CARGO_TARGET_TMPDIR"), "/true"));
    let script = format!("ln -sf \"$(command -v busybox)\" {}", program.display());
    let done = std::process::Command::new("sh").args(["-c", &script]).status().unwrap();
    assert!(done.success(), "{script}");
    program
}

async fn run(mut command: Command) -> Output {
    spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap()
}

pub async fn xargs(bench: &Bench, items: usize) -> Row {
    let program = program();
    let turn = Turn::begin(bench).await;
    let began = Instant::now();
    let script = format!("seq {items} | xargs -P 2 -n 1 {}", program.display());
    let mut command = Command::new("sh");
    command.args(["-c", &script]);
    assert!(run(command).await.status.success(), "{script}");
    turn.end_of_peer(bench, XARGS, items, began.elapsed()).await
}

/// From `PyPI`, where the script has put it. Without it there is a row that says so.
pub async fn hyperqueue(bench: &Bench, items: usize) -> Row {
    let absent = |why: &str| Row::new(format!("{HYPERQUEUE} ({why})"));
    let Ok(directory) = std::env::var("BENCH_HYPERQUEUE") else { return absent("not here: no wheel for this machine") };
    let version = directory.rsplit('-').next().unwrap_or_default().to_owned();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/throughput/run_hyperqueue.py");
    let turn = Turn::begin(bench).await;
    let mut command = Command::new("python3");
    command.arg(script).args([&items.to_string(), "2"]).arg(program()).env("PYTHONPATH", &directory);
    let output = run(command).await;
    let text = String::from_utf8_lossy(&output.stdout);
    let seconds: Option<f64> = text.lines().last().and_then(|line| line.trim().parse().ok());
    let Some(seconds) = seconds else {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return absent("it failed here");
    };
    let who = format!("{HYPERQUEUE} {version}, two cores");
    turn.end_of_peer(bench, &who, items, Duration::from_secs_f64(seconds)).await
}
