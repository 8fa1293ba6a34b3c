//! When, and after which outcomes, an item gets another attempt: `spec.retryPolicy`.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::schema;

/// When, and after which outcomes, an item gets another attempt.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("self.backoffSeconds <= self.maxBackoffSeconds").message("backoffSeconds must be at most maxBackoffSeconds: lower backoffSeconds or raise maxBackoffSeconds"))]
pub struct RetryPolicy {
    /// Delay before the second attempt in seconds, 0 to 86400. Defaults to 1. It doubles with each further attempt, and
    /// is shortened by up to half at random.
    #[serde(default = "default_backoff")]
    #[schemars(range(min = 0, max = 86_400))]
    pub backoff_seconds: i32,
    /// Maximum delay before an attempt in seconds, 0 to 86400. Defaults to 60.
    #[serde(default = "default_max_backoff")]
    #[schemars(range(min = 0, max = 86_400))]
    pub max_backoff_seconds: i32,
    /// Maximum number of further attempts at an item after infrastructure failures (eviction, preemption, lost node,
    /// deleted pod), 0 to 1000. Defaults to 10.
    #[serde(default = "default_infrastructure_retries")]
    #[schemars(range(min = 0, max = 1_000))]
    pub infrastructure_retries: i32,
    /// Gives a container more memory after it ran out of memory. With workers, the item then runs in a worker that has
    /// this memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutOfMemory")]
    pub out_of_memory: Option<OutOfMemory>,
    /// Up to 20 rules. The first rule that matches the outcome of an attempt decides what follows. If none matches, the
    /// category decides.
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

/// Gives a container more memory after it ran out of memory: its request and its limit are multiplied. Up to eight
/// containers of a template can grow, if they have a memory limit below maxMemory.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OutOfMemory {
    /// Factor by which the memory grows each time, 1.01 to 10.
    #[schemars(range(min = 1.01, max = 10))]
    pub factor: f64,
    /// Maximum memory of a container, such as 16Gi.
    #[schemars(schema_with = "schema::quantity")]
    pub max_memory: String,
}

/// What follows a certain outcome. All fields that a rule sets must match.
#[derive(Clone, Debug, Deserialize, Serialize, KubeSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = kube::core::Rule::new("has(self.category) || has(self.exitCodes) || has(self.container)").message("a rule must set at least one of category, exitCodes and container"))]
pub struct RetryRule {
    /// Matches outcomes of this category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OutcomeCategory")]
    pub category: Option<OutcomeCategory>,
    /// Matches outcomes with one of these exit codes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::exit_codes")]
    pub exit_codes: Option<Vec<i32>>,
    /// Matches outcomes caused by the container of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::dns_label")]
    pub container: Option<String>,
    /// What follows a matching outcome.
    pub action: RuleAction,
}

/// Categories of attempts that did not succeed.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeCategory {
    /// A container exited with an error.
    Failed,
    /// A container used more memory than its limit.
    OutOfMemory,
    /// The template's activeDeadlineSeconds passed.
    Deadline,
    /// The result is longer than results.maxBytesPerItem, or may have been truncated by the kubelet.
    ResultTooLarge,
    /// No container ran within startDeadlineSeconds, or none ever can.
    NeverStarted,
    /// The API server refused to create the pod.
    Refused,
    /// The kubelet of the node rejected the pod.
    Rejected,
    /// Node pressure, a taint, a drain, a shutdown or the eviction API ended the pod.
    Evicted,
    /// A pod of higher priority took its place.
    Preempted,
    /// The node was removed, or the pod vanished without a trace.
    NodeLost,
    /// Somebody deleted the pod.
    Deleted,
}

/// What follows an outcome that a rule matches.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum RuleAction {
    /// Another attempt, if the item has retries left. It uses up one of them, whatever the category.
    Retry,
    /// The item fails.
    FailItem,
    /// The item and the task fail.
    FailTask,
    /// Another attempt, at no cost.
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
