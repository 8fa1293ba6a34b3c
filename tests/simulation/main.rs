//! Does the core keep its promises whatever happens? A simulated world drives it to the end under thousands of seeds:
//! pods run, fail, vanish and are evicted; requests are refused, delayed, carried out without an answer or answered
//! without being carried out; watches break off; the operator dies between any two steps.
//!
//! `SIMULATION_SEEDS=n` sets the number of seeds and `SIMULATION_FROM=n` the first of them, `SIMULATION_SEED=s` runs
//! one and prints what happens.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test that can't go on has failed")]
#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "small numbers")]
#![allow(clippy::large_enum_variant, clippy::unused_self, reason = "worlds are small and short-lived")]

mod cache;
mod cancel;
mod chains;
mod charges;
mod check;
mod conditions;
mod creates;
mod ends;
mod faults;
mod gates;
mod known;
mod kueue;
mod labels;
mod listing;
mod listing_api;
mod listing_faults;
mod names;
mod operator;
mod outlives;
mod progress;
mod random;
mod reasons;
mod reduce;
mod seeds;
mod specs;
mod starts;
mod stops;
mod store;
mod templates;
mod times;
mod truth;
mod words;
mod world;
mod writes;
mod zero;

use random::Random;
use world::World;

const SEEDS: u64 = 10_000;

fn run(seed: u64, talk: bool) -> Result<(), String> {
    let mut world = World::new(Random::new(seed), talk);
    world.run_to_the_end().map_err(|problem| {
        format!("seed {seed}: {problem}\nagain: SIMULATION_SEED={seed} cargo test --test simulation -- --nocapture")
    })
}

#[test]
fn nothing_is_lost_or_done_twice_under_any_seed() {
    seeds::under_every_seed(SEEDS, run);
}
