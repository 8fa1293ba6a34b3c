//! Reruns of tasks that were never accepted, and of tasks that still run.

use serde_json::json;

use super::story::{LIMITS, Story, key, lines};
use crate::api::conditions::{ConditionType, is_true};
use crate::api::status::TaskPhase;
use crate::core::pod::EventType;
use crate::core::port::{Action, CheckOutcome, WriteOutcome};

/// What is planned after a number of milliseconds. Writes succeed, and dry runs are answered with `check`.
fn round(story: &mut Story, millis: u64, check: &CheckOutcome) -> Vec<String> {
    story.now = story.now.plus_millis(millis);
    let plan = story.fleet.poll_plan(story.now);
    for action in &plan.actions {
        match action {
            Action::Check(_) => story.fleet.handle_checked(story.now, &key(), "u", check.clone()),
            Action::Write(write) => {
                story.version += 1;
                let mut task = story.written.clone().unwrap_or_else(|| story.task.clone());
                (task.resource_version, task.status) = (story.version, write.status.clone());
                story.written = Some(task);
                let written = WriteOutcome::Written { version: story.version, rewritten: 0, uncached: None };
                story.fleet.handle_written(story.now, &key(), "u", &written);
            }
            _ => {}
        }
    }
    plan.to_string().lines().map(str::to_owned).collect()
}

/// The user asks for a rerun of this id.
fn ask(story: &mut Story, id: &str, items: &str) {
    let mut task = story.written.clone().unwrap();
    task.spec.rerun = serde_json::from_value(json!({ "id": id, "items": items })).unwrap();
    story.version += 1;
    task.resource_version = story.version;
    task.generation += 1;
    story.written = Some(task.clone());
    story.fleet.handle_task(story.now, task);
}

fn refused() -> CheckOutcome {
    CheckOutcome::Invalid("unknown field".to_owned())
}

#[test]
fn a_pod_of_a_task_whose_acceptance_was_not_recorded_is_no_attempt_of_its_rerun() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "cancel": true }));
    (0..3).for_each(|_| drop(story.plan(1_000)));
    assert_eq!(story.status().phase, Some(TaskPhase::Failed));
    // The create of an operator before.
    story.ends(0, 1, 0);
    story.edit(|task| {
        task.spec.cancel = false;
        task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "All" })).unwrap();
    });
    let plan: Vec<String> = (0..90).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-2"], "it may have been made from another template: {plan:?}");
}

#[test]
fn a_task_that_was_never_accepted_is_checked_again_by_a_rerun_once_for_each_id() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    for _ in 0..3 {
        round(&mut story, 1_000, &refused());
    }
    assert_eq!(story.status().phase, Some(TaskPhase::Failed));
    ask(&mut story, "1", "Failed");
    let lines: Vec<String> = (0..5).flat_map(|_| round(&mut story, 1_000, &refused())).collect();
    let checks = lines.iter().filter(|line| line.starts_with("check")).count();
    assert_eq!((checks, story.status().phase), (1, Some(TaskPhase::Failed)), "{lines:?}");
    assert!(is_true(&story.status().conditions, ConditionType::Finished));
    let told = story.status().rerun.as_ref().unwrap();
    assert!(told.id == "1" && told.message.as_ref().unwrap().contains("never accepted"), "{told:?}");
    // By now the cluster has what was missing.
    ask(&mut story, "2", "Failed");
    let plan = round(&mut story, 1_000, &CheckOutcome::Good);
    assert!(
        plan.iter().any(|line| line.starts_with("write ns/t Pending")),
        "recorded before anything is asked: {plan:?}"
    );
    assert!(!plan.iter().any(|line| line.starts_with("check")), "{plan:?}");
    assert!(!is_true(&story.status().conditions, ConditionType::Finished));
    let lines: Vec<String> = (0..3).flat_map(|_| round(&mut story, 1_000, &CheckOutcome::Good)).collect();
    assert!(lines.contains(&"create ns/t-0-1".to_owned()), "{lines:?}");
    assert_eq!(story.status().phase, Some(TaskPhase::Running));
}

#[test]
fn a_check_that_was_asked_for_by_a_rerun_goes_on_after_a_restart() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    for _ in 0..3 {
        round(&mut story, 1_000, &refused());
    }
    ask(&mut story, "1", "All");
    round(&mut story, 1_000, &refused());
    assert_eq!(story.status().phase, Some(TaskPhase::Pending));
    story.restart([]);
    let lines: Vec<String> = (0..4).flat_map(|_| round(&mut story, 1_000, &refused())).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("check")).count(), 1, "{lines:?}");
    assert_eq!(story.status().phase, Some(TaskPhase::Failed));
}

#[test]
fn a_rerun_requested_while_the_task_runs_is_reported_at_once_and_starts_at_its_end() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    for _ in 0..3 {
        round(&mut story, 1_000, &CheckOutcome::Good);
    }
    let pending = |story: &Story| story.status().pending_rerun.clone().map(|pending| (pending.id, pending.message));
    assert_eq!(pending(&story), None);
    ask(&mut story, "1", "5");
    round(&mut story, 10, &CheckOutcome::Good);
    let (id, message) = pending(&story).unwrap();
    assert!(id == "1" && message.contains("only 2 items"), "{message}");
    ask(&mut story, "2", "All");
    round(&mut story, 10, &CheckOutcome::Good);
    assert_eq!(pending(&story), Some(("2".to_owned(), "starts once the task has ended".to_owned())));
    assert_eq!(story.status().rerun, None, "none is done");
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", crate::core::port::CreateOutcome::Created);
    story.fleet.handle_created(story.now, &Story::id(1, 1), "u", crate::core::port::CreateOutcome::Created);
    story.ends(0, 1, 0);
    story.ends(1, 1, 0);
    for _ in 0..3 {
        round(&mut story, 1_000, &CheckOutcome::Good);
    }
    assert_eq!((pending(&story), story.status().rerun.as_ref().map(|done| done.id.as_str())), (None, Some("2")));
    assert_eq!(story.status().phase, Some(TaskPhase::Running));
}

#[test]
fn items_of_a_task_that_was_accepted_start_again_without_another_check() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.ends(1, 1, 3);
    for _ in 0..3 {
        story.plan(1_000);
    }
    assert_eq!(story.status().phase, Some(TaskPhase::Failed));
    ask(&mut story, "1", "Failed");
    let lines: Vec<String> = (0..80).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"create ns/t-1-2".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("check")), "{lines:?}");
}

#[test]
fn nothing_is_asked_for_a_rerun_before_it_is_recorded() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    for _ in 0..3 {
        round(&mut story, 1_000, &refused());
    }
    ask(&mut story, "1", "Failed");
    for _ in 0..2 {
        // The write finds no answer, or fails.
        story.now = story.now.plus_millis(5_000);
        let plan = story.fleet.poll_plan(story.now).to_string();
        assert!(!plan.contains("check"), "{plan}");
        if plan.contains("write ns/t Pending") {
            let failed = WriteOutcome::Failed("timeout".to_owned());
            story.fleet.handle_written(story.now, &key(), "u", &failed);
        }
    }
    let lines: Vec<String> = (0..40).flat_map(|_| round(&mut story, 1_000, &refused())).collect();
    assert_eq!(lines.iter().filter(|line| line.starts_with("check")).count(), 1, "{lines:?}");
}

#[test]
fn a_running_task_whose_items_somebody_took_from_the_record_starts_them_again_without_another_check() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    for _ in 0..3 {
        story.plan(1_000);
    }
    story.written.as_mut().unwrap().status.phases = None;
    story.restart([Story::pod(0, 1, &json!({ "phase": "Running" }))]);
    ask(&mut story, "1", "All");
    story.ends(0, 1, 0);
    let lines: Vec<String> = (0..80).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"create ns/t-0-2".to_owned()), "{lines:?}");
    assert!(!lines.iter().any(|line| line.starts_with("check")), "{lines:?}");
}

/// A task that has ended with these exit codes of its items.
fn ended(spec: &serde_json::Value, exit_codes: &[i32]) -> Story {
    let mut story = Story::new(LIMITS, spec);
    (0..4).for_each(|_| drop(story.plan(0)));
    for (index, exit_code) in (0..).zip(exit_codes) {
        story.ends(index, 1, *exit_code);
    }
    story.plan(1_000);
    story.plan(0);
    assert!(story.status().phase.is_some_and(TaskPhase::is_terminal));
    story
}

fn rerun(story: &mut Story, id: &str, items: &str) -> Vec<String> {
    let wanted = serde_json::from_value(json!({ "id": id, "items": items })).unwrap();
    story.edit(|task| task.spec.rerun = wanted);
    (0..3).flat_map(|_| story.plan(1_000)).filter(|line| line.starts_with("create")).collect()
}

#[test]
fn selected_items_all_run_and_a_rerun_of_all_runs_as_at_first() {
    let spec = json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" }, "concurrency": 1 });
    let limit = |story: &mut Story, limit| story.edit(|task| task.spec.concurrency = Some(limit));
    let mut first = spec.clone();
    first["concurrency"] = json!(2);
    for (items, second) in [("0-1", true), ("All", false)] {
        let mut story = ended(&first, &[0, 3]);
        limit(&mut story, 1);
        assert_eq!(rerun(&mut story, "1", items), ["create ns/t-0-2"]);
        assert_eq!(story.status().rerun.as_ref().map(|done| (done.items, done.explicit_selection)), Some((2, second)));
        story.ends(0, 2, 0);
        let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
        assert_eq!(plan.contains(&"create ns/t-1-2".to_owned()), second, "{items}: {plan:?}");
    }
    let mut story = ended(&first, &[0, 3]);
    assert_eq!(rerun(&mut story, "1", "1"), ["create ns/t-1-2"], "though enough have succeeded");
    assert_eq!(story.status().phase, Some(TaskPhase::Running));
}

#[test]
fn a_rerun_that_selects_nothing_or_can_not_be_done_is_told_and_changes_nothing() {
    let spec = json!({ "items": { "count": 1 } });
    let mut story = ended(&spec, &[0]);
    assert_eq!(rerun(&mut story, "1", "Failed"), Vec::<String>::new());
    let done = story.status().rerun.as_ref().unwrap();
    assert_eq!((done.items, done.explicit_selection, story.status().phase), (0, false, Some(TaskPhase::Succeeded)));
    let told = story.told.last().unwrap();
    let words = "rerun 1 selects no items; the task stays Succeeded";
    assert_eq!((told.reason.as_str(), told.type_, told.note.as_str()), ("Rerun", EventType::Normal, words));
    for (items, words) in [("5", "only 1 items"), ("Reduce", "the task has no spec.reduce"), ("x", "contains \"x\"")] {
        let mut story = ended(&spec, &[0]);
        assert_eq!(rerun(&mut story, "1", items), Vec::<String>::new());
        let told = story.told.last().unwrap();
        assert_eq!(
            (told.reason.as_str(), told.type_, story.status().phase),
            ("RerunRefused", EventType::Warning, Some(TaskPhase::Succeeded))
        );
        assert!(told.note.starts_with("rerun 1: ") && told.note.contains(words), "{}", told.note);
    }
    for items in ["All", "Reduce"] {
        let mut story = ended(&spec, &[0]);
        story.written.as_mut().unwrap().status.phases = Some("garbage".to_owned());
        story.restart([]);
        assert_eq!(rerun(&mut story, "1", items), Vec::<String>::new());
        let told = story.told.last().unwrap();
        assert_eq!(
            (told.reason.as_str(), told.note.as_str()),
            ("RerunRefused", "rerun 1: the status of the task can't be decoded")
        );
    }
}

#[test]
fn a_rerun_begins_once_the_end_is_recorded() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    (0..3).for_each(|_| drop(story.plan(0)));
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "All" })).unwrap());
    story.plan(1_000);
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_000);
    story.fleet.poll_plan(story.now);
    story.fleet.handle_written(story.now, &key(), "u", &WriteOutcome::Failed("timeout".to_owned()));
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 1/1")), "{plan:?}");
    let plan: Vec<String> = (0..2).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.contains(&"create ns/t-0-2".to_owned()), "{plan:?}");
}

#[test]
fn budgets_are_full_again_in_a_rerun() {
    let policy = json!({ "backoffSeconds": 0, "infrastructureRetries": 1 });
    let spec = json!({ "items": { "count": 2 }, "retries": 1, "retryPolicy": policy, "remainingItems": { "onFailure": "Run" } });
    let evicted = |index: u32, attempt: u32| {
        let ran = json!({ "name": "main", "state": { "terminated": { "exitCode": 137 } } });
        let status = json!({ "phase": "Failed", "reason": "Evicted", "containerStatuses": [ran] });
        Story::pod(index, attempt, &status)
    };
    let mut story = Story::new(LIMITS, &spec);
    (0..3).for_each(|_| drop(story.plan(0)));
    let fail = |story: &mut Story, attempt: u32| {
        story.ends(0, attempt, 3);
        story.fleet.handle_pod(story.now, evicted(1, attempt));
        (0..3).for_each(|_| drop(story.plan(1_000)));
    };
    fail(&mut story, 1);
    fail(&mut story, 2);
    assert_eq!(story.status().phase, Some(TaskPhase::Failed));
    assert_eq!(rerun(&mut story, "1", "All"), ["create ns/t-0-3", "create ns/t-1-3"]);
    fail(&mut story, 3);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 2, "each has its retry again");
}

#[test]
fn a_rerun_that_a_task_is_created_with_counts_as_done() {
    let rerun = json!({ "id": "1", "items": "All" });
    let mut story = ended(&json!({ "items": { "count": 1 }, "rerun": rerun }), &[0]);
    let lines: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(!lines.iter().any(|line| line.starts_with("create")), "{lines:?}");
    assert_eq!(story.status().rerun.as_ref().map(|done| (done.id.as_str(), done.items)), Some(("1", 0)));
}

#[test]
fn a_rerun_requested_during_a_check_that_a_rerun_asked_for_runs_the_items_again_and_not_the_check() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    for _ in 0..3 {
        round(&mut story, 1_000, &refused());
    }
    ask(&mut story, "1", "All");
    round(&mut story, 1_000, &CheckOutcome::Good);
    assert_eq!(story.status().phase, Some(TaskPhase::Pending));
    ask(&mut story, "2", "All");
    for _ in 0..3 {
        round(&mut story, 1_000, &CheckOutcome::Good);
    }
    assert_eq!(story.status().phase, Some(TaskPhase::Running));
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", crate::core::port::CreateOutcome::Created);
    story.ends(0, 1, 0);
    let lines: Vec<String> = (0..3).flat_map(|_| round(&mut story, 1_000, &CheckOutcome::Good)).collect();
    assert!(!lines.iter().any(|line| line.starts_with("write ns/t Pending") || line.starts_with("check")), "{lines:?}");
    let done = story.status().rerun.as_ref().unwrap();
    assert_eq!((done.id.as_str(), done.items), ("2", 1), "{lines:?}");
}
