//! `spec.cancel`: the task ends with what it has.

use serde_json::{Value, json};

use super::story::{LIMITS, REDUCE, Story, key, lines};
use crate::api::conditions::{ConditionType, find_true, is_true};
use crate::api::spec::Rerun;
use crate::api::status::{ItemCounts, MapTaskStatus, TaskPhase};
use crate::core::port::WriteOutcome;

/// A task of four items, two of which run and one of which has succeeded.
fn running(spec: &Value) -> Story {
    let mut all = json!({ "items": { "count": 4 }, "concurrency": 3 });
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let mut story = Story::after(2, LIMITS, &all);
    (0..3).for_each(|index| story.runs(index, 1));
    story.edit(|task| task.spec.concurrency = Some(2));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story
}

fn cancel(story: &mut Story, cancel: bool) {
    story.edit(|task| task.spec.cancel = cancel);
}

/// The pods of the items that run have ended, as the operator asked.
fn stopped(story: &mut Story) {
    for index in [1, 2] {
        story.ends(index, 1, 143);
    }
}

fn counts(story: &Story) -> [i32; 4] {
    let ItemCounts { pending, running, succeeded, cancelled, .. } = story.status().counts.unwrap();
    [pending + running, succeeded, story.status().counts.unwrap().failed, cancelled]
}

/// The reason and the message of how it ended.
fn end(story: &Story) -> (String, String) {
    let failed = find_true(&story.status().conditions, ConditionType::Failed).unwrap();
    assert!(is_true(&story.status().conditions, ConditionType::Finished));
    (failed.reason.clone(), failed.message.clone())
}

#[test]
fn a_cancelled_task_stops_what_runs_and_keeps_what_succeeded() {
    let mut story = running(&json!({}));
    cancel(&mut story, true);
    let plan = story.plan(0);
    assert_eq!(lines(&plan, "stop"), Vec::<&str>::new(), "after a crash, the status must say why pods are deleted");
    assert!(is_true(&story.status().conditions, ConditionType::FailureTarget));
    let plan = story.plan(0);
    assert_eq!(lines(&plan, "stop"), ["stop ns/t-1-1", "stop ns/t-2-1"]);
    // Somebody thinks better of it: what is decided stays so.
    cancel(&mut story, false);
    stopped(&mut story);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!((story.status().phase, counts(&story)), (Some(TaskPhase::Failed), [0, 1, 0, 3]));
    let message = "spec.cancel is true; 1 of 4 items succeeded, 4 were required, 0 failed";
    assert_eq!(end(&story), ("Cancelled".to_owned(), message.to_owned()));
    assert_eq!(story.status().reason.as_deref(), Some("Cancelled"));
}

#[test]
fn cancelling_a_task_that_has_ended_changes_nothing() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    let before = story.status().clone();
    cancel(&mut story, true);
    assert_eq!((story.plan(1_000).len(), story.phase()), (1, TaskPhase::Succeeded));
    assert_eq!(*story.status(), MapTaskStatus { observed_generation: Some(2), ..before });
    assert_eq!(story.plan(60_000), Vec::<String>::new());
}

#[test]
fn a_rerun_that_is_cancelled_before_it_is_recorded_leaves_the_task_as_it_ended() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    let before = story.status().clone();
    let rerun: Rerun = serde_json::from_value(json!({ "id": "again", "items": "All" })).unwrap();
    story.edit(|task| task.spec.rerun = Some(rerun));
    let plan = story.fleet.poll_plan(story.now).to_string();
    assert!(plan.contains("write ns/t Running 0/1"), "{plan}");
    // The answer of the write is on its way: a conflict, since this came first.
    cancel(&mut story, true);
    story.fleet.handle_written(story.now, &key(), "u", &WriteOutcome::Conflict);
    let plan = story.plan(10_000);
    assert!(!plan.iter().any(|line| line.contains("Running") || line.starts_with("create")), "{plan:?}");
    let status = story.status();
    assert_eq!((status.phase, &status.phases), (Some(TaskPhase::Succeeded), &before.phases));
    cancel(&mut story, false);
    let plan = story.plan(10_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Running 0/1")), "it starts then: {plan:?}");
}

#[test]
fn a_task_is_cancelled_before_it_is_accepted() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.checks = false;
    assert_eq!(story.plan(0), ["check ns/t"]);
    story.written = Some(story.task.clone());
    cancel(&mut story, true);
    story.plan(0);
    let (reason, message) = end(&story);
    assert!(reason == "Cancelled" && message.contains("before it was accepted"), "{reason}: {message}");
    let accepted = story.status().conditions.iter().find(|condition| condition.type_ == "Accepted").unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "Cancelled"));
}

#[test]
fn cancel_precedes_suspend() {
    let mut story = running(&json!({}));
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Suspended);
    cancel(&mut story, true);
    story.plan(1_000);
    assert_eq!(lines(&story.plan(0), "stop").len(), 2);
    stopped(&mut story);
    story.plan(1_000);
    assert_eq!((story.phase(), counts(&story)), (TaskPhase::Failed, [0, 1, 0, 3]));
}

#[test]
fn a_task_that_was_successful_before_it_was_cancelled_stops_the_rest_and_succeeds() {
    let mut story = running(&json!({ "minSuccesses": 1, "remainingItems": { "onSuccess": "Run" } }));
    assert!(is_true(&story.status().conditions, ConditionType::SuccessCriteriaMet));
    cancel(&mut story, true);
    story.plan(1_000);
    story.plan(0);
    stopped(&mut story);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!((story.status().phase, counts(&story)), (Some(TaskPhase::Succeeded), [0, 1, 0, 3]));
}

/// A task whose items have succeeded, with a reduce that is about to begin.
fn reducing() -> Story {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 }, "reduce": { "template": template } }));
    story.ends(0, 1, 0);
    story
}

#[test]
fn a_cancelled_task_has_no_reduce() {
    // Before the reduce begins, before it has a pod, and while it runs.
    for rounds in 0..3 {
        let mut story = reducing();
        (0..rounds).for_each(|_| drop(story.plan(0)));
        let runs = rounds == 2;
        if runs {
            story.runs(REDUCE, 1);
        } else if story.written.as_ref().is_none_or(|written| written.status.reduce.is_none()) {
            story.written = Some(story.written.clone().unwrap_or_else(|| story.task.clone()));
        }
        cancel(&mut story, true);
        let plan = [story.plan(1_000), story.plan(0)].concat();
        assert!(lines(&plan, "create").is_empty(), "{rounds}: {plan:?}");
        assert_eq!(lines(&plan, "stop").len(), usize::from(runs), "{rounds}: {plan:?}");
        if runs {
            story.ends(REDUCE, 1, 143);
        }
        story.plan(1_000);
        story.plan(1_000);
        let (reason, message) = end(&story);
        assert!(reason == "Cancelled" && message.contains("spec.cancel is true"), "{rounds}: {reason}: {message}");
        assert!(story.status().result.is_none() && story.phase() == TaskPhase::Failed);
    }
}

#[test]
fn a_rerun_of_a_cancelled_task_starts_once_cancel_is_false_again() {
    let mut story = running(&json!({}));
    cancel(&mut story, true);
    story.plan(1_000);
    story.plan(0);
    let rerun = |id: &str| serde_json::from_value(json!({ "id": id, "items": "Cancelled" })).unwrap();
    // An older schema lets it in.
    story.edit(|task| task.spec.rerun = rerun("1"));
    story.plan(1_000);
    let pending = |story: &Story| story.status().pending_rerun.clone().map(|pending| pending.message);
    assert_eq!(pending(&story).as_deref(), Some("starts once the task has ended and spec.cancel is false"));
    stopped(&mut story);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Failed);
    assert_eq!(pending(&story).as_deref(), Some("starts once spec.cancel is false"));
    story.edit(|task| {
        task.spec.cancel = false;
        task.spec.rerun = rerun("2");
    });
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!((story.phase(), lines(&plan, "create").len()), (TaskPhase::Running, 2), "{plan:?}");
    for item in [1, 2] {
        story.ends(item, 2, 0);
    }
    story.plan(1_000);
    story.ends(3, 2, 0);
    story.plan(1_000);
    assert_eq!((story.phase(), counts(&story)), (TaskPhase::Succeeded, [0, 4, 0, 0]));
}
