//! What do the rules cost for an item that a worker runs? A million of them by 4 workers in the core alone, with an API
//! server that answers at once: each exchange reports what has ended since the last one, and takes as many new ones.
//!
//! `cargo bench --bench grants` prints the time for an item. `ITEMS=n` makes it another number, `ENDS=n` that of an
//! exchange.

#![allow(missing_docs, clippy::unwrap_used, clippy::cast_precision_loss, reason = "a benchmark that fails stops")]
#![allow(unreachable_pub, reason = "shared with other benchmarks")]

#[allow(dead_code, reason = "shared with benches/growth")]
mod cluster;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use cluster::Cluster;
use maptask::core::ids::PodRole;
use maptask::core::port::{Event, Exchange, PodId};
use maptask_exchange::{AttemptId, End, Outcome, Request, State};
use serde_json::json;

const WORKERS: usize = 4;
const SLOTS: usize = 2;
/// Milliseconds of the core's time between two exchanges.
const STEP_MILLIS: u64 = 5;

/// One worker: what it holds, oldest first.
struct Worker {
    pod: PodId,
    number: u64,
    ended: u64,
    held: VecDeque<AttemptId>,
}

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

impl Worker {
    /// Says that up to `most` of what it holds has ended.
    fn request(&mut self, ticket: u64, most: usize) -> Event {
        let ended = self.held.drain(..most.min(self.held.len())).map(|id| {
            self.ended += 1;
            let outcome = Outcome::Succeeded { result: Some(id.0.to_string()) };
            End { sequence: self.ended, id, micros: 900, outcome }
        });
        let ended: Vec<End> = ended.collect();
        let running = self.held.iter().copied().take(SLOTS).collect();
        let stock = self.held.iter().copied().skip(SLOTS).collect();
        self.number += 1;
        let begun = self.ended + self.held.len().min(SLOTS) as u64;
        let (session, number, epoch) = (format!("{:016x}", 7), self.number, 1);
        Event::Exchange(Box::new(Exchange {
            ticket,
            namespace: self.pod.key.namespace.clone(),
            pod: self.pod.pod_name(),
            pod_uid: self.pod.role.to_string(),
            request: Request { session, number, epoch, running, stock, ended, begun, state: State::Working },
        }))
    }
}

fn main() {
    let (items, ends) = (number("ITEMS", 1_000_000), number("ENDS", 40));
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x", "command": ["x"] }] } });
    let spec = json!({ "items": { "count": items }, "concurrency": WORKERS * SLOTS, "workers": { "slots": SLOTS },
                       "template": template });
    let mut cluster = Cluster::new();
    cluster.apply(cluster::task_of(&spec));
    cluster.settle();
    let mut workers: Vec<Worker> = cluster
        .pods()
        .filter(|pod| matches!(pod.role, PodRole::Worker(_)))
        .map(|pod| Worker { pod, number: 0, ended: 0, held: VecDeque::new() })
        .collect();
    assert_eq!(workers.len(), WORKERS);
    let (mut heard, mut planned, mut written) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let (mut exchanges, mut granted) = (0, 0);
    let mut done = 0;
    while done < items {
        let at = usize::try_from(exchanges).unwrap() % WORKERS;
        exchanges += 1;
        let event = workers[at].request(exchanges, ends);
        cluster.wait(STEP_MILLIS);
        let began = Instant::now();
        cluster.hear(event);
        heard += began.elapsed();
        let began = Instant::now();
        let plan = cluster.whole_plan();
        let took = began.elapsed();
        let writes = !plan.actions.is_empty();
        *(if writes { &mut written } else { &mut planned }) += took;
        for reply in plan.replies {
            let ticket = reply.ticket;
            let answer = reply.for_worker().unwrap();
            // A request that waits is answered later, and that answer may be another worker's.
            let place = usize::try_from(ticket - 1).unwrap() % WORKERS;
            if answer.number == workers[place].number {
                granted += answer.grants.len();
                workers[place].held.extend(answer.grants.iter().map(|grant| grant.id));
            }
        }
        cluster.carry_out(plan.actions);
        done = workers.iter().map(|worker| usize::try_from(worker.ended).unwrap()).sum();
        assert!(exchanges < 100 * items as u64, "{done} of {items} have ended");
    }
    let micros = |time: Duration| time.as_secs_f64() * 1e6 / items as f64;
    println!(
        "{items} items by {WORKERS} workers, {granted} grants, {:.1} ends an exchange",
        items as f64 / exchanges as f64
    );
    println!(
        "rules, us an item: {:.2} to hear, {:.2} to plan and grant, {:.2} in rounds that write the status; status {} bytes",
        micros(heard),
        micros(planned),
        micros(written),
        cluster.status_bytes()
    );
}
