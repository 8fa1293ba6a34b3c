//! Operators as processes of their own, which are killed, started again, and robbed of their lease.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use axum::http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::profile::{Counters, Profile};
use crate::random::Random;
use crate::wire::Wire;

/// The lease that the operators of a run share.
const LEASE: &str = "op";
/// The wait before an operator that has ended is started again.
const PAUSE: Duration = Duration::from_millis(300);

/// The operators of a run.
pub struct Chaos {
    client: Client,
    namespace: String,
    profile: Profile,
    random: Random,
    folder: PathBuf,
    slots: Vec<Slot>,
    /// Where workers find the operators, and each operator's own address.
    exchange: Option<(SocketAddr, Vec<SocketAddr>)>,
    /// Operators started so far, for their names.
    started: usize,
    next_kill: Option<Instant>,
    next_theft: Option<Instant>,
}

/// A place for an operator.
struct Slot {
    identity: String,
    child: Option<Child>,
    start_at: Instant,
}

impl Chaos {
    /// Operators that see the API server at `server`; their logs go into `folder`.
    pub fn new(
        client: Client,
        namespace: &str,
        server: SocketAddr,
        folder: &Path,
        profile: Profile,
        mut random: Random,
    ) -> Self {
        let kubeconfig = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{ "name": "proxy", "context": { "cluster": "proxy", "user": "nobody" } }],
            "clusters": [{ "name": "proxy", "cluster": { "server": format!("http://{server}") } }],
            "users": [{ "name": "nobody", "user": {} }],
        });
        std::fs::write(folder.join("kubeconfig"), kubeconfig.to_string()).unwrap();
        let now = Instant::now();
        let slots = (0..profile.operators).map(|_| Slot { identity: String::new(), child: None, start_at: now });
        let next_theft = profile.thief.then(|| now + Duration::from_millis(3_000 + random.below(10_000) as u64));
        let mut chaos = Self {
            client,
            namespace: namespace.to_owned(),
            slots: slots.collect(),
            profile,
            random,
            folder: folder.to_owned(),
            exchange: None,
            started: 0,
            next_kill: None,
            next_theft,
        };
        chaos.plan_kill();
        chaos
    }

    /// Operators take workers.
    pub fn take_workers(&mut self, wire: &Wire) {
        self.exchange = Some((wire.address, wire.operators.clone()));
    }

    fn plan_kill(&mut self) {
        let most = usize::try_from(self.profile.kill_every * 1_000).unwrap();
        self.next_kill =
            (most > 0).then(|| Instant::now() + Duration::from_millis(1_500 + self.random.below(most) as u64));
    }

    /// Does what is due; to be called several times a second.
    pub async fn step(&mut self, calm: bool, counters: &Counters) {
        let now = Instant::now();
        for slot in 0..self.slots.len() {
            let ended = self.slots[slot].child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some());
            if ended {
                counters.add("operator gave up");
                self.slots[slot].child = None;
                self.slots[slot].start_at = now + PAUSE;
            }
            if self.slots[slot].child.is_none() && now >= self.slots[slot].start_at {
                self.start(slot);
            }
        }
        if calm {
            return;
        }
        if self.next_theft.is_some_and(|at| now >= at) {
            self.next_theft = None;
            self.steal(counters).await;
        }
        if self.next_kill.is_some_and(|at| now >= at) {
            self.plan_kill();
            let slot = self.random.below(self.slots.len());
            self.kill(slot, counters).await;
        }
    }

    fn start(&mut self, number: usize) {
        self.started += 1;
        let log = File::create(self.folder.join(format!("operator-{}.log", self.started))).unwrap();
        let slot = &mut self.slots[number];
        if slot.identity.is_empty() || !self.profile.same_identity {
            slot.identity = format!("operator-{}", self.started);
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_maptask-operator"));
        command.args(["--namespace", &self.namespace, "--listen", "127.0.0.1:0"]);
        command.args(["--lease-namespace", &self.namespace, "--lease-name", LEASE, "--identity", &slot.identity]);
        command.args(["--log-level", "info,maptask=debug"]);
        if let Some((service, operators)) = &self.exchange {
            command.arg(format!("--exchange-listen={}", operators[number]));
            command.arg(format!("--exchange-url=https://{service}"));
        }
        command.env("KUBECONFIG", self.folder.join("kubeconfig")).env("NO_COLOR", "1");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        slot.child = Some(command.spawn().unwrap());
    }

    async fn kill(&mut self, number: usize, counters: &Counters) {
        let slot = &mut self.slots[number];
        let Some(mut child) = slot.child.take() else { return };
        // By its own handle: never another process.
        child.kill().unwrap();
        child.wait().unwrap();
        counters.add("killed");
        slot.start_at = Instant::now() + PAUSE;
        let identity = slot.identity.clone();
        if self.profile.same_identity || self.random.chance(self.profile.expire) {
            return;
        }
        // As if the lease had expired, but sooner. Only that of the dead: the living must keep theirs.
        if self.holder().await.as_deref() == Some(identity.as_str()) {
            let request = Request::delete(self.lease()).body(b"{}".to_vec()).unwrap();
            let _ = self.client.request::<Value>(request).await;
        } else {
            counters.add("killed without the lease");
        }
    }

    /// Another takes the lease, does nothing, and lets it expire.
    async fn steal(&self, counters: &Counters) {
        if self.holder().await.is_none() {
            return;
        }
        let now = k8s_openapi::jiff::Timestamp::now();
        let patch = json!({ "spec": {
            "holderIdentity": "thief", "renewTime": format!("{now:.6}"), "leaseDurationSeconds": 5,
        } });
        let request = Request::patch(self.lease())
            .header("content-type", "application/merge-patch+json")
            .body(patch.to_string().into_bytes())
            .unwrap();
        if self.client.request::<Value>(request).await.is_ok() {
            counters.add("lease stolen");
        }
    }

    async fn holder(&self) -> Option<String> {
        let request = Request::get(self.lease()).body(Vec::new()).unwrap();
        let lease: Value = self.client.request(request).await.ok()?;
        lease["spec"]["holderIdentity"].as_str().map(str::to_owned)
    }

    fn lease(&self) -> String {
        format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{LEASE}", self.namespace)
    }
}

impl Drop for Chaos {
    fn drop(&mut self) {
        for child in self.slots.iter_mut().filter_map(|slot| slot.child.as_mut()) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
