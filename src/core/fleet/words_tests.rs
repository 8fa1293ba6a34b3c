//! What a task says of itself when it waits or has failed.

use serde_json::{Value, json};

use super::plan::{Action, CreateOutcome, FetchOutcome};
use super::story::{LIMITS, Story, key};
use crate::api::status::MapTaskStatus;

fn status(story: &Story) -> &MapTaskStatus {
    &story.written.as_ref().expect("it was written").status
}

fn ended(index: u32, message: &str) -> crate::core::pod::PodSeen {
    let terminated = json!({ "exitCode": 1, "reason": "Error", "message": message });
    let containers = json!([{ "name": "main", "state": { "terminated": terminated } }]);
    Story::pod(index, 1, &json!({ "phase": "Failed", "containerStatuses": containers }))
}

fn pending(message: &str) -> Value {
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message });
    json!({ "phase": "Pending", "conditions": [condition] })
}

#[test]
fn a_failed_task_names_its_most_frequent_failure_with_one_sample() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "whenHopeless": "RunAll" }));
    story.plan(0);
    story.plan(0);
    let traceback = |last: &str| {
        format!("Traceback (most recent call last):\n  File \"/app/x.py\", line 1, in run\n    go()\n{last}\n")
    };
    story.fleet.handle_pod(story.now, ended(0, &traceback("OSError: disk full")));
    story.fleet.handle_pod(story.now, ended(1, &traceback("KeyError: 'language'")));
    story.fleet.handle_pod(story.now, ended(2, &traceback("KeyError: 'language'")));
    story.plan(1_000);
    story.plan(1_000);
    let told = status(&story);
    let words = "0 of 3 items succeeded, 3 were required, 3 failed; most often (2 attempts): Failed exit 1 in container main: Traceback";
    let message = told.message.as_deref().unwrap();
    assert!(message.starts_with(words) && message.ends_with("KeyError: 'language' (item 1)"), "{message}");
    assert!(message.chars().count() <= 512);
    assert_eq!((told.reason.as_deref(), told.failures.len()), (Some("TooManyFailures"), 2));
}

#[test]
fn a_deadline_names_what_the_task_was_waiting_for() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "activeDeadlineSeconds": 5 }));
    story.plan(0);
    story.plan(0);
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &pending("0/3 nodes are available: 3 Insufficient cpu.")));
    story.plan(1_000);
    assert_eq!(status(&story).reason.as_deref(), Some("NoCapacity"));
    story.plan(4_000);
    let target = status(&story).conditions.iter().find(|c| c.type_ == "FailureTarget").map(|c| c.message.clone());
    let words = "the task has run for longer than spec.activeDeadlineSeconds, 5 s, and waits for NoCapacity: 0/3 nodes are available";
    assert!(target.as_ref().is_some_and(|message| message.starts_with(words)), "{target:?}");
    assert_eq!(status(&story).reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn a_task_shows_one_word_for_why_it_waits_or_failed() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    assert_eq!(status(&story).reason, None, "all is well");
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    story.plan(0);
    story.plan(1_000);
    assert_eq!(status(&story).reason.as_deref(), Some("Concurrency"));
    story.created =
        Some(CreateOutcome::Quota("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1".to_owned()));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(status(&story).reason.as_deref(), Some("Quota"));
    story.created = Some(CreateOutcome::Created);
    story.plan(20_000);
    story.ends(1, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    let told = status(&story);
    assert_eq!((told.phase, told.reason.as_deref()), (Some(crate::api::TaskPhase::Succeeded), None));
}

#[test]
fn a_task_that_is_refused_or_lacks_its_items_says_so_in_one_word() {
    let mut spec = json!({ "items": { "count": 1 }, "container": "gone" });
    let story = {
        let mut story = Story::new(LIMITS, &spec);
        story.plan(0);
        story.plan(0);
        story
    };
    assert_eq!(status(&story).reason.as_deref(), Some("InvalidTemplate"));
    spec = json!({ "items": { "configMap": { "name": "inputs", "key": "items" } } });
    let mut story = Story::new(LIMITS, &spec);
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Fetch(_))), "{plan}");
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Missing("no ConfigMap inputs".to_owned()));
    story.plan(0);
    assert_eq!(status(&story).reason.as_deref(), Some("ItemsMissing"));
}
