//! Results that somebody deletes or edits while the task runs.

use std::collections::BTreeMap;

use serde_json::json;

use super::story::{LIMITS, Story, key};
use super::{Fleet, Limits};
use crate::api::conditions::{ConditionType, find_true, is_true};
use crate::api::status::TaskPhase;
use crate::core::ids::{Index, ItemCount};
use crate::core::phases::{ItemPhase, Phases};
use crate::core::port::{Action, WriteOutcome};
use crate::core::results::keeping::{Keep, Kept};

/// The ConfigMaps of results, and a story whose writes go there.
struct Store {
    story: Story,
    kept: BTreeMap<u32, Keep>,
}

impl Store {
    fn new(spec: &serde_json::Value) -> Self {
        // Finished pods go soon.
        let story = Story::new(Limits { finished_pods: 0, linger_millis: 1_500, lingering_pods: 9, ..LIMITS }, spec);
        let mut store = Self { story, kept: BTreeMap::new() };
        store.story.plan(0);
        store.rounds(2);
        store
    }

    fn rounds(&mut self, number: usize) -> Vec<String> {
        (0..number).flat_map(|_| self.round()).collect()
    }

    fn round(&mut self) -> Vec<String> {
        let story = &mut self.story;
        story.now = story.now.plus_millis(1_000);
        let plan = story.fleet.poll_plan(story.now);
        for action in &plan.actions {
            match action {
                Action::Create(create) => {
                    let created = crate::core::port::CreateOutcome::Created;
                    story.fleet.handle_created(story.now, &create.id(), "u", created);
                }
                Action::Delete(delete) => {
                    let pod = Story::ended_pod(&delete.id, 0);
                    story.fleet.handle_pod_gone(story.now, &pod);
                    story.fleet.handle_deleted(story.now, &delete.id, "u", crate::core::port::DeleteOutcome::Taken);
                }
                Action::Write(write) => {
                    let mut damaged = Vec::new();
                    for shard in &write.results {
                        let old = self.kept.get(&shard.number);
                        let old = old.map(|k| Kept { text: &k.text, checks: &k.checks, damaged: &k.damaged, list: 0 });
                        match shard.keep(old) {
                            Ok(keep) => drop(keep.map(|keep| self.kept.insert(shard.number, keep))),
                            Err(damage) => damaged.push(damage),
                        }
                    }
                    story.version += 1;
                    let outcome = if damaged.is_empty() {
                        let mut task = story.written.clone().unwrap_or_else(|| story.task.clone());
                        (task.resource_version, task.status) = (story.version, write.status.clone());
                        story.written = Some(task);
                        WriteOutcome::Written { version: story.version, rewritten: 0, uncached: None }
                    } else {
                        WriteOutcome::Damaged(damaged)
                    };
                    story.fleet.handle_written(story.now, &key(), "u", &outcome);
                }
                _ => {}
            }
        }
        plan.to_string().lines().map(str::to_owned).collect()
    }

    fn text(&self) -> &str {
        &self.kept[&0].text
    }

    fn damage(&self) -> Option<String> {
        let conditions = &self.story.written.as_ref().unwrap().status.conditions;
        find_true(conditions, ConditionType::ResultsDamaged).map(|condition| condition.message.clone())
    }

    fn phase(&self) -> Option<TaskPhase> {
        self.story.written.as_ref().unwrap().status.phase
    }

    /// The user asks for these items once more.
    fn rerun(&mut self, items: &str) {
        let story = &mut self.story;
        let mut task = story.written.clone().unwrap();
        task.spec.rerun = serde_json::from_value(json!({ "id": items, "items": items })).unwrap();
        story.version += 1;
        (task.resource_version, task.generation) = (story.version, task.generation + 1);
        story.fleet.handle_task(story.now, task);
    }
}

#[test]
fn results_that_somebody_deletes_or_edits_while_the_task_runs_are_restored_or_reported() {
    let mut store = Store::new(&json!({ "items": { "count": 3 } }));
    store.story.ends(0, 1, 0);
    store.rounds(3);
    assert_eq!(store.text(), "7\nnull\nnull\n");
    // The pod of item 0 is gone, that of item 1 is not when the ConfigMap goes.
    store.story.ends(1, 1, 0);
    store.round();
    assert_eq!(store.text(), "7\n7\nnull\n");
    store.kept.clear();
    store.story.ends(2, 1, 0);
    let lines = store.rounds(5);
    assert_eq!((store.text(), store.phase()), ("null\n7\n7\n", Some(TaskPhase::Succeeded)));
    let message = store.damage().unwrap();
    assert!(message.contains("ConfigMap t-results-0 (items 0)"), "{message}");
    let told = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!((told("ResultsDamaged"), told("ResultsRestored")), (1, 1), "{lines:?}");
    assert_eq!(store.kept[&0].damaged, "0");
    // The user does what the message says.
    store.rerun("0");
    store.rounds(3);
    store.story.ends(0, 2, 0);
    store.rounds(4);
    assert_eq!((store.text(), store.damage(), store.kept[&0].damaged.as_str()), ("7\n7\n7\n", None, ""));
}

#[test]
fn damage_is_told_once_and_again_where_there_is_more_and_not_where_all_is_restored() {
    let mut store = Store::new(&json!({ "items": { "count": 5 } }));
    let count = |lines: &[String], what: &str| lines.iter().filter(|line| line.contains(what)).count();
    store.story.ends(0, 1, 0);
    store.round();
    store.kept.clear();
    store.story.ends(1, 1, 0);
    let lines = store.rounds(5);
    assert_eq!((count(&lines, "ResultsDamaged"), count(&lines, "ResultsRestored")), (0, 1), "{lines:?}");
    assert_eq!((store.text(), store.damage()), ("7\n7\nnull\nnull\nnull\n", None));
    for (end, told) in [(2, 1), (3, 1), (4, 0)] {
        if told > 0 {
            store.kept.get_mut(&0).unwrap().text = store.text().replacen('7', "8", 1);
        }
        store.story.ends(end, 1, 0);
        let lines = store.rounds(5);
        assert_eq!(count(&lines, "ResultsDamaged"), told, "at the end of {end}: {lines:?}");
    }
    assert_eq!(store.text(), "8\n8\n7\n7\n7\n");
    assert!(store.damage().unwrap().contains("(items 0-1)"), "{:?}", store.damage());
}

#[test]
fn a_configmap_of_no_result_is_made_where_its_lines_would_be_a_gap_in_the_list() {
    // Four ConfigMaps, the last of two lines. Item 130 is in the third.
    let all = json!({ "minSuccesses": 0 });
    for (rest, phase, made) in [(all, TaskPhase::Succeeded, 4), (json!({}), TaskPhase::Failed, 3)] {
        let mut spec = json!({ "items": { "count": 188 }, "results": { "maxBytesPerItem": 4_096 } });
        spec.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        let mut store = Store::new(&spec);
        store.rounds(2);
        store.story.ends(130, 1, 0);
        store.rounds(3);
        assert_eq!(store.kept.keys().copied().collect::<Vec<_>>(), [2], "not while the task runs");
        for item in (0..188).filter(|item| *item != 130) {
            store.story.ends(item, 1, 3);
        }
        store.rounds(5);
        assert_eq!(store.phase(), Some(phase));
        assert_eq!(store.kept.keys().copied().collect::<Vec<_>>(), (0..made).collect::<Vec<_>>(), "{phase:?}");
        let lines: Vec<&str> = store.kept.values().flat_map(|kept| kept.text.lines()).collect();
        assert_eq!((lines[130], lines.iter().filter(|line| **line == "null").count()), ("7", lines.len() - 1));
    }
}

#[test]
fn a_failed_task_without_a_result_has_no_configmap() {
    let mut store = Store::new(&json!({ "items": { "count": 1 } }));
    store.story.ends(0, 1, 3);
    store.rounds(3);
    assert_eq!((store.phase(), store.kept.len()), (Some(TaskPhase::Failed), 0));
}

#[test]
fn damage_in_many_configmaps_is_told_with_the_first_four() {
    // A ConfigMap has 62 lines of 4096 bytes.
    for (shards, more) in [(4, ""), (5, ", 1 more"), (6, ", 2 more")] {
        let count = shards * 62;
        let spec = json!({ "items": { "count": count }, "results": { "maxBytesPerItem": 4_096 } });
        let mut store = Store::new(&spec);
        let mut phases = Phases::new(ItemCount::new(u64::from(count)).unwrap());
        for index in 0..count - 1 {
            phases.set(Index(index), ItemPhase::Succeeded);
        }
        store.story.written.as_mut().unwrap().status.phases = Some(phases.encode());
        // The pod of an item in the second one is still there.
        store.story.restart([Story::ended(63, 1, 0), Story::ended(count - 1, 1, 0)]);
        let lines = store.rounds(3);
        let words = lines.iter().find(|line| line.contains("ResultsDamaged")).unwrap();
        let named = "results in ConfigMap t-results-0 (items 0-61), ConfigMap t-results-1 (items 62,64-123), \
                     ConfigMap t-results-2 (items 124-185), ConfigMap t-results-3 (items 186-";
        let last = if shards == 4 { 246 } else { 247 };
        let rest = format!("{named}{last}){more} were changed or deleted");
        assert!(words.contains(&rest), "{words}");
        assert!(lines.iter().any(|line| line.contains("results of items 63 were changed or deleted")), "{lines:?}");
        assert_eq!(store.kept[&1].text.lines().nth(1), Some("7"));
    }
}

#[test]
fn a_deletion_after_the_last_write_of_a_configmap_is_seen_at_the_end() {
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Run" } });
    let mut store = Store::new(&spec);
    store.story.ends(0, 1, 0);
    store.rounds(5);
    assert_eq!(store.text(), "7\nnull\n");
    // Another operator takes over, which knows nothing of it. The last item has no result, so that nothing is to be
    // stored.
    store.story.restart([Story::pod(1, 1, &json!({ "phase": "Running" }))]);
    store.kept.clear();
    store.rounds(2);
    assert!(store.kept.is_empty(), "nobody has looked");
    store.story.ends(1, 1, 3);
    store.rounds(5);
    assert!(store.damage().unwrap().contains("items 0"), "{:?}", store.damage());
    assert_eq!((store.phase(), store.text()), (Some(TaskPhase::Succeeded), "null\nnull\n"));
}

#[test]
fn a_reduce_does_not_start_with_results_missing() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let mut store = Store::new(&json!({ "items": { "count": 2 }, "reduce": { "template": template } }));
    store.story.ends(0, 1, 0);
    store.rounds(3);
    store.kept.clear();
    store.story.ends(1, 1, 0);
    let lines = store.rounds(6);
    assert!(!lines.iter().any(|line| line.starts_with("create ns/t-reduce")), "{lines:?}");
    assert_eq!(store.phase(), Some(TaskPhase::Failed));
    assert!(store.damage().unwrap().contains("items 0"));
    store.rerun("0");
    store.rounds(3);
    store.story.ends(0, 2, 0);
    let lines = store.rounds(4);
    assert!(lines.iter().any(|line| line.starts_with("create ns/t-reduce")), "{lines:?}");
    assert_eq!(store.damage(), None);
}

#[test]
fn what_was_told_of_damage_is_found_again_after_a_crash() {
    let mut store = Store::new(&json!({ "items": { "count": 2 } }));
    store.story.ends(0, 1, 0);
    store.rounds(3);
    store.kept.get_mut(&0).unwrap().text = "8\nnull\n".to_owned();
    store.story.ends(1, 1, 0);
    // Told of the damage, the operator writes the ConfigMap, and dies before it has written the status.
    let recorded = store.story.written.clone();
    store.rounds(5);
    store.story.written = recorded;
    assert_eq!(store.kept[&0].damaged, "0");
    store.story.fleet = Fleet::new(LIMITS, 2);
    store.story.restart([Story::ended(1, 1, 0)]);
    store.rounds(5);
    assert!(store.damage().is_some());
    let conditions = &store.story.written.as_ref().unwrap().status.conditions;
    assert!(is_true(conditions, ConditionType::Complete) && store.text().starts_with("8\n"), "it stays as it is");
}

#[test]
fn an_item_that_fails_when_it_runs_again_has_no_damaged_result_any_more() {
    let mut store = Store::new(&json!({ "items": { "count": 2 } }));
    store.story.ends(0, 1, 0);
    store.rounds(3);
    store.kept.clear();
    store.story.ends(1, 1, 0);
    store.rounds(5);
    assert!(store.damage().unwrap().contains("items 0"));
    store.rerun("All");
    store.rounds(3);
    // The mark goes with the ConfigMap.
    store.kept.clear();
    store.story.ends(0, 2, 3);
    store.story.ends(1, 2, 0);
    store.rounds(5);
    assert_eq!((store.phase(), store.text()), (Some(TaskPhase::Failed), "null\n7\n"));
    assert_eq!(store.damage(), None);
}
