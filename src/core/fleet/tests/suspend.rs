//! Running items that are stopped for a suspension, and only once that is recorded.

use serde_json::json;

use super::story::{LIMITS, Story, lines};

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
