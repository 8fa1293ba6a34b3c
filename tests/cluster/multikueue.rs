//! MultiKueue: a task is applied in one cluster, and runs in another, each with the real Kueue.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::blocks::{blocks, text};
use crate::kubectl::{Namespace, Running, kubectl, program, run, wait};
use crate::kueue::{Kueue, install_api, object, queued, start};
use crate::undisturbed;

/// The cluster where tasks are applied: no node, the operator, and Kueue with a queue `q` that is of the other cluster.
struct Manager {
    folder: PathBuf,
    namespace: String,
    running: Vec<Running>,
}

impl Manager {
    fn start(namespace: &Namespace, cpus: u32) -> Self {
        let folder = std::env::temp_dir().join(format!("maptask-manager-{}", namespace.0));
        std::fs::create_dir_all(&folder).unwrap();
        let mut manager = Self { folder, namespace: namespace.0.clone(), running: Vec::new() };
        install_api(kubectl_there);
        // Kueue takes no kubeconfig that names other files.
        let worker = manager.folder.join("worker.kubeconfig");
        std::fs::write(&worker, kubectl(&["config", "view", "--raw", "--flatten"])).unwrap();
        manager.kubectl("", &["create", "namespace", &namespace.0]);
        manager.add_queue(&worker, cpus);
        let mut kueue = program("kueue", "KUEUE");
        kueue.env("KUBECONFIG", kubeconfig());
        // As the guide has it.
        let shown = blocks(&text("docs/guides/kueue.md")).into_iter().find(|block| block.text.contains("multiKueue:"));
        let more = serde_yaml::from_str(&shown.unwrap().text).unwrap();
        manager.running.push(start(kueue, &manager.folder, &more));
        manager.running.push(manager.start_operator());
        manager
    }

    fn start_operator(&self) -> Running {
        let log = std::fs::File::create(self.folder.join("operator.log")).unwrap();
        let mut operator = Command::new(env!("CARGO_BIN_EXE_maptask-operator"));
        operator.args(["--kueue=true", "--listen=127.0.0.1:0", "--exchange-listen=", "--namespace", &self.namespace]);
        operator.args(["--lease-namespace", &self.namespace]).env("KUBECONFIG", kubeconfig()).env("NO_COLOR", "1");
        operator.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Running(operator.spawn().unwrap())
    }

    fn add_queue(&self, worker: &Path, cpus: u32) {
        let name = &self.namespace;
        let source = json!({ "kubeConfig": { "location": worker.to_str().unwrap(), "locationType": "Path" } });
        let parameters = json!({ "apiGroup": "kueue.x-k8s.io", "kind": "MultiKueueConfig", "name": name });
        let check = json!({ "controllerName": "kueue.x-k8s.io/multikueue", "parameters": parameters });
        let flavors = json!({ "name": name, "resources": [{ "name": "cpu", "nominalQuota": cpus }] });
        let queue = json!({
            "namespaceSelector": {},
            "resourceGroups": [{ "coveredResources": ["cpu"], "flavors": [flavors] }],
            "admissionChecksStrategy": { "admissionChecks": [{ "name": name }] },
        });
        for (kind, object_name, spec) in [
            ("MultiKueueCluster", name.as_str(), json!({ "clusterSource": source })),
            ("MultiKueueConfig", name, json!({ "clusters": [name] })),
            ("AdmissionCheck", name, check),
            ("ResourceFlavor", name, json!({})),
            ("ClusterQueue", name, queue),
            ("LocalQueue", "q", json!({ "clusterQueue": name })),
        ] {
            self.kubectl(&object(kind, object_name, &spec).to_string(), &["apply", "-f", "-"]);
        }
    }

    /// Runs kubectl in the namespace there.
    fn kubectl(&self, input: &str, args: &[&str]) -> String {
        let (good, text) = self.try_kubectl(input, args);
        assert!(good, "kubectl {args:?}: {text}");
        text
    }

    fn try_kubectl(&self, input: &str, args: &[&str]) -> (bool, String) {
        run(kubectl_there(), input, &[&["-n", &self.namespace], args].concat())
    }

    fn status(&self, task: &str) -> Value {
        let (good, text) = self.try_kubectl("", &["get", "maptask", task, "-o", "json"]);
        if good { serde_json::from_str::<Value>(&text).unwrap()["status"].clone() } else { Value::Null }
    }

    fn wait<T>(&self, what: &str, ask: impl Fn() -> Option<T>) -> T {
        wait(what, ask, || self.try_kubectl("", &["get", "maptasks,workloads", "-o", "yaml"]).1)
    }

    fn wait_for_end(&self, task: &str, rerun: Option<&str>) -> Value {
        self.wait("end", || {
            let status = self.status(task);
            let ended = matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"));
            (ended && status["rerun"]["id"].as_str() == rerun).then_some(status)
        })
    }

    fn workload(&self) -> Option<Value> {
        let list: Value = serde_json::from_str(&self.kubectl("", &["get", "workloads", "-o", "json"])).unwrap();
        list["items"].as_array()?.first().cloned()
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        self.running.clear();
        if std::thread::panicking() {
            for log in ["log", "operator.log"] {
                let text = std::fs::read_to_string(self.folder.join(log)).unwrap_or_default();
                eprintln!("{log}: {}", text.get(text.len().saturating_sub(4_000)..).unwrap_or_default());
            }
        }
        let _ = self.try_kubectl("", &["delete", "namespace", &self.namespace, "--wait=false"]);
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn kubeconfig() -> String {
    std::env::var("MANAGER_KUBECONFIG").expect("MANAGER_KUBECONFIG is set: scripts/test-kueue.sh does")
}

/// kubectl of the cluster where tasks are applied.
fn kubectl_there() -> Command {
    let mut command = program("kubectl", "KUBECTL");
    command.env("KUBECONFIG", kubeconfig());
    command
}

fn task(name: &str, spec: &Value, seconds: &str) -> String {
    let mut spec = spec.clone();
    spec["managedBy"] = json!("kueue.x-k8s.io/multikueue");
    queued(name, &spec, seconds).to_string()
}

#[test]
#[ignore = "needs two clusters and Kueue: make test-kueue"]
fn a_task_of_multikueue_runs_in_the_other_cluster_and_once_more_for_each_rerun() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("multikueue");
    let kueue = Kueue::start(&namespace, 3);
    let manager = Manager::start(&namespace, 3);
    let spec = json!({ "items": { "count": 6 }, "concurrency": 3 });
    manager.kubectl(&task("t", &spec, "3s"), &["apply", "-f", "-"]);
    let there = namespace.wait("the task in the other cluster", || namespace.get("maptask", "t"));
    assert!(there["spec"]["managedBy"].is_null(), "{there}");
    let workload = there["metadata"]["labels"]["kueue.x-k8s.io/prebuilt-workload-name"].as_str().unwrap();
    namespace.wait("its Workload as its own", || {
        let owners = namespace.get("workload", workload)?["metadata"]["ownerReferences"].clone();
        (owners[0]["uid"] == there["metadata"]["uid"]).then_some(())
    });
    manager.wait("a copied status", || (manager.status("t")["counts"]["running"] == 3).then_some(()));
    let end = manager.wait_for_end("t", None);
    assert_eq!((&end["phase"], &end["counts"]["succeeded"]), (&json!("Succeeded"), &json!(6)), "{end}");
    manager.wait("an empty other cluster", || namespace.get("maptask", "t").is_none().then_some(()));
    assert_eq!(manager.kubectl("", &["get", "pods", "-o", "name"]), "");
    let rerun = r#"{"spec":{"rerun":{"id":"again","items":"All"}}}"#;
    manager.kubectl("", &["patch", "maptask", "t", "--type=merge", "-p", rerun]);
    let end = manager.wait_for_end("t", Some("again"));
    assert_eq!((&end["phase"], &end["counts"]["succeeded"]), (&json!("Succeeded"), &json!(6)), "{end}");
    drop((manager, kueue));
}

#[test]
#[ignore = "needs two clusters and Kueue: make test-kueue"]
fn a_task_of_multikueue_that_is_evicted_or_suspended_leaves_the_other_cluster_and_comes_back() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("multikueue");
    let kueue = Kueue::start(&namespace, 3);
    let manager = Manager::start(&namespace, 3);
    let spec = json!({ "items": { "count": 3 }, "concurrency": 3 });
    manager.kubectl(&task("t", &spec, "15s"), &["apply", "-f", "-"]);
    let gone = || namespace.wait("an empty other cluster", || namespace.get("maptask", "t").is_none().then_some(()));
    let patch = |kind: &str, name: &str, patch: &str| {
        drop(manager.kubectl("", &["patch", kind, name, "--type=merge", "-p", patch]));
    };
    let name = manager.wait("a Workload", || manager.workload())["metadata"]["name"].as_str().unwrap().to_owned();
    let runs = || manager.wait("running items", || (manager.status("t")["counts"]["running"] == 3).then_some(()));
    runs();
    patch("workload", &name, r#"{"spec":{"active":false}}"#);
    gone();
    patch("workload", &name, r#"{"spec":{"active":true}}"#);
    namespace.wait("the task again", || namespace.get("maptask", "t"));
    patch("maptask", "t", r#"{"spec":{"suspend":true}}"#);
    gone();
    manager.wait("no Workload", || manager.workload().is_none().then_some(()));
    patch("maptask", "t", r#"{"spec":{"suspend":false}}"#);
    let end = manager.wait_for_end("t", None);
    assert_eq!((&end["phase"], &end["counts"]["succeeded"]), (&json!("Succeeded"), &json!(3)), "{end}");
    drop((manager, kueue));
}
