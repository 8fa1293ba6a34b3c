//! Pods that the watch calls gone: deleted, or without the label by which it knows them.

use serde_json::json;

use super::load::another_writes;
use super::story::{LIMITS, Story};
use crate::core::ids::Time;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{DeleteOutcome, GetPodOutcome};

fn running(version: u64, labelled: bool) -> PodSeen {
    PodSeen { version, labelled, ..Story::running(0, 1) }
}

/// A task of one item that runs, and whose pod the watch calls gone.
fn story() -> Story {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "retryPolicy": { "backoffSeconds": 0 } }));
    story.plan(0);
    story.plan(0);
    story.runs(0, 1);
    story.plan(1_000);
    story.fleet.handle_pod_gone(story.now, &running(2, true));
    assert!(story.plan(10).contains(&"get ns/t-0-1".to_owned()), "before it counts as lost");
    story
}

fn looked(story: &mut Story, pod: Option<PodSeen>) {
    let outcome = pod.map_or(GetPodOutcome::NotFound, |pod| GetPodOutcome::Found(Box::new(pod)));
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", outcome);
}

#[test]
fn a_pod_that_lost_its_label_is_followed_to_its_end() {
    let mut story = story();
    for version in 3..6 {
        looked(&mut story, Some(running(version, false)));
        assert!(!story.plan(9_000).iter().any(|line| line.contains("get ") || line.contains("create")), "not at once");
        assert!(story.plan(1_000).contains(&"get ns/t-0-1".to_owned()));
    }
    looked(&mut story, Some(PodSeen { version: 7, labelled: false, ..Story::ended(0, 1, 0) }));
    let plan = story.plan(1_000);
    assert!(plan.contains(&"write ns/t Succeeded 1/1 running 0 failed 0 +1 results".to_owned()), "{plan:?}");
}

#[test]
fn an_answer_from_before_the_pod_was_shown_again_does_not_say_that_it_is_gone() {
    let mut story = story();
    // It was shown, and called gone once more, while the first answer was on its way.
    story.fleet.handle_pod(story.now, running(3, true));
    story.fleet.handle_pod_gone(story.now, &running(4, true));
    assert!(!story.plan(10).iter().any(|line| line.starts_with("get")), "one at a time");
    looked(&mut story, None);
    let plan = story.plan(1_000);
    assert_eq!(plan.iter().filter(|line| line.starts_with("get")).count(), 1, "{plan:?}");
    looked(&mut story, Some(running(5, false)));
    let plan = [story.plan(1_000), story.plan(1_000)].concat();
    assert!(!plan.iter().any(|line| line.starts_with("create")), "{plan:?}");
}

#[test]
fn a_pod_that_was_deleted_counts_as_deleted_after_one_look() {
    let mut story = story();
    looked(&mut story, None);
    story.plan(1_000);
    assert!(story.plan(1_000).contains(&"create ns/t-0-2".to_owned()), "which costs no retry of its own");
    let status = &story.written.as_ref().unwrap().status;
    assert_eq!(status.failures[0].category, "Deleted");
}

#[test]
fn a_pod_that_is_deleted_with_grace_counts_as_deleted_by_its_last_state() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    let deleted = Some(Deletion { asked: Time(0), last: false });
    story.fleet.handle_pod(story.now, PodSeen { deleted, ..running(3, true) });
    story.fleet.handle_pod_gone(story.now, &PodSeen { deleted, ..running(3, true) });
    story.plan(10);
    looked(&mut story, None);
    story.plan(1_000);
    let status = &story.written.as_ref().unwrap().status;
    assert_eq!(status.failures[0].category, "Deleted");
}

#[test]
fn a_pod_without_its_label_is_stopped_like_any_other() {
    let mut story = story();
    looked(&mut story, Some(running(3, false)));
    let mut task = story.written.clone().unwrap();
    task.spec.active_deadline_seconds = Some(2);
    story.version += 1;
    task.resource_version = story.version;
    story.fleet.handle_task(story.now, task);
    let lines: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.contains(&"stop ns/t-0-1".to_owned()), "{lines:?}");
    // It has changed since; the next look tells how, and the one after that nothing.
    story.fleet.handle_deleted(story.now, &Story::id(0, 1), "u", DeleteOutcome::Changed);
    assert!((0..12).any(|_| story.plan(1_000).contains(&"get ns/t-0-1".to_owned())));
    looked(&mut story, Some(running(9, false)));
    assert!((0..12).any(|_| story.plan(1_000).contains(&"get ns/t-0-1".to_owned())));
    looked(&mut story, None);
    let lines: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.iter().any(|line| line.starts_with("write ns/t Failed")), "{lines:?}");
}

#[test]
fn a_pod_that_ends_while_it_is_deleted_for_nothing_goes_once_its_end_is_recorded() {
    let spec = json!({ "items": { "count": 2 }, "concurrency": 1, "completion": "Container" });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 3);
    let write = story.fleet.poll_plan(story.now);
    assert!(write.to_string().ends_with("write ns/t Failed 1/2 running 0 failed 1\n"), "{write}");
    // Of a create that got no answer: the item was cancelled in the meantime.
    story.runs(1, 1);
    story.deleted = Some(DeleteOutcome::Failed);
    assert_eq!(story.plan(0), ["stop ns/t-1-1"]);
    let (main, side) = (json!({ "terminated": { "exitCode": 0 } }), json!({ "running": {} }));
    let containers = json!([{ "name": "main", "state": main }, { "name": "side", "state": side }]);
    let status = json!({ "phase": "Running", "containerStatuses": containers });
    story.fleet.handle_pod(story.now, PodSeen { version: 5, ..Story::pod(1, 1, &status) });
    assert!(story.plan(5_000).is_empty(), "an operator that takes over would not know how it ended");
    story.deleted = Some(DeleteOutcome::Taken);
    for answer in write.actions.iter().filter_map(|action| story.answer(action)).collect::<Vec<_>>() {
        story.fleet.handle_answer(story.now, answer);
    }
    let plan = story.plan(10);
    assert!(plan.contains(&"stop ns/t-1-1".to_owned()), "{plan:?}");
}

#[test]
fn a_gated_pod_that_lost_its_label_is_followed_by_the_next_operator() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    story.plan(0);
    let gated = |version, labelled| PodSeen { version, labelled, ..super::gates::gated(0) };
    story.fleet.handle_pod(story.now, gated(2, true));
    story.plan(1_000);
    story.fleet.handle_pod_gone(story.now, &gated(2, true));
    story.plan(10);
    looked(&mut story, Some(gated(3, false)));
    story.plan(1_000);
    story.restart([]);
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.contains(&"get ns/t-0-1".to_owned()), "{plan:?}");
    assert!(!plan.iter().any(|line| line.starts_with("create")), "{plan:?}");
}

#[test]
fn a_pod_that_lost_its_label_keeps_its_place_when_another_writes_the_status() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    story.plan(0);
    let waits = |version, labelled| PodSeen { version, labelled, ..Story::pod(0, 1, &json!({ "phase": "Pending" })) };
    story.fleet.handle_pod(story.now, waits(2, true));
    story.plan(1_000);
    story.fleet.handle_pod_gone(story.now, &waits(2, true));
    story.plan(10);
    looked(&mut story, Some(waits(3, false)));
    another_writes(&mut story, |_| ());
    let plan: Vec<String> = (0..5).flat_map(|_| story.plan(1_000)).collect();
    assert!(!plan.iter().any(|line| line.starts_with("create")), "{plan:?}");
}
