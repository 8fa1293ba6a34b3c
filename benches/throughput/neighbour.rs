//! What does one user's trouble cost another? A healthy task alone, and beside tasks of another namespace that are in
//! trouble, in turn.

use std::fmt::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use kube::Client;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::report;
use crate::requests::send;
use crate::shapes::ALL;

pub const NAME: &str = "neighbour";
/// Items of the healthy task, and how many of them run at once.
const ITEMS: usize = 300;
const PARALLEL: usize = 50;
/// How long a trouble lasts before the healthy task begins.
const BEFORE: Duration = Duration::from_secs(4);
const PATIENCE: Duration = Duration::from_mins(5);
/// The healthy task's time beside a trouble is to be no more than this, times its time alone.
const GOAL: f64 = 1.2;

/// A trouble: what it is called, and the tasks that are in it.
struct Trouble {
    name: &'static str,
    tasks: usize,
    spec: Value,
    /// What makes it one, once the tasks run; `NS` stands for the namespace.
    objects: Vec<Value>,
}

fn task_spec(items: &Value, change: impl Fn(&mut Value)) -> Value {
    let mut template = ALL[0].template();
    change(&mut template);
    json!({ "items": items, "template": template })
}

fn webhook(url: &str) -> Value {
    json!({
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": { "name": "NS" },
        "webhooks": [{
            "name": "down.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "timeoutSeconds": 10,
            "failurePolicy": "Fail",
            "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "NS" } },
            "rules": [{ "apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"] }],
            "clientConfig": { "url": url },
        }],
    })
}

fn troubles(silent: u16) -> Vec<Trouble> {
    let count = |n: usize| json!({ "count": n });
    let large = json!({ "values": [{ "a": "$".repeat(95_000) }] });
    let six: Vec<Value> = (0..6).map(|i| json!({ "name": format!("c{i}"), "image": "fake" })).collect();
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "q", "namespace": "NS" },
        "spec": { "hard": { "pods": "0" } } });
    let real =
        json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "main", "image": "not-there:1" }] } });
    let trouble = |name, tasks, spec, objects| Trouble { name, tasks, spec, objects };
    // It has pods to create for as long as it is watched.
    let plain = |n: usize| {
        let mut spec = task_spec(&count(n), |t| {
            t["metadata"]["annotations"]["fake.maptask.dev/duration"] = json!("1s");
        });
        spec["concurrency"] = json!(5);
        spec
    };
    vec![
        trouble("a webhook refuses connections", 1, plain(2_000), vec![webhook("https://127.0.0.1:9/x")]),
        trouble("a webhook never answers", 1, plain(2_000), vec![webhook(&format!("https://127.0.0.1:{silent}/x"))]),
        trouble(
            "ten tasks, a webhook never answers",
            10,
            plain(2_000),
            vec![webhook(&format!("https://127.0.0.1:{silent}/x"))],
        ),
        trouble("a pod is too large", 1, task_spec(&large, |t| t["spec"]["containers"] = json!(six)), vec![]),
        trouble("the quota is full", 1, plain(2_000), vec![quota]),
        trouble("20 templates are refused", 20, task_spec(&count(60), |t| t["spec"]["nonsense"] = json!(1)), vec![]),
        trouble("an image is missing", 1, json!({ "items": count(20), "template": real }), vec![]),
        trouble(
            "500 pods are pending",
            1,
            task_spec(&count(500), |t| t["spec"]["nodeSelector"]["type"] = json!("none")),
            vec![],
        ),
    ]
}

/// Where objects of this kind are.
fn path_of(object: &Value, namespace: &str) -> String {
    match object["kind"].as_str() {
        Some("ResourceQuota") => format!("/api/v1/namespaces/{namespace}/resourcequotas"),
        _ => "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations".to_owned(),
    }
}

async fn apply_tasks(client: &Client, namespace: &str, tasks: usize, spec: &Value) {
    for number in 0..tasks {
        let task = json!({ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask",
            "metadata": { "name": format!("t{number}") }, "spec": spec });
        send(client, "POST", &format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks"), &task)
            .await
            .unwrap();
    }
}

/// Seconds that the healthy task takes.
async fn healthy(bench: &mut Bench) -> f64 {
    let namespace = bench.namespace().await;
    let mut spec = task_spec(&json!({ "count": ITEMS }), |_| {});
    spec["concurrency"] = json!(PARALLEL);
    let began = Instant::now();
    apply_tasks(bench.client(), &namespace, 1, &spec).await;
    let path = format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks/t0");
    loop {
        let task = send(bench.client(), "GET", &path, &Value::Null).await.unwrap();
        if task["status"]["phase"] == "Succeeded" {
            break;
        }
        assert!(task["status"]["phase"] != "Failed" && began.elapsed() < PATIENCE, "{}", task["status"]);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    bench.clean(&namespace).await;
    seconds
}

async fn beside(bench: &mut Bench, trouble: &Trouble) -> f64 {
    let namespace = bench.namespace().await;
    let mut made = Vec::new();
    apply_tasks(bench.client(), &namespace, trouble.tasks, &trouble.spec).await;
    // A webhook that was down before would keep them from being accepted, and then they create nothing.
    tokio::time::sleep(Duration::from_secs(2)).await;
    for object in &trouble.objects {
        let object: Value = serde_json::from_str(&object.to_string().replace("NS", &namespace)).unwrap();
        let path = path_of(&object, &namespace);
        send(bench.client(), "POST", &path, &object).await.unwrap();
        made.push(format!("{path}/{}", object["metadata"]["name"].as_str().unwrap_or_default()));
    }
    tokio::time::sleep(BEFORE).await;
    let seconds = healthy(bench).await;
    for path in made {
        let _ = send(bench.client(), "DELETE", &path, &Value::Null).await;
    }
    bench.clean(&namespace).await;
    seconds
}

/// Each trouble in turn with the healthy task alone, so that a machine whose speed drifts favours neither.
pub async fn measure(bench: &mut Bench, rounds: usize) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let title =
        format!("{NAME}: a task of {ITEMS} items, {PARALLEL} at once, beside one in trouble in another namespace");
    let mut text = format!(
        "| trouble of the neighbour | alone, s | beside it, s | ratio (goal: at most {GOAL}) |\n| --- | --- | --- | --- |\n"
    );
    for trouble in troubles(silent.local_addr().unwrap().port()) {
        let (mut alone, mut together, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let (without, with) = (healthy(bench).await, beside(bench, &trouble).await);
            println!("{NAME} {}: {without:.1} s alone, {with:.1} s beside", trouble.name);
            alone.push(without);
            together.push(with);
            ratios.push(with / without);
        }
        let row = [alone, together, ratios].map(median);
        let _ = writeln!(text, "| {} | {:.1} | {:.1} | **{:.2}** |", trouble.name, row[0], row[1], row[2]);
    }
    println!("\n### {title}\n\n{text}");
    report::data(NAME, rounds, &text);
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(0.0);
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}
