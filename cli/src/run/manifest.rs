//! The manifest of a task to be made.

use std::path::PathBuf;

use maptask::api::labels;
use serde_json::{Value, json};

use super::braces;
use super::items::{Input, KEY};
use super::pieces::Content;
use crate::error::Failure;
use crate::terminal::words::parse_span;

/// Characters of what `--generate-name` adds, as the API server has them: no vowels, so no words.
const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// How many it adds.
const SUFFIX: usize = 5;

/// How items run.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Task")]
pub struct TaskOptions {
    /// Image of the items' container
    #[arg(long, value_name = "IMAGE", required_unless_present = "template")]
    pub image: Option<String>,
    /// A pod template as YAML or JSON; --image and the command go into its first container
    #[arg(long, value_name = "FILE")]
    pub template: Option<PathBuf>,
    /// Environment variable; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// Requests, such as cpu=500m,memory=1Gi
    #[arg(long, value_name = "RESOURCES")]
    pub requests: Option<String>,
    /// Limits, such as memory=1Gi,nvidia.com/gpu=1
    #[arg(long, value_name = "RESOURCES")]
    pub limits: Option<String>,
    /// Label of the task; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE")]
    pub labels: Vec<String>,
    /// Most items that run at the same time
    #[arg(long, value_name = "NUMBER")]
    pub concurrency: Option<i32>,
    /// Further attempts at an item after application failures
    #[arg(long, value_name = "NUMBER")]
    pub retries: Option<i32>,
    /// Share of the items that must succeed, 0 to 1
    #[arg(long, value_name = "RATIO", conflicts_with = "min_successes")]
    pub min_success_ratio: Option<f64>,
    /// Number of items that must succeed
    #[arg(long, value_name = "NUMBER")]
    pub min_successes: Option<i32>,
    /// Pods stay and take one item after another: exec (a process for each item) or stream (a line)
    #[arg(long, value_name = "MODE", num_args = 0..=1, require_equals = true, default_missing_value = "exec",
        value_parser = ["exec", "stream"])]
    pub workers: Option<String>,
    /// Items that one worker runs at the same time
    #[arg(long, value_name = "NUMBER", requires = "workers")]
    pub slots: Option<i32>,
    /// Longest time of one attempt, such as 10m
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub item_deadline: Option<u64>,
    /// Longest time of the task, such as 2h
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub deadline: Option<u64>,
    /// Time from the end of the task until it is deleted, such as 1d
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    pub ttl: Option<u64>,
    /// Reuse results that were computed before with this version
    #[arg(long, value_name = "VERSION")]
    pub cache: Option<String>,
    /// Tasks of higher priority start their items first
    #[arg(long, value_name = "NUMBER", allow_hyphen_values = true)]
    pub priority: Option<i32>,
    /// Make it, and start nothing until `resume`
    #[arg(long)]
    pub suspend: bool,
    /// What stands for the item in the command; '' leaves braces as they are
    #[arg(short = 'I', value_name = "MARK", default_value = "{}", hide_default_value = true)]
    pub mark: String,
}

/// A task to be made, and the ConfigMap of its items.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The MapTask.
    pub task: Value,
    /// The ConfigMaps of its items, without their owner: that has to exist first.
    pub config_maps: Vec<Value>,
}

impl Manifest {
    /// Of these options.
    pub fn new(name: &str, options: &TaskOptions, input: &Input, command: &[String]) -> Result<Self, Failure> {
        let command = braces::replaced(command, &options.mark, &input.keys())?;
        let mut spec = options.spec(&command)?;
        let mut items = serde_json::to_value(&input.items).map_err(|error| Failure::new(error.to_string()))?;
        let config_maps = config_maps(name, &input.contents);
        let names: Vec<&Value> = config_maps.iter().map(|map| &map["metadata"]["name"]).collect();
        match names.as_slice() {
            [] => {}
            [one] => items["configMap"]["name"] = json!(one),
            several => items["configMap"]["names"] = json!(several),
        }
        spec["items"] = items;
        let mut metadata = json!({ "name": name });
        if !options.labels.is_empty() {
            metadata["labels"] = pairs("--label", &options.labels)?;
        }
        let task =
            json!({ "apiVersion": "maptask.dev/v1alpha1", "kind": "MapTask", "metadata": metadata, "spec": spec });
        Ok(Self { task, config_maps })
    }
}

/// A ConfigMap for each content; several have numbers of the same length, so that they sort as their items do.
fn config_maps(task: &str, contents: &[Content]) -> Vec<Value> {
    let digits = contents.len().saturating_sub(1).to_string().len();
    let config_map = |(number, content): (usize, &Content)| {
        let number = if contents.len() > 1 { format!("-{number:0digits$}") } else { String::new() };
        let (field, data) = content.field(KEY);
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "immutable": true, field: data,
            "metadata": { "name": format!("{task}-{KEY}{number}"), "labels": { labels::NAME: task } } })
    };
    contents.iter().enumerate().map(config_map).collect()
}

impl TaskOptions {
    fn spec(&self, command: &[String]) -> Result<Value, Failure> {
        let mut spec = json!({ "template": self.template(command)? });
        let mut set = |field: &str, value: Option<Value>| {
            if let Some(value) = value {
                spec[field] = value;
            }
        };
        set("concurrency", self.concurrency.map(Value::from));
        set("retries", self.retries.map(Value::from));
        set("minSuccessRatio", self.min_success_ratio.map(Value::from));
        set("minSuccesses", self.min_successes.map(Value::from));
        set("activeDeadlineSeconds", self.deadline.map(Value::from));
        set("ttlSecondsAfterFinished", self.ttl.map(Value::from));
        set("priority", self.priority.map(Value::from));
        set("suspend", self.suspend.then_some(json!(true)));
        set("cache", self.cache.as_ref().map(|version| json!({ "version": version })));
        set("workers", self.workers());
        Ok(spec)
    }

    fn workers(&self) -> Option<Value> {
        let mut workers = json!({ "mode": if self.workers.as_ref()? == "stream" { "Stream" } else { "Exec" } });
        if let Some(slots) = self.slots {
            workers["slots"] = json!(slots);
        }
        Some(workers)
    }

    fn template(&self, command: &[String]) -> Result<Value, Failure> {
        let mut template = match &self.template {
            Some(file) => template_of(file)?,
            None => json!({ "spec": { "containers": [{ "name": "main" }] } }),
        };
        if let Some(seconds) = self.item_deadline {
            template["spec"]["activeDeadlineSeconds"] = json!(seconds);
        }
        let container = &mut template["spec"]["containers"][0];
        if let Some(image) = &self.image {
            container["image"] = json!(image);
        }
        if !command.is_empty() {
            container["command"] = json!(command);
        }
        if self.workers.is_some() && container["command"].is_null() {
            return Err(Failure::usage("--workers needs a command: the program of the image can't be known")
                .hint("add -- COMMAND"));
        }
        if !self.env.is_empty() {
            let pairs = pairs("--env", &self.env)?;
            let variables: Vec<Value> = pairs
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| json!({ "name": name, "value": value }))
                .collect();
            let before = container["env"].as_array().cloned().unwrap_or_default();
            container["env"] = json!([before, variables].concat());
        }
        for (field, text) in [("requests", &self.requests), ("limits", &self.limits)] {
            if let Some(text) = text {
                let parts: Vec<String> = text.split(',').map(str::to_owned).collect();
                container["resources"][field] = pairs(&format!("--{field}"), &parts)?;
            }
        }
        Ok(template)
    }
}

/// A pod template, a pod, or a task whose template it is.
fn template_of(file: &PathBuf) -> Result<Value, Failure> {
    let place = format!("--template {}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| Failure::usage(error.to_string()).at(&place))?;
    let mut value: Value = serde_yaml::from_str(&text).map_err(|error| Failure::usage(error.to_string()).at(&place))?;
    if value["spec"]["template"].is_object() {
        value = value["spec"]["template"].take();
    }
    if !value["spec"]["containers"][0].is_object() {
        let failure = Failure::usage("there is no spec.containers[0]").at(&place);
        return Err(failure.hint("give a pod template: {metadata, spec: {containers: [{name, image}]}}"));
    }
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|name, _| name == "metadata" || name == "spec");
        // Those of an object that exists are no part of a template.
        let metadata = fields.get_mut("metadata").and_then(Value::as_object_mut);
        if let Some(metadata) = metadata {
            metadata.retain(|name, _| name == "labels" || name == "annotations");
        }
    }
    Ok(value)
}

/// `NAME=VALUE` for each.
fn pairs(option: &str, texts: &[String]) -> Result<Value, Failure> {
    let mut all = json!({});
    for text in texts {
        let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
        let (name, value) = pair.ok_or_else(|| Failure::usage(format!("{option} {text}: write NAME=VALUE")))?;
        all[name] = json!(value);
    }
    Ok(all)
}

/// A name with five random characters behind it.
pub fn generated(prefix: &str) -> String {
    use std::hash::{BuildHasher, Hasher, RandomState};
    let mut random = RandomState::new().build_hasher().finish();
    let mut name = prefix.to_owned();
    for _ in 0..SUFFIX {
        let place = usize::try_from(random % ALPHABET.len() as u64).unwrap_or(0);
        name.push(char::from(ALPHABET[place]));
        random /= ALPHABET.len() as u64;
    }
    name
}

#[cfg(test)]
#[path = "manifest_tests.rs"]
mod tests;
