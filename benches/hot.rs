//! What is done for every pod, on its own: reading a watch's event, planning, making a pod's body, and the status's
//! codec.
//!
//! `cargo bench --bench hot` measures; `cargo test --bench hot` runs each once, so that they stay whole.

#![allow(missing_docs, clippy::unwrap_used, unreachable_pub, reason = "a benchmark that can't go on stops")]

#[allow(dead_code, reason = "shared with benches/growth")]
mod cluster;
mod event;

use std::hint::black_box;
use std::time::Duration;

use cluster::{Cluster, task};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use event::{EVENT, decode};
use maptask::core::ids::{Attempt, Index, ItemCount, PodRole, TaskKey};
use maptask::core::phases::{ItemPhase, Phases};
use maptask::core::pod::PodTemplate;
use serde_json::json;

fn reading(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    group.throughput(Throughput::Bytes(EVENT.len() as u64));
    group.bench_function("event of a pod", |bencher| {
        bencher.iter(|| decode(black_box(EVENT)));
    });
    group.finish();
}

fn body(criterion: &mut Criterion) {
    let template = json!({ "spec": { "containers": [{
        "name": "main", "image": "busybox:1.36", "command": ["sh", "-c", "true"],
        "resources": { "requests": { "cpu": "1", "memory": "1Gi" } },
    }] } });
    let template = PodTemplate::accept(&template, None).unwrap();
    let (task, at) = (TaskKey::new("namespace", "task"), PodRole::Item(Index(7), Attempt(1)));
    let env = ["MAPTASK_ITEM", "MAPTASK_INDEX", "MAPTASK_COUNT", "MAPTASK_ATTEMPT", "MAPTASK_NAME"];
    let env = env.map(|name| (name.to_owned(), "7".to_owned()));
    criterion.bench_function("make/body of a pod", |bencher| {
        bencher.iter(|| {
            serde_json::to_vec(&template.pod(&task, "uid", at, black_box(&env), maptask::core::phases::Raises::NONE))
                .unwrap()
        });
    });
}

/// A task with 5,000 items in flight.
fn begun(items: u32) -> Cluster {
    let mut cluster = Cluster::new();
    cluster.apply(task(items));
    cluster.settle();
    cluster
}

fn plan(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("plan");
    for items in [10_000, 1_000_000] {
        group.bench_function(format!("end of one item of {items}"), |bencher| {
            let mut cluster = begun(items);
            bencher.iter_custom(|rounds| {
                let mut spent = Duration::ZERO;
                for _ in 0..rounds {
                    let heard = cluster.end_oldest(5).unwrap_or_else(|| {
                        cluster = begun(items);
                        cluster.end_oldest(5).unwrap()
                    });
                    let (planned, actions) = cluster.plan();
                    spent += heard + planned;
                    cluster.carry_out(actions);
                }
                spent
            });
        });
    }
    group.finish();
}

fn codec(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("phases of 100,000 items");
    let count = ItemCount::new(100_000).unwrap();
    let mut phases = Phases::new(count);
    // Half done nearly in order, one of a hundred failed.
    for index in 0..50_000_u32 {
        let phase = if index.is_multiple_of(97) { ItemPhase::Failed } else { ItemPhase::Succeeded };
        phases.set(Index(index), phase).unwrap();
    }
    let text = phases.encode();
    group.bench_function("encode", |bencher| bencher.iter(|| black_box(&phases).encode()));
    group.bench_function("decode", |bencher| bencher.iter(|| Phases::decode(black_box(&text), count).unwrap()));
    group.finish();
}

criterion_group!(benches, reading, body, plan, codec);
criterion_main!(benches);
