use std::io;
use std::sync::{Arc, Mutex};

use clap::Parser;
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::*;
use crate::args::Cli;
use crate::fake_api::{Asked, Objects, list, refuse, slow_client};

#[test]
fn a_configuration_that_is_missing_and_one_that_is_bad_are_told_apart() {
    let unread = |kind: io::ErrorKind| KubeconfigError::ReadConfig(io::Error::from(kind), "/home/.kube/config".into());
    for missing in [unread(NotFound), KubeconfigError::FindPath] {
        let error = outside(&missing).to_string();
        assert!(error.contains("not running in a pod and no kubeconfig found: "), "{error}");
    }
    for (bad, words) in [
        (unread(io::ErrorKind::PermissionDenied), "/home/.kube/config"),
        (KubeconfigError::LoadContext("prod".to_owned()), "prod"),
    ] {
        let error = outside(&bad).to_string();
        assert!(error.contains("the kubeconfig can't be used: ") && error.contains(words), "{error}");
        assert!(error.ends_with("set KUBECONFIG to one that can"), "{error}");
    }
}

/// A cluster with a lease and one task, and what happened in it that counts here.
#[derive(Clone, Default)]
struct Cluster {
    leases: Arc<Mutex<Objects>>,
    log: Arc<Mutex<Vec<&'static str>>>,
    /// A pod is being created.
    creating: Arc<Notify>,
}

/// The answer to a create takes this long: enough for an operator that does not wait for it to be gone.
const SLOW: Duration = Duration::from_millis(300);

impl Cluster {
    fn note(&self, what: &'static str) {
        self.log.lock().unwrap().push(what);
    }

    async fn answer(self, asked: Asked) -> (u16, Value) {
        if asked.is_watch() {
            std::future::pending::<()>().await;
        }
        let Asked { method, path, query, body } = asked;
        if path.contains("/leases") {
            let is_release = method == "PATCH" && body["spec"].get("holderIdentity").is_some_and(Value::is_null);
            if is_release {
                self.note("lease released");
            }
            return self.leases.lock().unwrap().answer(&method, &path, body);
        }
        match (method.as_str(), path.rsplit('/').next().unwrap_or_default()) {
            ("GET", "maptasks") => list(&[task()]),
            ("GET", "pods") => list(&[]),
            ("POST", "pods") if query.contains("dryRun") => (201, body),
            ("POST", "pods") => {
                self.creating.notify_one();
                tokio::time::sleep(SLOW).await;
                self.note("pod created");
                (201, body)
            }
            ("PATCH", "status") => (200, json!({ "metadata": { "name": "t", "resourceVersion": "2" } })),
            _ => refuse(404, "NotFound"),
        }
    }
}

fn task() -> Value {
    let container = json!({ "name": "main", "image": "a" });
    json!({
        "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask",
        "metadata": { "name": "t", "namespace": "ns", "uid": "u", "resourceVersion": "1", "generation": 1 },
        "spec": { "items": { "count": 1 }, "template": { "spec": { "containers": [container] } } },
    })
}

/// Leads in a cluster until a pod is being created. Then it is told to stop, or its health can't be served any more.
/// What comes of it, and what happened.
async fn lead(breaks: bool) -> (Result<(), RunError>, Vec<&'static str>) {
    let args = Cli::parse_from(["maptask-operator", "--listen=127.0.0.1:0", "--exchange-listen="]).run;
    let cluster = Cluster::default();
    let api = || {
        let cluster = cluster.clone();
        slow_client(move |asked| cluster.clone().answer(asked))
    };
    let clients = Clients { watching: api(), working: api(), leasing: api() };
    let (health, metrics) = (Health::default(), Metrics::default());
    let server = Server::start(health::listen(args.listen).await.unwrap(), health.clone(), metrics.clone());
    let stop = CancellationToken::new();
    let serving = server.stop.clone();
    let leading = Work { args: &args, health, metrics, minor: 0 }.lead(clients, server, stop.clone());
    let stopping = async {
        cluster.creating.notified().await;
        if breaks { &serving } else { &stop }.cancel();
    };
    let (led, ()) = tokio::join!(leading, stopping);
    let log = cluster.log.lock().unwrap().clone();
    (led, log)
}

#[tokio::test]
async fn the_lease_is_released_once_the_requests_in_progress_are_answered() {
    let (led, log) = lead(false).await;
    led.unwrap();
    assert_eq!(log, ["pod created", "lease released"]);
}

#[tokio::test]
async fn who_can_t_show_its_health_any_more_ends_in_the_same_order() {
    let (led, log) = lead(true).await;
    led.unwrap();
    assert_eq!(log, ["pod created", "lease released"]);
}
