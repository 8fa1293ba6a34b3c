//! The worlds of many seeds, on all cores.

use std::sync::atomic::{AtomicBool, Ordering};

/// Runs a world for each seed; with `SIMULATION_SEED` only that one, which then says what happens.
pub fn under_every_seed(default: u64, run: impl Fn(u64, bool) -> Result<(), String> + Sync) {
    if let Ok(seed) = std::env::var("SIMULATION_SEED") {
        run(seed.parse().expect("SIMULATION_SEED is a number"), true).unwrap();
        return;
    }
    let number =
        |name: &str| std::env::var(name).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{name} is a number")));
    let first: u64 = number("SIMULATION_FROM").unwrap_or(0);
    let seeds: u64 = number("SIMULATION_SEEDS").unwrap_or(default);
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get() as u64);
    // Where one seed has failed the others stop: a mutant that is caught costs no more worlds.
    let failed = AtomicBool::new(false);
    let part = |thread| {
        let seeds = (first..first + seeds).filter(|seed| seed % threads == thread);
        let mut seeds = seeds.take_while(|_| !failed.load(Ordering::Relaxed));
        let problem = seeds.find_map(|seed| run(seed, false).err());
        failed.fetch_or(problem.is_some(), Ordering::Relaxed);
        problem
    };
    let problems: Vec<String> = std::thread::scope(|scope| {
        let part = &part;
        let running: Vec<_> = (0..threads).map(|thread| scope.spawn(move || part(thread))).collect();
        running.into_iter().filter_map(|thread| thread.join().expect("a seed panicked: run them one by one")).collect()
    });
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    println!("{seeds} seeds from {first}");
}
