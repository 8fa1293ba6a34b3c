//! Does the core keep its promises to items that share pods, whatever happens? A simulated world of one task with workers:
//! exchanges are lost, delayed and reordered; workers die between any two steps, are stopped, go silent and come back; two
//! leaders overlap; the operator dies; writes conflict or lose their answers.
//!
//! `SIMULATION_SEEDS`, `SIMULATION_FROM` and `SIMULATION_SEED` as in `tests/simulation`.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "a test that can't go on has failed")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "small numbers"
)]
#![allow(clippy::needless_for_each, clippy::needless_pass_by_value, reason = "short")]

mod operator;
mod pods;
#[path = "../simulation/random.rs"]
mod random;
mod truth;
mod worker;
mod world;

use std::sync::atomic::{AtomicBool, Ordering};

use random::Random;
use world::World;

const SEEDS: u64 = 1_000;

fn run(seed: u64, talk: bool) -> Result<(), String> {
    World::new(Random::new(seed ^ 0x00C0_FFEE), talk).run_to_the_end().map_err(|problem| {
        format!("seed {seed}: {problem}\nagain: SIMULATION_SEED={seed} cargo test --test workers -- --nocapture")
    })
}

#[test]
fn no_item_is_lost_or_runs_in_two_workers_under_any_seed() {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        run(seed.parse().expect("SIMULATION_SEED is a number"), true).unwrap();
        return;
    }
    let number =
        |name: &str| std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    let first: u64 = number("SIMULATION_FROM").unwrap_or(0);
    let seeds: u64 = number("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let failed = AtomicBool::new(false);
    let part = |thread| {
        let seeds = (first..first + seeds).filter(|seed| seed % 2 == thread);
        let mut seeds = seeds.take_while(|_| !failed.load(Ordering::Relaxed));
        let problem = seeds.find_map(|seed| run(seed, false).err());
        failed.fetch_or(problem.is_some(), Ordering::Relaxed);
        problem
    };
    let problems: Vec<String> = std::thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = (0..2).map(|thread| scope.spawn(move || part(thread))).collect();
        running.into_iter().filter_map(|thread| thread.join().expect("a seed panicked: run them one by one")).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    println!("{seeds} seeds from {first}");
}
