//! One turn: what is read before and after it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::rows::Row;
use crate::bench::{Bench, PATIENCE};
use crate::meter::{self, Reading};
use crate::requests::{follow, send};

/// Programs of the cluster that are no pods.
const NODE_PROGRAMS: [&str; 4] = ["kubelet", "containerd", "kube-proxy", "coredns"];
/// Resources that are written all the time, whether there are items or not.
const ALWAYS_WRITTEN: [&str; 2] = ["leases", "nodes"];

pub const RATE: &str = "items/s, from apply to the end";
pub const STEADY: &str = "items/s, while all workers run";
pub const CPU: &str = "operator's CPU for an item, µs";
pub const POD_CPU: &str = "CPU of the programs and what runs them for an item, µs";
pub const WRITES: &str = "API writes for an item";
pub const MEMORY: &str = "operator's memory at most, MB";
pub const STATUS: &str = "status, bytes";
const SECONDS: &str = "from apply to the end, s";

/// What was read before.
pub struct Turn {
    reading: Reading,
    pods_cpu: f64,
    children_cpu: f64,
    node_cpu: f64,
    exchanges: f64,
    busy: f64,
    load: f64,
    began: Instant,
}

/// What became of a task.
pub struct Ran {
    took: Duration,
    /// Items a second between the first and the last status that tell of some.
    steady: Option<f64>,
    task: Value,
}

fn node_cpu() -> f64 {
    NODE_PROGRAMS.map(|program| meter::cpu(meter::pid(program))).iter().sum()
}

fn children_cpu() -> f64 {
    let [_, children] = meter::cpu_and_children(std::process::id());
    children
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

impl Turn {
    pub async fn begin(bench: &Bench) -> Self {
        bench.operator().forget_peak();
        Self {
            reading: Reading::take(bench.client(), bench.operator().cpu()).await,
            node_cpu: node_cpu(),
            exchanges: bench.operator().metric("maptask_exchange_requests_total"),
            // Last of all: the scripts that name the others are children, too.
            pods_cpu: meter::pods_cpu(),
            children_cpu: children_cpu(),
            busy: meter::busy(),
            load: load(),
            began: Instant::now(),
        }
    }

    /// What the operator has nothing to do with.
    pub async fn end_of_peer(self, bench: &Bench, who: &str, items: usize, took: Duration) -> Row {
        let (items, seconds) = (items as f64, took.as_secs_f64());
        let all = self.began.elapsed().as_secs_f64();
        let busy = meter::busy() - self.busy;
        let (pods, children) = (meter::pods_cpu() - self.pods_cpu, children_cpu() - self.children_cpu);
        let node = node_cpu() - self.node_cpu;
        let reading = Reading::take(bench.client(), bench.operator().cpu()).await.since(&self.reading);
        let known = pods + children + node + reading.cpu.values().sum::<f64>();
        let writes = reading.writes.iter().filter(|(what, _)| !ALWAYS_WRITTEN.iter().any(|all| what.starts_with(all)));
        Row::new(who)
            .with("items", items)
            .with(SECONDS, seconds)
            .with(RATE, items / seconds)
            .with(POD_CPU, (pods + children) * 1e6 / items)
            .with(WRITES, writes.map(|(_, count)| count).sum::<f64>() / items)
            .with("load average before", self.load)
            .with("cores that others used", ((busy - known) / all).max(0.0))
    }

    pub async fn end(self, bench: &Bench, who: &str, items: usize, ran: &Ran) -> Row {
        let cpu = (bench.operator().cpu() - self.reading.cpu[meter::OPERATOR]) * 1e6;
        let exchanges = bench.operator().metric("maptask_exchange_requests_total") - self.exchanges;
        let memory = bench.operator().peak_megabytes();
        let mut row = self.end_of_peer(bench, who, items, ran.took).await.with(CPU, cpu / items as f64);
        if let Some(steady) = ran.steady {
            row = row.with(STEADY, steady);
        }
        if exchanges > 0.0 {
            row = row.with("items for each exchange", items as f64 / exchanges);
        }
        row.with(MEMORY, memory).with(STATUS, ran.task["status"].to_string().len() as f64)
    }
}

/// The template of a pod on the real node.
pub fn template(command: &Value) -> Value {
    let container = json!({ "name": "main", "image": "busybox:1.36", "command": command });
    json!({ "spec": { "restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "containers": [container] } })
}

/// Runs a task to its end.
pub async fn run_task(bench: &Bench, namespace: &str, spec: &Value) -> Ran {
    let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks");
    let task =
        json!({ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask", "metadata": { "name": "b" }, "spec": spec });
    let began = Instant::now();
    send(bench.client(), "POST", &path, &task).await.unwrap();
    let (mut first, mut last, mut end) = (None, None, Value::Null);
    let each = |task: Value| {
        assert!(task["status"]["phase"] != "Failed", "failed: {}", task["status"]);
        let done = task["status"]["counts"]["succeeded"].as_f64().unwrap_or(0.0);
        if done > 0.0 {
            first.get_or_insert((Instant::now(), done));
        }
        if task["status"]["phase"] == "Succeeded" {
            end = task;
            return false;
        }
        last = Some((Instant::now(), done));
        true
    };
    let done = tokio::time::timeout(PATIENCE, follow(bench.client().clone(), path, each)).await;
    assert!(done.is_ok(), "not at its end after {PATIENCE:?}");
    let steady = first.zip(last).and_then(|((first, before), (last, after))| {
        let seconds = last.saturating_duration_since(first).as_secs_f64();
        (seconds > 1.0 && after > before).then(|| (after - before) / seconds)
    });
    Ran { took: began.elapsed(), steady, task: end }
}

impl Ran {
    /// The UID of the task, which its results are found by.
    pub fn uid(&self) -> &str {
        self.task["metadata"]["uid"].as_str().unwrap_or_default()
    }
}
