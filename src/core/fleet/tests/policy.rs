//! What becomes of a task under its policies, whatever the order in which its items end.

use proptest::prelude::*;
use serde_json::json;

use super::Limits;
use super::story::{LIMITS, Story, key};
use crate::api::TaskPhase;
use crate::core::ids::Time;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{Action, CreateOutcome, DeleteOutcome, GetPodOutcome};

/// The phase of a task whose items end so, in this order and in batches that end where `cuts` says.
fn phase_of(spec: &serde_json::Value, ends: &[(u32, i32)], cuts: &[bool]) -> TaskPhase {
    let mut story = Story::new(Limits { max_pods: 100, ..LIMITS }, spec);
    story.plan(0);
    story.plan(0);
    for ((index, exit_code), cut) in ends.iter().zip(cuts) {
        story.ends(*index, 1, *exit_code);
        if *cut {
            story.plan(100);
        }
    }
    story.plan(1_000);
    story.plan(1_000);
    story.fleet.task(&key()).unwrap().phase()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_outcome_does_not_depend_on_the_order_or_batching_of_the_ends_of_items(
        (codes, order, cuts) in (1usize..9).prop_flat_map(|n| (
            prop::collection::vec(prop::sample::select(vec![0, 0, 3]), n),
            Just((0..n).collect::<Vec<_>>()).prop_shuffle(),
            prop::collection::vec(any::<bool>(), n),
        )),
        required in 0u32..9,
        successful in prop::sample::select(vec!["Cancel", "Drain", "Run"]),
        hopeless in prop::sample::select(vec!["Cancel", "Run"]),
    ) {
        let count = u32::try_from(codes.len()).unwrap();
        let required = required.min(count);
        let spec = json!({
            "items": { "count": count }, "minSuccesses": required, "remainingItems": { "onSuccess": successful, "onFailure": hopeless },
        });
        let ends: Vec<(u32, i32)> = order.iter().map(|i| (u32::try_from(*i).unwrap(), codes[*i])).collect();
        let successes = codes.iter().filter(|code| **code == 0).count();
        let expected = if successes >= required as usize { TaskPhase::Succeeded } else { TaskPhase::Failed };
        prop_assert_eq!(phase_of(&spec, &ends, &cuts), expected);
    }
}

#[test]
fn success_wins_over_what_would_fail_the_task_in_the_same_round() {
    let rules = json!({ "rules": [{ "exitCodes": [9], "action": "FailTask" }] });
    for required in [0, 1] {
        let spec = json!({ "items": { "count": 2 }, "minSuccesses": required, "activeDeadlineSeconds": 5 });
        let mut late = Story::new(LIMITS, &spec);
        late.plan(0);
        late.plan(0);
        late.ends(0, 1, 0);
        late.ends(1, 1, 0);
        late.plan(5_000);
        assert_eq!(late.fleet.task(&key()).unwrap().phase(), TaskPhase::Succeeded, "{spec}");
    }
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "retryPolicy": rules });
    assert_eq!(phase_of(&spec, &[(0, 9), (1, 0)], &[false, true]), TaskPhase::Succeeded);
    assert_eq!(phase_of(&spec, &[(0, 9), (1, 0)], &[true, true]), TaskPhase::Failed, "it was decided by then");
}

#[test]
fn success_is_reported_once_the_criteria_are_met_and_the_end_once_nothing_runs() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "minSuccesses": 1 }));
    story.plan(0);
    story.plan(0);
    story.runs(1, 1);
    story.runs(2, 1);
    story.ends(0, 1, 0);
    let plan = story.plan(10);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Running 1/3 running 2")), "{plan:?}");
    assert!(!plan.iter().any(|line| line.starts_with("stop")), "not before it is recorded why: {plan:?}");
    let plan = story.plan(0);
    assert!(plan.contains(&"stop ns/t-1-1".to_owned()) && plan.contains(&"stop ns/t-2-1".to_owned()), "{plan:?}");
    // One of them succeeds although it was stopped.
    story.ends(1, 1, 0);
    story.ends(2, 1, 143);
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 2/3 running 0 failed 0")), "{plan:?}");
}

#[test]
fn a_pod_that_has_finished_unnoticed_is_not_deleted_when_its_task_is_stopped() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "minSuccesses": 1 }));
    story.plan(0);
    story.plan(0);
    story.runs(1, 1);
    story.ends(0, 1, 0);
    story.plan(10);
    let plan = story.fleet.poll_plan(story.now);
    let stop = plan.actions.iter().find_map(|a| if let Action::Delete(delete) = a { Some(delete) } else { None });
    let stop = stop.expect("it is not needed any more");
    assert_eq!(stop.version, Some(2), "only as it was when it had not ended");
    story.fleet.handle_deleted(story.now, &stop.id, "u", DeleteOutcome::Changed);
    story.ends(1, 1, 0);
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 2/2 running 0 failed 0")), "{plan:?}");
}

#[test]
fn a_pod_that_vanishes_while_its_task_is_being_stopped_has_not_failed() {
    let spec = json!({ "items": { "count": 3 }, "minSuccesses": 1, "retryPolicy": { "infrastructureRetries": 0 } });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.plan(0);
    story.runs(1, 1);
    story.runs(2, 1);
    story.ends(0, 1, 0);
    story.plan(10);
    assert!(story.plan(0).contains(&"stop ns/t-1-1".to_owned()));
    // The operator dies after its deletes. Of one pod nothing is left, of the other its last state.
    let deleted = Some(Deletion { asked: Time(0), last: false });
    story.restart([PodSeen { deleted, ..Story::ended(2, 1, 143) }]);
    let plan = story.plan(0);
    assert!(plan.contains(&"get ns/t-1-1".to_owned()), "where is it? {plan:?}");
    let id = Story::id(1, 1);
    story.fleet.handle_got_pod(story.now, &id, "u", GetPodOutcome::NotFound);
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 1/3 running 0 failed 0")), "{plan:?}");
}

#[test]
fn an_item_in_backoff_holds_no_slot() {
    let policy = json!({ "backoffSeconds": 60, "maxBackoffSeconds": 60 });
    let spec = json!({ "items": { "count": 3 }, "concurrency": 1, "retries": 1, "retryPolicy": policy });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    assert!(story.plan(0).contains(&"create ns/t-0-1".to_owned()));
    story.ends(0, 1, 3);
    assert!(story.plan(10).contains(&"create ns/t-1-1".to_owned()), "while item 0 waits for its second attempt");
}

#[test]
fn a_pod_that_has_started_in_the_meantime_is_not_stopped_for_its_start_deadline() {
    // The watch may show the start after the answer to the stop, or, as under seed 4469 of the simulation, before it.
    for [first, outcome] in [[false, true], [true, true], [true, false]] {
        let spec = json!({ "items": { "count": 1 }, "startDeadlineSeconds": 5 });
        let mut story = Story::new(LIMITS, &spec);
        story.plan(0);
        story.plan(0);
        story.fleet.handle_pod(story.now, Story::pod(0, 1, &json!({ "phase": "Pending" })));
        let plan = story.fleet.poll_plan(story.now.plus_millis(5_000));
        let stop = plan.actions.iter().find_map(|a| if let Action::Delete(delete) = a { Some(delete) } else { None });
        let stop = stop.expect("it is late");
        assert_eq!(stop.version, Some(1), "only as it was when it had not started");
        story.now = story.now.plus_millis(5_000);
        if first {
            story.runs(0, 1);
        }
        let outcome = if outcome { DeleteOutcome::Changed } else { DeleteOutcome::Failed };
        story.fleet.handle_deleted(story.now, &stop.id, "u", outcome);
        story.runs(0, 1);
        assert_eq!(story.plan(2_000).iter().filter(|line| line.starts_with("stop")).count(), 0);
    }
}

#[test]
fn a_pod_whose_stop_came_too_late_runs_on_once_its_task_is_resumed() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "suspendPolicy": "Stop" }));
    story.plan(0);
    story.plan(0);
    story.runs(0, 1);
    story.plan(1_000);
    let suspend = |story: &mut Story, suspend| {
        story.version += 1;
        let mut task = story.written.clone().unwrap();
        task.resource_version = story.version;
        task.spec.suspend = suspend;
        story.fleet.handle_task(story.now, task);
    };
    suspend(&mut story, true);
    let plan = story.fleet.poll_plan(story.now.plus_millis(1_000));
    let stop =
        plan.actions.iter().find_map(|a| if let Action::Delete(delete) = a { Some(delete.clone()) } else { None });
    // As under seed 2739 of the simulation: it is resumed while the stop is on its way, and the pod has changed by
    // then.
    suspend(&mut story, false);
    story.plan(2_000);
    story.fleet.handle_deleted(story.now, &stop.expect("it is stopped").id, "u", DeleteOutcome::Changed);
    story.runs(0, 1);
    assert_eq!(story.plan(2_000).iter().filter(|line| line.starts_with("stop")).count(), 0);
}

#[test]
fn a_quota_that_its_pods_exceed_by_themselves_fails_the_task() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    let plan = story.fleet.poll_plan(story.now);
    let create =
        plan.actions.iter().find_map(|a| if let Action::Create(create) = a { Some(create.id()) } else { None });
    let words = "exceeded quota: q, requested: limits.cpu=4, used: limits.cpu=0, limited: limits.cpu=2";
    story.fleet.handle_created(story.now, &create.unwrap(), "u", CreateOutcome::Quota(words.to_owned()));
    story.plan(0);
    let plan = story.plan(1_000).join("\n");
    assert!(story.fleet.task(&key()).unwrap().phase() == TaskPhase::Failed, "{plan}");
}
