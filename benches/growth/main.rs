//! What grows with the number of items, and how: the core alone, with a cluster that answers at once.
//!
//! `cargo bench --bench growth` writes a table and a plot for 1,000 to 1,000,000 items of one task, 5,000 of them in
//! flight, into docs/operations/scale.md; each size is measured in a process of its own.
//! `cargo bench --bench growth -- N` measures one.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub, reason = "a benchmark that can't go on stops")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

#[allow(dead_code, reason = "shared with benches/grants")]
#[path = "../cluster.rs"]
mod cluster;
#[path = "../page.rs"]
mod page;
mod plot;
#[path = "../resident.rs"]
mod resident;

use std::fmt::Write;
use std::process::Command;
use std::time::{Duration, Instant};

use cluster::{Cluster, task};
use maptask::core::port::Action;

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Milliseconds of the core's time from one pod's end to the next: some 200 a second.
const STEP_MILLIS: u64 = 5;
/// What is measured of a size, in this order: times in microseconds, sizes in bytes, memory in megabytes.
const QUANTITIES: [&str; 9] = [
    "accepted",
    "event planned, median",
    "event planned, p99",
    "status written, median",
    "status written, longest",
    "status, bytes",
    "restart at half",
    "memory with up to 5,000 in flight",
    "whole run",
];
/// Of those, what the plot shows.
const PLOTTED: [usize; 7] = [0, 1, 3, 5, 6, 7, 8];

fn main() {
    let size = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    if let Some(size) = size {
        let found: Vec<String> = measure(size).iter().map(f64::to_string).collect();
        println!("{}", found.join(" "));
        return;
    }
    let found: Vec<(u32, Vec<f64>)> = SIZES.into_iter().map(|size| (size, measured(size))).collect();
    let mut text = format!("`cargo bench --bench growth` {}.\n\n", page::stamp());
    let _ = writeln!(text, "| items | {} | bytes an item |", QUANTITIES.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(QUANTITIES.len() + 2));
    for (size, values) in &found {
        let cells = values.iter().zip(QUANTITIES).map(|(value, quantity)| match quantity {
            "status, bytes" => format!("{value:.0}"),
            name if name.starts_with("memory") => format!("{value:.0} MB"),
            _ => time(*value),
        });
        let cells: Vec<String> = cells.collect();
        let _ = writeln!(text, "| {size} | {} | {:.3} |", cells.join(" | "), values[5] / f64::from(*size));
    }
    text.push_str("\n![what grows with the items](../benchmarks/growth.svg)\n");
    print!("{text}");
    let lines: Vec<_> = PLOTTED
        .into_iter()
        .map(|i| (QUANTITIES[i], found.iter().map(|(size, values)| (*size, values[i])).collect()))
        .collect();
    page::file("growth.svg", &plot::lines(&lines));
    replace(&text);
}

/// Puts a text between the marks of its part of docs/operations/scale.md.
fn replace(text: &str) {
    let path = format!("{}/operations/scale.md", page::DOCS);
    let (begin, end) = ("<!-- growth: begin -->", "<!-- growth: end -->");
    let old = std::fs::read_to_string(&path).unwrap();
    let (head, rest) = old.split_once(begin).expect("it begins");
    let (_, tail) = rest.split_once(end).expect("the part has its end");
    std::fs::write(&path, format!("{head}{begin}\n{text}{end}{tail}")).unwrap();
    println!("written to {path}");
}

/// The figures of a size, from a process of its own.
fn measured(size: u32) -> Vec<f64> {
    let done = Command::new(std::env::current_exe().unwrap()).arg(size.to_string()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = String::from_utf8(done.stdout).unwrap();
    text.split_whitespace().map(|value| value.parse().unwrap()).collect()
}

fn measure(size: u32) -> [f64; 9] {
    let mut cluster = Cluster::new();
    let began = Instant::now();
    cluster.apply(task(size));
    cluster.settle();
    let accepted = began.elapsed();
    let (mut events, mut writes) = (Vec::new(), Vec::new());
    let (mut restart, mut memory) = (Duration::ZERO, 0.0);
    let began = Instant::now();
    let mut ended = 0;
    while let Some(heard) = cluster.end_oldest(STEP_MILLIS) {
        ended += 1;
        let (planned, actions) = cluster.plan();
        let took = heard + planned;
        let written = actions.iter().any(|action| matches!(action, Action::Write(_)));
        let timed = if written { &mut writes } else { &mut events };
        timed.push(took);
        cluster.carry_out(actions);
        if ended == size / 2 {
            memory = resident::resident(std::process::id());
            restart = cluster.restarted();
        }
    }
    let whole = began.elapsed().saturating_sub(restart);
    [
        micros(accepted),
        part(&mut events, 50),
        part(&mut events, 99),
        part(&mut writes, 50),
        part(&mut writes, 100),
        cluster.status_bytes() as f64,
        micros(restart),
        memory,
        micros(whole),
    ]
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// The microseconds at this percentile.
fn part(durations: &mut [Duration], percent: usize) -> f64 {
    durations.sort_unstable();
    let place = (durations.len() * percent / 100).min(durations.len().saturating_sub(1));
    durations.get(place).map_or(0.0, |duration| micros(*duration))
}

fn time(micros: f64) -> String {
    match micros {
        micros if micros < 1e3 => format!("{micros:.1} µs"),
        micros if micros < 1e6 => format!("{:.1} ms", micros / 1e3),
        micros => format!("{:.2} s", micros / 1e6),
    }
}
