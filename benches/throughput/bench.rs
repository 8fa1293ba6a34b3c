//! Who runs the items: each in a namespace of its own, which is gone before the next one's turn.

use std::collections::BTreeSet;
use std::net::{IpAddr, UdpSocket};
use std::time::{Duration, Instant};

use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::contender::Contender;
use crate::figures::{Figures, Gone, Left, cpu_per_thousand};
use crate::flood::{self, Flood};
use crate::meter::{self, OPERATOR, Reading};
use crate::operator::Operator;
use crate::requests::{follow, send};
use crate::resident::resident;
use crate::shapes::Shape;

/// Requests of the bare loop on their way at once.
const AT_ONCE: usize = 32;
/// Finished pods that the operator keeps for each task.
const KEPT_PODS: usize = 10;
pub const PATIENCE: Duration = Duration::from_hours(1);

pub struct Bench {
    client: Client,
    operator: Operator,
    runs: usize,
}

/// What a watch has seen of a namespace's pods.
#[derive(Clone, Debug, Default)]
struct Seen {
    first: Option<Instant>,
    ended: BTreeSet<String>,
}

impl Bench {
    pub async fn start() -> Self {
        let mut config = Config::infer().await.unwrap();
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let kubeconfig = flood::kubeconfig(&client).await;
        let host = host(&client).await;
        Self { client, operator: Operator::start(kubeconfig, host), runs: 0 }
    }

    async fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, kube::Error> {
        send(&self.client, method, path, body).await
    }

    async fn get(&self, path: &str) -> Option<Value> {
        self.send("GET", path, &Value::Null).await.ok()
    }

    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// A new namespace.
    pub async fn namespace(&mut self) -> String {
        self.runs += 1;
        let namespace = format!("bench-{}-{}", std::process::id(), self.runs);
        let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        self.send("POST", "/api/v1/namespaces", &object).await.unwrap();
        let account = format!("/api/v1/namespaces/{namespace}/serviceaccounts/default");
        while self.get(&account).await.is_none() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        namespace
    }

    /// One turn.
    pub async fn run(&mut self, shape: &Shape, contender: Contender) -> Figures {
        if contender == Contender::JobDefault {
            restart_manager(20, 30);
        }
        let namespace = self.namespace().await;
        let mut watching = JoinSet::new();
        let seen = self.watch(&namespace, contender, &mut watching);
        let flood = match contender {
            Contender::Flooded => Some(Flood::start(&self.client, false).await),
            Contender::FloodedWithSchema => Some(Flood::start(&self.client, true).await),
            _ => None,
        };
        let before = Reading::take(&self.client, self.operator.cpu()).await;
        let began = Instant::now();
        let mut restart = None;
        let object_bytes = match contender {
            Contender::Bare => self.bare(&namespace, shape, seen.clone()).await,
            Contender::Job | Contender::JobDefault => self.jobs(&namespace, shape).await,
            Contender::MapTask if shape.restart => {
                let restarted = self.operator.restart_at_half(&self.client, &namespace, shape.items);
                let (bytes, restarted) = tokio::join!(self.map_tasks(&namespace, shape, contender), restarted);
                restart = Some(restarted);
                bytes
            }
            Contender::MapTask | Contender::MapTaskWithout | Contender::Flooded | Contender::FloodedWithSchema => {
                self.map_tasks(&namespace, shape, contender).await
            }
        };
        let took = began.elapsed();
        let done = Reading::take(&self.client, self.operator.cpu()).await.since(&before);
        let controller = match contender.controller() {
            None => 0.0,
            Some(OPERATOR) => self.operator.megabytes(),
            Some(program) => resident(meter::pid(program)),
        };
        if let Some(flood) = flood {
            println!("  the other client had {} answers", flood.stop(&self.client).await);
        }
        let items = (shape.tasks * shape.items) as f64;
        let left = self.left(&namespace, shape, contender, items).await;
        let first = seen.borrow().first.map_or(took, |first| first.saturating_duration_since(began));
        self.clean(&namespace).await;
        if contender == Contender::JobDefault {
            restart_manager(5_000, 10_000);
        }
        let figures = Figures::new(items, took, first, done, controller, object_bytes);
        Figures { restart, left, ..figures }
    }

    /// Follows the pods of a namespace: until the first is there, or for the bare loop until the end, since that is how
    /// it works. The others have watches of their own.
    fn watch(&self, namespace: &str, contender: Contender, watching: &mut JoinSet<()>) -> watch::Receiver<Seen> {
        let (into, seen) = watch::channel(Seen::default());
        let to_the_end = contender == Contender::Bare;
        let each = move |pod: Value| {
            into.send_modify(|seen| {
                seen.first.get_or_insert_with(Instant::now);
                if matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed")) {
                    seen.ended.insert(pod["metadata"]["name"].as_str().unwrap_or_default().to_owned());
                }
            });
            to_the_end
        };
        watching.spawn(follow(self.client.clone(), format!("/api/v1/namespaces/{namespace}/pods"), each));
        seen
    }

    async fn bare(&self, namespace: &str, shape: &Shape, mut seen: watch::Receiver<Seen>) -> usize {
        let path = format!("/api/v1/namespaces/{namespace}/pods");
        let (mut made, mut deleted) = (0, BTreeSet::new());
        while deleted.len() < shape.items {
            let due: Vec<String> = seen.borrow_and_update().ended.difference(&deleted).take(AT_ONCE).cloned().collect();
            let room = (shape.parallel - (made - deleted.len())).min(shape.items - made).min(AT_ONCE);
            let creates = (made..made + room).map(|index| {
                let mut pod = shape.template();
                pod["apiVersion"] = json!("v1");
                pod["kind"] = json!("Pod");
                pod["metadata"]["name"] = json!(format!("bare-{index}"));
                let path = path.clone();
                async move { self.send("POST", &path, &pod).await.map(drop) }
            });
            let deletes = due.iter().map(|name| {
                let path = format!("{path}/{name}");
                async move { self.send("DELETE", &path, &json!({ "gracePeriodSeconds": 0 })).await.map(drop) }
            });
            if room + due.len() == 0 {
                seen.changed().await.expect("the watch goes on");
                continue;
            }
            let (creates, deletes) =
                tokio::join!(futures::future::join_all(creates), futures::future::join_all(deletes));
            for answer in creates.into_iter().chain(deletes) {
                answer.unwrap();
            }
            made += room;
            deleted.extend(due);
        }
        0
    }

    async fn jobs(&self, namespace: &str, shape: &Shape) -> usize {
        let mut spec = json!({
            "completions": shape.items,
            "parallelism": (shape.parallel / shape.tasks).min(shape.items),
            "completionMode": "Indexed",
            "template": shape.template(),
        });
        if shape.fail_every > 0 {
            spec["backoffLimitPerIndex"] = json!(3);
        }
        let path = format!("/apis/batch/v1/namespaces/{namespace}/jobs");
        self.apply(&path, "batch/v1", "Job", &spec, shape.tasks).await;
        self.wait(&path, shape.tasks, |job| {
            let conditions = job["status"]["conditions"].as_array();
            conditions.is_some_and(|all| all.iter().any(|c| c["type"] == "Complete" && c["status"] == "True"))
        })
        .await
    }

    async fn map_tasks(&self, namespace: &str, shape: &Shape, contender: Contender) -> usize {
        let mut spec = json!({
            "items": { "count": shape.items },
            "concurrency": (shape.parallel / shape.tasks).min(shape.items),
            "template": shape.template(),
            "retries": 3,
        });
        if contender == Contender::MapTaskWithout {
            spec["results"] = json!({ "source": "None" });
        } else if shape.result > 0 {
            spec["results"] = json!({ "maxBytesPerItem": 128 });
        }
        let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks");
        self.apply(&path, "maptask.dev/v1alpha1", "MapTask", &spec, shape.tasks).await;
        self.wait(&path, shape.tasks, |task| task["status"]["phase"] == "Succeeded").await
    }

    async fn apply(&self, path: &str, version: &str, kind: &str, spec: &Value, count: usize) {
        let objects = (0..count).map(|number| {
            let name = json!({ "name": format!("b{number}") });
            json!({ "apiVersion": version, "kind": kind, "metadata": name, "spec": spec })
        });
        let answers =
            futures::future::join_all(objects.map(|object| async move { self.send("POST", path, &object).await }))
                .await;
        for answer in answers {
            answer.unwrap();
        }
    }

    /// Waits until all objects have ended well; the bytes of the largest.
    async fn wait(&self, path: &str, count: usize, ended: impl Fn(&Value) -> bool) -> usize {
        let (mut open, mut largest) = (count, 0);
        let mut done = BTreeSet::new();
        let each = |object: Value| {
            assert!(object["status"]["phase"] != "Failed", "failed: {object}");
            if ended(&object) && done.insert(object["metadata"]["name"].to_string()) {
                open -= 1;
                largest = largest.max(object.to_string().len());
            }
            open > 0
        };
        let end = tokio::time::timeout(PATIENCE, follow(self.client.clone(), path.to_owned(), each)).await;
        assert!(end.is_ok(), "{open} of {count} not at their end after {PATIENCE:?}");
        largest
    }

    /// Work after the end is reported: finished pods go, until only those are left that stay.
    async fn left(&self, namespace: &str, shape: &Shape, contender: Contender, items: f64) -> Left {
        let pods = async || {
            let list = self.get(&format!("/api/v1/namespaces/{namespace}/pods?limit=1")).await.unwrap_or_default();
            let shown = list["items"].as_array().map_or(0, Vec::len);
            shown + list["metadata"]["remainingItemCount"].as_u64().map_or(0, |n| n as usize)
        };
        let left = Left { pods: pods().await as f64, gone: None };
        if contender.controller() != Some(OPERATOR) {
            return left;
        }
        let before = Reading::take(&self.client, self.operator.cpu()).await;
        let began = Instant::now();
        while pods().await > KEPT_PODS * shape.tasks {
            assert!(began.elapsed() < PATIENCE, "finished pods stay");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        let seconds = began.elapsed().as_secs_f64();
        let done = Reading::take(&self.client, self.operator.cpu()).await.since(&before);
        Left { gone: Some(Gone { seconds, cpu: cpu_per_thousand(&done, items) }), ..left }
    }

    /// Deletes a namespace and waits until it is gone.
    pub async fn clean(&self, namespace: &str) {
        let options = json!({ "propagationPolicy": "Background", "gracePeriodSeconds": 0 });
        for kind in [
            "apis/batch/v1/namespaces/{}/jobs",
            "apis/maptask.dev/v1alpha1/namespaces/{}/maptasks",
            "api/v1/namespaces/{}/pods",
        ] {
            let path = format!("/{}", kind.replace("{}", namespace));
            let _ = self.send("DELETE", &path, &options).await;
        }
        let path = format!("/api/v1/namespaces/{namespace}");
        let _ = self.send("DELETE", &path, &options).await;
        let end = Instant::now() + Duration::from_mins(15);
        while self.get(&path).await.is_some() {
            assert!(Instant::now() < end, "{namespace} does not go");
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        // What is cleaned up in the background is no part of the next one's turn.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// The address by which the pods of the real node reach this machine, if there is such a node.
async fn host(client: &Client) -> Option<IpAddr> {
    let node = send(client, "GET", "/api/v1/nodes/localhost", &Value::Null).await.ok()?;
    let addresses = node["status"]["addresses"].as_array()?;
    let inside = addresses.iter().find(|address| address["type"] == "InternalIP")?;
    let node: IpAddr = inside["address"].as_str()?.parse().ok()?;
    // Nothing is sent: the system says from which address it would be.
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect((node, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn restart_manager(qps: u32, burst: u32) {
    let flags = [format!("--kube-api-qps={qps}"), format!("--kube-api-burst={burst}")];
    meter::cluster("restart", "kube-controller-manager", &flags);
    std::thread::sleep(Duration::from_secs(3));
}
