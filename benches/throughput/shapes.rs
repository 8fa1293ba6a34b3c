//! What is run: how many tasks of how many items, and how their pods live.

use serde_json::{Value, json};

use crate::contender::Contender;

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub name: &'static str,
    pub what: &'static str,
    pub tasks: usize,
    pub items: usize,
    /// In flight at once, over all tasks.
    pub parallel: usize,
    /// Shortest and longest life of a pod, in ms.
    pub life: (u32, u32),
    /// The first attempt at every such item fails.
    pub fail_every: usize,
    /// Bytes of an item's result.
    pub result: usize,
    /// Turns of each contender at most.
    pub rounds: usize,
    /// The operator is killed when half is done.
    pub restart: bool,
    pub contenders: &'static [Contender],
}

use Contender::{Bare, Flooded, FloodedWithSchema, Job, JobDefault, MapTask, MapTaskWithout};

const BASE: Shape = Shape {
    name: "1k",
    what: "1,000 items that end at once",
    tasks: 1,
    items: 1_000,
    parallel: 1_000,
    life: (0, 0),
    fail_every: 0,
    result: 0,
    rounds: 9,
    restart: false,
    contenders: &[Bare, Job, MapTask, JobDefault],
};

const LARGEST: Shape = Shape {
    name: "100k",
    what: "one task of 100,000 items, 5,000 in flight, the operator killed halfway",
    items: 100_000,
    parallel: 5_000,
    rounds: 1,
    restart: true,
    contenders: &[MapTask],
    ..BASE
};

pub const ALL: [Shape; 11] = [
    BASE,
    Shape { name: "3k", what: "3,000 items that end at once", items: 3_000, contenders: &[Bare, Job, MapTask], ..BASE },
    Shape {
        name: "3k-slow",
        what: "3,000 items of 1 to 10 s, 500 in flight",
        items: 3_000,
        parallel: 500,
        life: (1_000, 10_000),
        contenders: &[Bare, Job, MapTask],
        ..BASE
    },
    Shape {
        name: "failures",
        what: "1,000 items, the first attempt at every twentieth fails",
        fail_every: 20,
        contenders: &[Job, MapTask],
        ..BASE
    },
    Shape {
        name: "50-tasks",
        what: "50 tasks of 100 items",
        tasks: 50,
        items: 100,
        parallel: 5_000,
        contenders: &[Job, MapTask],
        ..BASE
    },
    Shape {
        name: "5k",
        what: "one task of 5,000 items",
        items: 5_000,
        parallel: 5_000,
        contenders: &[Job, MapTask],
        ..BASE
    },
    Shape {
        name: "20k",
        what: "one task of 20,000 items",
        items: 20_000,
        parallel: 1_000,
        rounds: 1,
        contenders: &[Job, MapTask],
        ..BASE
    },
    Shape {
        name: "30k",
        what: "one task of 30,000 items, 5,000 in flight, the operator killed halfway",
        items: 30_000,
        ..LARGEST
    },
    LARGEST,
    Shape {
        name: "results",
        what: "10,000 items with results of 100 bytes, and the same without results",
        items: 10_000,
        result: 100,
        rounds: 1,
        contenders: &[MapTaskWithout, MapTask],
        ..BASE
    },
    Shape {
        name: "fairness",
        what: "1,000 items while another client floods the API server",
        contenders: &[Flooded, FloodedWithSchema],
        ..BASE
    },
];

/// What is run unless it is said otherwise.
pub const DEFAULT: &str = "1k,3k,3k-slow,failures,50-tasks,5k,results";

impl Shape {
    /// The template of its pods.
    pub fn template(&self) -> Value {
        let message = if self.result > 0 { "x".repeat(self.result - 2) } else { String::new() };
        let mut annotations = json!({
            "fake.maptask.dev/duration": format!("{}ms", self.life.0),
            "fake.maptask.dev/duration-up-to": format!("{}ms", self.life.1.max(self.life.0)),
        });
        if self.result > 0 {
            annotations["fake.maptask.dev/message"] = json!(message);
        }
        if self.fail_every > 0 {
            annotations["fake.maptask.dev/fail-every"] = json!(self.fail_every.to_string());
        }
        json!({
            "metadata": { "annotations": annotations },
            "spec": {
                "restartPolicy": "Never",
                "nodeSelector": { "type": "kwok" },
                "tolerations": [{ "key": "kwok.x-k8s.io/node", "operator": "Exists" }],
                "containers": [{ "name": "main", "image": "fake" }],
            },
        })
    }
}
