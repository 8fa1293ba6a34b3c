//! How many items that end at once does one worker run in a second, next to `xargs`? And how many lines does it stream?
//!
//! `cargo bench -p maptask-worker` (ITEMS, LINES, SLOTS).

#![allow(clippy::unwrap_used, reason = "it stops where it fails")]

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::io::{BufRead, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fake::{Leader, Worker, config, grants, soon};
use maptask_exchange::{Config, Mode, Outcome};

/// The argument with which this program answers each line at once.
const ECHO: &str = "echo-lines";

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    if std::env::args().nth(1).as_deref() == Some(ECHO) {
        return echo();
    }
    let (items, lines, slots) = (number("ITEMS", 5_000), number("LINES", 100_000), number("SLOTS", 2));
    let own = std::env::current_exe().unwrap();
    for round in 1..=3 {
        let worker = run(Mode::Exec, items, slots, 40, &["/bin/true"]);
        let began = Instant::now();
        let script = format!("seq {items} | xargs -P {slots} -n 1 /bin/true");
        assert!(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).status().unwrap().success());
        let xargs = began.elapsed();
        let stream = run(Mode::Stream { pipeline: 64 }, lines, 1, 2_000, &[own.to_str().unwrap(), ECHO]);
        println!(
            "round {round}: /bin/true in {slots} slots: worker {:.0}/s, xargs {:.0}/s; lines answered at once: {:.0}/s",
            rate(items, worker),
            rate(items, xargs),
            rate(lines, stream)
        );
    }
}

fn run(mode: Mode, items: u32, slots: u32, stock: usize, command: &[&str]) -> Duration {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut leader = Leader::start().await;
        let mut worker = Worker::start(&Config { mode, slots, ..config(&leader.url) }, command);
        let began = Instant::now();
        let ends = leader.run(grants(items), slots, stock * slots as usize).await;
        let took = began.elapsed();
        assert!(ends.iter().all(|end| matches!(end.outcome, Outcome::Succeeded { .. })));
        assert!(soon("the worker's end", worker.end()).await.success());
        took
    })
}

/// Answers what has come before it waits for more.
fn echo() {
    let mut input = std::io::BufReader::with_capacity(64 << 10, std::io::stdin());
    let (mut line, mut answers) = (String::new(), Vec::new());
    while input.read_line(&mut line).unwrap() > 0 {
        let index = line.strip_prefix("{\"index\":").and_then(|rest| rest.split(',').next()).unwrap();
        answers.extend_from_slice(format!("{{\"index\":{index},\"result\":{index}}}\n").as_bytes());
        line.clear();
        if input.buffer().is_empty() {
            std::io::stdout().write_all(&answers).unwrap();
            answers.clear();
        }
    }
}

fn rate(items: u32, took: Duration) -> f64 {
    f64::from(items) / took.as_secs_f64()
}
