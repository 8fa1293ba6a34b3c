//! What is counted over all tasks: for metrics, and to keep to the limits.

use serde_json::json;

use super::queue::{Cluster, limits};
use super::story::{LIMITS, Story, key, lines, new_task};
use super::{Fleet, Limits};
use crate::core::ids::TaskKey;
use crate::core::port::{CreateOutcome, DeleteOutcome, GetPodOutcome};

#[test]
fn the_metrics_count_tasks_by_phase_items_and_endings() {
    let mut cluster = Cluster::new(limits(50));
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    for (name, spec) in [
        ("checking", json!({ "items": { "configMap": { "name": "inputs", "key": "items" } } })),
        ("runs", json!({ "items": { "count": 5 }, "concurrency": 2 })),
        ("suspended", json!({ "items": { "count": 4 }, "suspend": true })),
        ("reduces", json!({ "items": { "count": 0 }, "reduce": { "template": template } })),
        ("succeeded", json!({ "items": { "count": 0 } })),
        ("failed", json!({ "items": { "count": 1 }, "minSuccesses": 2 })),
    ] {
        cluster.fleet.handle_task(cluster.now, new_task(TaskKey::new("ns", name), &format!("ns-{name}"), 1, &spec));
    }
    cluster.broken.insert("full", (0, CreateOutcome::Quota("exceeded quota: q".to_owned())));
    cluster.add("full", "t", 1, 0);
    (0..10).for_each(|_| cluster.tick());
    let gauges = cluster.fleet.gauges();
    let tasks: Vec<(&str, u64)> = gauges.tasks.iter().map(|(phase, number)| (*phase, *number)).collect();
    assert_eq!(
        tasks,
        [("Failed", 1), ("Pending", 1), ("Reducing", 1), ("Running", 2), ("Succeeded", 1), ("Suspended", 1)]
    );
    let items: Vec<(&str, u64)> = gauges.items.into_iter().filter(|(_, number)| *number > 0).collect();
    assert_eq!(items, [("Pending", 3 + 4 + 1), ("Running", 2)]);
    assert_eq!(gauges.suspended_items, 4);
    assert_eq!((gauges.blocked_namespaces, gauges.blocked_tasks, gauges.outcomes.len()), (1, 0, 0));
    (0..25).for_each(|_| cluster.tick());
    let endings: Vec<(&str, u64)> = cluster.fleet.gauges().outcomes.into_iter().collect();
    assert_eq!(endings, [("Succeeded", 3)]);
}

#[test]
fn tasks_that_have_nothing_in_flight_do_not_slow_the_status_of_another() {
    let mut cluster = Cluster::new(limits(50));
    for number in 0..60 {
        let name = format!("s{number}");
        let spec = json!({ "items": { "count": 1 }, "suspend": true });
        cluster
            .fleet
            .handle_task(cluster.now, new_task(TaskKey::new("ns", name.as_str()), &format!("ns-{name}"), 1, &spec));
    }
    cluster.add("ns", "t", 10_000, 0);
    (0..100).for_each(|_| cluster.tick());
    let before = cluster.writes;
    (0..200).for_each(|_| cluster.tick());
    let writes = cluster.writes - before;
    assert!((8..=11).contains(&writes), "{writes} in ten seconds");
}

#[test]
fn no_more_deletes_are_on_their_way_than_allowed_until_they_are_answered() {
    let limits = Limits { deletes_in_flight: 2, finished_pods: 0, ..LIMITS };
    let mut story = Story::new(limits, &json!({ "items": { "count": 5 } }));
    story.plan(0);
    story.plan(0);
    story.deleted = None;
    (0..4).for_each(|index| story.ends(index, 1, 0));
    story.plan(1_000);
    assert_eq!(lines(&story.plan(0), "clean up").len(), 2);
    story.runs(4, 1);
    assert_eq!(lines(&story.plan(10), "clean up").len(), 0, "two are on their way");
    let first = Story::id(0, 1);
    story.fleet.handle_deleted(story.now, &first, "u", DeleteOutcome::Taken);
    story.runs(4, 1);
    assert_eq!(lines(&story.plan(10), "clean up").len(), 1);
}

#[test]
fn no_more_looks_are_on_their_way_than_allowed_until_they_are_answered() {
    let limits = Limits { gets_in_flight: 2, ..LIMITS };
    let mut story = Story::new(limits, &json!({ "items": { "count": 4 } }));
    story.plan(0);
    story.plan(0);
    story.plan(1_000);
    // The watch has not shown the pods.
    assert_eq!(lines(&story.plan(30_000), "get").len(), 2);
    assert_eq!(lines(&story.plan(100), "get").len(), 0, "two are on their way");
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::Indeterminate);
    assert_eq!(lines(&story.plan(100), "get").len(), 1);
}

#[test]
fn a_task_that_is_gone_with_its_pods_leaves_nothing_behind() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.runs(0, 1);
    story.plan(1_000);
    story.fleet.handle_task_gone(&key());
    story.plan(0);
    assert_eq!(story.fleet.entries.len(), 1, "its pod is still there");
    story.fleet.handle_pod_gone(story.now, &Story::pod(0, 1, &json!({ "phase": "Running" })));
    story.plan(0);
    let Fleet { entries, in_flight, in_namespaces, dirty, wakes, .. } = &story.fleet;
    assert!(entries.is_empty() && in_namespaces.is_empty() && dirty.is_empty() && wakes.is_empty());
    assert_eq!(*in_flight, 0);
}
