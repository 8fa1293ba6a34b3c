//! Creates whose answer is bad, late, lost, or about another attempt.

use serde_json::json;

use super::story::{LIMITS, Story, key};
use crate::core::ids::Time;
use crate::core::pod::Holder;
use crate::core::port::{CreateOutcome, GetPodOutcome, TaskSeen};

fn in_flight(story: &Story) -> usize {
    story.fleet.task(&key()).unwrap().in_flight()
}

fn creates(plan: &[String]) -> Vec<&str> {
    plan.iter().filter_map(|line| line.strip_prefix("create ns/")).collect()
}

fn failed(may_exist: bool) -> CreateOutcome {
    CreateOutcome::Failed { message: "no such webhook".to_owned(), may_exist }
}

#[test]
fn an_answer_about_an_attempt_that_has_ended_changes_nothing_for_the_next_one() {
    let outcomes = [
        CreateOutcome::Created,
        CreateOutcome::NameTaken(Holder::default()),
        CreateOutcome::Quota("exceeded quota: q".to_owned()),
        CreateOutcome::Contended,
        CreateOutcome::Throttled(None),
        CreateOutcome::Indeterminate,
        failed(false),
        failed(true),
        CreateOutcome::Refused("policy".to_owned()),
        CreateOutcome::Invalid("policy".to_owned()),
    ];
    for outcome in outcomes {
        let spec = json!({ "items": { "count": 1 }, "retries": 1, "retryPolicy": { "backoffSeconds": 0 } });
        let mut story = Story::after(2, LIMITS, &spec);
        story.ends(0, 1, 3);
        story.created = None;
        story.plan(1_000);
        assert_eq!(creates(&story.plan(10)), ["t-0-2"]);
        story.fleet.handle_created(story.now, &Story::id(0, 1), "u", outcome.clone());
        let again: Vec<String> = (0..20).flat_map(|_| story.plan(1_000)).collect();
        assert_eq!((in_flight(&story), creates(&again).len()), (1, 0), "{outcome:?}");
        assert!(!again.iter().any(|line| line.starts_with("get ")), "its create is still on its way: {outcome:?}");
        story.fleet.handle_created(story.now, &Story::id(0, 2), "u", CreateOutcome::Created);
        story.ends(0, 2, 0);
        let end = story.plan(1_000);
        assert!(end.iter().any(|line| line.starts_with("write ns/t Succeeded 1/1")), "{outcome:?}: {end:?}");
    }
}

#[test]
fn an_item_whose_create_found_no_answer_keeps_its_slot() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    assert_eq!(creates(&story.plan(0)), ["t-0-1"]);
    assert_eq!(in_flight(&story), 1, "though nothing is known of a pod");
}

#[test]
fn an_item_whose_creates_fail_waits_from_one_second_up_to_a_minute_less_up_to_half() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(failed(false));
    let mut times = Vec::new();
    while times.len() < 7 {
        let next = story.fleet.next_wake(story.now).unwrap();
        if !creates(&story.plan(next.millis_since(story.now))).is_empty() {
            times.push(story.now);
        }
    }
    for (pair, longest) in times.windows(2).zip([1_000, 2_000, 4_000, 8_000, 16_000, 32_000]) {
        let waited = pair[1].millis_since(pair[0]);
        // A wake-up may come some milliseconds late.
        assert!((longest / 2..=longest + 40).contains(&waited), "{waited} ms where {longest} are the most: {times:?}");
    }
}

#[test]
fn a_create_without_an_answer_of_a_task_that_is_over_is_looked_for_and_then_forgotten() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "minSuccesses": 1 }));
    story.plan(0);
    story.created = None;
    assert_eq!(creates(&story.plan(0)), ["t-0-1", "t-1-1"]);
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.fleet.handle_created(story.now, &Story::id(1, 1), "u", CreateOutcome::Indeterminate);
    assert!(story.plan(0).contains(&"get ns/t-1-1".to_owned()), "it may be there");
    story.fleet.handle_got_pod(story.now, &Story::id(1, 1), "u", GetPodOutcome::NotFound);
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 1/2 running 0 failed 0")), "{plan:?}");
}

#[test]
fn a_second_answer_to_a_create_casts_no_doubt_on_its_pod() {
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" } });
    let mut story = Story::after(2, LIMITS, &spec);
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.fleet.handle_created(story.now, &Story::id(1, 1), "u", CreateOutcome::Indeterminate);
    let plan = story.plan(1_000);
    assert!(in_flight(&story) == 1 && !plan.iter().any(|line| line.starts_with("get ")), "{plan:?}");
}

/// Another operator, or a person, writes the status. The task is then reloaded from it.
fn foreign(story: &mut Story) {
    story.version += 1;
    let mut task = TaskSeen { resource_version: story.version, ..story.written.clone().unwrap() };
    task.status.conditions.retain(|condition| condition.type_ == "Accepted");
    let mut other = task.status.conditions[0].clone();
    other.type_ = "Reviewed".to_owned();
    task.status.conditions.push(other);
    story.fleet.handle_task(story.now, task);
}

#[test]
fn a_create_on_its_way_stays_known_when_somebody_else_has_written_the_status() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = None;
    assert_eq!(creates(&story.plan(0)), ["t-0-1"]);
    foreign(&mut story);
    let lines: Vec<String> = (0..5).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!((in_flight(&story), creates(&lines).len()), (1, 0), "{lines:?}");
}

#[test]
fn a_create_without_an_answer_stays_known_when_somebody_else_has_written_the_status() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "minSuccesses": 1 }));
    story.plan(0);
    story.created = None;
    assert_eq!(creates(&story.plan(0)), ["t-0-1", "t-1-1"]);
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    story.fleet.handle_created(story.now, &Story::id(1, 1), "u", CreateOutcome::Indeterminate);
    foreign(&mut story);
    // With this the task is over, and item 1 is cancelled unless its pod is there.
    story.ends(0, 1, 0);
    let lines: Vec<String> = (0..2).flat_map(|_| story.plan(10)).collect();
    assert!(lines.contains(&"get ns/t-1-1".to_owned()), "{lines:?}");
}

#[test]
fn a_finished_pod_that_goes_ends_no_later_attempt() {
    let spec = json!({ "items": { "count": 1 }, "retries": 1, "retryPolicy": { "backoffSeconds": 0 } });
    let mut story = Story::after(2, LIMITS, &spec);
    story.ends(0, 1, 3);
    story.plan(1_000);
    assert_eq!(creates(&story.plan(10)), ["t-0-2"]);
    story.runs(0, 2);
    story.fleet.handle_pod_gone(story.now, &Story::ended(0, 1, 3));
    let lines: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(in_flight(&story) == 1 && !lines.iter().any(|line| line.contains("get ")), "{lines:?}");
}

#[test]
fn a_name_that_is_free_again_lets_its_item_start_at_once() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::NameTaken(Holder::default()));
    assert_eq!(creates(&story.plan(0)), ["t-0-1", "t-1-1"]);
    story.created = Some(CreateOutcome::Created);
    let mut holder = Story::pod(1, 1, &json!({ "phase": "Running" }));
    holder.owner_uid = Some("somebody".to_owned());
    story.fleet.handle_pod_gone(story.now, &holder);
    assert_eq!(creates(&story.plan(100)), ["t-1-1"], "and the other waits on");
    assert_eq!(creates(&story.plan(5_000)), ["t-0-1"]);
}

#[test]
fn a_task_that_was_under_way_starts_no_retry_before_creates_of_before_are_out_of_the_way() {
    let spec = json!({ "items": { "count": 2 }, "retries": 1, "retryPolicy": { "backoffSeconds": 0 } });
    let mut story = Story::after(2, LIMITS, &spec);
    story.ends(0, 1, 3);
    story.ends(1, 1, 3);
    story.created = Some(failed(false));
    story.plan(1_000);
    // Of item 1 the pod of its first attempt is still there, and keeps that name taken.
    story.restart([Story::ended(1, 1, 3)]);
    story.created = Some(CreateOutcome::Created);
    let restarted = story.now;
    assert_eq!(creates(&story.plan(0)), ["t-1-2"]);
    let early: Vec<String> = (0..74).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(creates(&early), Vec::<&str>::new());
    assert_eq!(creates(&story.plan(1_000)), ["t-0-2"]);
    assert_eq!(story.now, Time(restarted.0 + 75_000));
}

#[test]
fn a_pod_whose_create_is_answered_twice_is_one_pod() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    for outcome in [CreateOutcome::Throttled(None), CreateOutcome::Indeterminate, failed(true), failed(false)] {
        story.fleet.handle_created(story.now, &Story::id(0, 1), "u", outcome.clone());
        assert_eq!(creates(&story.plan(500)), Vec::<&str>::new(), "{outcome:?}");
        assert_eq!(in_flight(&story), 1, "{outcome:?}");
    }
}

#[test]
fn the_end_of_a_pod_that_an_operator_before_made_waits_for_the_create_on_its_way() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    assert_eq!(creates(&story.plan(0)), ["t-0-1"]);
    story.created = None;
    story.restart([]);
    assert_eq!(creates(&story.plan(1_000)), ["t-0-1"]);
    // The pod of the create before comes and goes, and the create on its way then makes another one.
    story.fleet.handle_pod_gone(story.now, &Story::ended(0, 1, 0));
    story.ends(0, 1, 0);
    story.fleet.handle_pod_gone(story.now, &Story::ended(0, 1, 0));
    let lines: Vec<String> = (0..12).flat_map(|_| story.plan(1_000)).collect();
    assert!(!lines.iter().any(|line| line.starts_with("write ns/t Succeeded")), "{lines:?}");
    assert!(lines.contains(&"get ns/t-0-1".to_owned()), "{lines:?}");
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", failed(false));
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::Found(Box::new(Story::ended(0, 1, 0))));
    let plan = story.plan(0);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 1/1")), "{plan:?}");
}
