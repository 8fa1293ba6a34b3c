//! One run: a task under faults, to its end and beyond.

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use kube::{Client, Config};
use maptask::api::TaskPhase;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::chaos::Chaos;
use crate::check::{self, LookupKeys};
use crate::cluster::{self, Disturbance};
use crate::kubectl::{Namespace, fake_task};
use crate::kubelet::{self, Kubelet};
use crate::profile::Profile;
use crate::proxy::Proxy;
use crate::random::Random;
use crate::wire::Wire;
use crate::witness::{Witness, list};
use crate::workers;

/// The name of the task.
pub const TASK: &str = "t";
/// The name of one that asks for the same once more, and of the cache that both share.
const AGAIN: &str = "again";
const CACHE: &str = "faults";
const CONCURRENCY: usize = 40;
const RETRIES: u32 = 3;
/// How long a task may take once nothing goes wrong any more. A create without an answer holds names for 75 s.
const PATIENCE: Duration = Duration::from_mins(4);
const STEP: Duration = Duration::from_millis(100);
/// When the cluster as a whole is disturbed.
const DISTURBED_AFTER: Duration = Duration::from_secs(8);
/// One run in this many restarts the API server, and another pauses etcd.
const DISTURB_EVERY: u64 = 15;
/// One run in this many has workers.
const WORKERS_EVERY: u64 = 4;

/// A namespace with a task in it, operators, the proxy between, and the witness.
pub struct Run {
    pub namespace: Namespace,
    pub witness: Witness,
    pub folder: PathBuf,
    pub profile: Profile,
    /// Of a run with workers.
    pub kubelet: Option<Kubelet>,
    wire: Option<Wire>,
    proxy: Arc<Proxy>,
    chaos: Chaos,
    client: Client,
    began: Instant,
    ended: Option<Duration>,
    disturbance: Option<Disturbance>,
    // The last to go: what runs in it ends with it.
    runtime: Runtime,
}

impl Run {
    /// Starts all, and then the task.
    pub fn start(name: &str, seed: u64, profile: Profile, task: &Value, disturbance: Option<Disturbance>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("maptask-faults-{}-{name}-{seed}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let _steady = cluster::STEADY.read().unwrap_or_else(PoisonError::into_inner);
        let namespace = Namespace::new(&format!("{name}-{seed}"));
        let chance = |part: u64| Random::new(seed.wrapping_mul(8) + part);
        let has_workers = task["spec"]["workers"].is_object();
        let (client, witness, proxy, wire, mut chaos) = runtime.block_on(async {
            let mut config = Config::infer().await.unwrap();
            config.default_retry = false;
            let client = Client::try_from(config.clone()).unwrap();
            let forwarding = Client::try_from(config).unwrap();
            let witness = Witness::start(&client, &namespace.0).await;
            let (proxy, address) = Proxy::start(forwarding, profile.clone(), chance(1)).await;
            let chaos = Chaos::new(client.clone(), &namespace.0, address, &folder, profile.clone(), chance(2));
            let wire = if has_workers {
                let counters = Arc::clone(&proxy.counters);
                Some(Wire::start(profile.operators, profile.connections, chance(3), counters))
            } else {
                None
            };
            (client, witness, proxy, wire, chaos)
        });
        let mut task = task.clone();
        let kubelet = wire.as_ref().map(|wire| {
            chaos.take_workers(wire);
            task["spec"]["template"]["spec"]["nodeSelector"] =
                json!({ "kubernetes.io/hostname": kubelet::node_of(&namespace.0) });
            Kubelet::start(&namespace.0, &folder, profile.kill_workers, chance(4), &proxy.counters)
        });
        namespace.apply(&task);
        let began = Instant::now();
        let ended = None;
        Self {
            namespace,
            witness,
            folder,
            profile,
            kubelet,
            wire,
            proxy,
            chaos,
            client,
            began,
            ended,
            disturbance,
            runtime,
        }
    }

    /// Goes on for a moment.
    fn step(&mut self) {
        if self.began.elapsed() > DISTURBED_AFTER
            && let Some(what) = self.disturbance.take()
        {
            self.proxy.counters.add(format!("{what:?}"));
            std::thread::spawn(move || cluster::disturb(what));
        }
        let calm = self.proxy.is_calm();
        if calm {
            self.kubelet.iter().for_each(Kubelet::be_calm);
            self.wire.iter().for_each(Wire::be_calm);
        }
        self.runtime.block_on(self.chaos.step(calm, &self.proxy.counters));
        std::thread::sleep(STEP);
    }

    /// Goes on until there is an answer.
    fn go_on<T>(&mut self, what: &str, ask: impl Fn(&mut Self) -> Option<T>) -> Result<T, String> {
        let end = Instant::now() + self.profile.calm_after + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return Ok(answer);
            }
            if Instant::now() > end {
                let (log, seconds) = (self.witness.log(), (self.profile.calm_after + PATIENCE).as_secs());
                let status = log.tasks.last().map(|task| (task.version, task.status.phase, task.status.counts));
                return Err(format!("{what}: not within {seconds} s; the last status is {status:?}"));
            }
            self.step();
        }
    }

    /// Waits until the task has ended and all that was seen is noted; the results.
    pub fn wait_for_end(&mut self) -> Result<Vec<Value>, String> {
        self.go_on("the task ends", |run| {
            let log = run.witness.log();
            log.tasks.last().and_then(|task| task.status.phase).filter(|phase| TaskPhase::is_terminal(*phase)).map(drop)
        })?;
        self.ended = Some(self.began.elapsed());
        // What was delayed may still come, and must not matter.
        self.go_on("all delayed requests are through", |run| (run.proxy.late() == 0).then_some(()))?;
        let settled = Instant::now() + Duration::from_secs(2);
        self.go_on("the witness has seen all", |run| {
            let pods = run.list("/api/v1", "pods?labelSelector=maptask.dev/name")?;
            let last = pods.iter().filter_map(|pod| pod["metadata"]["resourceVersion"].as_str()?.parse().ok()).max();
            let log = run.witness.log();
            let seen = log.pods.iter().chain(&log.workers).map(|pod| pod.version).max();
            (Instant::now() > settled && seen >= last).then_some(())
        })?;
        self.results()
    }

    /// The results of the only task that there is.
    fn results(&mut self) -> Result<Vec<Value>, String> {
        let shards =
            self.go_on("the results are read", |run| run.list("/api/v1", "configmaps?labelSelector=maptask.dev/name"))?;
        let texts = shards.iter().filter_map(|shard| shard["data"]["results.jsonl"].as_str());
        Ok(texts.flat_map(str::lines).map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    /// Deletes the task; nothing of it may stay.
    pub fn delete(&mut self) -> Result<(), String> {
        self.go_on("the task is deleted", |run| {
            let args = ["-n", &run.namespace.0, "delete", "maptask", TASK, "--wait=false", "--ignore-not-found"];
            crate::kubectl::kubectl_with("", &args).0.then_some(())
        })?;
        for (api, kind) in [("/api/v1", "pods"), ("/api/v1", "configmaps"), ("/apis/maptask.dev/v1alpha1", "maptasks")]
        {
            let query = if kind == "configmaps" { "configmaps?labelSelector=maptask.dev/name" } else { kind };
            self.go_on(&format!("all {kind} go"), |run| run.list(api, query).filter(Vec::is_empty).map(drop))?;
        }
        Ok(())
    }

    fn list(&self, api: &str, kind: &str) -> Option<Vec<Value>> {
        let path = format!("{api}/namespaces/{}/{kind}", self.namespace.0);
        self.runtime.block_on(list(&self.client, &path)).ok().map(|(_, items)| items)
    }

    /// Faults by kind, and how long it took.
    pub fn summary(&self) -> String {
        let log = self.witness.log();
        format!(
            "{:3} s, ended after {:3} s, {} pod versions, {} status writes, {} gaps; {}",
            self.began.elapsed().as_secs(),
            self.ended.unwrap_or_default().as_secs(),
            log.pods.len() + log.workers.len(),
            log.tasks.len(),
            log.gaps,
            self.proxy.counters.text()
        )
    }

    /// The end of a run: with all that helps, if something was wrong.
    pub fn finish(self, seed: u64, result: Result<(), String>) -> Result<String, String> {
        let summary = self.summary();
        match result {
            Ok(()) => {
                let _ = std::fs::remove_dir_all(&self.folder);
                Ok(summary)
            }
            Err(problem) => Err(format!(
                "seed {seed}: {problem}\n{:?}\n{summary}\nlogs of the operators: {}",
                self.profile,
                self.folder.display()
            )),
        }
    }
}

/// A run under this seed; its summary.
pub fn run(seed: u64) -> Result<String, String> {
    if seed % WORKERS_EVERY == WORKERS_EVERY - 1 {
        return workers::run(seed);
    }
    let profile = Profile::draw(&mut Random::new(seed));
    let disturbance = match seed % DISTURB_EVERY {
        5 => Some(Disturbance::RestartApiServer),
        10 => Some(Disturbance::PauseEtcd(Duration::from_millis(2_000 + seed % 2_000))),
        _ => None,
    };
    let work = json!({
        "fake.maptask.dev/message": "index",
        "fake.maptask.dev/fail-every": profile.fail_every.to_string(),
        "fake.maptask.dev/duration": format!("{}ms", profile.life.0),
        "fake.maptask.dev/duration-up-to": format!("{}ms", profile.life.1),
    });
    let spec = json!({ "items": { "count": profile.items }, "concurrency": CONCURRENCY, "retries": RETRIES });
    let mut task = fake_task(TASK, &spec, &work);
    let said = json!({ "fake.maptask.dev/message": "all of it", "fake.maptask.dev/duration": "500ms" });
    let template = fake_task(TASK, &json!({}), &said)["spec"]["template"].take();
    task["spec"]["reduce"] = json!({ "template": template, "retries": RETRIES });
    task["spec"]["cache"] = json!({ "version": "1", "name": CACHE });
    let wanted =
        LookupKeys { items: profile.items, concurrency: CONCURRENCY, retries: RETRIES, fail_every: profile.fail_every };
    let mut run = Run::start("faults", seed, profile, &task, disturbance);
    let result = to_the_end(&mut run, &wanted).and_then(|results| all_is_known(&mut run, &task, &results));
    run.finish(seed, result)
}

/// Waits for the end, checks, deletes, and checks again.
pub fn to_the_end(run: &mut Run, wanted: &LookupKeys) -> Result<Vec<Value>, String> {
    let results = run.wait_for_end()?;
    {
        let log = run.witness.log();
        check::check(&log, wanted, &results).map_err(|problem| problem.emit(&log))?;
    }
    run.delete()?;
    let log = run.witness.log();
    check::check(&log, wanted, &results)
        .map_err(|problem| format!("after the task was deleted: {}", problem.emit(&log)))?;
    Ok(results)
}

/// A second task that asks for the same starts no pod, and has the same results, byte for byte.
fn all_is_known(run: &mut Run, task: &Value, results: &[Value]) -> Result<(), String> {
    let mut again = task.clone();
    again["metadata"]["name"] = json!(AGAIN);
    again["spec"].as_object_mut().unwrap().remove("reduce");
    run.go_on("the second task is applied", |run| run.namespace.try_apply(&again).0.then_some(()))?;
    let counts = run.go_on("the second task ends", |run| {
        let task = run.list("/apis/maptask.dev/v1alpha1", "maptasks")?.into_iter().next()?;
        (task["status"]["phase"] == "Succeeded").then(|| task["status"]["counts"].clone())
    })?;
    if counts["cached"] != results.len() {
        return Err(format!("{} items are known, the second task has {counts}", results.len()));
    }
    if run.results()? != results {
        return Err("the results of the second task are not those of the first".to_owned());
    }
    let strays = run.witness.log().strays.clone();
    if strays.is_empty() { Ok(()) } else { Err(format!("the second task has pods: {strays:?}")) }
}
