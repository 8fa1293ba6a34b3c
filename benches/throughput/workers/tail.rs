//! How much time is lost between items, and at the end of a list? Each item notes when and where it ran: that is its
//! result.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::rows::{Row, Rows};
use super::turn::{RATE, Ran, Turn, run_task};
use super::{Plan, goal};
use crate::bench::Bench;
use crate::requests::send;

const LONG: Plan = Plan { items: 64 * 40, pods: 4, slots: 16, pipeline: 0 };
const SKEWED: Plan = Plan { items: 10_000, pods: 4, slots: 8, pipeline: 0 };

/// Seconds that the item takes; the shell's own time is not part of them.
const SCRIPT: &str = "read b _ </proc/uptime; sleep $MAPTASK_ITEM; read e _ </proc/uptime; \
                      echo \"[$b,$e,\\\"$HOSTNAME/$MAPTASK_SLOT\\\"]\" >$MAPTASK_RESULT";

const LOST: &str = "time lost, from the first begin to the last end, %";
const LOST_FROM_APPLY: &str = "time lost, from apply to the end, %";
const BETWEEN: &str = "time that a slot is empty between its first and its last item, %";
const IDLE: &str = "the first slot to end was idle before the end, s";
const LONGEST: &str = "longest item, s";

/// When and where an item ran.
struct Ran1 {
    begin: f64,
    end: f64,
    place: String,
}

/// The results of a task, in any order.
async fn results(bench: &Bench, namespace: &str, ran: &Ran) -> Vec<Ran1> {
    let path =
        format!("/api/v1/namespaces/{namespace}/configmaps?labelSelector=maptask.dev%2Fcontroller-uid%3D{}", ran.uid());
    let list = send(bench.client(), "GET", &path, &Value::Null).await.unwrap();
    let shards = list["items"].as_array().cloned().unwrap_or_default();
    let texts = shards.iter().filter_map(|shard| shard["data"]["results.jsonl"].as_str());
    texts
        .flat_map(str::lines)
        .filter_map(|line| {
            let (begin, end, place) = serde_json::from_str(line).ok()?;
            Some(Ran1 { begin, end, place })
        })
        .collect()
}

/// Runs a list of items of these many seconds; what their slots did. `ideal`: seconds that it takes if no slot is ever
/// empty.
async fn turn(bench: &mut Bench, plan: Plan, seconds: &[f64], ideal: f64) -> Row {
    let namespace = bench.namespace().await;
    let turn = Turn::begin(bench).await;
    let mut spec = plan.spec(&json!(["sh", "-c", SCRIPT]));
    spec["items"] = json!({ "values": seconds });
    let ran = run_task(bench, &namespace, &spec).await;
    let row = turn.end(bench, &plan.name(), plan.items, &ran).await;
    let items = results(bench, &namespace, &ran).await;
    bench.clean(&namespace).await;
    assert_eq!(items.len(), plan.items, "each item says when it ran");
    let mut slots: BTreeMap<&str, (f64, f64, f64)> = BTreeMap::new();
    for item in &items {
        let slot = slots.entry(&item.place).or_insert((f64::INFINITY, 0.0, 0.0));
        *slot = (slot.0.min(item.begin), slot.1.max(item.end), slot.2 + item.end - item.begin);
    }
    let first = slots.values().map(|slot| slot.0).fold(f64::INFINITY, f64::min);
    let last = slots.values().map(|slot| slot.1).fold(0.0, f64::max);
    let first_to_end = slots.values().map(|slot| slot.1).fold(f64::INFINITY, f64::min);
    let open: f64 = slots.values().map(|slot| slot.1 - slot.0).sum();
    let busy: f64 = slots.values().map(|slot| slot.2).sum();
    let lost = |took: f64| (took / ideal - 1.0) * 100.0;
    let took = row.get(RATE).map_or(0.0, |rate| plan.items as f64 / rate);
    row.with("slots that ran items", slots.len() as f64)
        .with("ideal, s", ideal)
        .with(LOST_FROM_APPLY, lost(took))
        .with(LOST, lost(last - first))
        .with(BETWEEN, (1.0 - busy / open) * 100.0)
        .with(IDLE, last - first_to_end)
        .with(LONGEST, items.iter().map(|item| item.end - item.begin).fold(0.0, f64::max))
}

pub async fn long(bench: &mut Bench, rounds: usize) {
    let plan = LONG.chosen();
    let seconds = vec![1.0; plan.items];
    let slots = plan.pods * plan.slots;
    let ideal = plan.items.div_ceil(slots) as f64;
    let mut rows = Rows::default();
    for _ in 0..rounds {
        rows.add(turn(bench, plan, &seconds, ideal).await);
    }
    let ours = plan.name();
    let mut goals = goal("% lost, from the first begin to the last end", rows.median(&ours, LOST), "under 5");
    goals +=
        &goal("% lost, from apply to the end, with the start of the pods", rows.median(&ours, LOST_FROM_APPLY), "none");
    goals += &goal("% of the time in which a slot is empty between two items", rows.median(&ours, BETWEEN), "none");
    rows.write("workers-long", &format!("{} items of 1 s in {slots} slots", plan.items), rounds, &goals);
}

/// From 10 ms to 1 s, as many from 10 to 20 ms as from 500 ms to 1 s, in an order without a pattern.
fn skewed_seconds(items: usize) -> Vec<f64> {
    let spread = |index: usize| {
        // SplitMix64.
        let mut mixed = (index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed >> 40) as f64 / f64::from(1 << 24)
    };
    (0..items).map(|index| (10.0 * 100_f64.powf(spread(index))).round() / 1e3).collect()
}

pub async fn skewed(bench: &mut Bench, rounds: usize) {
    let plan = SKEWED.chosen();
    let seconds = skewed_seconds(plan.items);
    let slots = plan.pods * plan.slots;
    let ideal = seconds.iter().sum::<f64>() / slots as f64;
    let mut rows = Rows::default();
    for _ in 0..rounds {
        rows.add(turn(bench, plan, &seconds, ideal).await);
    }
    let ours = plan.name();
    let mut goals =
        goal("s for which the first slot to end was idle", rows.median(&ours, IDLE), "at most the longest item");
    goals += &goal("s that the longest item took", rows.median(&ours, LONGEST), "none");
    goals += &goal("% lost, from the first begin to the last end", rows.median(&ours, LOST), "none");
    rows.write("workers-skewed", &format!("{} items of 10 ms to 1 s in {slots} slots", plan.items), rounds, &goals);
}
