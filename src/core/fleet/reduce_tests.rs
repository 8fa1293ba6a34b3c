//! The life of a task with a reduce, as the plans that the fleet makes.

use serde_json::json;

use super::story::{LIMITS, Story, key};
use crate::core::ids::Index;

const REDUCE: u32 = Index::REDUCE.0;

fn story(items: u32, retries: u32) -> Story {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let reduce = json!({ "template": template, "retries": retries });
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": items }, "reduce": reduce }));
    assert_eq!(story.plan(0), ["check ns/t"]);
    story
}

fn status(story: &Story) -> crate::api::MapTaskStatus {
    let task = story.fleet.task(&key()).unwrap();
    crate::api::MapTaskStatus { phase: Some(task.phase()), ..Default::default() }
}

#[test]
fn a_reduce_starts_once_the_map_is_recorded_as_successful_and_its_end_is_the_tasks() {
    let mut story = story(1, 0);
    story.plan(0);
    story.ends(0, 1, 0);
    assert_eq!(
        story.plan(100),
        ["tell ns/t Accepted: 1 items; 1 must succeed", "write ns/t Reducing 1/1 running 0 failed 0 +1 results"]
    );
    assert_eq!(story.plan(0), ["create ns/t-reduce-1"]);
    story.runs(REDUCE, 1);
    assert_eq!(story.plan(1_000), ["write ns/t Reducing 1/1 running 0 failed 0"]);
    story.ends(REDUCE, 1, 0);
    assert_eq!(story.plan(0), ["write ns/t Succeeded 1/1 running 0 failed 0"]);
    assert_eq!(
        story.plan(0)[1],
        "tell ns/t Succeeded: 1 of 1 items succeeded, 1 were required, 0 failed; the results are reduced"
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
fn a_reduce_that_fails_has_retries_of_its_own_and_then_the_task_fails() {
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
    let told = "tell ns/t Failed: the reduce failed in attempt 2; most often (2 attempts): Failed exit 3 in container main: 7; 1 of 1 items \
                succeeded, 1 were required, 0 failed";
    assert_eq!(story.plan(0), ["write ns/t Failed 1/1 running 0 failed 0"]);
    assert!(story.plan(0).contains(&told.to_owned()));
}

#[test]
fn a_reduce_of_no_items_sees_an_empty_list() {
    let mut story = story(0, 0);
    assert_eq!(story.plan(0), ["write ns/t Reducing 0/0 running 0 failed 0"]);
    assert_eq!(story.plan(0), ["tell ns/t Accepted: 0 items; 0 must succeed", "create ns/t-reduce-1"]);
}

#[test]
fn a_reduce_under_way_is_known_again_after_a_restart() {
    let mut story = story(1, 0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(100);
    story.plan(0);
    story.restart([Story::ended(REDUCE, 1, 0)]);
    let plan = story.plan(0);
    assert!(plan[0].starts_with("write ns/t Succeeded 1/1"), "{plan:?}");
}
