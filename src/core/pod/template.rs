//! From the task's template to the pod of one attempt.

use maptask_exchange::variables::{ARTIFACTS, ARTIFACTS_PATH, RESULT};
use serde_json::{Map, Value, json};

use crate::api::labels;
use crate::api::retry_policy::OutOfMemory;
use crate::api::spec::{Artifacts, Completion};
use crate::core::ids::{PodRole, TaskKey};
use crate::core::phases::Raises;
use crate::core::pod::artifacts;
use crate::core::pod::hostname::hostname;
use crate::core::pod::last_words;
use crate::core::pod::main_container::MainContainer;
use crate::core::pod::memory::Growth;
use crate::core::pod::message::{self, MessageLimit};
use crate::core::pod::name::pod_name;
use crate::core::pod::parts::{self, object, owner_labels, owner_reference};
use crate::core::pod::results_view::{self, ResultsView};
use crate::core::pod::variables::{self, Uses};
use crate::core::pod::worker::{self, Making, WorkerHome, WorkerSpec};
use crate::core::quantity::Quantity;

/// Claims of a pod that are looked into: each is a request.
const MOST_CLAIMS: usize = 4;

/// A template that pods can be made from.
#[derive(Clone, Debug)]
pub struct PodTemplate {
    labels: Map<String, Value>,
    annotations: Map<String, Value>,
    pub(super) spec: Map<String, Value>,
    container: String,
    completion: Completion,
    memory: Growth,
    artifacts: Option<Artifacts>,
    results: Option<ResultsView>,
}

/// Why no pod can be made from a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TemplateError {
    /// The template has no pod spec.
    #[error("spec.template.spec is missing: give a pod spec with at least one container")]
    NoSpec,
    /// Nothing would run.
    #[error("spec.template.spec.containers is empty or not a list: give at least one container")]
    NoContainers,
    /// A container has no name.
    #[error("spec.template.spec.containers[{0}] has no name: name it")]
    NamelessContainer(usize),
    /// The container whose result counts does not exist.
    #[error("spec.container is {0:?}, but spec.template.spec.containers has only {1}: name one of these")]
    NoSuchContainer(String, String),
    /// A pod that restarts its containers never ends.
    #[error(
        "spec.template.spec.restartPolicy is {0:?}, but an item's pod must end: leave it out or set Never; \
         spec.retries gives an item further attempts"
    )]
    RestartPolicy(String),
    /// A field that a template does not have.
    #[error("spec.template has the unknown field {0:?}: a pod template has only metadata and spec")]
    UnknownField(String),
    /// Labels or annotations of another shape.
    #[error("spec.template.metadata.{0} is not a map of strings")]
    BadMetadata(&'static str),
    /// Nothing to raise.
    #[error(
        "spec.retryPolicy.outOfMemory raises the memory limit of the container that was short, but no container of spec.template \
         has one that can be read: set resources.limits.memory, for instance of container {0:?}"
    )]
    NoMemoryLimit(String),
    /// A cap below what is there.
    #[error(
        "spec.retryPolicy.outOfMemory.maxMemory is {0}, but container {1:?} starts with a limit of {2}: set a higher value"
    )]
    MaxMemory(String, String, Quantity),
    /// A factor that is none.
    #[error("spec.retryPolicy.outOfMemory.factor is {0}: give a number above 1, at most 10")]
    MemoryFactor(String),
    /// Nowhere to put artifacts.
    #[error(
        "spec.artifacts.volume is {0:?}, but spec.template.spec.volumes has only [{1}]: name one of these, or add it"
    )]
    NoSuchVolume(String, String),
    /// Something else is where artifacts go.
    #[error(
        "spec.artifacts.path is {0:?}, where container {1:?} of spec.template mounts a volume already: leave that mount out, \
         or give another path"
    )]
    PathTaken(String, String),
    /// A volume that we add.
    #[error("spec.template.spec.volumes has one named {0:?}, which is the name of the volume of results: rename it")]
    VolumeTaken(&'static str),
    /// A worker can't know what to run.
    #[error(
        "container {0:?} of spec.template has no command, and spec.workers runs it once for each item: give command (and args); \
         what an image runs by itself is in its configuration (Entrypoint and Cmd)"
    )]
    NoCommand(String),
    /// A volume that workers add.
    #[error("spec.template.spec.volumes has one named {0:?}, which spec.workers adds to the pod: rename it")]
    WorkerVolumeTaken(String),
    /// Environment of another shape.
    #[error("env of container {0:?} in spec.template is not a list")]
    BadEnv(String),
}

/// The container whose end is that of the attempt: the one that the spec names, or else the first.
pub fn item_container<'a>(template: &'a Value, named: Option<&'a str>) -> Option<&'a str> {
    let first = || template.pointer("/spec/containers/0/name").and_then(Value::as_str);
    named.or_else(first)
}

impl PodTemplate {
    /// Checks what the API server's dry run can't know: that pods of this template end and have the item's container.
    pub fn accept(template: &Value, container: Option<&str>) -> Result<Self, TemplateError> {
        // The schema lets none in, but the one of an older chart did.
        let mut fields = template.as_object().into_iter().flat_map(Map::keys);
        if let Some(field) = fields.find(|field| !["metadata", "spec"].contains(&field.as_str())) {
            return Err(TemplateError::UnknownField(field.clone()));
        }
        let spec = template.get("spec").and_then(Value::as_object).ok_or(TemplateError::NoSpec)?;
        match spec.get("restartPolicy") {
            None | Some(Value::Null) => {}
            Some(policy) if policy == "Never" => {}
            Some(policy) => {
                let policy = policy.as_str().map_or_else(|| policy.to_string(), str::to_owned);
                return Err(TemplateError::RestartPolicy(policy));
            }
        }
        let names = container_names(spec)?;
        let container = item_container(template, container).ok_or(TemplateError::NoContainers)?;
        if !names.contains(&container) {
            return Err(TemplateError::NoSuchContainer(container.to_owned(), names.join(", ")));
        }
        for list in ["containers", "initContainers"] {
            for one in spec.get(list).and_then(Value::as_array).into_iter().flatten() {
                if one.get("env").is_some_and(|env| !env.is_null() && !env.is_array()) {
                    let name = one.get("name").and_then(Value::as_str).unwrap_or_default();
                    return Err(TemplateError::BadEnv(name.to_owned()));
                }
            }
        }
        Ok(Self {
            labels: string_map(template, "labels")?,
            annotations: string_map(template, "annotations")?,
            spec: spec.clone(),
            container: container.to_owned(),
            completion: Completion::Pod,
            memory: Growth::default(),
            artifacts: None,
            results: None,
        })
    }

    /// Raises the memory of the container that was short after attempts that had too little.
    pub fn grow_memory(&mut self, growth: &OutOfMemory) -> Result<(), TemplateError> {
        self.memory = Growth::of(growth, &self.spec, &self.container)?;
        Ok(())
    }

    /// How the memory of its containers grows.
    pub fn growth(&self) -> &Growth {
        &self.memory
    }

    /// Gives each attempt a directory of its own on a volume.
    pub fn keep_artifacts(&mut self, wanted: &Artifacts) -> Result<(), TemplateError> {
        artifacts::check(wanted, &self.spec, &self.container)?;
        self.artifacts = Some(wanted.clone());
        Ok(())
    }

    /// Puts the results of a task before the containers.
    pub fn show_results(&mut self, view: ResultsView) -> Result<(), TemplateError> {
        results_view::check(&self.spec)?;
        self.results = Some(view);
        Ok(())
    }

    /// Whether workers can be made of it.
    pub fn check_workers(&self) -> Result<(), TemplateError> {
        worker::check(&self.spec, &self.container)
    }

    /// The pod of a worker, with its memory raised.
    #[expect(clippy::too_many_arguments, reason = "each is another thing that a pod is made from")]
    pub fn worker_pod(
        &self,
        task: &TaskKey,
        uid: &str,
        role: PodRole,
        of: Making,
        wanted: &WorkerSpec,
        home: &WorkerHome,
        memory_raises: Raises,
    ) -> Value {
        let mut spec = self.spec.clone();
        spec.insert("restartPolicy".to_owned(), json!("Never"));
        let mut config = wanted.config(&task.name, of, home, &self.spec);
        worker::install(&mut spec, &self.container, wanted.workers.inject, home);
        self.memory.raise(&mut spec, memory_raises);
        if let Some(artifacts) = &self.artifacts {
            config.artifacts = Some(artifacts::of_worker(artifacts, task, uid));
        }
        let of_task =
            [("MAPTASK_NAME".to_owned(), task.name.to_string()), ("MAPTASK_COUNT".to_owned(), of.count.to_string())];
        for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            if container.get("name").and_then(Value::as_str) == Some(&self.container) {
                add_env(container, &[worker::variable(&config)]);
                if let Some(artifacts) = &self.artifacts {
                    artifacts::mount_all(artifacts, container);
                }
            } else {
                add_env(container, &of_task);
                last_words::keep(container);
            }
        }
        let name = pod_name(&task.name, role);
        let mut metadata = self.metadata(task, uid, role, &name);
        if !memory_raises.is_none() {
            // An operator that takes over reads from it which items the worker can take.
            metadata["labels"][labels::MEMORY_RAISES] = json!(memory_raises.bits().to_string());
        }
        parts::pod(metadata, spec)
    }

    /// Whether attempts have directories of their own.
    pub fn keeps_artifacts(&self) -> bool {
        self.artifacts.is_some()
    }

    /// The variables of an item's keys that it uses.
    pub fn uses(&self) -> Uses {
        Uses::of(&self.spec)
    }

    /// How much of a termination message a kubelet keeps of its pods, unless a webhook adds containers.
    pub fn message_limit(&self) -> MessageLimit {
        let lists = ["containers", "initContainers"].map(|list| self.spec.get(list).and_then(Value::as_array));
        MessageLimit::of(lists.into_iter().flatten().map(Vec::len).sum())
    }

    /// The claims that the pod of this name mounts.
    pub fn claims(&self, pod: &str) -> Vec<String> {
        let volumes = self.spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
        let claim = |volume: &Value| match volume.get("persistentVolumeClaim") {
            Some(source) => source.get("claimName")?.as_str().map(str::to_owned),
            None => Some(format!("{pod}-{}", volume.get("ephemeral").and_then(|_| volume.get("name"))?.as_str()?)),
        };
        volumes.filter_map(claim).take(MOST_CLAIMS).collect()
    }

    /// Says what ends an attempt.
    pub fn complete_with(&mut self, completion: Completion) {
        self.completion = completion;
    }

    /// The container whose termination message is the item's result.
    pub fn container(&self) -> &str {
        &self.container
    }

    /// What that container is to the attempt.
    pub fn main_container(&self) -> MainContainer<'_> {
        MainContainer { container: &self.container, ends_attempt: self.completion == Completion::Container }
    }

    /// The pod of one attempt, with its memory raised. `env` goes before the user's own variables, so that those can
    /// refer to it; a name that the user set is left out of it.
    pub fn pod(
        &self,
        task: &TaskKey,
        uid: &str,
        role: PodRole,
        env: &[(String, String)],
        memory_raises: Raises,
    ) -> Value {
        let mut spec = self.spec.clone();
        spec.insert("restartPolicy".to_owned(), json!("Never"));
        for list in ["initContainers", "containers"] {
            for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
                add_env(container, env);
                if self.results.is_none() {
                    variables::fill_in(container);
                }
                last_words::keep(container);
            }
        }
        let name = pod_name(&task.name, role);
        if let Some(hostname) = hostname(&task.name, uid, role, &name)
            && spec.get("hostname").is_none_or(|own| own.is_null() || own == "")
        {
            spec.insert("hostname".to_owned(), json!(hostname));
        }
        self.name_outputs(&artifacts::directory(task, uid, role), &mut spec);
        if let Some(view) = &self.results {
            results_view::mount(view, &mut spec);
        }
        self.memory.raise(&mut spec, memory_raises);
        let metadata = self.metadata(task, uid, role, &name);
        parts::pod(metadata, spec)
    }

    fn metadata(&self, task: &TaskKey, uid: &str, role: PodRole, name: &str) -> Value {
        let mut labels = self.labels.clone();
        labels.extend(owner_labels(&task.name, uid));
        labels.insert(labels::INDEX.to_owned(), json!(role.label()));
        labels.insert(labels::ATTEMPT.to_owned(), json!(role.attempt().to_string()));
        object([
            ("name", name.into()),
            ("namespace", (*task.namespace).into()),
            ("labels", labels.into()),
            ("annotations", self.annotations.clone().into()),
            ("ownerReferences", vec![owner_reference(&task.name, uid)].into()),
        ])
    }

    /// Says to the item's container where its result and its files go, under the names that a worker has for them.
    fn name_outputs(&self, directory: &str, spec: &mut Map<String, Value>) {
        for container in spec.get_mut("containers").and_then(Value::as_array_mut).into_iter().flatten() {
            if container.get("name").and_then(Value::as_str) != Some(&self.container) {
                continue;
            }
            let mut env = vec![(RESULT.to_owned(), message::path(container).to_owned())];
            if let Some(wanted) = &self.artifacts {
                env.push((ARTIFACTS.to_owned(), directory.to_owned()));
                env.push((ARTIFACTS_PATH.to_owned(), wanted.path.clone()));
                artifacts::mount(wanted, container, directory);
            }
            add_env(container, &env);
        }
    }
}

fn container_names(spec: &Map<String, Value>) -> Result<Vec<&str>, TemplateError> {
    let containers = spec.get("containers").and_then(Value::as_array).filter(|list| !list.is_empty());
    let containers = containers.ok_or(TemplateError::NoContainers)?;
    let name_of = |(i, c): (usize, &'_ Value)| match c.get("name").and_then(Value::as_str) {
        Some(_) => Ok(i),
        None => Err(TemplateError::NamelessContainer(i)),
    };
    containers.iter().enumerate().try_for_each(|c| name_of(c).map(drop))?;
    Ok(containers.iter().filter_map(|c| c.get("name").and_then(Value::as_str)).collect())
}

fn string_map(template: &Value, field: &'static str) -> Result<Map<String, Value>, TemplateError> {
    match template.get("metadata").and_then(|m| m.get(field)) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(map)) if map.values().all(Value::is_string) => Ok(map.clone()),
        Some(_) => Err(TemplateError::BadMetadata(field)),
    }
}

pub(super) fn add_env(container: &mut Value, env: &[(String, String)]) {
    let Some(container) = container.as_object_mut() else { return };
    let own = match container.remove("env") {
        Some(Value::Array(own)) => own,
        _ => Vec::new(),
    };
    let is_set = |name: &str| own.iter().any(|e| e.get("name").and_then(Value::as_str) == Some(name));
    let mut all: Vec<Value> =
        env.iter().filter(|(name, _)| !is_set(name)).map(|(name, value)| variable(name, value)).collect();
    all.extend(own);
    container.insert("env".to_owned(), Value::Array(all));
}

/// A variable that holds just this value: Kubernetes expands `$(NAME)` in it and reads `$$` as `$`.
fn variable(name: &str, value: &str) -> Value {
    object([("name", name.into()), ("value", value.replace('$', "$$").into())])
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
