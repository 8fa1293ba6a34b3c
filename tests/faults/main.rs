//! The operator as a process, between it and a real API server a proxy that answers wrongly, late or not at all, and
//! someone who kills it again and again. A witness sees past the proxy what really happens.
//!
//! Run by `make test-faults`, which starts a cluster of its own. `FAULT_SEED=n` repeats one run, `FAULT_RUNS=n` is
//! their number, `FAULT_FROM=n` the first one's seed (1), `FAULT_MINUTES=n` how long new ones are begun. What a run
//! draws from its seed is the same each time; what the cluster makes of it is not. One run in 30 restarts the API
//! server, and another holds etcd up, if `FAULT_CLUSTER` names the local cluster. One run in four has workers: real
//! worker programs as the pods of a node of its own, which are killed as well, and speak to the operators over
//! connections that break.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test that can't go on has failed")]

mod chaos;
mod check;
mod cluster;
#[path = "../cluster/kubectl.rs"]
#[allow(dead_code, reason = "shared with tests/cluster")]
mod kubectl;
mod kubelet;
mod profile;
mod proxy;
#[path = "../simulation/random.rs"]
#[allow(dead_code, clippy::cast_possible_truncation, reason = "shared with tests/simulation; small numbers")]
mod random;
mod real;
mod runs;
mod wire;
mod witness;
mod workers;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Runs at one time: more make each other slow on two cores.
const AT_ONCE: usize = 2;
const RUNS: u64 = 16;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|n| n.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

#[test]
#[ignore = "needs a cluster of its own: make test-faults"]
fn nothing_is_lost_or_done_twice_whatever_goes_wrong() {
    let (first, runs) = match number("FAULT_SEED") {
        Some(seed) => (seed, 1),
        None => (number("FAULT_FROM").unwrap_or(1), number("FAULT_RUNS").unwrap_or(RUNS)),
    };
    let end = number("FAULT_MINUTES").map(|minutes| Instant::now() + Duration::from_mins(minutes));
    let (next, problems) = (AtomicU64::new(first), Mutex::new(Vec::new()));
    let (began, done) = (Instant::now(), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + runs || end.is_some_and(|end| Instant::now() > end) {
                        return;
                    }
                    match std::panic::catch_unwind(|| runs::run(seed)) {
                        Ok(Ok(summary)) => println!("seed {seed}: {summary}"),
                        Ok(Err(problem)) => {
                            println!("{problem}\nagain: FAULT_SEED={seed} make test-faults");
                            problems.lock().unwrap().push(seed);
                        }
                        Err(_) => problems.lock().unwrap().push(seed),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    println!("{} runs in {} s", done.into_inner(), began.elapsed().as_secs());
    let problems = problems.into_inner().unwrap();
    assert!(problems.is_empty(), "something was wrong under the seeds {problems:?}; see above");
}
