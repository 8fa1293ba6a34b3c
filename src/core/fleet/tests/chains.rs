//! Items that are the results of another task: read once that has succeeded, and at once.

use serde_json::json;

use super::story::{LIMITS, Story, key, new_task};
use crate::api::spec::ResultsOfItems;
use crate::api::{MapTaskStatus, TaskPhase};
use crate::core::ids::TaskKey;
use crate::core::items::{ExternalSource, Part};
use crate::core::port::FetchOutcome;

/// A task whose items are the results of `first`.
fn story() -> Story {
    Story::new(LIMITS, &json!({ "items": { "resultsOf": { "name": "first" } }, "concurrency": 1 }))
}

fn waits(story: &mut Story, words: &str) {
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Waits(words.to_owned()));
}

fn results(lines: &str) -> FetchOutcome {
    let source: ResultsOfItems = serde_json::from_value(json!({ "name": "first" })).unwrap();
    let part = Part::new("first-results-0", lines);
    FetchOutcome::Found(ExternalSource::ResultsOf(source).read(&[part]).unwrap())
}

fn fetches(plan: &[String]) -> usize {
    plan.iter().filter(|line| *line == "fetch results of MapTask first for ns/t").count()
}

/// The watch shows another task of this phase.
fn shows(story: &mut Story, name: &str, of: &str, phase: Option<TaskPhase>) {
    story.version += 1;
    let spec = json!({ "items": { "resultsOf": { "name": of } },
        "template": { "spec": { "containers": [{ "name": "main", "image": "x" }] } } });
    let mut task = new_task(TaskKey::new("ns", name), &format!("u-{name}"), story.version, &spec);
    task.status = MapTaskStatus { phase, ..MapTaskStatus::default() };
    story.fleet.handle_task(story.now, task);
}

#[test]
fn a_task_waits_for_the_one_whose_results_are_its_items_and_starts_as_soon_as_that_has_succeeded() {
    let mut story = story();
    assert_eq!(fetches(&story.plan(0)), 1);
    waits(&mut story, "MapTask first is Running, 1/2 items done");
    story.plan(0);
    let waiting = story.fleet.task(&key()).unwrap().waiting().unwrap();
    let words = waiting.message.as_deref().unwrap_or_default();
    assert_eq!(
        (waiting.reason.as_str(), words),
        ("DependsOn", "spec.items.resultsOf: MapTask first is Running, 1/2 items done")
    );
    shows(&mut story, "first", "nobody", Some(TaskPhase::Running));
    assert_eq!(fetches(&story.plan(0)), 0, "not before it has ended");
    shows(&mut story, "first", "nobody", Some(TaskPhase::Succeeded));
    assert_eq!(fetches(&story.plan(0)), 1, "at once, and not after the delay");
    story.fleet.handle_fetched(story.now, &key(), "u", results("1\n{\"a\": 2}\n"));
    assert!(story.plan(0).contains(&"check ns/t".to_owned()));
    assert!(story.plan(0).contains(&"write ns/t Running 0/2 running 0 failed 0".to_owned()));
}

#[test]
fn one_that_ends_while_it_is_being_asked_for_is_asked_for_again_at_once() {
    let mut story = story();
    assert_eq!(fetches(&story.plan(0)), 1);
    shows(&mut story, "first", "nobody", Some(TaskPhase::Succeeded));
    waits(&mut story, "MapTask first is Running");
    assert_eq!(fetches(&story.plan(0)), 1);
    waits(&mut story, "MapTask first is Running");
    assert_eq!(fetches(&story.plan(0)), 0, "but only once");
}

#[test]
fn a_task_fails_with_the_one_whose_results_it_needs() {
    let mut story = story();
    story.plan(0);
    let failed = FetchOutcome::Failed("MapTask first is Failed: 2 of 2 items failed".to_owned());
    story.fleet.handle_fetched(story.now, &key(), "u", failed);
    story.plan(0);
    let status = story.status();
    assert_eq!((status.phase, status.reason.as_deref()), (Some(TaskPhase::Failed), Some("DependencyFailed")));
    let words = status.message.as_deref().unwrap_or_default();
    assert_eq!(words, "spec.items.resultsOf: MapTask first is Failed: 2 of 2 items failed");
}

#[test]
fn tasks_that_wait_for_each_other_are_refused_by_name() {
    let mut story = story();
    story.plan(0);
    shows(&mut story, "second", "t", None);
    waits(&mut story, "MapTask first does not exist");
    story.plan(0);
    assert_eq!(story.phase(), TaskPhase::Pending, "first may yet come");
    shows(&mut story, "first", "second", None);
    story.plan(1_000);
    waits(&mut story, "MapTask first has not been accepted yet");
    story.plan(0);
    assert_eq!(story.status().reason.as_deref(), Some("DependencyCycle"));
    let words = story.status().message.as_deref().unwrap_or_default();
    assert!(words.starts_with("spec.items.resultsOf: t -> first -> second -> t is a cycle"), "{words}");
}

#[test]
fn a_cycle_of_others_is_theirs() {
    let mut story = story();
    story.plan(0);
    shows(&mut story, "first", "second", None);
    shows(&mut story, "second", "first", None);
    waits(&mut story, "MapTask first has not been accepted yet");
    story.plan(0);
    assert_eq!(story.phase(), TaskPhase::Pending);
}
