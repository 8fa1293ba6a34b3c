//! The operator as a process of the benchmark's own.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::Value;

use crate::figures::Restart;
use crate::meter;
use crate::requests::{follow_from, listed, send};
use crate::resident::{megabytes, resident};

const LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-operator.log");

/// Ends with the benchmark, however that ends.
pub struct Operator {
    setting: Setting,
    state: Mutex<State>,
}

/// How it is started.
struct Setting {
    kubeconfig: PathBuf,
    /// Where it serves its metrics, here.
    metrics: u16,
    /// Where pods reach it, if there is a node with real ones.
    exchange: Option<(IpAddr, u16)>,
}

struct State {
    process: Child,
    /// CPU seconds of those before it.
    earlier: f64,
}

impl Drop for Operator {
    fn drop(&mut self) {
        if let Ok(state) = self.state.get_mut() {
            end(&mut state.process);
        }
    }
}

fn end(process: &mut Child) {
    let _ = process.kill();
    let _ = process.wait();
}

fn free_port() -> u16 {
    TcpListener::bind("0.0.0.0:0").unwrap().local_addr().unwrap().port()
}

fn start(setting: &Setting) -> Child {
    let log = std::fs::OpenOptions::new().append(true).open(LOG).unwrap();
    // Another version of the operator, to compare with.
    let program = std::env::var("BENCH_OPERATOR").unwrap_or_else(|_| env!("CARGO_BIN_EXE_maptask-operator").to_owned());
    let mut command = Command::new(program);
    if let Some((address, port)) = setting.exchange {
        command
            .args([format!("--exchange-listen={address}:{port}"), format!("--exchange-url=https://{address}:{port}")]);
    }
    command
        .args([
            "run",
            "--leader-election=false",
            "--log-level=warn",
            &format!("--listen=127.0.0.1:{}", setting.metrics),
        ])
        .env("KUBECONFIG", &setting.kubeconfig)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Operator {
    /// `host`: this machine's address for pods of a real node, if there is one.
    pub fn start(kubeconfig: PathBuf, host: Option<IpAddr>) -> Self {
        std::fs::write(LOG, "").unwrap();
        let exchange = host.map(|address| (address, free_port()));
        let setting = Setting { kubeconfig, metrics: free_port(), exchange };
        let state = Mutex::new(State { process: start(&setting), earlier: 0.0 });
        Self { setting, state }
    }

    /// The sum of a metric over all of its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let mut text = String::new();
        let connected = TcpStream::connect(("127.0.0.1", self.setting.metrics)).and_then(|mut stream| {
            stream.write_all(b"GET /metrics HTTP/1.0\r\nhost: operator\r\n\r\n")?;
            stream.read_to_string(&mut text)
        });
        if connected.is_err() {
            return 0.0;
        }
        let of = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        let lines = text.lines().filter(|line| of(line));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Forgets how much memory it has had so far.
    pub fn forget_peak(&self) {
        let _ = std::fs::write(format!("/proc/{}/clear_refs", self.state.lock().unwrap().process.id()), "5");
    }

    /// The most megabytes that it has had since.
    pub fn peak_megabytes(&self) -> f64 {
        megabytes(self.state.lock().unwrap().process.id(), "VmHWM:")
    }

    /// CPU seconds so far.
    pub fn cpu(&self) -> f64 {
        let state = self.state.lock().unwrap();
        state.earlier + meter::cpu(state.process.id())
    }

    /// Resident megabytes.
    pub fn megabytes(&self) -> f64 {
        resident(self.state.lock().unwrap().process.id())
    }

    /// Kills it once this task is half done, and starts another.
    pub async fn restart_at_half(&self, client: &Client, namespace: &str, items: usize) -> Restart {
        let task = format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks/b0");
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let task = send(client, "GET", &task, &Value::Null).await.unwrap_or_default();
            if task["status"]["counts"]["succeeded"].as_u64().is_some_and(|done| 2 * done >= items as u64) {
                break;
            }
        }
        let megabytes = self.megabytes();
        {
            let mut state = self.state.lock().unwrap();
            state.earlier += meter::cpu(state.process.id());
            end(&mut state.process);
        }
        // What it had sent still arrives.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let (pods, version) = listed(client, &path).await;
        let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        let known: BTreeSet<String> = pods.iter().map(name).collect();
        let began = Instant::now();
        self.state.lock().unwrap().process = start(&self.setting);
        follow_from(client.clone(), path, version, |pod| known.contains(&name(&pod))).await;
        Restart { megabytes, seconds: began.elapsed().as_secs_f64() }
    }
}
