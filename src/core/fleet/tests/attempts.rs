//! Which attempt of an item counts, what waits for which create, and what a decision makes of the rest.

use serde_json::json;

use super::story::{LIMITS, Story, key, lines};
use crate::api::TaskPhase;
use crate::api::status::ItemCounts;
use crate::core::pod::PodSeen;
use crate::core::port::{Action, CreateOutcome, GetPodOutcome, WriteOutcome};

fn counts(story: &Story) -> ItemCounts {
    story.written.as_ref().unwrap().status.counts.unwrap()
}

/// A task of one item whose second attempt waits, as is recorded, after the first has failed.
fn second_attempt() -> Story {
    let spec = json!({ "items": { "count": 1 }, "retries": 5, "retryPolicy": { "backoffSeconds": 0 } });
    let mut story = Story::after(3, LIMITS, &spec);
    story.ends(0, 1, 3);
    story.plan(1_000);
    story
}

#[test]
fn a_deadline_also_stops_what_runs_on_after_the_decision() {
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Run" },
                       "activeDeadlineSeconds": 5 });
    let mut story = Story::after(3, LIMITS, &spec);
    story.runs(1, 1);
    story.ends(0, 1, 0);
    assert_eq!(lines(&story.plan(4_000), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-1-1"]);
    story.ends(1, 1, 143);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Succeeded, "the decision stays");
}

#[test]
fn a_pod_of_an_attempt_before_the_recorded_one_is_stopped_and_tells_nothing() {
    let mut story = second_attempt();
    story.plan(0);
    story.plan(1_000);
    story.restart([Story::running(0, 1), Story::running(0, 2)]);
    assert_eq!(lines(&story.plan(0), "stop"), ["stop ns/t-0-1"], "at once, though creates may be on their way");
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
    story.fleet.handle_pod(story.now, PodSeen { version: 9, ..Story::ended(0, 1, 0) });
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Running);
    story.ends(0, 2, 0);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Succeeded);
}

#[test]
fn the_failed_pod_of_an_attempt_before_the_recorded_one_stays_before_that_of_a_success() {
    let mut story = second_attempt();
    story.plan(0);
    story.restart([Story::ended(0, 1, 3), Story::ended(0, 2, 0)]);
    story.plan(1_000);
    let plan: Vec<String> = (0..9).flat_map(|_| story.plan(10_000)).collect();
    assert_eq!(lines(&plan, "clean up"), ["clean up ns/t-0-2"]);
}

#[test]
fn a_pod_of_an_attempt_after_the_recorded_one_is_the_better_witness() {
    let mut story = second_attempt();
    story.restart([Story::running(0, 3)]);
    story.plan(0);
    story.ends(0, 3, 3);
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-4"]);
}

#[test]
fn after_a_restart_a_retry_waits_for_late_creates_unless_the_pod_of_the_last_attempt_has_ended() {
    for (pods, seconds) in [(vec![Story::ended(0, 1, 3)], 0u32), (vec![], 75)] {
        let mut story = second_attempt();
        story.restart(pods.clone());
        let created = (0..=80u32).find(|_| !lines(&story.plan(1_000), "create").is_empty());
        assert!(created.is_some_and(|second| second.abs_diff(seconds) <= 1), "{created:?} with {pods:?}");
    }
    // Where that pod runs on, it is stopped, and the retry waits until it has gone.
    let mut story = second_attempt();
    story.restart([Story::running(0, 1)]);
    let plan: Vec<String> = (0..=80).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!((lines(&plan, "create"), lines(&plan, "stop")), (vec![], vec!["stop ns/t-0-1"]));
    story.fleet.handle_pod_gone(story.now, &PodSeen { version: 9, ..Story::running(0, 1) });
    let plan: Vec<String> = (0..2).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-2"]);
    // One that is in flight does not wait.
    let mut story = second_attempt();
    story.plan(0);
    story.plan(1_000);
    story.restart([Story::running(0, 2)]);
    let plan: Vec<String> = (0..9).flat_map(|_| story.plan(10_000)).collect();
    assert_eq!(lines(&plan, "create"), Vec::<&str>::new());
}

#[test]
fn a_pod_that_was_to_be_stopped_before_a_restart_and_runs_is_stopped_after_it() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "suspendPolicy": "Stop" }));
    story.runs(0, 1);
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Suspended);
    story.restart([]);
    assert_eq!(lines(&story.plan(0), "get"), ["get ns/t-0-1"]);
    story.fleet.handle_pod(story.now, PodSeen { version: 9, ..Story::running(0, 1) });
    assert_eq!(lines(&story.plan(1_000), "stop"), Vec::<&str>::new(), "a late create would bring it back");
    assert_eq!(lines(&story.plan(73_980), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(20), "stop"), ["stop ns/t-0-1"]);
}

#[test]
fn what_has_not_started_is_cancelled_with_the_decision_and_what_may_have_is_looked_for() {
    for outcome in [None, Some(CreateOutcome::Indeterminate)] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 4 }, "concurrency": 2 }));
        story.plan(0);
        story.created = None;
        assert_eq!(lines(&story.plan(0), "create").len(), 2);
        story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
        if let Some(outcome) = &outcome {
            story.fleet.handle_created(story.now, &Story::id(1, 1), "u", outcome.clone());
        }
        story.ends(0, 1, 3);
        let plan = story.plan(1_000);
        assert_eq!(lines(&plan, "get ").len(), usize::from(outcome.is_some()), "{plan:?}");
        let told = counts(&story);
        assert_eq!((told.failed, told.pending, told.cancelled), (1, 1, 2), "{outcome:?}");
        if outcome.is_some() {
            story.fleet.handle_got_pod(story.now, &Story::id(1, 1), "u", GetPodOutcome::NotFound);
        } else {
            story.fleet.handle_created(story.now, &Story::id(1, 1), "u", CreateOutcome::Throttled(None));
        }
        story.plan(1_000);
        assert_eq!((counts(&story).cancelled, story.phase()), (3, TaskPhase::Failed), "{outcome:?}");
    }
}

#[test]
fn a_result_is_stored_once_though_another_comes_while_it_is_on_its_way() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 } }));
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_000);
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Write(_))), "{plan}");
    story.ends(1, 1, 0);
    let written = WriteOutcome::Written { version: 9, rewritten: 0, uncached: None };
    story.fleet.handle_written(story.now, &key(), "u", &written);
    let plan = story.plan(1_000);
    assert!(lines(&plan, "write")[0].ends_with(" 2/3 running 1 failed 0 +1 results"), "{plan:?}");
}

#[test]
fn a_pod_that_has_not_started_in_time_is_stopped_again_if_that_fails() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 5 }));
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &json!({ "phase": "Pending" })));
    story.now = story.now.plus_millis(5_000);
    assert!(story.fleet.poll_plan(story.now).to_string().contains("stop ns/t-0-1"));
    let failed = crate::core::port::DeleteOutcome::Failed;
    story.fleet.handle_deleted(story.now, &Story::id(0, 1), "u", failed);
    assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-0-1"]);
}
