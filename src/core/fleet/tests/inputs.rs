//! Items that come from a ConfigMap: read at acceptance, and again by an operator that has been restarted.

use serde_json::{Value, json};

use super::Limits;
use super::load::another_writes;
use super::story::{LIMITS, Story, empty_fleet, key, new_task, read_lines};
use crate::api::TaskPhase;
use crate::core::ids::TaskKey;
use crate::core::port::{Action, FetchOutcome};

/// A task of one item at a time, whose list is in a ConfigMap.
fn story() -> Story {
    let items = json!({ "configMap": { "name": "inputs", "key": "items" } });
    Story::new(LIMITS, &json!({ "items": items, "concurrency": 1 }))
}

fn fetches(plan: &[String]) -> usize {
    plan.iter().filter(|line| *line == "fetch ConfigMap inputs for ns/t").count()
}

fn answer(story: &mut Story, text: &str) {
    story.fleet.handle_fetched(story.now, &key(), "u", read_lines(text));
}

/// A task that has read its list, and whose first item runs.
fn running(text: &str) -> Story {
    let mut story = story();
    assert_eq!(story.plan(0), ["fetch ConfigMap inputs for ns/t"]);
    answer(&mut story, text);
    assert_eq!(story.plan(0), ["check ns/t"]);
    // What it was accepted with is recorded first.
    assert_eq!(story.plan(0), ["write ns/t Running 0/2 running 0 failed 0"]);
    assert!(story.plan(0).contains(&"create ns/t-0-1".to_owned()));
    story.runs(0, 1);
    story.plan(1_000);
    story
}

fn waiting(story: &Story) -> Option<String> {
    let waiting = story.fleet.task(&key()).unwrap().waiting()?;
    Some(format!("{}: {}", waiting.reason.as_str(), waiting.message.as_deref().unwrap_or_default()))
}

/// The items of the pods that are created now.
fn created(story: &mut Story) -> Vec<Value> {
    let plan = story.fleet.poll_plan(story.now);
    let creates = plan.actions.iter().filter_map(|a| if let Action::Create(create) = a { Some(create) } else { None });
    creates
        .map(|create| create.blueprint.pod(create.role, create.memory_raises))
        .flat_map(|pod| pod["spec"]["containers"][0]["env"].as_array().unwrap().clone())
        .filter(|variable| variable["name"] == "MAPTASK_ITEM")
        .collect()
}

#[test]
fn a_configmap_that_is_not_there_is_asked_for_again_up_to_thirty_seconds_apart() {
    let mut story = story();
    assert_eq!(fetches(&story.plan(0)), 1);
    story.plan(0);
    assert_eq!(fetches(&story.plan(60_000)), 0, "one request at a time");
    assert!(story.fleet.next_wake(story.now).is_none_or(|wake| wake > story.now), "its answer is waited for");
    for delay in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Missing("no ConfigMap inputs".to_owned()));
        let failed = story.now;
        // Whenever it wants to be asked.
        while fetches(&story.plan(0)) == 0 {
            let wake = story.fleet.next_wake(story.now).unwrap();
            story.now = wake;
        }
        assert_eq!(story.now.millis_since(failed), delay);
    }
    answer(&mut story, "a\nb\n");
    assert!(story.plan(0).contains(&"check ns/t".to_owned()));
}

#[test]
fn a_list_is_read_once_and_again_after_a_restart_before_anything_starts() {
    let mut story = running("a\nb\n");
    story.ends(0, 1, 0);
    assert_eq!(fetches(&story.plan(1_000)), 0, "it is known");
    story.restart([Story::ended(0, 1, 0)]);
    let plan = story.plan(0);
    assert!(fetches(&plan) == 1 && !plan.iter().any(|line| line.starts_with("create")), "{plan:?}");
    answer(&mut story, "a\nb\n");
    story.now = story.now.plus_millis(80_000);
    assert_eq!(created(&mut story), [json!({ "name": "MAPTASK_ITEM", "value": "b" })]);
    assert_eq!(fetches(&story.plan(60_000)), 0);
}

#[test]
fn a_list_that_has_changed_over_a_restart_starts_nothing_until_it_is_put_back() {
    let mut story = running("a\nb\n");
    story.restart([Story::ended(0, 1, 0)]);
    story.plan(80_000);
    answer(&mut story, "a\nc\n");
    assert_eq!(story.fleet.next_wake(story.now), Some(story.now));
    story.plan(0);
    let words = waiting(&story).unwrap_or_default();
    assert!(words.starts_with("ItemsChanged: ConfigMap inputs changed since the task was accepted"), "{words}");
    assert_eq!(created(&mut story), Vec::<Value>::new());
    assert_eq!(fetches(&story.plan(999)) + fetches(&story.plan(1)), 1, "asked for again after a second");
    answer(&mut story, "a\nb\n");
    assert_eq!(created(&mut story).len(), 1);
    assert_eq!(waiting(&story), None, "all that is left runs");
}

#[test]
fn a_list_whose_hash_was_not_recorded_must_have_as_many_items() {
    let mut story = running("a\nb\n");
    story.written.as_mut().unwrap().status.items_hash = None;
    story.restart([Story::ended(0, 1, 0)]);
    story.plan(80_000);
    answer(&mut story, "a\nb\nc\n");
    story.plan(0);
    assert_eq!(waiting(&story).as_deref(), Some("ItemsChanged: ConfigMap inputs: 3 items instead of 2"));
    story.plan(1_000);
    answer(&mut story, "x\ny\n");
    assert_eq!(created(&mut story), [json!({ "name": "MAPTASK_ITEM", "value": "y" })]);
}

#[test]
fn a_list_that_is_known_stays_so_when_another_wrote_the_status() {
    let mut story = running("a\nb\n");
    another_writes(&mut story, |_| ());
    story.ends(0, 1, 0);
    let plan = story.plan(1_000);
    assert_eq!(fetches(&plan), 0, "{plan:?}");
    assert!(plan.contains(&"create ns/t-1-1".to_owned()), "{plan:?}");
}

#[test]
fn a_list_that_was_read_beside_a_changed_template_is_known_once_that_is_put_back() {
    let mut story = running("a\nb\n");
    let edit = |story: &mut Story, class: Value| {
        let mut task = story.written.clone().unwrap();
        story.version += 1;
        (task.resource_version, task.generation) = (story.version, i64::try_from(story.version).unwrap());
        task.spec.template["spec"]["priorityClassName"] = class;
        story.written = Some(task.clone());
        story.fleet.handle_task(story.now, task);
    };
    edit(&mut story, json!("high"));
    story.restart([Story::ended(0, 1, 0)]);
    assert_eq!(fetches(&story.plan(80_000)), 1);
    answer(&mut story, "a\nb\n");
    story.plan(0);
    assert!(waiting(&story).is_some_and(|words| words.starts_with("TemplateChanged")), "{:?}", waiting(&story));
    edit(&mut story, json!(null));
    assert_eq!(created(&mut story), [json!({ "name": "MAPTASK_ITEM", "value": "b" })]);
    assert_eq!(fetches(&story.plan(60_000)), 0);
}

#[test]
fn a_list_without_room_in_memory_is_read_once_other_tasks_have_ended() {
    let mut story = story();
    // Text and places of two items take 18 bytes.
    story.fleet = empty_fleet(Limits { list_bytes: 30, ..LIMITS });
    let other = new_task(TaskKey::new("ns", "other"), "o", 1, &serde_json::to_value(&story.task.spec).unwrap());
    story.fleet.handle_task(story.now, other.clone());
    story.fleet.handle_task(story.now, story.task.clone());
    assert_eq!(fetches(&story.plan(0)), 1);
    story.fleet.handle_fetched(story.now, &other.key, "o", read_lines("a\nb\n"));
    assert_eq!(story.fleet.list_bytes, 18);
    answer(&mut story, "a\nb\n");
    story.plan(0);
    let words = waiting(&story).unwrap_or_default();
    let expected = "OperatorLimit: spec.items.configMap: listMegabytes of the operator is 0: the list takes 0.0 MB and those \
                    of other tasks 0.0 MB; it is read once they end";
    assert_eq!(words, expected);
    assert_eq!(fetches(&story.plan(1_000)), 1, "it may be shorter by now");
    answer(&mut story, &"x".repeat(40));
    story.plan(0);
    let words = waiting(&story).unwrap_or_default();
    assert!(
        words.ends_with("split the list into several tasks, or raise the limit together with the operator's memory")
    );
    story.fleet.handle_task_gone(&other.key);
    story.plan(0);
    assert_eq!(story.fleet.list_bytes, 0);
    while fetches(&story.plan(0)) == 0 {
        story.now = story.fleet.next_wake(story.now).unwrap();
    }
    answer(&mut story, "a\nb\n");
    assert!(story.plan(0).contains(&"check ns/t".to_owned()));
    assert_eq!(story.fleet.list_bytes, 18);
}

#[test]
fn a_cancelled_task_whose_rerun_waits_holds_no_memory_for_its_list() {
    let mut story = running("a\nb\n");
    assert_eq!(story.fleet.list_bytes, 18);
    story.edit(|task| {
        task.spec.cancel = true;
        task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "All" })).unwrap();
    });
    story.plan(0);
    story.ends(0, 1, 0);
    for _ in 0..3 {
        story.plan(60_000);
    }
    assert_eq!(story.phase(), TaskPhase::Failed);
    let pending = story.status().pending_rerun.as_ref().map(|pending| pending.message.as_str());
    assert_eq!(pending, Some("starts once spec.cancel is false"));
    assert_eq!((story.fleet.list_bytes, story.status().observed_generation), (0, Some(story.task.generation)));
    story.edit(|task| task.spec.cancel = false);
    let plan = [story.plan(0), story.plan(0)].concat();
    assert_eq!(fetches(&plan), 1, "{plan:?}");
    answer(&mut story, "a\nb\n");
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.iter().any(|line| line.starts_with("create ns/t-")), "{plan:?}");
}
