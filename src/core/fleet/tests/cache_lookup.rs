//! The look-up in a cache, a page at a time: what it waits for, and what becomes of what it finds.

use serde_json::{Value, json};

use super::load::another_writes;
use super::story::{LIMITS, Story, key, lines, read_lines, with};
use crate::api::TaskPhase;
use crate::core::cache::Entry;
use crate::core::ids::Index;
use crate::core::pod::PodSeen;
use crate::core::port::{Action, CacheLookupOutcome};

/// A task of these items with a cache, which is accepted and has asked for the first page.
fn story(items: &Value, extra: &Value) -> Story {
    let spec = with(json!({ "items": items, "cache": { "name": "c", "version": "1" } }), extra);
    Story::after(2, LIMITS, &spec)
}

fn serialized(values: &[&str], extra: &Value) -> Story {
    let mut extra = extra.clone();
    extra["cache"] = json!({ "name": "c", "version": "1", "serialize": true });
    story(&json!({ "values": values }), &extra)
}

/// The page that was asked for knows these items.
fn page(story: &mut Story, known: &[u32], damaged: u32, next: Option<u64>) {
    let lookup = story.lookup.take().expect("a page was asked for");
    let run = story.fleet.task(&key()).unwrap().map().unwrap();
    let keys = run.spec().cache.as_ref().unwrap();
    let line = "\"known\"".to_owned();
    let entry =
        |index: &u32| Entry { key: keys.key(&run.spec().blueprint.items.get(Index(*index))), line: line.clone() };
    let entries = known.iter().map(entry).collect();
    let found = CacheLookupOutcome::Found { from: lookup.from, entries, damaged, next };
    story.fleet.handle_cache_lookup(story.now, &key(), "u", found);
}

fn counts(story: &Story) -> [i32; 3] {
    let counts = story.written.as_ref().unwrap().status.counts.unwrap();
    [counts.succeeded, counts.cached, counts.cancelled]
}

fn waiting(story: &Story) -> Option<&'static str> {
    story.fleet.task(&key()).unwrap().waiting().map(|waiting| waiting.reason.as_str())
}

fn says_nothing(index: u32, attempt: u32) -> PodSeen {
    let own = json!({ "name": "main", "state": { "terminated": { "exitCode": 0 } } });
    Story::pod(index, attempt, &json!({ "phase": "Succeeded", "containerStatuses": [own] }))
}

#[test]
fn nothing_is_started_or_decided_before_the_last_page() {
    let mut story = story(&json!({ "values": ["x", "y", "z"] }), &json!({ "minSuccesses": 1 }));
    page(&mut story, &[0], 0, Some(1));
    let plan = story.plan(1_000);
    assert_eq!(lines(&plan, "look up"), ["look up 3 items of ns/t from ns/c page 1"]);
    assert_eq!((lines(&plan, "create"), counts(&story)), (vec![], [0, 1, 0]), "more than was required is welcome");
    page(&mut story, &[2], 0, None);
    story.plan(1_000);
    assert_eq!((counts(&story), story.fleet.task(&key()).unwrap().phase()), ([0, 2, 1], TaskPhase::Succeeded));
    story.plan(1_000);
    assert!(!story.told.iter().any(|tell| tell.reason.as_str() == "CacheDamaged"));
}

#[test]
fn a_page_without_an_answer_is_asked_for_again_after_a_delay_that_doubles() {
    let mut story = story(&json!({ "values": ["x"] }), &json!({}));
    for delay in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
        story.fleet.handle_cache_lookup(
            story.now,
            &key(),
            "u",
            CacheLookupOutcome::Indeterminate("timeout".to_owned()),
        );
        assert_eq!(lines(&story.plan(delay - 20), "look up"), Vec::<&str>::new());
        let plan = story.plan(20);
        assert_eq!((lines(&plan, "look up").len(), lines(&plan, "create")), (1, vec![]), "after {delay} ms");
    }
    page(&mut story, &[], 0, Some(1));
    story.plan(0);
    story.fleet.handle_cache_lookup(story.now, &key(), "u", CacheLookupOutcome::Indeterminate("timeout".to_owned()));
    assert_eq!(
        lines(&story.plan(1_000), "look up"),
        ["look up 1 items of ns/t from ns/c page 1"],
        "an answer ends the row"
    );
}

#[test]
fn an_answer_to_a_question_from_before_the_task_was_loaded_again_does_not_count() {
    let mut story = story(&json!({ "values": ["x"] }), &json!({}));
    another_writes(&mut story, |_| ());
    assert_eq!(lines(&story.plan(5_000), "look up"), [] as [&str; 0], "one at a time: answers come in any order");
    page(&mut story, &[], 0, None);
    let plan = story.plan(0);
    assert_eq!((lines(&plan, "look up").len(), lines(&plan, "create").len()), (1, 0), "{plan:?}");
    page(&mut story, &[0], 0, None);
    story.plan(1_000);
    assert_eq!(counts(&story), [0, 1, 0]);
}

#[test]
fn damaged_entries_of_all_pages_are_told_together() {
    let mut story = story(&json!({ "values": ["x"] }), &json!({}));
    page(&mut story, &[], 2, Some(1));
    story.plan(0);
    page(&mut story, &[], 3, None);
    let plan = story.plan(0);
    let told = "emit event ns/t CacheDamaged: 5 cache entries are damaged or were edited: their items run";
    assert!(plan.contains(&told.to_owned()), "{plan:?}");
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-1"]);
}

#[test]
fn what_is_known_is_stored_before_more_is_asked_for_if_it_is_much() {
    for (known, waits) in [(10_000, false), (10_001, true)] {
        let mut story = story(&json!({ "count": 10_002 }), &json!({}));
        page(&mut story, &(0..known).collect::<Vec<_>>(), 0, Some(1));
        let plan = story.plan(1_000);
        assert!(plan.iter().any(|line| line.ends_with(&format!(" +{known} results"))), "{plan:?}");
        assert_eq!(lines(&plan, "look up").is_empty(), waits, "{known}");
        let plan = story.plan(0);
        assert_eq!(lines(&plan, "look up").is_empty(), !waits, "once they are stored");
    }
}

#[test]
fn an_item_that_runs_or_has_ended_while_the_cache_is_read_is_not_taken_from_it() {
    let mut story = story(&json!({ "values": ["x", "y", "z"] }), &json!({}));
    // An operator before this one has made their pods.
    story.runs(0, 1);
    story.ends(1, 1, 0);
    page(&mut story, &[0, 1, 2], 0, None);
    let plan = story.plan(1_000);
    assert!(
        plan.contains(&"write ns/t Running 2/3 running 1 failed 0 +2 results +1 entries of ns/c".to_owned()),
        "{plan:?}"
    );
    assert_eq!(counts(&story), [1, 1, 0]);
}

#[test]
fn only_first_attempts_are_looked_up_after_a_restart() {
    let mut story = story(&json!({ "values": ["x", "y", "z"] }), &json!({ "concurrency": 1, "retries": 1 }));
    page(&mut story, &[], 0, None);
    story.plan(0);
    story.ends(0, 1, 3);
    story.plan(1_000);
    let running = Story::pod(1, 1, &json!({ "phase": "Running" }));
    story.restart([Story::ended(0, 1, 3), running]);
    assert_eq!(lines(&story.plan(0), "look up"), ["look up 1 items of ns/t from ns/c page 0"]);
}

#[test]
fn what_said_nothing_at_its_first_attempt_tells_the_cache_nothing() {
    let policy = json!({ "backoffSeconds": 0 });
    let mut story = story(&json!({ "values": ["x", "y"] }), &json!({ "retries": 1, "retryPolicy": policy }));
    page(&mut story, &[], 0, None);
    story.plan(0);
    story.fleet.handle_pod(story.now, says_nothing(0, 1));
    story.ends(1, 1, 3);
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.ends_with("+1 results")), "{plan:?}");
    story.plan(0);
    story.fleet.handle_pod(story.now, says_nothing(1, 2));
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.ends_with("+1 results +1 entries of ns/c")), "{plan:?}");
}

#[test]
fn without_serialize_items_that_are_the_same_run_beside_each_other() {
    let mut story = story(&json!({ "values": ["x", "x"] }), &json!({}));
    page(&mut story, &[], 0, None);
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-0-1", "create ns/t-1-1"]);
}

#[test]
fn an_item_that_runs_since_before_a_restart_is_waited_for() {
    let mut story = serialized(&["x", "x"], &json!({}));
    page(&mut story, &[], 0, None);
    story.plan(0);
    story.plan(1_000);
    story.restart([Story::pod(0, 1, &json!({ "phase": "Running" }))]);
    story.plan(0);
    page(&mut story, &[], 0, None);
    assert_eq!((lines(&story.plan(0), "create"), waiting(&story)), (vec![], Some("Serialized")));
}

#[test]
fn a_task_waits_for_others_only_if_all_items_that_wait_do() {
    let mut story = serialized(&["x", "x", "z"], &json!({ "retries": 1, "retryPolicy": { "backoffSeconds": 60 } }));
    page(&mut story, &[], 0, None);
    story.plan(0);
    story.plan(0);
    assert_eq!(waiting(&story), Some("Serialized"), "item 1 waits for item 0");
    story.ends(2, 1, 3);
    story.plan(1_000);
    assert_eq!(waiting(&story), None, "item 2 is in backoff");
}

#[test]
fn an_item_that_was_waited_for_and_is_known_waits_no_more() {
    let mut story = serialized(&["x", "y", "x", "y"], &json!({}));
    page(&mut story, &[], 0, None);
    story.plan(0);
    story.ends(0, 1, 0);
    story.plan(1_000);
    assert_eq!(lines(&story.plan(999), "look up"), Vec::<&str>::new(), "the cache has a second to take it in");
    story.plan(0);
    let plan = story.plan(1_000);
    assert_eq!(lines(&plan, "look up"), ["look up 1 items of ns/t from ns/c page 0"]);
    page(&mut story, &[2], 0, Some(1));
    story.plan(1_000);
    assert_eq!((counts(&story), waiting(&story)), ([1, 1, 0], Some("Serialized")), "item 3 still does");
}

#[test]
fn items_of_a_configmap_are_looked_up_once_they_are_read_again() {
    let mut story = story(&json!({ "configMap": { "name": "inputs", "key": "items" } }), &json!({}));
    let read = |story: &mut Story| {
        let text = read_lines("x\ny\n");
        story.fleet.handle_fetched(story.now, &key(), "u", text);
    };
    read(&mut story);
    story.plan(0);
    story.plan(0);
    story.restart([]);
    story.lookup = None;
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Fetch(_))), "{plan}");
    assert!(!plan.actions.iter().any(|action| matches!(action, Action::CacheLookup(_))), "{plan}");
    read(&mut story);
    assert_eq!(lines(&story.plan(0), "look up"), ["look up 2 items of ns/t from ns/c page 0"]);
}

#[test]
fn items_are_looked_up_once_their_template_is_put_back_after_a_restart() {
    let mut story = story(&json!({ "values": ["x", "y"] }), &json!({}));
    story.edit(|task| task.spec.template["spec"]["priorityClassName"] = json!("high"));
    story.restart([]);
    let plan = story.plan(80_000);
    assert_eq!((lines(&plan, "look up"), lines(&plan, "create")), (vec![], vec![]), "what it computes has another key");
    story.edit(|task| task.spec.template["spec"].as_object_mut().unwrap().retain(|key, _| key != "priorityClassName"));
    let plan = story.plan(1_000);
    assert_eq!(lines(&plan, "look up"), ["look up 2 items of ns/t from ns/c page 0"]);
    assert_eq!(lines(&plan, "create"), [] as [&str; 0], "not before the answer");
}
