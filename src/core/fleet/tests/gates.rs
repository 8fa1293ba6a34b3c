//! Pods that somebody else holds back by scheduling gates, or takes back.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, lines};
use crate::api::status::WaitingReason;
use crate::core::pod::{Gating, PodSeen};
use crate::core::port::CreateOutcome;

fn waits(status: &Value) -> Value {
    let mut status = status.clone();
    status["phase"] = json!("Pending");
    status
}

pub(super) fn gated(index: u32) -> PodSeen {
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "SchedulingGated" });
    let gating = Gating::Held { names: "example.com/queue".to_owned() };
    PodSeen { gating, ..Story::pod(index, 1, &waits(&json!({ "conditions": [condition] }))) }
}

/// A pod whose scheduling gates are gone.
fn open(index: u32, version: u64) -> PodSeen {
    PodSeen { version, gating: Gating::Open, ..Story::pod(index, 1, &waits(&json!({}))) }
}

/// A task of this number of items whose pods are all gated.
fn story(count: u32, spec: &Value) -> Story {
    let mut spec = spec.clone();
    spec["items"] = json!({ "count": count });
    let mut story = Story::after(2, LIMITS, &spec);
    (0..count).for_each(|index| story.fleet.handle_pod(story.now, gated(index)));
    story.plan(1_000);
    story
}

fn counts(story: &Story) -> (i32, i32) {
    let counts = story.status().counts.unwrap();
    (counts.pending, counts.running)
}

#[test]
fn gated_pods_are_not_running_and_the_status_says_how_many_wait_for_which_gate() {
    let mut story = story(3, &json!({ "concurrency": 3 }));
    let waiting = story.status().waiting.clone().unwrap();
    assert_eq!(waiting.reason, WaitingReason::SchedulingGated);
    assert_eq!(waiting.message.as_deref(), Some("3 pods are held back by the scheduling gates example.com/queue"));
    assert_eq!(counts(&story), (3, 0));
    story.fleet.handle_pod(story.now, open(0, 2));
    story.plan(1_000);
    assert_eq!(counts(&story), (2, 1));
    // Its place is taken: nothing else starts, and an operator that comes next gives it no second pod.
    story.restart([open(0, 2), gated(1), gated(2)]);
    let plan = story.plan(1_000);
    assert!(!plan.iter().any(|line| line.starts_with("create")), "{plan:?}");
    assert_eq!(counts(&story), (2, 1));
}

#[test]
fn a_suspension_that_ends_before_a_create_is_answered_does_not_use_up_the_time_of_its_pod() {
    let mut story =
        Story::new(LIMITS, &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 10, "suspendPolicy": "Stop" }));
    story.created = None;
    (0..2).for_each(|_| drop(story.plan(0)));
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = false);
    (0..2).for_each(|_| drop(story.plan(20_000)));
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    story.fleet.handle_pod(story.now, gated(0));
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "stop"), [] as [&str; 0], "{plan:?}");
}

#[test]
fn the_time_of_a_gated_pod_to_start_begins_with_the_removal_of_its_last_gate() {
    let mut story = story(2, &json!({ "startDeadlineSeconds": 10 }));
    let stops = |plan: &[String]| plan.iter().filter(|line| line.starts_with("stop")).cloned().collect::<Vec<_>>();
    assert_eq!(stops(&story.plan(60_000)), Vec::<String>::new());
    story.fleet.handle_pod(story.now, open(0, 2));
    assert_eq!(stops(&story.plan(9_900)), Vec::<String>::new());
    let late = stops(&story.plan(100));
    assert!(late.len() == 1 && late[0].contains("t-0-1"), "{late:?}");
}

#[test]
fn an_operator_that_did_not_see_the_gates_go_gives_a_pod_its_whole_time() {
    let mut story = story(1, &json!({ "startDeadlineSeconds": 100 }));
    story.plan(200_000);
    story.restart([PodSeen { created: Some(crate::core::ids::Time(0)), ..open(0, 2) }]);
    let deletes = |plan: Vec<String>| plan.iter().any(|line| line.starts_with("stop"));
    assert!(!deletes(story.plan(99_000)));
    assert!(deletes(story.plan(1_000)));
}

#[test]
fn a_suspension_that_ends_gives_a_gated_pod_no_deadline() {
    let mut story = story(1, &json!({ "startDeadlineSeconds": 10, "suspendPolicy": "Stop" }));
    story.deleted = None;
    story.edit(|task| task.spec.suspend = true);
    story.plan(0);
    story.edit(|task| task.spec.suspend = false);
    let plan: Vec<String> = [0, 1_000, 60_000].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert!(plan.iter().filter(|line| line.starts_with("stop")).count() <= 1, "{plan:?}");
}

#[test]
fn a_pod_that_its_queue_takes_back_costs_no_retry() {
    let mut story =
        Story::after(2, LIMITS, &json!({ "items": { "count": 1 }, "retryPolicy": { "infrastructureRetries": 0 } }));
    story.runs(0, 1);
    let target = json!({ "type": "TerminationTarget", "status": "True", "reason": "WorkloadEvicted" });
    let container = json!({ "name": "main", "state": { "terminated": { "exitCode": 143 } } });
    let status = json!({ "phase": "Failed", "conditions": [target], "containerStatuses": [container] });
    story.fleet.handle_pod(story.now, PodSeen { version: 3, ..Story::pod(0, 1, &status) });
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.iter().any(|line| line.starts_with("create ns/t-0-2")), "{plan:?}");
    assert_eq!(story.status().failures[0].category, "Preempted");
}
