//! The configuration of a worker, in an environment variable of its container.

use serde::{Deserialize, Serialize};

/// The configuration of a worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    /// The version of the exchange: 1.
    pub version: u32,
    /// Where the operator is: `https://10.96.0.7:8443`.
    pub url: String,
    /// The name that its certificate is for.
    pub server_name: String,
    /// The certificates to trust, as PEM.
    pub ca: String,
    /// The epoch of the operator that made the pod: the worker takes nothing from a lower one.
    #[serde(default)]
    pub epoch: u64,
    /// Name of the task, for `MAPTASK_NAME`.
    pub task: String,
    /// Number of its items, for `MAPTASK_COUNT`.
    pub count: u32,
    /// How programs get their items.
    #[serde(default)]
    pub mode: Mode,
    /// How many programs run at the same time, until an answer says another number.
    pub slots: u32,
    /// The worker asks to be replaced after about that many attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u64>,
    /// How long one attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_seconds: Option<u64>,
    /// The grace period of the pod.
    pub grace_seconds: u64,
    /// Most bytes of a result that are kept; 0: results are not read.
    pub max_result_bytes: usize,
    /// Whether each line of the log begins with the item's index.
    pub prefix_log: bool,
    /// The worker ends if it has not reached the operator within this time after its start.
    pub start_deadline_seconds: u64,
    /// Where the directory for artifacts is mounted, and the name of an attempt's directory in it up to the index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// The memory limit of the container in bytes, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
}

/// Where an attempt puts its files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// The path at which the volume is mounted.
    pub path: String,
    /// Each attempt has the directory `PREFIX-INDEX-ATTEMPT` there.
    pub prefix: String,
}

/// How programs get their items.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "PascalCase", rename_all_fields = "camelCase")]
pub enum Mode {
    /// The command runs once for each item.
    #[default]
    Exec,
    /// The command runs once for each slot, and reads an item a line.
    Stream {
        /// How many lines may be unanswered at once.
        pipeline: u32,
    },
}
