//! Results that somebody deletes or edits while the task runs.

use std::collections::BTreeMap;

use serde_json::json;

use super::plan::{Action, WriteOutcome};
use super::story::{LIMITS, Story, key};
use super::{Fleet, Limits};
use crate::api::conditions::{ConditionType, find_true, is_true};
use crate::api::status::TaskPhase;
use crate::core::task::keeping::{Keep, Kept};

/// The ConfigMaps of results, and a story whose writes go there.
struct Store {
    story: Story,
    kept: BTreeMap<u32, Keep>,
}

impl Store {
    fn new(spec: &serde_json::Value) -> Self {
        // Finished pods go soon.
        let story = Story::new(Limits { kept_pods: 0, linger_millis: 1_500, lingering_pods: 9, ..LIMITS }, spec);
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
                    let created = super::plan::CreateOutcome::Created;
                    story.fleet.handle_created(story.now, &create.id(), "u", created);
                }
                Action::Delete(delete) => {
                    let pod = Story::ended(delete.id.index.0, delete.id.attempt.0, 0);
                    story.fleet.handle_pod_gone(story.now, &pod);
                    story.fleet.handle_deleted(story.now, &delete.id, "u", super::plan::DeleteOutcome::Taken);
                }
                Action::Write(write) => {
                    let mut damaged = Vec::new();
                    for shard in &write.results {
                        let old = self.kept.get(&shard.number);
                        let old = old.map(|k| Kept { text: &k.text, checks: &k.checks, damaged: &k.damaged });
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
fn results_that_somebody_deletes_or_edits_while_the_task_runs_are_restored_or_told() {
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
fn a_deletion_after_the_last_write_of_a_configmap_is_seen_at_the_end() {
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "whenSuccessful": "RunAll" });
    let mut store = Store::new(&spec);
    store.story.ends(0, 1, 0);
    store.rounds(5);
    assert_eq!(store.text(), "7\nnull\n");
    // Another operator takes over, which knows nothing of it. The last item has no result, so that nothing is to be stored.
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
