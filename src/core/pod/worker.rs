//! From the task's template to the pod of a worker: the item's container runs the worker program, which runs the
//! command.

use maptask_exchange::{AUDIENCE, CONFIG_VARIABLE, Config, Mode, PROGRAM, PROGRAM_DIRECTORY, RECORD_PATH, TOKEN_PATH};
use serde_json::{Map, Value, json};

use crate::api::workers::{WorkerMode, Workers};
use crate::core::exchange_address::ExchangeAddress;
use crate::core::pod::TemplateError;

/// The volume with the worker program, and the init container that brings it.
const PROGRAM_NAME: &str = "maptask-worker";
/// The volume with the worker's token.
const TOKEN_VOLUME: &str = "maptask-token";
/// Seconds for which a token is good; the kubelet renews it when four fifths of that have passed.
const TOKEN_SECONDS: u32 = 3_600;
/// Seconds that Kubernetes gives a pod to end where its template says nothing.
const GRACE_SECONDS: u64 = 30;
/// Bytes that a result may have beyond what is kept of it as JSON: white space around it.
const SLACK_BYTES: usize = 1_024;
/// How long a worker tries to reach the operator where nothing says how long a start may take, in seconds.
const START_SECONDS: u64 = 600;

/// Where workers find their operator, and their program. The same for all tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerHome {
    /// Where the operator is.
    pub address: ExchangeAddress,
    /// The image that has the worker program.
    pub image: String,
    /// When that image is pulled.
    pub pull_policy: String,
}

/// What is the same for all workers that one operator makes for a task.
#[derive(Clone, Copy, Debug)]
pub struct Making {
    /// Number of items.
    pub count: u32,
    /// The epoch of the operator.
    pub epoch: u64,
}

/// What a task asks of its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerSpec {
    /// As the user wrote it.
    pub workers: Workers,
    /// Most bytes of a line of the results; 0 if none are kept.
    pub line_bytes: usize,
    /// Seconds that a start may take.
    pub start_deadline_seconds: Option<u64>,
}

impl WorkerSpec {
    /// Programs that one worker runs at the same time.
    pub fn slots(&self) -> usize {
        usize::try_from(self.workers.slots).unwrap_or(1).max(1)
    }

    /// Lines that a program of mode Stream may have unanswered; 1 in mode Exec.
    pub fn lines(&self) -> usize {
        match self.workers.mode {
            WorkerMode::Exec => 1,
            WorkerMode::Stream => usize::try_from(self.workers.pipeline).unwrap_or(1).max(1),
        }
    }

    /// How long a worker stays that has nothing to do, in milliseconds.
    pub fn idle_millis(&self) -> u64 {
        u64::try_from(self.workers.idle_seconds).unwrap_or(0) * 1_000
    }

    fn mode(&self) -> Mode {
        match self.workers.mode {
            WorkerMode::Exec => Mode::Exec,
            WorkerMode::Stream => Mode::Stream { pipeline: u32::try_from(self.workers.pipeline).unwrap_or(1) },
        }
    }

    /// The worker's configuration. `spec`: the pod spec of the template.
    pub(super) fn config(&self, task: &str, of: Making, home: &WorkerHome, spec: &Map<String, Value>) -> Config {
        let seconds = |field: &str| spec.get(field).and_then(Value::as_u64);
        Config {
            version: 1,
            url: home.address.url.clone(),
            server_name: home.address.server_name.clone(),
            ca: home.address.ca_pem.clone(),
            epoch: of.epoch,
            task: task.to_owned(),
            count: of.count,
            mode: self.mode(),
            slots: u32::try_from(self.slots()).unwrap_or(1),
            max_items: self.workers.max_items.and_then(|items| u64::try_from(items).ok()),
            deadline_seconds: seconds("activeDeadlineSeconds"),
            grace_seconds: grace_seconds(spec),
            max_result_bytes: if self.line_bytes == 0 { 0 } else { self.line_bytes + SLACK_BYTES },
            prefix_log: self.workers.prefix_log,
            start_deadline_seconds: self.start_deadline_seconds.unwrap_or(START_SECONDS),
            artifacts: None,
            memory_bytes: None,
        }
    }
}

/// How long a pod has to end.
pub(super) fn grace_seconds(spec: &Map<String, Value>) -> u64 {
    spec.get("terminationGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(GRACE_SECONDS)
}

/// Whether a worker can run the container's command, and there is room for what it needs.
pub(super) fn check(spec: &Map<String, Value>, container: &str) -> Result<(), TemplateError> {
    let has_command = |c: &Value| c.get("command").and_then(Value::as_array).is_some_and(|words| !words.is_empty());
    if !named(spec, container).is_some_and(has_command) {
        return Err(TemplateError::NoCommand(container.to_owned()));
    }
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let mut names = volumes.filter_map(|volume| volume.get("name")?.as_str());
    match names.find(|name| [PROGRAM_NAME, TOKEN_VOLUME].contains(name)) {
        Some(name) => Err(TemplateError::WorkerVolumeTaken(name.to_owned())),
        None => Ok(()),
    }
}

fn named<'a>(spec: &'a Map<String, Value>, container: &str) -> Option<&'a Value> {
    let containers = spec.get("containers").and_then(Value::as_array)?;
    containers.iter().find(|c| c.get("name").and_then(Value::as_str) == Some(container))
}

/// Makes the container run the worker program, and brings that and a token into the pod.
pub(super) fn install(spec: &mut Map<String, Value>, container: &str, inject: bool, home: &WorkerHome) {
    // The deadline is an attempt's, and no pod's.
    spec.remove("activeDeadlineSeconds");
    if let Some(own) = named_mut(spec, container) {
        // The kubelet expands `$(NAME)`, which is for the worker to do, with the variables of each item.
        run_worker(own, "run", escaped);
        // The worker's record, whose size is its own: what the program says goes another way.
        own.insert("terminationMessagePath".to_owned(), json!(RECORD_PATH));
        own.insert("terminationMessagePolicy".to_owned(), json!("File"));
    }
    bring_token(spec, container);
    if inject {
        bring_program(spec, container, home);
    }
}

/// Changes the pod of a list, which is one attempt: all that the kubelet does with a pod stays as it is.
pub(super) fn install_lister(spec: &mut Map<String, Value>, container: &str, home: &WorkerHome) {
    if let Some(own) = named_mut(spec, container) {
        run_worker(own, "list", |word| word);
    }
    bring_token(spec, container);
    bring_program(spec, container, home);
}

fn named_mut<'a>(spec: &'a mut Map<String, Value>, container: &str) -> Option<&'a mut Map<String, Value>> {
    let containers = spec.get_mut("containers").and_then(Value::as_array_mut)?;
    let own = containers.iter_mut().find(|c| c.get("name").and_then(Value::as_str) == Some(container));
    own.and_then(Value::as_object_mut)
}

fn run_worker(container: &mut Map<String, Value>, mode: &str, pass: impl Fn(Value) -> Value) {
    let words = |field: &str| container.get(field).and_then(Value::as_array).cloned().unwrap_or_default();
    let user: Vec<Value> = words("command").into_iter().chain(words("args")).map(pass).collect();
    let program = format!("{PROGRAM_DIRECTORY}/{PROGRAM}");
    let worker = [program.as_str(), mode, "--"].map(|word| json!(word));
    container.insert("command".to_owned(), worker.into_iter().chain(user).collect());
    container.remove("args");
}

fn bring_token(spec: &mut Map<String, Value>, container: &str) {
    let (directory, token) = TOKEN_PATH.rsplit_once('/').unwrap_or_default();
    let source = json!({ "audience": AUDIENCE, "expirationSeconds": TOKEN_SECONDS, "path": token });
    let volume = json!({ "name": TOKEN_VOLUME, "projected": { "sources": [{ "serviceAccountToken": source }] } });
    push(spec, "volumes", volume);
    if let Some(own) = named_mut(spec, container) {
        push(own, "volumeMounts", json!({ "name": TOKEN_VOLUME, "mountPath": directory, "readOnly": true }));
    }
}

fn bring_program(spec: &mut Map<String, Value>, container: &str, home: &WorkerHome) {
    push(spec, "volumes", json!({ "name": PROGRAM_NAME, "emptyDir": { "sizeLimit": "16Mi" } }));
    let init = init_container(home);
    match spec.get_mut("initContainers").and_then(Value::as_array_mut) {
        Some(others) => others.insert(0, init),
        None => drop(spec.insert("initContainers".to_owned(), json!([init]))),
    }
    if let Some(own) = named_mut(spec, container) {
        push(own, "volumeMounts", json!({ "name": PROGRAM_NAME, "mountPath": PROGRAM_DIRECTORY, "readOnly": true }));
    }
}

fn escaped(word: Value) -> Value {
    match word {
        Value::String(text) => json!(text.replace('$', "$$")),
        other => other,
    }
}

/// Copies the worker program out of the operator's image. It needs no network and no rights.
fn init_container(home: &WorkerHome) -> Value {
    json!({
        "name": PROGRAM_NAME,
        "image": home.image,
        "imagePullPolicy": home.pull_policy,
        "command": [format!("/{PROGRAM}"), "copy", PROGRAM_DIRECTORY],
        "volumeMounts": [{ "name": PROGRAM_NAME, "mountPath": PROGRAM_DIRECTORY }],
        "resources": {
            "requests": { "cpu": "10m", "memory": "16Mi" },
            "limits": { "cpu": "100m", "memory": "32Mi" },
        },
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "runAsUser": 65_532,
            "capabilities": { "drop": ["ALL"] },
            "seccompProfile": { "type": "RuntimeDefault" },
        },
    })
}

fn push(object: &mut Map<String, Value>, list: &str, value: Value) {
    match object.get_mut(list).and_then(Value::as_array_mut) {
        Some(others) => others.push(value),
        None => drop(object.insert(list.to_owned(), json!([value]))),
    }
}

/// The variable with the worker's configuration.
pub(super) fn variable(config: &Config) -> (String, String) {
    // A value of plain types can be written.
    (CONFIG_VARIABLE.to_owned(), serde_json::to_string(config).unwrap_or_default())
}

#[cfg(test)]
#[path = "worker_tests.rs"]
mod tests;
