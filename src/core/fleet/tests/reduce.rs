//! The life of a task with a reduce, as the plans that the fleet makes.

use serde_json::{Value, json};

use super::story::{LIMITS, REDUCE, Story, key, lines};
use crate::core::port::Action;

fn story(items: u32, retries: u32) -> Story {
    story_of(items, json!({ "retries": retries }))
}

/// A task with a reduce of these fields.
fn story_of(items: u32, mut reduce: Value) -> Story {
    reduce["template"] = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": items }, "reduce": reduce }));
    assert_eq!(story.plan(0), ["check ns/t"]);
    story
}

fn rerun(story: &mut Story, items: &str) {
    let mut task = story.written.clone().unwrap();
    task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": items })).unwrap();
    story.version += 1;
    task.resource_version = story.version;
    story.task.spec = task.spec.clone();
    story.written = Some(task.clone());
    story.fleet.handle_task(story.now, task);
}

/// One whose only item has succeeded, and whose reduce has a pod since 100 ms.
fn reducing(reduce: Value) -> Story {
    let mut story = story_of(1, reduce);
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(100);
    assert!(story.plan(0).contains(&"create ns/t-reduce-1".to_owned()));
    story
}

fn status(story: &Story) -> crate::api::MapTaskStatus {
    let task = story.fleet.task(&key()).unwrap();
    crate::api::MapTaskStatus { phase: Some(task.phase()), ..Default::default() }
}

#[test]
fn a_reduce_starts_once_the_success_of_the_items_is_recorded_and_its_end_is_that_of_the_task() {
    let mut story = story(1, 0);
    story.plan(0);
    story.ends(0, 1, 0);
    assert_eq!(
        story.plan(100),
        ["emit event ns/t Accepted: 1 items; 1 must succeed", "write ns/t Reducing 1/1 running 0 failed 0 +1 results"]
    );
    assert_eq!(story.plan(0), ["create ns/t-reduce-1"]);
    story.runs(REDUCE, 1);
    assert_eq!(story.plan(1_000), ["write ns/t Reducing 1/1 running 0 failed 0"]);
    story.ends(REDUCE, 1, 0);
    assert_eq!(story.plan(0), ["write ns/t Succeeded 1/1 running 0 failed 0"]);
    assert_eq!(
        story.plan(0)[1],
        "emit event ns/t Succeeded: 1 of 1 items succeeded, 1 were required, 0 failed; the reduce starts"
    );
    assert_eq!(status(&story).phase, Some(crate::api::TaskPhase::Succeeded));
}

#[test]
fn what_a_reduce_says_is_the_result_of_its_task() {
    let mut story = story(1, 0);
    story.plan(0);
    assert_eq!(story.written.as_ref().unwrap().status.observed_generation, Some(1));
    story.ends(0, 1, 0);
    story.plan(100);
    story.plan(0);
    let terminated = json!({ "exitCode": 0, "message": "{\"loss\": 3.10}" });
    let containers = json!([{ "name": "main", "state": { "terminated": terminated } }]);
    let ended = json!({ "phase": "Succeeded", "containerStatuses": containers });
    story.fleet.handle_pod(story.now, Story::pod(REDUCE, 1, &ended));
    story.plan(1_000);
    let told = |story: &Story| {
        let status = &story.written.as_ref().unwrap().status;
        let reduce = status.reduce.as_ref().map(|reduce| (reduce.phase, reduce.attempt));
        (reduce, status.result.as_ref().map(|json| json.text().to_owned()), status.result_text.clone())
    };
    let text = "{\"loss\":3.10}".to_owned();
    let expected = (Some((crate::api::status::ReducePhase::Succeeded, 1)), Some(text.clone()), Some(text));
    assert_eq!(told(&story), expected);
}

#[test]
fn a_reduce_has_its_own_retries_and_after_them_the_task_fails() {
    let mut story = story(1, 1);
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(100);
    story.plan(0);
    story.ends(REDUCE, 1, 3);
    assert_eq!(story.plan(1_000), ["write ns/t Reducing 1/1 running 0 failed 0 waiting Backoff"]);
    let plan = story.plan(2_000);
    assert!(plan.contains(&"create ns/t-reduce-2".to_owned()), "{plan:?}");
    story.ends(REDUCE, 2, 3);
    let told = "emit event ns/t Failed: the reduce failed in attempt 2; most often (2 attempts): Failed exit 3 in container main: 7; 1 of 1 items \
                succeeded, 1 were required, 0 failed";
    assert_eq!(story.plan(0), ["write ns/t Failed 1/1 running 0 failed 0"]);
    assert!(story.plan(0).contains(&told.to_owned()));
}

#[test]
fn a_reduce_of_no_items_sees_an_empty_list() {
    let mut story = story(0, 0);
    assert_eq!(story.plan(0), ["write ns/t Reducing 0/0 running 0 failed 0"]);
    assert_eq!(story.plan(0), ["emit event ns/t Accepted: 0 items; 0 must succeed", "create ns/t-reduce-1"]);
}

#[test]
fn a_running_reduce_is_recognised_after_a_restart() {
    let mut story = story(1, 0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(100);
    story.plan(0);
    story.restart([Story::ended(REDUCE, 1, 0)]);
    let plan = story.plan(0);
    assert!(plan[0].starts_with("write ns/t Succeeded 1/1"), "{plan:?}");
}

#[test]
fn a_reduce_is_stopped_at_its_deadline_and_fails_the_task() {
    let mut story = reducing(json!({ "activeDeadlineSeconds": 5 }));
    story.runs(REDUCE, 1);
    assert_eq!(lines(&story.plan(4_999), "stop"), Vec::<&str>::new(), "it may yet end in time");
    assert!(story.fleet.next_wake(story.now).is_some_and(|time| time.0 <= 5_120), "it is looked at again by then");
    assert_eq!(lines(&story.plan(1), "stop"), ["stop ns/t-reduce-1"]);
    story.plan(5_000);
    assert!(story.fleet.next_wake(story.now).is_none_or(|time| time.0 > story.now.0 + 100), "nothing is due");
    story.ends(REDUCE, 1, 143);
    story.plan(1_000);
    let status = &story.written.as_ref().unwrap().status;
    let words = "the reduce failed in attempt 1: it has run for longer than spec.reduce.activeDeadlineSeconds; \
                 1 of 1 items succeeded, 1 were required, 0 failed";
    assert_eq!((status.phase, status.message.as_deref()), (Some(crate::api::TaskPhase::Failed), Some(words)));
}

#[test]
fn time_in_suspension_does_not_count_for_the_deadline_of_a_reduce() {
    let mut story = story_of(1, json!({ "activeDeadlineSeconds": 5 }));
    story.plan(0);
    story.edit(|task| task.spec.suspend = true);
    story.ends(0, 1, 0);
    let plan = [story.plan(100), story.plan(1_000), story.plan(3_600_000)].concat();
    assert!(!plan.iter().any(|line| line.contains("Failed") || line.starts_with("create")), "{plan:?}");
    story.edit(|task| task.spec.suspend = false);
    let plan = [story.plan(100), story.plan(1_000)].concat();
    assert_eq!(lines(&plan, "create"), ["create ns/t-reduce-1"], "{plan:?}");
    story.runs(REDUCE, 1);
    assert_eq!(lines(&story.plan(3_000), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(2_000), "stop"), ["stop ns/t-reduce-1"]);
}

#[test]
fn a_reduce_knows_how_many_items_succeeded_and_failed() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let spec = json!({ "items": { "count": 5 }, "minSuccesses": 3, "remainingItems": { "onSuccess": "Run" },
                       "reduce": { "template": template } });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.plan(0);
    story.plan(0);
    (0..5).for_each(|index| story.ends(index, 1, if index == 2 { 3 } else { 0 }));
    story.plan(1_000);
    let plan = story.fleet.poll_plan(story.now);
    let create = plan.actions.iter().find_map(|a| if let Action::Create(create) = a { Some(create) } else { None });
    let create = create.expect("the pod of the reduce");
    let pod = create.blueprint.pod(create.role, create.memory_raises);
    let env = pod["spec"]["containers"][0]["env"].as_array().unwrap();
    let value = |name: &str| env.iter().find(|entry| entry["name"] == name).and_then(|entry| entry["value"].as_str());
    let told = ["MAPTASK_COUNT", "MAPTASK_SUCCEEDED", "MAPTASK_FAILED", "MAPTASK_ATTEMPT"].map(value);
    assert_eq!(told, [Some("5"), Some("4"), Some("1"), Some("1")]);
}

#[test]
fn rules_for_items_do_not_hold_for_the_reduce() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let rules = json!({ "rules": [{ "exitCodes": [3], "action": "FailTask" }] });
    let spec =
        json!({ "items": { "count": 0 }, "retryPolicy": rules, "reduce": { "template": template, "retries": 1 } });
    let mut story = Story::new(LIMITS, &spec);
    (0..3).for_each(|_| drop(story.plan(0)));
    story.ends(REDUCE, 1, 3);
    let lines: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"create ns/t-reduce-2".to_owned()), "{lines:?}");
}

#[test]
fn a_reduce_that_is_run_again_goes_on_counting_its_attempts() {
    let mut story = reducing(json!({}));
    story.ends(REDUCE, 1, 0);
    story.plan(1_000);
    story.plan(0);
    assert_eq!(status(&story).phase, Some(crate::api::TaskPhase::Succeeded));
    rerun(&mut story, "Reduce");
    let lines: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"create ns/t-reduce-2".to_owned()), "{lines:?}");
}

#[test]
fn a_reduce_that_is_run_again_after_a_restart_waits_until_no_create_of_the_first_can_come() {
    let mut story = reducing(json!({}));
    story.ends(REDUCE, 1, 0);
    story.plan(1_000);
    story.plan(0);
    story.restart([]);
    rerun(&mut story, "Reduce");
    let creates = |plan: &[String]| plan.iter().filter(|line| line.starts_with("create")).count();
    assert_eq!((0..74).map(|_| creates(&story.plan(1_000))).sum::<usize>(), 0);
    assert_eq!(creates(&story.plan(1_000)), 1);
    // The first run of a reduce waits for nothing: no operator before this one can have begun it.
    let mut story = story_of(1, json!({}));
    story.plan(0);
    story.plan(1_000);
    story.restart([Story::ended(0, 1, 0)]);
    story.plan(0);
    assert_eq!(creates(&story.plan(0)), 1);
}

#[test]
fn after_a_restart_a_reduce_is_looked_for_if_it_ran_and_started_if_it_waited() {
    let mut story = reducing(json!({}));
    story.plan(1_000);
    story.restart([]);
    let plan = story.plan(0);
    assert!(plan.contains(&"get ns/t-reduce-1".to_owned()), "{plan:?}");
    let mut story = story_of(1, json!({}));
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.restart([]);
    assert_eq!(story.plan(0), ["create ns/t-reduce-1"]);
}
