//! How many items that end at once does one worker run in a second, next to `xargs`?
//!
//! `cargo bench -p maptask-worker` (ITEMS, SLOTS).

#![allow(clippy::unwrap_used, reason = "it stops where it fails")]

#[path = "../tests/fake/mod.rs"]
mod fake;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fake::{Leader, SUCCEEDED, Worker, config, grants, soon};
use maptask_exchange::Config;

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn main() {
    let (items, slots) = (number("ITEMS", 5_000), number("SLOTS", 2));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for round in 1..=3 {
        let worker = runtime.block_on(async {
            let mut leader = Leader::start().await;
            let mut worker = Worker::start(&Config { slots, ..config(&leader.url) }, &["/bin/true"]);
            let began = Instant::now();
            let ends = leader.run(grants(items), slots, 40 * slots as usize).await;
            let took = began.elapsed();
            assert!(ends.iter().all(|end| end.outcome == SUCCEEDED));
            assert!(soon("the worker's end", worker.end()).await.success());
            took
        });
        let began = Instant::now();
        let script = format!("seq {items} | xargs -P {slots} -n 1 /bin/true");
        assert!(Command::new("sh").args(["-c", &script]).stdin(Stdio::null()).status().unwrap().success());
        let xargs = began.elapsed();
        println!(
            "round {round}: {items} items of /bin/true in {slots} slots: worker {:.0}/s, xargs {:.0}/s",
            rate(items, worker),
            rate(items, xargs)
        );
    }
}

fn rate(items: u32, took: Duration) -> f64 {
    f64::from(items) / took.as_secs_f64()
}
