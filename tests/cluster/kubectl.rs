//! `kubectl` as a user has it, and a namespace that goes when its test ends.

use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// What every wait gets; a cluster on two cores is slow, not broken.
pub const PATIENCE: Duration = Duration::from_mins(3);

pub fn program(name: &str, variable: &str) -> Command {
    Command::new(std::env::var(variable).unwrap_or_else(|_| name.to_owned()))
}

/// Runs `kubectl` with this on standard input; its output and whether it succeeded.
pub fn kubectl_with(input: &str, args: &[&str]) -> (bool, String) {
    run(program("kubectl", "KUBECTL"), input, args)
}

/// Runs a program with this on standard input; its output and whether it succeeded.
pub fn run(mut command: Command, input: &str, args: &[&str]) -> (bool, String) {
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl and helm are on the PATH, or in KUBECTL and HELM");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

pub fn kubectl(args: &[&str]) -> String {
    let (good, text) = kubectl_with("", args);
    assert!(good, "kubectl {args:?}: {text}");
    text
}

/// Asks until there is an answer; if there is none in time, the test fails with this description.
pub fn wait<T>(what: &str, ask: impl Fn() -> Option<T>, describe: impl Fn() -> String) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "no {what} within {} s; {}", PATIENCE.as_secs(), describe());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// A namespace of one test.
pub struct Namespace(pub String);

impl Namespace {
    pub fn new(test: &str) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{test}-{}-{number}", std::process::id());
        kubectl(&["create", "namespace", &name]);
        let namespace = Self(name);
        namespace.wait("its service account", || {
            kubectl_with("", &["-n", &namespace.0, "get", "serviceaccount", "default"]).0.then_some(())
        });
        namespace
    }

    /// One that enforces the strictest level of Pod Security.
    pub fn restricted(test: &str) -> Self {
        let namespace = Self::new(test);
        kubectl(&["label", "namespace", &namespace.0, "pod-security.kubernetes.io/enforce=restricted"]);
        namespace
    }

    pub fn kubectl(&self, args: &[&str]) -> String {
        kubectl(&[&["-n", &self.0], args].concat())
    }

    /// `kubectl apply`; fails the test if it is refused.
    pub fn apply(&self, object: &Value) {
        let (good, text) = self.try_apply(object);
        assert!(good, "refused: {text}");
    }

    pub fn try_apply(&self, object: &Value) -> (bool, String) {
        kubectl_with(&object.to_string(), &["-n", &self.0, "apply", "-f", "-"])
    }

    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let (good, text) = kubectl_with("", &["-n", &self.0, "get", kind, name, "-o", "json"]);
        good.then(|| serde_json::from_str(&text).unwrap())
    }

    pub fn list(&self, kind: &str) -> Vec<Value> {
        let list: Value = serde_json::from_str(&self.kubectl(&["get", kind, "-o", "json"])).unwrap();
        list["items"].as_array().unwrap().clone()
    }

    pub fn status(&self, task: &str) -> Value {
        self.get("maptask", task).map_or(Value::Null, |object| object["status"].clone())
    }

    /// Asks until there is an answer.
    pub fn wait<T>(&self, what: &str, ask: impl Fn() -> Option<T>) -> T {
        wait(what, ask, || self.describe())
    }

    /// Waits until the task has ended; its status.
    pub fn wait_for_end(&self, task: &str) -> Value {
        self.wait(&format!("end of {task}"), || {
            let status = self.status(task);
            matches!(status["phase"].as_str(), Some("Succeeded" | "Failed")).then_some(status)
        })
    }

    /// Waits until the task has ended; why, in one word and in many.
    pub fn reason_and_message(&self, task: &str) -> (String, String) {
        let status = self.wait_for_end(task);
        let word = |field: &str| status[field].as_str().unwrap_or_default().to_owned();
        (word("reason"), word("message"))
    }

    /// Waits until at least this number of items have succeeded.
    pub fn wait_for_successes(&self, task: &str, least: i64) {
        self.wait(&format!("{least} successes"), || {
            (self.status(task)["counts"]["succeeded"].as_i64()? >= least).then_some(())
        });
    }

    /// The lines of the task's results.
    pub fn results(&self, task: &str) -> Vec<Value> {
        self.results_text(task).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The task's results, byte for byte.
    pub fn results_text(&self, task: &str) -> String {
        self.documented("This prints the whole list:", task)
    }

    /// What the commands that follow this text in the guides print, for a task.
    pub fn documented(&self, text: &str, task: &str) -> String {
        let guides = [include_str!("../../docs/guides/results.md"), include_str!("../../docs/guides/rerun.md")];
        let rest = guides.iter().find_map(|guide| guide.split_once(text)).expect("a guide has this text").1;
        let (block, _) = rest.split_once("```console\n").and_then(|(_, rest)| rest.split_once("```")).unwrap();
        let lines: Vec<&str> = block.lines().map(|line| line.strip_prefix("$ ").unwrap_or(line)).collect();
        let commands = lines.join("\n").replace("NAME", task);
        let script = format!("kubectl() {{ \"${{KUBECTL:-kubectl}}\" -n {} \"$@\"; }}\n{commands}\n", self.0);
        let (good, answer) = run(Command::new("bash"), &script, &["-euo", "pipefail"]);
        assert!(good, "{script}: {answer}");
        answer
    }

    fn describe(&self) -> String {
        let (_, tasks) = kubectl_with("", &["-n", &self.0, "get", "maptasks", "-o", "yaml"]);
        let (_, pods) = kubectl_with("", &["-n", &self.0, "get", "pods"]);
        format!("{tasks}\n{pods}")
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.describe());
        }
        let _ = kubectl_with("", &["delete", "namespace", &self.0, "--wait=false"]);
    }
}

/// A program that ends with the test.
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A task whose pods run on fake nodes, as their annotations say.
pub fn fake_task(name: &str, spec: &Value, annotations: &Value) -> Value {
    let mut task = json!({
        "apiVersion": "maptask.dev/v1alpha1",
        "kind": "MapTask",
        "metadata": { "name": name },
        "spec": { "template": {
            "metadata": { "annotations": annotations },
            "spec": {
                "nodeSelector": { "type": "kwok" },
                "tolerations": [{ "key": "kwok.x-k8s.io/node", "operator": "Exists" }],
                "containers": [{ "name": "main", "image": "fake" }],
            },
        } },
    });
    merge(&mut task["spec"], spec);
    task
}

/// A task whose pods are real containers that run a shell script.
pub fn real_task(name: &str, spec: &Value, script: &str) -> Value {
    let mut task = json!({
        "apiVersion": "maptask.dev/v1alpha1",
        "kind": "MapTask",
        "metadata": { "name": name },
        "spec": { "template": { "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{ "name": "main", "image": "busybox:1.36", "command": ["sh", "-c", script] }],
        } } },
    });
    merge(&mut task["spec"], spec);
    task
}

fn merge(into: &mut Value, from: &Value) {
    for (key, value) in from.as_object().unwrap() {
        into[key] = value.clone();
    }
}

/// The condition of a type, as `status reason message`.
pub fn condition(status: &Value, type_: &str) -> String {
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|c| c["type"] == type_);
    found.map_or("none".to_owned(), |c| {
        format!(
            "{} {} {}",
            c["status"].as_str().unwrap(),
            c["reason"].as_str().unwrap(),
            c["message"].as_str().unwrap()
        )
    })
}
