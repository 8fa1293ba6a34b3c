//! Pods that stay and take one item after another: `spec.workers` of a MapTask.

use serde::{Deserialize, Serialize};

/// Pods stay and take one item after another, instead of one pod for each attempt. The item's container needs `command`
/// in the template: the program of the image can't be known.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Workers {
    /// How a program gets its items. Defaults to Exec.
    #[serde(default)]
    pub mode: WorkerMode,
    /// Number of items that one pod runs at the same time, 1 to 256. They share its resources. Defaults to 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 256))]
    pub slots: i32,
    /// Number of lines that a program of mode Stream gets before it has answered the first, 1 to 1000. Defaults to 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000))]
    pub pipeline: i32,
    /// Number of attempts after which a pod is replaced, varied by a tenth. If unset, there is no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32", range(min = 1, max = 1_000_000))]
    pub max_items: Option<i32>,
    /// Seconds for which a pod stays that has nothing to do, 0 to 3600. Defaults to 30.
    #[serde(default = "thirty")]
    #[schemars(range(min = 0, max = 3_600))]
    pub idle_seconds: i32,
    /// Whether each line of the container's log begins with the index of its item, such as `[17]`. Defaults to true.
    #[serde(default = "yes")]
    pub prefix_log: bool,
    /// Whether an init container brings the worker program into the pod. If false, the image must have it at
    /// /.maptask/maptask-worker. Defaults to true.
    #[serde(default = "yes")]
    pub inject: bool,
}

/// How a program gets its items.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, schemars::JsonSchema, PartialEq, Eq)]
pub enum WorkerMode {
    /// The command runs once for each item, with the item in its environment.
    #[default]
    Exec,
    /// The command runs once for each slot. It reads one JSON line for each item on stdin and answers with one on
    /// stdout.
    Stream,
}

fn one() -> i32 {
    1
}

fn thirty() -> i32 {
    30
}

fn yes() -> bool {
    true
}
