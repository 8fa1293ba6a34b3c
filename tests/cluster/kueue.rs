//! Tasks in a queue of the real Kueue: each is one Workload.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::kubectl::{Namespace, Running, fake_task, kubectl_with, program, run, wait};
use crate::undisturbed;

/// One Kueue at a time: it leads without an election.
static ONE: Mutex<()> = Mutex::new(());

/// Installs what is Kueue's in the API server that this command reaches.
pub fn install_api(command: impl Fn() -> Command) {
    let files = PathBuf::from(program("kueue", "KUEUE").get_program()).with_file_name("crds");
    let (good, text) = run(command(), "", &["apply", "--server-side", "-f", files.to_str().unwrap()]);
    assert!(good, "{text}");
    let established = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=5s"];
    wait("API of Kueue", || run(command(), "", &established).0.then_some(()), String::new);
}

/// Starts Kueue with these settings beyond the usual ones; its log is in the folder.
pub fn start(mut kueue: Command, folder: &Path, more: &Value) -> Running {
    std::fs::create_dir_all(folder).unwrap();
    // The port is free a moment later, when Kueue asks for it.
    let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut config = json!({
        "apiVersion": "config.kueue.x-k8s.io/v1beta2",
        "kind": "Configuration",
        "health": { "healthProbeBindAddress": "0" },
        "metrics": { "bindAddress": "0" },
        "webhook": { "port": free(), "certDir": "/etc/kueue/metrics/certs" },
        "leaderElection": { "leaderElect": false },
        "internalCertManagement": { "enable": false },
        "integrations": { "frameworks": ["batch/job"] },
    });
    config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    std::fs::write(folder.join("config.yaml"), config.to_string()).unwrap();
    let log = std::fs::File::create(folder.join("log")).unwrap();
    let config = format!("--config={}", folder.join("config.yaml").display());
    let kueue = kueue.args([&config, "--feature-gates=VisibilityOnDemand=false"]).stderr(log).spawn();
    Running(kueue.expect("KUEUE is a program: scripts/test-kueue.sh sets it"))
}

/// An object of Kueue.
pub fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({ "apiVersion": "kueue.x-k8s.io/v1beta2", "kind": kind, "metadata": { "name": name }, "spec": spec })
}

/// Kueue with a queue `q` of the namespace, of this many CPUs on fake nodes.
pub struct Kueue {
    folder: PathBuf,
    name: String,
    _running: Running,
    _one: MutexGuard<'static, ()>,
}

impl Kueue {
    pub fn start(namespace: &Namespace, cpus: u32) -> Self {
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        install_api(|| program("kubectl", "KUBECTL"));
        let folder = std::env::temp_dir().join(format!("maptask-kueue-{}", namespace.0));
        let running = start(program("kueue", "KUEUE"), &folder, &json!({}));
        let kueue = Self { folder, name: namespace.0.clone(), _running: running, _one: one };
        kueue.add_queue(namespace, cpus);
        kueue
    }

    /// The flavor is what brings pods to fake nodes: the templates of these tests do not.
    fn add_queue(&self, namespace: &Namespace, cpus: u32) {
        let toleration = json!({ "key": "kwok.x-k8s.io/node", "operator": "Exists" });
        let resources = json!({ "name": "cpu", "nominalQuota": cpus });
        let flavors = json!({ "name": self.name, "resources": [resources] });
        let group = json!({ "coveredResources": ["cpu"], "flavors": [flavors] });
        let spec = json!({ "nodeLabels": { "type": "kwok" }, "tolerations": [toleration] });
        namespace.apply(&object("ResourceFlavor", &self.name, &spec));
        let spec = json!({ "namespaceSelector": {}, "resourceGroups": [group] });
        namespace.apply(&object("ClusterQueue", &self.name, &spec));
        namespace.apply(&object("LocalQueue", "q", &json!({ "clusterQueue": self.name })));
    }
}

impl Drop for Kueue {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let start = log.len().saturating_sub(4_000);
            eprintln!("Kueue: {}", log.get(start..).unwrap_or_default());
        }
        for kind in ["clusterqueue", "resourceflavor"] {
            let _ = kubectl_with("", &["delete", kind, &self.name, "--wait=false"]);
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A task whose pods ask for a CPU each. Only the queue says where they run.
pub fn queued(name: &str, spec: &Value, seconds: &str) -> Value {
    let work = json!({ "fake.maptask.dev/duration": seconds, "fake.maptask.dev/message": "done" });
    let mut task = fake_task(name, spec, &work);
    task["metadata"]["labels"] = json!({ "kueue.x-k8s.io/queue-name": "q" });
    let pod = task["spec"]["template"]["spec"].as_object_mut().unwrap();
    for field in ["nodeSelector", "tolerations"] {
        pod.remove(field);
    }
    pod["containers"][0]["resources"] = json!({ "requests": { "cpu": "1" } });
    task
}

fn workload(namespace: &Namespace, task: &str) -> Option<Value> {
    let label = format!("maptask.dev/name={task}");
    let (good, text) = kubectl_with("", &["-n", &namespace.0, "get", "workloads", "-l", &label, "-o", "json"]);
    let list: Value = serde_json::from_str(&text).ok().filter(|_| good)?;
    list["items"].as_array()?.first().cloned()
}

fn is_true(workload: &Value, type_: &str) -> bool {
    let conditions = workload["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == type_ && one["status"] == "True")
}

fn running(namespace: &Namespace, task: &str) -> usize {
    let of_task = |pod: &&Value| pod["metadata"]["labels"]["maptask.dev/name"] == task;
    let lives = |pod: &&Value| matches!(pod["status"]["phase"].as_str(), Some("Pending" | "Running"));
    namespace.list("pods").iter().filter(of_task).filter(lives).count()
}

#[test]
#[ignore = "needs a cluster and Kueue: make test-kueue"]
fn a_task_in_a_queue_is_one_workload_that_is_admitted_in_part_and_gives_back_what_it_needs_no_more() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("queue");
    let kueue = Kueue::start(&namespace, 3);
    let spec = json!({ "items": { "count": 9 }, "concurrency": 5, "minConcurrency": 2 });
    namespace.apply(&queued("first", &spec, "3s"));
    namespace.wait("an admission", || workload(&namespace, "first").filter(|found| is_true(found, "Admitted")));
    // One CPU is free only once the first task has given it back: before its end, as its list runs out.
    namespace.apply(&queued("second", &json!({ "items": { "count": 2 }, "concurrency": 1 }), "1s"));
    let why = namespace.wait("words of Kueue", || {
        let status = namespace.status("second");
        (status["reason"] == "NotAdmitted").then(|| status["waiting"]["message"].as_str().map(str::to_owned))?
    });
    assert!(why.starts_with("queue q: "), "{why}");
    let end = namespace.wait("the end of the first task", || {
        assert!(running(&namespace, "first") <= 3, "more pods than were admitted");
        let status = namespace.status("first");
        (status["phase"] == "Succeeded").then_some(status)
    });
    assert_eq!((&end["counts"]["succeeded"], &end["counts"]["retried"]), (&json!(9), &json!(0)));
    let of_first = namespace
        .wait("the Workload's end", || workload(&namespace, "first").filter(|found| is_true(found, "Finished")));
    let status = &of_first["status"];
    assert_eq!(status["admission"]["podSetAssignments"][0]["count"], 3, "{status}");
    assert!(status["reclaimablePods"][0]["count"].as_i64().is_some_and(|count| count >= 3), "{status}");
    assert!(is_true(&of_first, "PodsReady"), "{status}");
    assert_eq!(namespace.wait_for_end("second")["phase"], "Succeeded");
    drop(kueue);
}

#[test]
#[ignore = "needs a cluster and Kueue: make test-kueue"]
fn an_evicted_task_stops_its_pods_at_no_cost_and_goes_on_once_it_is_admitted_again() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("evicted");
    let kueue = Kueue::start(&namespace, 3);
    let spec = json!({ "items": { "count": 6 }, "concurrency": 3, "retryPolicy": { "infrastructureRetries": 0 } });
    namespace.apply(&queued("t", &spec, "4s"));
    namespace.wait("running items", || (namespace.status("t")["counts"]["running"] == 3).then_some(()));
    let name = workload(&namespace, "t").unwrap()["metadata"]["name"].as_str().unwrap().to_owned();
    let activate = |active: &str| {
        let patch = format!("{{\"spec\":{{\"active\":{active}}}}}");
        namespace.kubectl(&["patch", "workload", &name, "--type=merge", "-p", &patch]);
    };
    activate("false");
    namespace.wait("quota that is free", || {
        let found = workload(&namespace, "t")?;
        (!is_true(&found, "QuotaReserved") && running(&namespace, "t") == 0).then_some(())
    });
    namespace.wait("words about it", || (namespace.status("t")["reason"] == "NotAdmitted").then_some(()));
    activate("true");
    let end = namespace.wait_for_end("t");
    assert_eq!((&end["phase"], &end["counts"]["succeeded"]), (&json!("Succeeded"), &json!(6)), "{end}");
    assert!(end["failures"].as_array().is_none_or(Vec::is_empty), "{end}");
    drop(kueue);
}
