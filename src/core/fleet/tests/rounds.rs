//! What a round does at most, when the next one comes, and what a task says it waits for.

use serde_json::json;

use super::Limits;
use super::story::{LIMITS, Story, key, lines, read_lines};
use crate::core::fleet::settle::wake_at;
use crate::core::ids::Time;
use crate::core::port::{Action, CheckOutcome, CreateOutcome, TaskSeen, WriteOutcome};

fn waiting(story: &Story) -> Option<&'static str> {
    story.fleet.task(&key()).unwrap().waiting().map(|waiting| waiting.reason.as_str())
}

#[test]
fn no_more_deletes_and_looks_are_on_their_way_than_allowed() {
    let limits = Limits { finished_pods: 0, deletes_in_flight: 2, gets_in_flight: 2, ..LIMITS };
    let mut story = Story::after(3, limits, &json!({ "items": { "count": 5 } }));
    (0..4).for_each(|_| drop(story.plan(0)));
    (0..4).for_each(|index| story.ends(index, 1, 0));
    story.plan(1_000);
    assert_eq!(lines(&story.plan(0), "clean up").len(), 2);
    assert_eq!(lines(&story.plan(0), "clean up").len(), 2, "the first two were answered");

    let spec = json!({ "items": { "count": 5 }, "activeDeadlineSeconds": 5 });
    let mut story = Story::after(3, limits, &spec);
    (0..4).for_each(|_| drop(story.plan(0)));
    (0..5).for_each(|index| story.runs(index, 1));
    story.plan(5_000);
    assert_eq!([0, 0, 0].map(|_| lines(&story.plan(0), "stop").len()), [2, 2, 1]);

    let mut story = Story::after(3, limits, &json!({ "items": { "count": 5 } }));
    (0..4).for_each(|_| drop(story.plan(0)));
    (0..5).for_each(|index| story.runs(index, 1));
    story.plan(1_000);
    story.fleet.handle_pods_listing();
    story.fleet.handle_pods_listed(story.now);
    assert_eq!(lines(&story.plan(0), "get").len(), 2);
    assert_eq!(lines(&story.plan(0), "get").len(), 0, "these have no answer");
}

#[test]
fn an_item_that_keeps_its_slot_needs_no_other_to_start() {
    let mut story = Story::new(Limits { max_pods: 1, ..LIMITS }, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    assert_eq!(lines(&story.plan(0), "create ns/t-0-1").len(), 1);
    assert_eq!(lines(&story.plan(1_000), "create ns/t-0-1").len(), 1);
    assert_eq!(lines(&story.plan(1_000), "create ns/t-1-1").len(), 0);
}

#[test]
fn a_check_without_an_answer_is_asked_again_after_a_second() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.checks = false;
    assert_eq!(story.plan(0), ["check ns/t"]);
    story.fleet.handle_checked(story.now, &key(), "u", CheckOutcome::Indeterminate("timeout".to_owned()));
    story.plan(0);
    story.plan(0);
    assert_eq!(story.fleet.next_wake(story.now), Some(Time(1_000)));
    assert_eq!(lines(&story.plan(1_000), "check").len(), 1);
}

#[test]
fn a_check_that_waits_for_a_record_waits_for_its_answer_and_no_time() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.checks = false;
    story.plan(0);
    story.fleet.handle_checked(story.now, &key(), "u", CheckOutcome::Invalid("unknown field".to_owned()));
    story.plan(1_000);
    story.plan(1_000);
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "All" })).unwrap());
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Write(_))), "{plan}");
    let wake = story.fleet.next_wake(story.now).unwrap();
    assert!(wake.millis_since(story.now) > 10_000, "woken in {} ms", wake.millis_since(story.now));
}

#[test]
fn a_suspended_task_waits_for_nothing_and_is_woken_for_no_item() {
    let policy = json!({ "backoffSeconds": 8 });
    let spec = json!({ "items": { "count": 3 }, "concurrency": 1, "retries": 1, "retryPolicy": policy });
    let mut story = Story::after(3, LIMITS, &spec);
    story.ends(0, 1, 3);
    story.plan(1_000);
    assert_eq!(waiting(&story), Some("Concurrency"));
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    assert_eq!(waiting(&story), None);
    story.plan(1_000);
    let wake = story.fleet.next_wake(story.now).unwrap();
    assert_eq!(wake, Time(30_000), "item 0 may start within eight seconds, but will not");
}

#[test]
fn items_that_have_changed_are_told_if_something_waits_for_them() {
    let spec = json!({ "items": { "configMap": { "name": "inputs", "key": "items" } }, "concurrency": 1 });
    let mut story = Story::new(LIMITS, &spec);
    let reads = |story: &mut Story, text: &str| {
        let plan = story.fleet.poll_plan(story.now);
        assert!(plan.actions.iter().any(|action| matches!(action, Action::Fetch(_))), "{plan}");
        let found = read_lines(text);
        story.fleet.handle_fetched(story.now, &key(), "u", found);
    };
    reads(&mut story, "x\ny\n");
    (0..3).for_each(|_| drop(story.plan(0)));
    story.runs(0, 1);
    story.plan(1_000);
    story.restart([Story::pod(0, 1, &json!({ "phase": "Running" }))]);
    reads(&mut story, "z\n");
    story.plan(0);
    assert_eq!(waiting(&story), Some("ItemsChanged"));
    story.edit(|task| task.spec.suspend = true);
    story.plan(0);
    assert_eq!(waiting(&story), None, "nothing would start");
    story.edit(|task| task.spec.suspend = false);
    story.now = story.now.plus_millis(10_000);
    reads(&mut story, "x\ny\n");
    story.plan(0);
    assert_eq!(waiting(&story), Some("Concurrency"), "it is back");
}

#[test]
fn an_object_that_another_has_written_is_read_if_the_watch_does_not_show_it_within_a_second() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 2 } }));
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_000);
    story.fleet.poll_plan(story.now);
    story.fleet.handle_written(story.now, &key(), "u", &WriteOutcome::Conflict);
    assert_eq!(lines(&story.plan(980), "reread").len(), 0);
    assert_eq!(lines(&story.plan(20), "reread").len(), 1);
    assert_eq!(lines(&story.plan(980), "reread").len(), 0, "it has been asked for");
    let seen: TaskSeen = story.written.clone().unwrap();
    story.fleet.handle_reread(story.now, TaskSeen { resource_version: 9, ..seen });
    story.version = 9;
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!((lines(&plan, "reread").len(), lines(&plan, "write").len()), (0, 1), "{plan:?}");
}

#[test]
fn a_task_that_is_looked_at_often_is_woken_in_time_all_the_same() {
    let due = Time(1_000);
    let mut set = None;
    for millis in [980, 990, 999] {
        set = wake_at(Time(millis), [due].into_iter(), set);
        assert_eq!(set, Some(due));
    }
    // It could not be acted on, and other things happen.
    for millis in [1_000, 1_005, 1_019] {
        set = wake_at(Time(millis), [due].into_iter(), set);
        assert_eq!(set, Some(Time(1_020)));
    }
    assert_eq!(wake_at(Time(1_020), [due].into_iter(), set), Some(Time(1_040)));
    let ahead = [due, Time(1_030)].into_iter();
    assert_eq!(wake_at(Time(1_020), ahead, set), Some(Time(1_030)), "nothing else is put off for it");
}
