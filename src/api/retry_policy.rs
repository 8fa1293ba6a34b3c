//! When, and after which endings, an item gets another attempt: `spec.retryPolicy`.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// When, and after which endings, an item gets another attempt.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("self.backoffSeconds <= self.maxBackoffSeconds").message("backoffSeconds must not be above maxBackoffSeconds"))]
pub struct RetryPolicy {
    /// Seconds before the second attempt, doubling with each further one; up to half of it is taken off at random.
    #[serde(default = "default_backoff")]
    #[schemars(range(min = 0, max = 86_400))]
    pub backoff_seconds: i32,
    /// Most seconds before an attempt.
    #[serde(default = "default_max_backoff")]
    #[schemars(range(min = 0, max = 86_400))]
    pub max_backoff_seconds: i32,
    /// Further attempts at an item after endings by the cluster's fault.
    #[serde(default = "default_infrastructure_retries")]
    #[schemars(range(min = 0, max = 1_000))]
    pub infrastructure_retries: i32,
    /// More memory after an attempt that had too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutOfMemory")]
    pub out_of_memory: Option<OutOfMemory>,
    /// The first rule that matches an ending says what follows; without one, its category does.
    #[serde(default)]
    #[schemars(length(max = 20))]
    pub rules: Vec<RetryRule>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            backoff_seconds: default_backoff(),
            max_backoff_seconds: default_max_backoff(),
            infrastructure_retries: default_infrastructure_retries(),
            out_of_memory: None,
            rules: Vec::new(),
        }
    }
}

/// More memory after an attempt that had too little: request and limit of the container that was short are multiplied. Up to eight
/// containers of a template grow, each that has a limit below maxMemory.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OutOfMemory {
    /// What the memory is multiplied by after each such ending; above 1, at most 10.
    #[schemars(range(min = 1.01, max = 10))]
    pub factor: f64,
    /// The most memory that an attempt gets, such as 16Gi.
    #[schemars(schema_with = "schema::quantity")]
    pub max_memory: String,
}

/// What follows an ending. Everything that a rule names must fit.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.category) || has(self.exitCodes) || has(self.container)").message("a rule needs a category, exitCodes or a container"))]
pub struct RetryRule {
    /// Endings of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutcomeCategory")]
    pub category: Option<OutcomeCategory>,
    /// Endings with one of these exit codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::exit_codes")]
    pub exit_codes: Option<Vec<i32>>,
    /// Endings that a container of this name brought about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// What follows.
    pub action: RuleAction,
}

/// How attempts end that did not succeed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeCategory {
    /// A container exited with an error.
    Failed,
    /// A container used more memory than its limit.
    OutOfMemory,
    /// activeDeadlineSeconds of the template passed.
    Deadline,
    /// The result is longer than may be kept.
    ResultTooLarge,
    /// No container ran before startDeadlineSeconds, or none ever can.
    NeverStarted,
    /// The API server refused to create the pod.
    Refused,
    /// The node's kubelet refused to run the pod.
    Rejected,
    /// The node's pressure, a taint, a drain or a shutdown ended the pod.
    Evicted,
    /// A pod of higher priority took its place.
    Preempted,
    /// The node is gone, or the pod without a word.
    NodeLost,
    /// Somebody deleted the pod.
    Deleted,
}

/// What follows an ending that a rule fits.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum RuleAction {
    /// Another attempt, as long as the item has retries.
    Retry,
    /// The item fails.
    FailItem,
    /// The item and the task fail.
    FailTask,
    /// Another attempt, which costs nothing.
    Ignore,
}

fn default_backoff() -> i32 {
    1
}

fn default_max_backoff() -> i32 {
    60
}

fn default_infrastructure_retries() -> i32 {
    10
}
