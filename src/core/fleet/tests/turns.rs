//! The turns of a task: what is recorded of each, when, and what its user sees.

use serde_json::json;

use super::story::{LIMITS, Story};
use crate::api::TaskPhase;
use crate::core::pod::EventType::{self, Normal, Warning};
use crate::core::pod::Holder;
use crate::core::port::CreateOutcome;

/// A condition that is True: its reason and message.
fn condition<'a>(story: &'a Story, type_: &str) -> Option<(&'a str, &'a str)> {
    let found = story.status().conditions.iter().find(|c| c.type_ == type_ && c.status == "True");
    found.map(|c| (c.reason.as_str(), c.message.as_str()))
}

/// The Events of a story, in order: reason, type, and the note.
fn told(story: &Story) -> Vec<(&str, EventType, &str)> {
    story.told.iter().map(|tell| (tell.reason.as_str(), tell.type_, tell.note.as_str())).collect()
}

#[test]
fn acceptance_is_recorded_and_told_with_how_many_must_succeed() {
    let story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "minSuccessRatio": 0.5 }));
    assert_eq!(told(&story), [("Accepted", Normal, "3 items; 2 must succeed")]);
    assert_eq!(condition(&story, "Accepted"), Some(("Accepted", "3 items; 2 must succeed")));
    assert!(story.status().start_time.is_some() && story.status().completion_time.is_none());
    assert_eq!((story.status().phase, story.status().message.as_deref()), (Some(TaskPhase::Running), None));
}

#[test]
fn a_spec_that_can_not_be_met_is_refused_by_name_and_told() {
    let story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "minSuccesses": 5 }));
    let (reason, message) = condition(&story, "Failed").expect("it has failed");
    assert!(message.contains("spec.minSuccesses is 5") && message.contains("3 items"), "{message}");
    assert_eq!(told(&story), [("Refused", Warning, message)]);
    let accepted = story.status().conditions.iter().find(|c| c.type_ == "Accepted").unwrap();
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", reason));
    assert_eq!((accepted.message.as_str(), story.status().phase), (message, Some(TaskPhase::Failed)));
    assert!(story.status().completion_time.is_some());
}

#[test]
fn a_record_that_can_not_be_read_ends_the_task_and_stays_as_it_is() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 } }));
    let mut task = story.written.clone().unwrap();
    task.status.phases = Some("garbage".to_owned());
    story.written = Some(task);
    story.told.clear();
    story.restart([]);
    story.plan(1_000);
    story.plan(1_000);
    let (reason, message) = condition(&story, "Failed").expect("it has failed");
    assert_eq!((reason, told(&story)), ("StatusUnreadable", vec![("Failed", Warning, message)]));
    assert_eq!(story.status().phases.as_deref(), Some("garbage"), "it is kept for a person to repair");
}

#[test]
fn the_end_of_a_task_is_recorded_with_its_time_and_told_in_the_same_words() {
    let mut story = Story::after(
        3,
        LIMITS,
        &json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" } }),
    );
    story.ends(0, 1, 0);
    story.ends(1, 1, 3);
    story.plan(1_000);
    story.plan(1_000);
    let words = "1 of 2 items succeeded, 1 were required, 1 failed";
    assert_eq!(condition(&story, "SuccessCriteriaMet").map(|c| c.0), Some("EnoughSuccesses"));
    assert_eq!(condition(&story, "Complete"), Some(("EnoughSuccesses", words)));
    assert_eq!(told(&story).last(), Some(&("Succeeded", Normal, words)));
    assert_eq!((story.status().phase, story.status().message.as_deref()), (Some(TaskPhase::Succeeded), Some(words)));
    assert_eq!(story.status().completion_time.as_ref().map(|time| time.0.as_millisecond()), Some(1_000));
    assert_eq!((condition(&story, "Failed"), condition(&story, "FailureTarget")), (None, None));

    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 2 } }));
    story.ends(0, 1, 3);
    story.ends(1, 1, 3);
    story.plan(1_000);
    story.plan(1_000);
    let (reason, words) = condition(&story, "Failed").expect("it has failed");
    assert!(words.starts_with("0 of 2 items succeeded, 2 were required, 2 failed"), "{words}");
    assert_eq!((reason, told(&story).last()), ("TooManyFailures", Some(&("Failed", Warning, words))));
    assert_eq!(condition(&story, "FailureTarget"), Some(("TooManyFailures", "2 of 2 items failed, 2 must succeed")));
    assert_eq!(condition(&story, "Complete"), None);
}

#[test]
fn a_task_that_a_rule_fails_names_that_failure_once() {
    let rules = json!([{ "exitCodes": [9], "action": "FailTask" }]);
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "retryPolicy": { "rules": rules } }));
    story.ends(0, 1, 9);
    story.plan(1_000);
    let words = "a rule of spec.retryPolicy fails the task: item 0 ended as Failed(exit 9) in container main: 7; \
                 0 of 1 items succeeded, 1 were required, 1 failed";
    assert_eq!(condition(&story, "Failed"), Some(("FailTaskRule", words)));
}

#[test]
fn a_suspended_task_says_so_and_starts_nothing_until_it_is_resumed() {
    let creates = |plan: &[String]| plan.iter().filter(|line| line.starts_with("create")).count();
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 1 }));
    story.edit(|task| task.spec.suspend = true);
    story.plan(1_000);
    assert_eq!(story.status().phase, Some(TaskPhase::Suspended));
    story.ends(0, 1, 0);
    assert_eq!((creates(&story.plan(1_000)), story.status().phase), (0, Some(TaskPhase::Suspended)));
    story.edit(|task| task.spec.suspend = false);
    assert_eq!((creates(&story.plan(1_000)), story.status().phase), (1, Some(TaskPhase::Running)));
}

#[test]
fn a_decided_task_that_runs_on_says_why() {
    for (spec, exit_code, words) in [
        (
            json!({ "items": { "count": 3 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Run" } }),
            0,
            "spec.remainingItems.onSuccess is Run",
        ),
        (
            json!({ "items": { "count": 3 }, "remainingItems": { "onFailure": "Run" } }),
            3,
            "spec.remainingItems.onFailure is Run",
        ),
    ] {
        let mut story = Story::after(3, LIMITS, &spec);
        story.ends(0, 1, exit_code);
        story.plan(1_000);
        let message = story.status().message.as_deref().unwrap_or_default();
        assert!(message.ends_with(&format!("; the remaining items run, since {words}")), "{message}");
        assert_eq!(story.status().phase, Some(TaskPhase::Running));
        for index in 1..3 {
            story.ends(index, 1, exit_code);
        }
        story.plan(1_000);
        let message = story.status().message.as_deref().unwrap_or_default();
        assert!(
            story.status().phase.is_some_and(TaskPhase::is_terminal) && !message.contains("runs since"),
            "{message}"
        );
    }
    let mut story = Story::after(
        3,
        LIMITS,
        &json!({ "items": { "count": 3 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" } }),
    );
    story.ends(0, 1, 0);
    story.plan(1_000);
    assert!(condition(&story, "SuccessCriteriaMet").is_some());
    assert_eq!(story.status().message, None, "nothing more starts");
}

#[test]
fn a_deadline_comes_to_the_second_and_only_while_the_task_is_not_suspended() {
    let spec = json!({ "items": { "count": 1 }, "activeDeadlineSeconds": 5 });
    let mut story = Story::after(3, LIMITS, &spec);
    story.plan(4_999);
    assert_eq!(condition(&story, "FailureTarget"), None);
    story.plan(0);
    assert!(story.fleet.next_wake(story.now).is_some_and(|time| time.0 <= 5_020), "it is looked at again by then");
    story.plan(20);
    assert_eq!(condition(&story, "FailureTarget").map(|c| c.0), Some("DeadlineExceeded"));

    let mut story = Story::after(3, LIMITS, &spec);
    story.plan(3_000);
    story.edit(|task| task.spec.suspend = true);
    story.plan(100_000);
    assert_eq!(condition(&story, "FailureTarget"), None, "time in suspension does not count");
    story.edit(|task| task.spec.suspend = false);
    story.plan(4_999);
    assert_eq!(condition(&story, "FailureTarget"), None, "and it counts again from there");
    story.plan(1);
    assert_eq!(condition(&story, "FailureTarget").map(|c| c.0), Some("DeadlineExceeded"));
}

#[test]
fn an_ended_task_is_deleted_when_its_time_is_over_and_again_until_it_is_gone() {
    let expires = |plan: &[String]| plan.iter().filter(|line| line.starts_with("expire")).count();
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "ttlSecondsAfterFinished": 10 }));
    story.ends(0, 1, 0);
    story.plan(0);
    story.plan(0);
    assert_eq!(story.status().phase, Some(TaskPhase::Succeeded));
    assert_eq!(expires(&story.plan(9_999)), 0);
    assert!(story.fleet.next_wake(story.now).is_some_and(|time| time.0 <= 10_020), "it is looked at again by then");
    assert_eq!(expires(&story.plan(20)), 1);
    assert_eq!(expires(&story.plan(29_999)), 0, "it is on its way");
    assert_eq!(expires(&story.plan(20)), 1);
}

#[test]
fn a_task_is_deleted_only_once_its_end_is_recorded() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "ttlSecondsAfterFinished": 0 }));
    story.ends(0, 1, 0);
    let plan = story.plan(0);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded")), "{plan:?}");
    assert!(!plan.iter().any(|line| line.starts_with("expire")), "{plan:?}");
    assert!(story.plan(0).contains(&"expire ns/t".to_owned()));
}

#[test]
fn a_task_that_is_blocked_is_told_once_in_ten_minutes() {
    let held = |story: &Story| {
        let held = story.told.iter().filter(|tell| tell.reason.as_str() == "Blocked");
        held.map(|tell| (tell.type_, tell.note.clone())).collect::<Vec<_>>()
    };
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 } }));
    let mut times = Vec::new();
    for round in 0..60 {
        // Other words, so that it is news each time.
        story.created = Some(CreateOutcome::Quota(format!("exceeded quota: q{round}")));
        story.plan(15_000);
        times.resize(held(&story).len(), story.now.0);
    }
    assert_eq!((times.len(), times[1] - times[0]), (2, 600_000), "told at {times:?}");
    let told = held(&story);
    assert_eq!(told[0].0, Normal);
    assert!(told[0].1.starts_with("waits for the namespace's quota: exceeded quota: q"), "{told:?}");
    let mut taken = Story::new(LIMITS, &json!({ "items": { "count": 3 } }));
    taken.created = Some(CreateOutcome::NameTaken(Holder::default()));
    for _ in 0..6 {
        taken.plan(1_000);
    }
    let told = held(&taken);
    assert!(
        told[0].0 == Warning && told[0].1.starts_with("waits for the name of a pod, which another object has: "),
        "{told:?}"
    );
}
