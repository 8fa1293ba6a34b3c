//! The operator as a process of the benchmark's own.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::Value;

use crate::figures::Restart;
use crate::meter;
use crate::requests::{follow_from, listed, send};
use crate::resident::resident;

const LOG: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/bench-operator.log");

/// Ends with the benchmark, however that ends.
pub struct Operator {
    kubeconfig: PathBuf,
    state: Mutex<State>,
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

fn start(kubeconfig: &PathBuf) -> Child {
    let log = std::fs::OpenOptions::new().append(true).open(LOG).unwrap();
    // Another version of the operator, to compare with.
    let program = std::env::var("BENCH_OPERATOR").unwrap_or_else(|_| env!("CARGO_BIN_EXE_maptask-operator").to_owned());
    Command::new(program)
        .args(["run", "--leader-election=false", "--listen=127.0.0.1:0", "--log-level=warn"])
        .env("KUBECONFIG", kubeconfig)
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Operator {
    pub fn start(kubeconfig: PathBuf) -> Self {
        std::fs::write(LOG, "").unwrap();
        let state = Mutex::new(State { process: start(&kubeconfig), earlier: 0.0 });
        Self { kubeconfig, state }
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
        self.state.lock().unwrap().process = start(&self.kubeconfig);
        follow_from(client.clone(), path, version, |pod| known.contains(&name(&pod))).await;
        Restart { megabytes, seconds: began.elapsed().as_secs_f64() }
    }
}
