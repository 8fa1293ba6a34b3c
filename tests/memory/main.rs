//! What the core allocates, counted: blocks for each item that runs to its end, and bytes at the peak. Counts don't
//! depend on the machine's speed, so that they may fail a build. What is recorded here was measured; the limit is a
//! tenth above.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub, reason = "a test that can't go on has failed")]

#[path = "../../benches/cluster.rs"]
#[allow(dead_code, reason = "shared with benches/growth")]
mod cluster;
#[path = "../../benches/event.rs"]
mod event;

use cluster::{Cluster, task};

#[global_allocator]
static ALLOCATOR: dhat::Alloc = dhat::Alloc;

/// Items that run to their end in each measurement; 5,000 more are in flight then.
const ENDED: u32 = 5_000;

/// Begins a task with this number of items. Returns blocks allocated for each that has ended, and bytes at the peak.
fn run(items: u32) -> (u64, usize) {
    let mut cluster = Cluster::new();
    cluster.apply(task(items));
    cluster.settle();
    let end = |cluster: &mut Cluster| {
        for _ in 0..ENDED {
            cluster.end_oldest(5).unwrap();
            let (_, actions) = cluster.plan();
            cluster.carry_out(actions);
        }
    };
    // From then on as many finished pods go as come.
    end(&mut cluster);
    let before = dhat::HeapStats::get().total_blocks;
    end(&mut cluster);
    let after = dhat::HeapStats::get();
    ((after.total_blocks - before) / u64::from(ENDED), after.max_bytes)
}

/// Blocks allocated to read a pod's event: it comes five times for each item.
fn event_blocks() -> u64 {
    let before = dhat::HeapStats::get().total_blocks;
    std::hint::black_box(event::decode(event::EVENT));
    dhat::HeapStats::get().total_blocks - before
}

/// Blocks for each event of a pod.
const EVENT_BLOCKS: u64 = 41;
/// Blocks for each item, those of the cluster that answers included.
const BLOCKS: u64 = 104;
/// Bytes at the peak with 20,000 items, and then with a million; 5 MB are finished pods that linger.
const PEAKS: [usize; 2] = [13_800_000, 14_650_000];

#[test]
fn an_item_costs_no_more_allocations_and_a_task_no_more_memory_than_recorded() {
    let _profiler = dhat::Profiler::builder().testing().build();
    let read = event_blocks();
    let (blocks, small) = run(20_000);
    let (_, large) = run(1_000_000);
    println!("{read} blocks an event, {blocks} an item; peak {small} B with 20,000 items, {large} B with a million");
    assert!(read <= EVENT_BLOCKS + EVENT_BLOCKS / 10, "{read} blocks an event, {EVENT_BLOCKS} are recorded");
    assert!(blocks <= BLOCKS + BLOCKS / 10, "{blocks} blocks an item, {BLOCKS} are recorded");
    for (found, recorded) in [small, large].into_iter().zip(PEAKS) {
        assert!(found <= recorded + recorded / 10, "{found} bytes at the peak, {recorded} are recorded");
    }
}
