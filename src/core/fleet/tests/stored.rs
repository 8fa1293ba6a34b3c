//! Results and status that can't be stored: what is reported, and that no item is recorded before its result.

use serde_json::json;

use super::story::{LIMITS, Story, key};
use crate::api::status::WaitingReason;
use crate::core::port::{Action, WriteOutcome};

const FULL: &str = r#"ConfigMap t-results-0: configmaps "t-results-0" is forbidden: exceeded quota: q"#;

fn refused() -> WriteOutcome {
    WriteOutcome::NotStored { message: FULL.to_owned(), refused: true }
}

/// What is planned after these milliseconds. Writes get this answer, notes succeed, and nothing else is answered.
fn round(story: &mut Story, millis: u64, outcome: &WriteOutcome) -> Vec<String> {
    story.now = story.now.plus_millis(millis);
    let plan = story.fleet.poll_plan(story.now);
    for action in &plan.actions {
        match action {
            Action::Write(_) => story.fleet.handle_written(story.now, &key(), "u", outcome),
            Action::Note(note) => {
                assert_eq!(note.waiting.reason, WaitingReason::ResultsNotStored);
                assert_eq!(note.waiting.message.as_deref(), Some(FULL), "in the API server's words");
                story.version += 1;
                let written = WriteOutcome::Written { version: story.version, rewritten: 0, uncached: None };
                story.fleet.handle_noted(story.now, &key(), "u", &written);
            }
            _ => {}
        }
    }
    plan.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn a_task_waits_for_results_that_can_not_be_stored_and_records_no_end_before_them() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.ends(1, 1, 0);
    let mut lines = round(&mut story, 1_000, &refused());
    assert!(lines.contains(&"write ns/t Succeeded 2/2 running 0 failed 0 +2 results".to_owned()), "{lines:?}");
    for _ in 0..120 {
        lines.extend(round(&mut story, 1_000, &refused()));
    }
    assert!(!lines.iter().any(|line| line.contains("emit event ns/t Succeeded")), "it has not yet: {lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("clean up")), "their messages are all that there is");
    let number = |what: &str| lines.iter().filter(|line| line.starts_with(what)).count();
    assert_eq!(number("note ns/t waiting ResultsNotStored"), 1, "once, since it stays true");
    assert_eq!(number("emit event ns/t Blocked"), 1);
    assert!((6..15).contains(&number("write")), "with a delay that grows: {}", number("write"));
    // There is room.
    let lines: Vec<String> = (0..40).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"write ns/t Succeeded 2/2 running 0 failed 0 +2 results".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with("emit event ns/t Succeeded")), "{lines:?}");
    assert_eq!(story.written.unwrap().status.waiting, None, "it waits for nothing any more");
}

#[test]
fn nothing_new_starts_while_results_can_not_be_stored() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 1 }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    let plan = round(&mut story, 1_000, &refused());
    assert!(plan.contains(&"create ns/t-1-1".to_owned()), "before it is known: {plan:?}");
    story.ends(1, 1, 0);
    let lines: Vec<String> = (0..30).flat_map(|_| round(&mut story, 1_000, &refused())).collect();
    assert!(!lines.iter().any(|line| line.starts_with("create")), "{lines:?}");
    let lines: Vec<String> = (0..40).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"create ns/t-2-1".to_owned()), "{lines:?}");
}

#[test]
fn a_write_that_fails_once_is_not_reported() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    let failed = WriteOutcome::Failed("timeout".to_owned());
    let mut lines = round(&mut story, 1_000, &failed);
    lines.extend(story.plan(1_000));
    assert!(!lines.iter().any(|line| line.contains("note") || line.contains("Blocked")), "{lines:?}");
}

fn notes(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.starts_with("note")).count()
}

/// A task whose results are to be stored.
fn with_results() -> Story {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    story
}

#[test]
fn the_third_write_in_a_row_that_fails_is_told() {
    let mut story = with_results();
    let failed = WriteOutcome::Failed(FULL.to_owned());
    let mut writes = 0;
    for _ in 0..200 {
        let lines = round(&mut story, 100, &failed);
        assert!(writes == 3 || notes(&lines) == 0, "after {writes} writes: {lines:?}");
        if notes(&lines) == 1 {
            return;
        }
        writes += lines.iter().filter(|line| line.starts_with("write")).count();
    }
    panic!("it was never told");
}

#[test]
fn other_words_of_the_api_server_are_noted_again() {
    let mut story = with_results();
    let words = |plan: &crate::core::port::Plan| {
        let notes = plan.actions.iter().filter_map(|a| if let Action::Note(note) = a { Some(note) } else { None });
        notes.map(|note| note.waiting.message.clone().unwrap_or_default()).collect::<Vec<_>>()
    };
    let mut noted = Vec::new();
    for second in 0..100 {
        story.now = story.now.plus_millis(1_000);
        let plan = story.fleet.poll_plan(story.now);
        noted.extend(words(&plan));
        for action in &plan.actions {
            match action {
                Action::Write(_) => {
                    let message = if second < 50 { "full" } else { "immutable" }.to_owned();
                    let outcome = WriteOutcome::NotStored { message, refused: true };
                    story.fleet.handle_written(story.now, &key(), "u", &outcome);
                }
                Action::Note(_) => {
                    story.version += 1;
                    let written = WriteOutcome::Written { version: story.version, rewritten: 0, uncached: None };
                    story.fleet.handle_noted(story.now, &key(), "u", &written);
                }
                _ => {}
            }
        }
    }
    assert_eq!(noted, ["full", "immutable"]);
}

#[test]
fn nothing_is_noted_of_a_task_that_is_being_deleted() {
    let mut story = with_results();
    story.now = story.now.plus_millis(1_000);
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Write(_))), "{plan}");
    let task = story.written.clone().unwrap();
    let deleting = crate::core::port::TaskSeen { deleting: true, resource_version: 50, ..task };
    story.fleet.handle_task(story.now, deleting);
    story.fleet.handle_written(story.now, &key(), "u", &refused());
    let lines: Vec<String> = (0..5).flat_map(|_| round(&mut story, 1_000, &refused())).collect();
    assert_eq!(notes(&lines), 0, "{lines:?}");
}
