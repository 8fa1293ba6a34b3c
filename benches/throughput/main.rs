//! How fast, and at what cost: MapTask next to an Indexed Job and to the ceiling of any controller, a bare loop that
//! creates, watches and deletes pods. In turn, on one cluster with fake nodes; run by `make bench`, which starts it.
//!
//! `BENCH_SHAPES=a,b` picks shapes by name, `BENCH_ROUNDS=n` says how often each contender has its turn. What was
//! measured goes to standard output and, with a plot, into docs/benchmarks; no figure decides anything.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub, reason = "a benchmark that can't go on stops")]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "figures for people")]

mod bench;
mod contender;
mod figures;
mod flood;
mod meter;
mod neighbour;
mod operator;
#[path = "../page.rs"]
mod page;
mod plot;
mod report;
mod requests;
#[path = "../resident.rs"]
mod resident;
mod shapes;
mod workers;

use std::collections::BTreeMap;

use bench::Bench;
use contender::Contender;
use figures::Figures;
use shapes::Shape;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() {
    let mut terminate = signal(SignalKind::terminate()).unwrap();
    // Whoever ends the benchmark ends its operator, too.
    tokio::select! {
        () = measure() => {}
        _ = terminate.recv() => std::process::exit(143),
    }
}

async fn measure() {
    let wanted = std::env::var("BENCH_SHAPES").unwrap_or_else(|_| shapes::DEFAULT.to_owned());
    let rounds: usize = std::env::var("BENCH_ROUNDS").map_or(3, |n| n.parse().expect("BENCH_ROUNDS is a number"));
    let mut bench = Bench::start().await;
    let names: Vec<&str> = wanted.split(',').collect();
    workers::measure(&mut bench, &names, rounds).await;
    if names.iter().all(|name| workers::NAMES.contains(name)) {
        return;
    }
    // A cluster that has just started is slower than it will be.
    let warm = Shape { items: 300, ..shapes::ALL[0] };
    println!("warm-up: {}", bench.run(&warm, Contender::Bare).await);
    if names.contains(&neighbour::NAME) {
        neighbour::measure(&mut bench, rounds).await;
    }
    for shape in shapes::ALL.iter().filter(|shape| names.contains(&shape.name)) {
        let mut figures: BTreeMap<Contender, Vec<Figures>> = BTreeMap::new();
        for round in 1..=rounds.min(shape.rounds) {
            for contender in shape.contenders {
                // The slow one is known after one round.
                if *contender == Contender::JobDefault && round > 1 {
                    continue;
                }
                let found = bench.run(shape, *contender).await;
                println!("{} round {round} {contender:?}: {found}", shape.name);
                figures.entry(*contender).or_default().push(found);
            }
        }
        let title = format!("{}: {}", shape.name, shape.what);
        println!("\n{}", report::table(&title, &figures));
        report::write(shape.name, &title, &figures, rounds.min(shape.rounds));
    }
}
