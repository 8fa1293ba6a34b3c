//! Grafana's dashboard: its queries, asked of a real Prometheus that scrapes the operator while it works.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::kubectl::{Namespace, PATIENCE, Running, kubectl, program, real_task, run};
use crate::undisturbed;

/// A Prometheus that scrapes the operator once a second, through the API server.
struct Prometheus {
    url: String,
    folder: PathBuf,
    _processes: [Running; 2],
}

impl Prometheus {
    fn start() -> Self {
        let (proxy, api) = proxy();
        let label = "app.kubernetes.io/name=maptask-operator";
        let pods: Value =
            serde_json::from_str(&kubectl(&["get", "pods", "--all-namespaces", "-l", label, "-o", "json"])).unwrap();
        let pod = &pods["items"][0];
        let (namespace, name) = (&pod["metadata"]["namespace"], &pod["metadata"]["name"]);
        let (namespace, name) = (namespace.as_str().unwrap(), name.as_str().unwrap());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}:8080/proxy/metrics");
        let target = json!({ "targets": [api], "labels": { "namespace": namespace, "pod": name } });
        let config = json!({
            "global": { "scrape_interval": "1s", "scrape_timeout": "1s" },
            "scrape_configs": [{ "job_name": "operator", "metrics_path": path, "static_configs": [target] }],
        });
        let folder = std::env::temp_dir().join(format!("maptask-prometheus-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
        // The port is free a moment later, when Prometheus asks for it.
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let prometheus = program("prometheus", "PROMETHEUS")
            .args(["--config.file", "config.json", "--storage.tsdb.path", "data", "--web.listen-address", &address])
            .current_dir(&folder)
            .stderr(log)
            .spawn()
            .expect("PROMETHEUS is a program: scripts/test-cluster.sh sets it");
        Self { url: format!("http://{address}"), folder, _processes: [proxy, Running(prometheus)] }
    }

    /// The numbers of an answer; none if Prometheus does not answer yet.
    fn ask(&self, query: &str) -> Vec<f64> {
        let promtool = PathBuf::from(program("prometheus", "PROMETHEUS").get_program()).with_file_name("promtool");
        let (good, text) = run(Command::new(promtool), "", &["query", "instant", "-o", "json", &self.url, query]);
        assert!(good || !text.contains("parse error"), "{query}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let series = answer.as_array().cloned().unwrap_or_default();
        series.iter().filter_map(|series| series["value"][1].as_str()?.parse().ok()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// `kubectl proxy`, and where it listens.
fn proxy() -> (Running, String) {
    let mut proxy = program("kubectl", "KUBECTL").args(["proxy", "--port=0"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(proxy.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().rsplit(' ').next().unwrap().to_owned();
    (Running(proxy), address)
}

/// Title and query of each line of each panel, as Grafana would ask.
fn queries() -> Vec<(String, String)> {
    let dashboard = include_str!("../../charts/maptask-operator/files/dashboard.json");
    let dashboard: Value = serde_json::from_str(dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let of_panel = |panel: &Value| {
        let title = panel["title"].as_str().unwrap().to_owned();
        let targets = panel["targets"].as_array().unwrap().clone();
        targets.into_iter().map(move |target| {
            let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "20s");
            (title.clone(), query.replace("$namespace", ".*"))
        })
    };
    panels.iter().flat_map(of_panel).collect()
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn each_panel_of_the_dashboard_shows_what_a_run_does() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("dashboard");
    let prometheus = Prometheus::start();
    let say = "echo done >$MAPTASK_RESULT";
    namespace.apply(&real_task(
        "first",
        &json!({ "items": { "count": 3 }, "cache": { "name": "all", "version": "1" } }),
        say,
    ));
    namespace.apply(&real_task("asleep", &json!({ "items": { "count": 3 }, "suspend": true }), say));
    let workers = json!({ "items": { "count": 300 }, "workers": { "slots": 2 }, "concurrency": 2 });
    namespace.apply(&real_task("workers", &workers, "sleep 0.2"));
    namespace.wait_for_end("first");
    namespace.wait("a first scrape", || (!prometheus.ask("maptask_leader").is_empty()).then_some(()));
    namespace.apply(&real_task(
        "again",
        &json!({ "items": { "count": 3 }, "cache": { "name": "all", "version": "1" } }),
        say,
    ));
    let queries = queries();
    let (mut answered, mut shown) = (BTreeSet::new(), BTreeSet::new());
    let panels: BTreeSet<&String> = queries.iter().map(|(title, _)| title).collect();
    // A rate is above 0 only for a while: what was seen once counts.
    let end = Instant::now() + PATIENCE;
    while answered.len() < queries.len() || shown != panels {
        if Instant::now() > end {
            break;
        }
        for (title, query) in &queries {
            let numbers = prometheus.ask(query);
            if numbers.iter().any(|number| number.is_finite()) {
                answered.insert(query);
            }
            if numbers.iter().any(|number| *number > 0.0) {
                shown.insert(title);
            }
        }
    }
    let silent: Vec<&String> =
        queries.iter().map(|(_, query)| query).filter(|query| !answered.contains(query)).collect();
    let empty: Vec<&&String> = panels.difference(&shown).collect();
    assert!(silent.is_empty() && empty.is_empty(), "no answer: {silent:?}; nothing above 0: {empty:?}");
}
