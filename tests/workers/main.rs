//! Does the core keep its promises to items that share pods, whatever happens? A simulated world of one task with
//! workers: exchanges are lost, delayed and reordered; workers die between any two steps, are stopped, go silent and
//! come back; two leaders overlap; the operator dies; writes conflict or lose their answers.
//!
//! `SIMULATION_SEEDS`, `SIMULATION_FROM` and `SIMULATION_SEED` as in `tests/simulation`.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, dead_code, reason = "a test that stops has failed")]
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
mod reach;
#[path = "../simulation/seeds.rs"]
mod seeds;
mod truth;
mod worker;
mod world;

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
    seeds::under_every_seed(SEEDS, run);
}
