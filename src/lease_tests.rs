use std::sync::{Arc, Mutex};

use clap::Parser;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::Barrier;

use super::*;
use crate::args::Cli;
use crate::fake_api::{Asked, Objects, refuse, slow_client};

fn args(identity: &str) -> RunArgs {
    Cli::parse_from(["maptask-operator", "--identity", identity, "--lease-namespace=ns"]).run
}

/// A lease under server-side apply: who applies fields that another manager has set gets a conflict.
#[derive(Clone)]
struct Fake {
    objects: Arc<Mutex<Objects>>,
    /// Who has applied, and whether that was accepted.
    applied: Arc<Mutex<Vec<(String, bool)>>>,
    /// Two replicas have seen a free lease.
    both: Arc<Barrier>,
}

impl Fake {
    async fn answer(self, asked: Asked) -> (u16, Value) {
        let Asked { method, path, query, body } = asked;
        if method == "PATCH" && body["spec"].get("holderIdentity").is_some_and(Value::is_string) {
            self.both.wait().await;
            let manager = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager=")).unwrap().to_owned();
            let mut applied = self.applied.lock().unwrap();
            let is_accepted = applied.iter().all(|(other, _)| *other == manager);
            applied.push((manager, is_accepted));
            if !is_accepted {
                return refuse(409, "Conflict");
            }
        }
        self.objects.lock().unwrap().answer(&method, &path, body)
    }
}

#[tokio::test]
async fn of_two_replicas_that_see_a_free_lease_one_gets_it() {
    let (objects, applied, both) = (Arc::default(), Arc::default(), Arc::new(Barrier::new(2)));
    let fake = Fake { objects, applied: Arc::clone(&applied), both };
    let replicas = ["operator-a", "operator-b"].map(|identity| {
        let (fake, args) = (fake.clone(), args(identity));
        let client = slow_client(move |asked| fake.clone().answer(asked));
        tokio::spawn(async move { acquire(client, &args, &CancellationToken::new()).await.map(drop) })
    });
    while applied.lock().unwrap().len() < 2 {
        tokio::task::yield_now().await;
    }
    for replica in replicas {
        replica.abort();
    }
    let mut applied = applied.lock().unwrap().clone();
    assert_eq!(applied.iter().filter(|(_, is_accepted)| *is_accepted).count(), 1, "{applied:?}");
    applied.sort();
    let managers: Vec<&str> = applied.iter().map(|(manager, _)| manager.as_str()).collect();
    assert_eq!(managers, ["maptask-operator-operator-a", "maptask-operator-operator-b"]);
}

#[test]
fn the_field_manager_is_no_longer_than_the_api_server_takes() {
    let (a, b) = (field_manager(&format!("{}a", "x".repeat(300))), field_manager(&format!("{}b", "x".repeat(300))));
    assert!(a.len() <= 128 && a != b, "{a} {b}");
}

#[test]
fn requests_about_the_lease_are_given_up_before_it_ends() {
    let config = config(&Config::new("https://api".parse().unwrap()));
    for timeout in [config.connect_timeout, config.read_timeout, config.write_timeout] {
        assert!(timeout.unwrap() * 2 < Duration::from_secs(GRACE_SECONDS));
    }
    assert!(config.reset_reader_on_write && !config.default_retry);
}

/// A lease that `a` held when it began to look.
fn held(client: Client) -> Lease {
    // What renews says that it is held, whatever happens.
    let (says, held) = watch::channel(true);
    let renewing = tokio::spawn(async move { says.closed().await });
    Lease { held, renewing, leases: Api::namespaced(client, "ns"), name: "l".to_owned(), identity: "a".to_owned() }
}

/// Whether the lease counts as lost within a moment.
async fn is_lost(client: Client) -> bool {
    let looks = held(client);
    tokio::time::timeout(Duration::from_millis(100), looks.taken(Duration::from_millis(5))).await.is_ok()
}

fn lease(holder: Option<&str>) -> Value {
    // Long ago: its time is over.
    let renewed = MicroTime(Timestamp::from_second(1_000).unwrap());
    json!({ "spec": { "holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15 } })
}

#[tokio::test]
async fn a_lease_is_kept_while_the_api_server_does_not_answer_and_nobody_else_has_it() {
    assert!(!is_lost(slow_client(|_| async { std::future::pending().await })).await);
    assert!(!is_lost(slow_client(|_| async { refuse(500, "InternalError") })).await);
    assert!(!is_lost(slow_client(|_| async { refuse(404, "NotFound") })).await, "it is made again");
    assert!(!is_lost(slow_client(|_| async { (200, lease(Some("a"))) })).await, "nobody has taken it");
}

#[tokio::test]
async fn a_lease_of_another_or_of_nobody_is_lost() {
    for holder in [Some("b"), None] {
        let client = slow_client(move |_| async move { (200, lease(holder)) });
        held(client).taken(Duration::from_hours(1)).await;
    }
}
