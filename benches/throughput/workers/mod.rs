//! How fast are items that share pods, and at what cost? In real containers on the one real node, beside what else runs
//! a program for each item of a list on two cores. `BENCH_ITEMS=n` makes a shape shorter, for a look at whether it
//! works; `BENCH_PODS`, `BENCH_SLOTS` and `BENCH_PIPELINE` change its workers.

mod peers;
mod rows;
mod tail;
mod turn;

use serde_json::{Value, json};

use self::rows::{Row, Rows};
use self::turn::{CPU, MEMORY, RATE, STATUS, STEADY, Turn, WRITES, run_task, template};
use crate::bench::Bench;

/// The shapes, in the order in which they are run.
pub const NAMES: [&str; 6] =
    ["workers-exec", "workers-stream", "workers-long", "workers-skewed", "workers-million", "workers-million-exec"];

/// Answers each line at once, as JSON: the result of an item is its index.
const ANSWER: &str = "{ print \"{\\\"index\\\":\" $2 \",\\\"result\\\":\" $2 \"}\"; fflush() }";

/// The workers of a task.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    items: usize,
    pods: usize,
    slots: usize,
    /// Lines that a program may have unanswered; 0: a program for each item.
    pipeline: usize,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

impl Plan {
    /// As the environment changes it.
    fn chosen(self) -> Self {
        let pipeline = if self.pipeline == 0 { 0 } else { number("BENCH_PIPELINE", self.pipeline) };
        Self {
            items: number("BENCH_ITEMS", self.items),
            pods: number("BENCH_PODS", self.pods),
            slots: number("BENCH_SLOTS", self.slots),
            pipeline,
        }
    }

    fn name(self) -> String {
        let Self { pods, slots, pipeline, .. } = self;
        match pipeline {
            0 => format!("MapTask, Exec ({pods} pods of {slots} slots)"),
            _ => format!("MapTask, Stream ({pods} pods of {slots} slots, pipeline {pipeline})"),
        }
    }

    fn spec(self, command: &Value) -> Value {
        let mut workers = json!({ "slots": self.slots, "idleSeconds": 5 });
        if self.pipeline > 0 {
            workers["mode"] = json!("Stream");
            workers["pipeline"] = json!(self.pipeline);
        }
        json!({
            "items": { "count": self.items }, "concurrency": self.pods * self.slots, "workers": workers,
            "template": template(command),
        })
    }

    /// Items that end at once, or are answered at once.
    async fn run(self, bench: &mut Bench) -> Row {
        let command = if self.pipeline == 0 { json!(["/bin/true"]) } else { json!(["awk", "-F[:,]", ANSWER]) };
        let namespace = bench.namespace().await;
        let turn = Turn::begin(bench).await;
        let ran = run_task(bench, &namespace, &self.spec(&command)).await;
        let row = turn.end(bench, &self.name(), self.items, &ran).await;
        bench.clean(&namespace).await;
        row
    }
}

const EXEC: Plan = Plan { items: 20_000, pods: 2, slots: 2, pipeline: 0 };
const STREAM: Plan = Plan { items: 200_000, pods: 2, slots: 2, pipeline: 100 };
/// Items of the peers that run a process for each.
const PEER_ITEMS: usize = 10_000;
const MILLION: usize = 1_000_000;

/// A figure beside its goal, as a line of a list.
fn goal(what: &str, figure: Option<f64>, goal: &str) -> String {
    let figure = figure.map_or("not measured".to_owned(), |figure| match figure {
        figure if figure >= 100.0 => format!("{figure:.0}"),
        figure => format!("{figure:.3}"),
    });
    format!("- {what}: **{figure}** (goal: {goal})\n")
}

async fn exec(bench: &mut Bench, rounds: usize) {
    let plan = EXEC.chosen();
    let peers = PEER_ITEMS.min(plan.items);
    let mut rows = Rows::default();
    for _ in 0..rounds {
        rows.add(plan.run(bench).await);
        rows.add(peers::xargs_in_pod(bench, peers).await);
        rows.add(peers::xargs(bench, peers).await);
        rows.add(peers::hyperqueue(bench, peers).await);
        rows.add(peers::pod_an_item(bench).await);
        rows.add(peers::job(bench).await);
    }
    let ours = plan.name();
    let times = |peer: &str| rows.ratio(&ours, peer, RATE);
    let mut goals = goal("times the items/s of an Indexed Job", times(peers::JOB), "at least 200");
    goals += &goal("times those of a MapTask with a pod for each item", times(peers::POD_AN_ITEM), "none");
    goals += &goal("times those of HyperQueue", times(peers::HYPERQUEUE), "at least 1.0");
    goals += &goal("times those of `xargs -P 2` on this machine", times(peers::XARGS), "at least 0.6");
    goals += &goal("times those of `xargs -P 2` in a pod", times(peers::XARGS_IN_POD), "none");
    goals += &costs(&rows, &ours, "20 µs");
    let what = format!("`/bin/true` for each of {} items, in real containers on one node", plan.items);
    rows.write("workers-exec", &what, rounds, &goals);
}

fn costs(rows: &Rows, ours: &str, cpu: &str) -> String {
    goal("operator's CPU for an item, µs", rows.median(ours, CPU), &format!("at most {cpu}"))
        + &goal("API writes for an item", rows.median(ours, WRITES), "under 0.02")
}

async fn stream(bench: &mut Bench, rounds: usize) {
    let plan = STREAM.chosen();
    let mut rows = Rows::default();
    for _ in 0..rounds {
        rows.add(plan.run(bench).await);
    }
    let ours = plan.name();
    let mut goals = goal("items/s while all workers run", rows.median(&ours, STEADY), "20,000");
    goals += &goal("items/s from apply to the end", rows.median(&ours, RATE), "none");
    goals += &costs(&rows, &ours, "10 µs");
    let what = format!("{} items that awk answers at once, with their index as the result", plan.items);
    rows.write("workers-stream", &what, rounds, &goals);
}

async fn million(bench: &mut Bench, shape: &str, plan: Plan, cpu: &str) {
    let plan = Plan { items: MILLION, ..plan }.chosen();
    let mut rows = Rows::default();
    rows.add(plan.run(bench).await);
    let ours = plan.name();
    let minutes = rows.median(&ours, RATE).map(|rate| MILLION as f64 / rate / 60.0);
    let what =
        if plan.items == MILLION { "minutes from apply to the end" } else { "minutes for a million at this rate" };
    let mut goals = goal(what, minutes, "under 20");
    goals += &goal("operator's memory at most, MB", rows.median(&ours, MEMORY), "under 200");
    goals += &goal("status at the end, KB", rows.median(&ours, STATUS).map(|bytes| bytes / 1e3), "under 500");
    goals += &costs(&rows, &ours, cpu);
    rows.write(shape, &format!("{} items against the real API server, to the end", plan.items), 1, &goals);
}

/// Runs the shapes that are wanted.
pub async fn measure(bench: &mut Bench, wanted: &[&str], rounds: usize) {
    if !NAMES.iter().any(|name| wanted.contains(name)) {
        return;
    }
    // A node that has just started is slower than it will be.
    println!("warm-up");
    Plan { items: 500, ..EXEC }.run(bench).await;
    for name in NAMES.iter().filter(|name| wanted.contains(name)) {
        println!("{name}");
        match *name {
            "workers-exec" => exec(bench, rounds).await,
            "workers-stream" => stream(bench, rounds).await,
            "workers-long" => tail::long(bench, rounds).await,
            "workers-skewed" => tail::skewed(bench, rounds).await,
            "workers-million" => million(bench, name, STREAM, "10 µs").await,
            _ => million(bench, name, EXEC, "20 µs").await,
        }
    }
}
