//! A kubelet for workers: the pods of a node of its own are real processes on this machine, which somebody kills.
//!
//! It keeps to what the operator relies on: a pod is reported as ended, and goes, only when its processes are gone.
//! Each worker has a PID namespace of its own, as in a container, so that SIGKILL takes its programs as well.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::Request;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Config};
use maptask_exchange::{AUDIENCE, CONFIG_VARIABLE};
use serde_json::{Value, json};

use crate::profile::Counters;
use crate::random::Random;
use crate::witness::list;

/// The taint of its node: only pods that tolerate it come here.
pub const TAINT: &str = "maptask.dev/faults";
const STEP: Duration = Duration::from_millis(100);
/// The node controller gives a node up after 50 s without a word.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// Nanoseconds since 1970, as `date +%s%N` writes them.
pub fn now_nanos() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos()
}

/// The name of a run's node.
pub fn node_of(namespace: &str) -> String {
    format!("{namespace}-node")
}

/// What the test and the thread share.
#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    calm: AtomicBool,
    ends: Mutex<BTreeMap<String, WorkerEnd>>,
}

/// How a worker ended.
#[derive(Clone, Copy, Debug)]
pub struct WorkerEnd {
    /// In nanoseconds since 1970.
    pub at: u128,
    /// 0 if all that it had to report was acknowledged.
    pub code: i32,
}

/// A node and its kubelet, until it is dropped.
pub struct Kubelet {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Kubelet {
    /// For the pods of a namespace that are assigned to its node. The seconds from one SIGKILL to the next are at most
    /// `kill_every`; 0: none.
    pub fn start(namespace: &str, folder: &Path, kill_every: u64, random: Random, counters: &Arc<Counters>) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let node = Node {
            shared: Arc::clone(&shared),
            namespace: namespace.to_owned(),
            name: node_of(namespace),
            folder: folder.to_owned(),
            processes: BTreeMap::new(),
            kill_every,
            random,
            counters: Arc::clone(counters),
            next_kill: Instant::now() + Duration::from_secs(5),
            next_heartbeat: Instant::now(),
        };
        let thread = std::thread::spawn(move || {
            tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(node.run());
        });
        Self { shared, thread: Some(thread) }
    }

    /// Nothing is killed from now on.
    pub fn be_calm(&self) {
        self.shared.calm.store(true, Ordering::Release);
    }

    /// When the last process of each pod was gone.
    pub fn ends(&self) -> BTreeMap<String, WorkerEnd> {
        self.shared.ends.lock().unwrap().clone()
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Node {
    shared: Arc<Shared>,
    namespace: String,
    name: String,
    folder: PathBuf,
    processes: BTreeMap<String, Process>,
    kill_every: u64,
    random: Random,
    counters: Arc<Counters>,
    next_kill: Instant,
    next_heartbeat: Instant,
}

/// The worker of one pod.
struct Process {
    container: String,
    folder: PathBuf,
    child: Child,
    started_at: Timestamp,
    /// After SIGTERM: when SIGKILL follows.
    kill_at: Option<Instant>,
    code: Option<i32>,
}

impl Process {
    /// Sends a signal to the worker, which is the first process of its namespace.
    fn signal(&self, name: &str) {
        let parent = self.child.id();
        let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
        if let Some(worker) = children.split_whitespace().next() {
            // It may have ended.
            let _ = Command::new("kill").args([name, worker]).stderr(Stdio::null()).status();
        }
    }

    /// The exit code, once all its processes are gone.
    fn ended(&mut self) -> Option<i32> {
        if self.code.is_none() {
            let status = self.child.try_wait().unwrap()?;
            self.code = Some(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()));
        }
        self.code
    }

    fn status(&self, state: &Value, phase: &str) -> Value {
        let is_running = phase == "Running";
        json!({ "status": {
            "phase": phase,
            "startTime": text(self.started_at),
            "hostIP": "127.0.0.1",
            "podIP": "127.0.0.1",
            "conditions": [
                { "type": "PodScheduled", "status": "True" },
                { "type": "Ready", "status": if is_running { "True" } else { "False" } },
            ],
            "containerStatuses": [{
                "name": self.container, "image": "fake", "imageID": "", "restartCount": 0, "ready": is_running,
                "state": state,
            }],
        } })
    }

    fn running(&self) -> Value {
        self.status(&json!({ "running": { "startedAt": text(self.started_at) } }), "Running")
    }

    fn terminated(&self, code: i32) -> Value {
        let state = json!({ "terminated": {
            "exitCode": code,
            "reason": if code == 0 { "Completed" } else { "Error" },
            "message": fs::read_to_string(self.folder.join("record")).unwrap_or_default(),
            "startedAt": text(self.started_at),
            "finishedAt": text(Timestamp::now()),
        } });
        self.status(&state, if code == 0 { "Succeeded" } else { "Failed" })
    }
}

fn text(time: Timestamp) -> String {
    format!("{time:.0}")
}

impl Node {
    async fn run(mut self) {
        let mut config = Config::infer().await.unwrap();
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let room = json!({ "cpu": "32", "memory": "64Gi", "pods": "110" });
        let node = json!({
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": { "name": self.name, "labels": { "kubernetes.io/hostname": self.name, "kubernetes.io/os": "linux" } },
            "spec": { "taints": [{ "key": TAINT, "effect": "NoSchedule" }] },
            "status": { "allocatable": room, "capacity": room },
        });
        let post = Request::post("/api/v1/nodes").header("content-type", "application/json");
        let made = client.request::<Value>(post.body(node.to_string().into_bytes()).unwrap()).await;
        made.expect("the node of the workers is created");
        while !self.shared.stop.load(Ordering::Acquire) {
            // The API server may be away: what is not done now is done in the next step.
            let _ = self.step(&client).await;
            tokio::time::sleep(STEP).await;
        }
        for process in self.processes.values_mut() {
            process.signal("-KILL");
            let _ = process.child.wait();
        }
        let delete = Request::delete(format!("/api/v1/nodes/{}", self.name)).body(b"{}".to_vec()).unwrap();
        let _ = client.request::<Value>(delete).await;
    }

    async fn step(&mut self, client: &Client) -> Result<(), kube::Error> {
        if Instant::now() >= self.next_heartbeat {
            self.next_heartbeat = Instant::now() + HEARTBEAT;
            let now = text(Timestamp::now());
            let ready = json!([{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "of a test",
                "lastHeartbeatTime": now, "lastTransitionTime": now,
            }]);
            let path = format!("/api/v1/nodes/{}/status", self.name);
            patch(client, &path, &json!({ "status": { "conditions": ready } })).await?;
        }
        self.kill_one();
        let path = format!("/api/v1/namespaces/{}/pods?fieldSelector=spec.nodeName={}", self.namespace, self.name);
        let (_, pods) = list(client, &path).await?;
        let uid_of = |pod: &Value| pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
        for (uid, process) in &mut self.processes {
            if !pods.iter().any(|pod| uid_of(pod) == *uid) && process.ended().is_none() {
                // It went by force.
                process.signal("-KILL");
            }
        }
        for pod in &pods {
            self.look(client, &uid_of(pod), pod).await?;
        }
        Ok(())
    }

    /// Kills a worker with all its programs.
    fn kill_one(&mut self) {
        if self.kill_every == 0 || self.shared.calm.load(Ordering::Acquire) || Instant::now() < self.next_kill {
            return;
        }
        let most = usize::try_from(self.kill_every * 1_000).unwrap();
        self.next_kill = Instant::now() + Duration::from_millis(500 + self.random.below(most) as u64);
        let live: Vec<&mut Process> = self.processes.values_mut().filter(|process| process.code.is_none()).collect();
        if !live.is_empty() {
            let chosen = self.random.below(live.len());
            live[chosen].signal("-KILL");
            self.counters.add("worker killed");
        }
    }

    async fn look(&mut self, client: &Client, uid: &str, pod: &Value) -> Result<(), kube::Error> {
        let (metadata, name) = (&pod["metadata"], pod["metadata"]["name"].as_str().unwrap_or_default());
        let path = format!("/api/v1/namespaces/{}/pods/{name}", self.namespace);
        let is_deleted = metadata["deletionTimestamp"].is_string();
        let has_ended = matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"));
        let Some(process) = self.processes.get_mut(uid) else {
            if !is_deleted && !has_ended {
                let token = token(client, &self.namespace, name, uid).await?;
                let process = start(&self.folder, pod, &token);
                let status = process.running();
                self.processes.insert(uid.to_owned(), process);
                patch(client, &format!("{path}/status"), &status).await?;
            } else if is_deleted {
                remove(client, &path, uid).await?;
            }
            return Ok(());
        };
        if let Some(code) = process.ended() {
            let end = || WorkerEnd { at: now_nanos(), code };
            self.shared.ends.lock().unwrap().entry(name.to_owned()).or_insert_with(end);
            if !has_ended {
                patch(client, &format!("{path}/status"), &process.terminated(code)).await?;
            }
            return if is_deleted { remove(client, &path, uid).await } else { Ok(()) };
        }
        // The first report may have failed.
        if pod["status"]["phase"] == "Pending" {
            patch(client, &format!("{path}/status"), &process.running()).await?;
        }
        match process.kill_at {
            None if is_deleted => {
                let grace = metadata["deletionGracePeriodSeconds"].as_u64().unwrap_or(30);
                process.kill_at = Some(Instant::now() + Duration::from_secs(grace));
                process.signal("-TERM");
            }
            Some(at) if Instant::now() >= at => process.signal("-KILL"),
            _ => {}
        }
        Ok(())
    }
}

/// What the kubelet puts into the pod: a token that names it.
async fn token(client: &Client, namespace: &str, pod: &str, uid: &str) -> Result<String, kube::Error> {
    let request = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {
        "audiences": [AUDIENCE],
        "expirationSeconds": 3_600,
        "boundObjectRef": { "kind": "Pod", "apiVersion": "v1", "name": pod, "uid": uid },
    } });
    let path = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default/token");
    let post = Request::post(path).header("content-type", "application/json");
    let answer: Value = client.request(post.body(request.to_string().into_bytes()).unwrap()).await?;
    Ok(answer["status"]["token"].as_str().unwrap_or_default().to_owned())
}

/// Starts the worker as its container would: with its variables and its command.
fn start(folder: &Path, pod: &Value, token: &str) -> Process {
    let name = pod["metadata"]["name"].as_str().unwrap();
    let (diary, folder) = (folder.join("diary"), folder.join(name));
    for part in ["", "tmp", "cgroup"] {
        fs::create_dir_all(folder.join(part)).unwrap();
    }
    fs::write(folder.join("token"), token).unwrap();
    let container = &pod["spec"]["containers"][0];
    let variables = container["env"].as_array().unwrap();
    let config =
        variables.iter().find(|variable| variable["name"] == CONFIG_VARIABLE).expect("a worker's configuration");
    // As the kubelet expands what is written twice.
    let expanded = |value: &Value| value.as_str().unwrap().replace("$$", "$");
    let words = container["command"].as_array().unwrap().iter().map(expanded);
    let program = Path::new(env!("CARGO_BIN_EXE_maptask-operator")).with_file_name("maptask-worker");
    assert!(program.exists(), "{} is missing: cargo build --package maptask-worker", program.display());
    let log = File::create(folder.join("log")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program).arg("run");
    for option in ["token", "record", "cgroup"] {
        command.arg(format!("--{option}")).arg(folder.join(option));
    }
    command.args(words.skip_while(|word| word != "--"));
    command
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        .env("TMPDIR", folder.join("tmp"))
        .env("POD", name)
        .env("DIARY", diary);
    command.env(CONFIG_VARIABLE, expanded(&config["value"]));
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    Process {
        container: container["name"].as_str().unwrap().to_owned(),
        child: command.spawn().expect("unshare, as root"),
        folder,
        started_at: Timestamp::now(),
        kill_at: None,
        code: None,
    }
}

async fn patch(client: &Client, path: &str, change: &Value) -> Result<(), kube::Error> {
    let patch = Request::patch(path).header("content-type", "application/merge-patch+json");
    client.request::<Value>(patch.body(change.to_string().into_bytes()).unwrap()).await.map(drop)
}

/// The last step of a deletion: the pod goes.
async fn remove(client: &Client, path: &str, uid: &str) -> Result<(), kube::Error> {
    let options = json!({ "gracePeriodSeconds": 0, "preconditions": { "uid": uid } });
    let delete = Request::delete(path).header("content-type", "application/json");
    client.request::<Value>(delete.body(options.to_string().into_bytes()).unwrap()).await.map(drop)
}
