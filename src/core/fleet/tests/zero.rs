//! No success is required: every item runs, and the task succeeds once all have ended.

use serde_json::json;

use super::story::{LIMITS, Story, key, with};
use crate::api::TaskPhase;
use crate::api::conditions::{ConditionType, is_true};

fn story(extra: &serde_json::Value) -> Story {
    let spec = with(json!({ "items": { "count": 3 }, "minSuccessRatio": 0.0, "concurrency": 1 }), extra);
    Story::after(2, LIMITS, &spec)
}

fn has_met(story: &Story) -> bool {
    let written = story.written.as_ref().unwrap();
    is_true(&written.status.conditions, ConditionType::SuccessCriteriaMet)
}

#[test]
fn where_no_success_is_required_all_items_run_and_the_task_succeeds() {
    for spec in [json!({}), json!({ "minSuccessRatio": null, "minSuccesses": 0 })] {
        for on_success in ["Cancel", "Drain", "Run"] {
            let mut spec = spec.clone();
            spec["remainingItems"] = json!({ "onSuccess": on_success });
            let mut story = story(&spec);
            for index in 0..3 {
                assert!(!has_met(&story), "not before all have ended");
                story.ends(index, 1, if index == 1 { 0 } else { 3 });
                story.plan(1_000);
            }
            story.plan(1_000);
            let written = story.written.as_ref().unwrap();
            let counts = written.status.counts.unwrap();
            assert_eq!(written.status.phase, Some(TaskPhase::Succeeded));
            assert_eq!((counts.succeeded, counts.failed, counts.cancelled), (1, 2, 0), "{spec}");
            assert!(has_met(&story));
        }
    }
}

#[test]
fn a_task_that_requires_no_success_can_still_end_early() {
    let mut late = story(&json!({ "activeDeadlineSeconds": 5 }));
    late.plan(6_000);
    late.ends(0, 1, 143);
    late.plan(1_000);
    assert_eq!(late.fleet.task(&key()).unwrap().phase(), TaskPhase::Failed);
    // By a rule, whether it fits the first item or the last.
    for fatal in [0, 2] {
        let rules = json!([{ "exitCodes": [9], "action": "FailTask" }]);
        let mut story = story(&json!({ "retryPolicy": { "rules": rules } }));
        for index in 0..3 {
            story.ends(index, 1, if index == fatal { 9 } else { 0 });
            story.plan(1_000);
        }
        assert_eq!(story.fleet.task(&key()).unwrap().phase(), TaskPhase::Failed);
    }
}

#[test]
fn an_empty_list_of_which_nothing_is_required_succeeds_at_once() {
    let story = story(&json!({ "items": { "count": 0 } }));
    assert_eq!(story.fleet.task(&key()).unwrap().phase(), TaskPhase::Succeeded);
}

#[test]
fn a_rerun_of_a_task_of_which_nothing_is_required_ends_as_a_success_again() {
    let mut story = story(&json!({}));
    for index in 0..3 {
        story.ends(index, 1, 3);
        story.plan(1_000);
    }
    story.plan(1_000);
    let mut task = story.written.clone().unwrap();
    task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "0" })).unwrap();
    task.resource_version += 1;
    story.version += 1;
    story.fleet.handle_task(story.now, task);
    story.plan(1_000);
    assert!(story.plan(1_000).contains(&"create ns/t-0-2".to_owned()));
    assert!(!has_met(&story), "it runs");
    story.ends(0, 2, 0);
    story.plan(1_000);
    assert!(has_met(&story));
    assert_eq!(story.fleet.task(&key()).unwrap().phase(), TaskPhase::Succeeded);
}
