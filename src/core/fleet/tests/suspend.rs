//! Running items that are stopped for a suspension, and only once that is recorded.

use serde_json::json;

use super::story::{LIMITS, Story, lines};
use crate::api::TaskPhase;
use crate::api::conditions::{ConditionType, is_true};
use crate::api::status::MapTaskStatus;
use crate::core::port::{DeleteOutcome, GetPodOutcome};

/// A task of three items that run, and that is suspended.
fn suspended() -> Story {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "suspendPolicy": "Stop" }));
    story.plan(0);
    story.plan(0);
    (0..3).for_each(|index| story.runs(index, 1));
    story.plan(1_000);
    story.version += 1;
    let mut task = story.written.clone().unwrap();
    (task.resource_version, task.generation) = (story.version, 2);
    task.spec.suspend = true;
    story.fleet.handle_task(story.now, task);
    story
}

#[test]
fn what_runs_is_stopped_as_soon_as_the_suspension_is_recorded_whatever_else_happens() {
    let mut story = suspended();
    let plan = story.plan(0);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Suspended")), "{plan:?}");
    assert_eq!(lines(&plan, "stop"), Vec::<&str>::new(), "after a crash, the status must say why pods are deleted");
    // There is news that is yet to be recorded.
    story.ends(2, 1, 0);
    assert_eq!(lines(&story.plan(0), "stop"), ["stop ns/t-0-1", "stop ns/t-1-1"]);
}

#[test]
fn a_suspension_while_no_operator_ran_is_recorded_by_the_next() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 } }));
    story.runs(0, 1);
    story.plan(1_000);
    story.version += 1;
    let task = story.written.as_mut().unwrap();
    (task.spec.suspend, task.generation, task.resource_version) = (true, task.generation + 1, story.version);
    story.restart([Story::running(0, 1)]);
    story.plan(60_000);
    assert_eq!((story.status().phase, story.status().observed_generation), (Some(TaskPhase::Suspended), Some(2)));
}

#[test]
fn a_task_that_has_ended_says_which_spec_its_status_is_of_and_keeps_all_else() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 2 } }));
    story.ends(0, 1, 0);
    story.ends(1, 1, 3);
    (0..2).for_each(|_| drop(story.plan(1_000)));
    let ended = story.status().clone();
    assert_eq!(ended.phase, Some(TaskPhase::Failed));
    story.edit(|task| task.spec.priority = 1);
    story.plan(1_000);
    let edited = story.status().clone();
    // The same while no operator runs.
    story.version += 1;
    let task = story.written.as_mut().unwrap();
    (task.spec.priority, task.generation, task.resource_version) = (2, task.generation + 1, story.version);
    story.task = task.clone();
    story.restart([]);
    story.plan(1_000);
    for (status, generation) in [(edited, 2), (story.status().clone(), 3)] {
        let (ended, conditions) = (ended.clone(), status.conditions.clone());
        assert_eq!(status, MapTaskStatus { observed_generation: Some(generation), conditions, ..ended });
        assert!(is_true(&status.conditions, ConditionType::Failed));
    }
    assert_eq!(lines(&story.plan(60_000), "write"), Vec::<&str>::new());
}

#[test]
fn a_pod_whose_deletion_got_no_answer_costs_its_item_nothing_though_its_task_was_resumed() {
    let mut story = suspended();
    story.plan(0);
    story.deleted = Some(DeleteOutcome::Failed);
    assert_eq!(lines(&story.plan(0), "stop").len(), 3);
    story.edit(|task| task.spec.suspend = false);
    story.plan(500);
    story.fleet.handle_pod_gone(story.now, &Story::running(0, 1));
    assert_eq!(lines(&story.plan(0), "get"), ["get ns/t-0-1"]);
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
    story.plan(1_000);
    let status = story.status();
    assert_eq!((status.failures.as_slice(), status.counts.unwrap().pending), (&[][..], 1), "it was carried out");
}
