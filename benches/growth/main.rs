//! What grows with the number of items, and how: the core alone, with a cluster that answers at once.
//!
//! `cargo bench --bench growth` prints a table for 1,000 to 1,000,000 items of one task, 5,000 of them in flight; each size
//! is measured in a process of its own. `cargo bench --bench growth -- N` measures one.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark that can't go on stops")]
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

#[path = "cluster.rs"]
mod cluster;
#[path = "resident.rs"]
mod resident;

use std::process::Command;
use std::time::{Duration, Instant};

use cluster::{Cluster, task};
use maptask::core::fleet::plan::Action;

const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Milliseconds of the core's time from one pod's end to the next: some 200 a second.
const STEP_MILLIS: u64 = 5;

fn main() {
    let size = std::env::args().skip(1).find_map(|arg| arg.parse().ok());
    if let Some(size) = size {
        return measure(size);
    }
    println!(
        "| items | accepted | event planned, median | p99 | status written, median | longest | status | bytes an item | restart at half | memory with 5,000 in flight | whole run |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |");
    for size in SIZES {
        let done = Command::new(std::env::current_exe().unwrap()).arg(size.to_string()).status().unwrap();
        assert!(done.success());
    }
}

fn measure(size: u32) {
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
    let status = cluster.status_bytes();
    println!(
        "| {size} | {} | {} | {} | {} | {} | {status} B | {:.3} | {} | {memory:.0} MB | {:.1} s |",
        time(accepted),
        time(part(&mut events, 50)),
        time(part(&mut events, 99)),
        time(part(&mut writes, 50)),
        time(part(&mut writes, 100)),
        status as f64 / f64::from(size),
        time(restart),
        whole.as_secs_f64(),
    );
}

/// The duration below which so many percent are.
fn part(durations: &mut [Duration], percent: usize) -> Duration {
    durations.sort_unstable();
    durations.get((durations.len() * percent / 100).min(durations.len().saturating_sub(1))).copied().unwrap_or_default()
}

fn time(duration: Duration) -> String {
    match duration.as_micros() {
        micros @ 0..1_000 => format!("{micros} µs"),
        micros @ 1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        micros => format!("{:.2} s", micros as f64 / 1e6),
    }
}
