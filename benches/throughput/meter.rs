//! What the cluster's programs have done so far: their CPU time and memory, and the API server's own count of requests.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use kube::Client;

/// Programs of the cluster whose CPU time is read; the last one is the fake nodes'.
pub const PROGRAMS: [&str; 5] =
    ["kube-apiserver", "etcd", "kube-scheduler", "kube-controller-manager", "kwok-controller"];
/// What the benchmark is called among them: the bare loop's controller.
pub const BENCHMARK: &str = "benchmark";
/// What the operator is called among them.
pub const OPERATOR: &str = "operator";
/// Requests that write.
const WRITES: [&str; 4] = ["POST", "PUT", "PATCH", "DELETE"];

/// A reading.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// CPU seconds by program.
    pub cpu: BTreeMap<String, f64>,
    /// Requests by verb and resource.
    pub writes: BTreeMap<String, f64>,
    /// Bytes that etcd has written to its disk.
    pub etcd_bytes: f64,
}

/// Runs a command of cluster.sh about a component of the benchmark's cluster; what it says.
pub fn cluster(command: &str, component: &str, flags: &[String]) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/cluster.sh");
    let name = std::env::var("BENCH_CLUSTER").expect("BENCH_CLUSTER names the cluster");
    let mut run = Command::new(script);
    let output = run.args([command, component, &name]).args(flags).stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success(), "{command} {component}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn pid(component: &str) -> u32 {
    cluster("pid", component, &[]).trim().parse().unwrap_or_else(|_| panic!("no pid of {component}"))
}

/// Linux counts 100 ticks a second for user space on every architecture.
const TICKS: f64 = 100.0;

/// CPU seconds of a process.
pub fn cpu(pid: u32) -> f64 {
    let [own, _] = cpu_and_children(pid);
    own
}

/// CPU seconds of a process, and of its children that have ended.
pub fn cpu_and_children(pid: u32) -> [f64; 2] {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    [ticks(11) + ticks(12), ticks(13) + ticks(14)].map(|all| all / TICKS)
}

/// CPU seconds that this machine has spent on anything.
pub fn busy() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).filter_map(|n| n.parse().ok()).collect();
    // Not idle, not waiting for a disk; guests are part of the first two.
    ticks.iter().take(8).enumerate().filter(|(place, _)| ![3, 4].contains(place)).map(|(_, n)| n).sum::<f64>() / TICKS
}

/// CPU seconds of all pods of the real node, also of those that are gone.
pub fn pods_cpu() -> f64 {
    let group = std::env::var("BENCH_CGROUP").unwrap_or_default();
    let nanos = std::fs::read_to_string(format!("/sys/fs/cgroup/cpuacct/{group}/cpuacct.usage"));
    if let Ok(nanos) = nanos {
        return nanos.trim().parse::<f64>().unwrap_or(0.0) / 1e9;
    }
    let text = std::fs::read_to_string(format!("/sys/fs/cgroup/{group}/cpu.stat")).unwrap_or_default();
    let micros = text.lines().find_map(|line| line.strip_prefix("usage_usec "));
    micros.and_then(|micros| micros.parse::<f64>().ok()).unwrap_or(0.0) / 1e6
}

/// Bytes that a process has written to files.
fn written(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let bytes = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    bytes.and_then(|bytes| bytes.parse().ok()).unwrap_or(0.0)
}

impl Reading {
    pub async fn take(client: &Client, operator_cpu: f64) -> Self {
        let mut reading = Self::default();
        for program in PROGRAMS {
            reading.cpu.insert(program.to_owned(), cpu(pid(program)));
        }
        reading.cpu.insert(OPERATOR.to_owned(), operator_cpu);
        reading.cpu.insert(BENCHMARK.to_owned(), cpu(std::process::id()));
        reading.etcd_bytes = written(pid("etcd"));
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = client.request_text(request).await.unwrap();
        for line in text.lines() {
            let Some((name, value)) = line.rsplit_once(' ') else { continue };
            let value: f64 = value.parse().unwrap_or(0.0);
            if let Some(labels) = name.strip_prefix("apiserver_request_total{") {
                let label = |wanted: &str| {
                    let rest = labels.split(&format!("{wanted}=\"")).nth(1)?;
                    rest.split('"').next()
                };
                let (Some(verb), Some(resource)) = (label("verb"), label("resource")) else { continue };
                if WRITES.contains(&verb) {
                    let part = label("subresource").filter(|part| !part.is_empty());
                    let key = format!("{resource}{} {verb}", part.map(|part| format!("/{part}")).unwrap_or_default());
                    *reading.writes.entry(key).or_default() += value;
                }
            }
        }
        reading
    }

    /// What was done since.
    pub fn since(&self, before: &Self) -> Self {
        let minus = |now: &BTreeMap<String, f64>, then: &BTreeMap<String, f64>| {
            now.iter().map(|(key, value)| (key.clone(), value - then.get(key).unwrap_or(&0.0))).collect()
        };
        Self {
            cpu: minus(&self.cpu, &before.cpu),
            writes: minus(&self.writes, &before.writes),
            etcd_bytes: self.etcd_bytes - before.etcd_bytes,
        }
    }
}
