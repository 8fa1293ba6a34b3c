//! Containers that outlive the item's, and `spec.completion`.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, key};
use crate::api::TaskPhase::{Failed, Succeeded};
use crate::core::ids::Time;
use crate::core::pod::PodSeen;
use crate::core::port::{Action, Delete, GetPodOutcome};

const STEP: &str = "1970-01-01T00:00:01Z";

/// A pod whose item's container has ended with this exit code, while its proxy runs.
fn outlived(index: u32, version: u64, exit_code: i32) -> PodSeen {
    let own = json!({ "exitCode": exit_code, "message": "7", "finishedAt": STEP });
    let status = json!({ "phase": "Running", "containerStatuses": [
        { "name": "main", "state": { "terminated": own } },
        { "name": "proxy", "state": { "running": {} } },
    ] });
    PodSeen { version, ..Story::pod(index, 1, &status) }
}

fn story(spec: &Value) -> Story {
    let mut all = json!({ "items": { "count": 1 } });
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    let mut story = Story::new(LIMITS, &all);
    story.plan(0);
    story.plan(0);
    story
}

fn stops(plan: &[String]) -> Vec<&str> {
    plan.iter().map(String::as_str).filter(|line| line.starts_with("stop") || line.starts_with("clean up")).collect()
}

#[test]
fn containers_that_outlive_the_items_are_reported_after_ten_seconds() {
    let mut story = story(&json!({}));
    story.plan(1_000);
    story.fleet.handle_pod(story.now, outlived(0, 2, 0));
    story.plan(1_000);
    let waiting = |story: &Story| story.written.as_ref().unwrap().status.waiting.clone();
    assert_eq!(waiting(&story), None, "they may take ten seconds");
    story.plan(1_000);
    assert_eq!(story.fleet.next_wake(story.now), Some(Time(11_000)));
    story.plan(8_000);
    story.plan(1_000);
    let told = waiting(&story).expect("it says for what it waits");
    let words = "pod t-0-1: container main has ended, still running: proxy; with spec.completion: Container the pod would end now";
    assert_eq!((told.reason.as_str(), told.message.as_deref()), ("ContainersRunning", Some(words)));
    story.ends(0, 1, 0);
    story.plan(1_000);
    assert_eq!(waiting(&story), None);
}

#[test]
fn an_attempt_that_ends_with_its_container_frees_its_slot_and_its_pod_is_deleted_once_that_is_recorded() {
    let spec = json!({ "items": { "count": 2 }, "concurrency": 1, "completion": "Container" });
    let mut story = story(&spec);
    story.plan(1_000);
    story.fleet.handle_pod(story.now, outlived(0, 2, 0));
    // The record comes with this plan, and so does the next item.
    let plan = story.plan(10);
    assert!(plan.contains(&"create ns/t-1-1".to_owned()), "the slot is free: {plan:?}");
    assert_eq!(stops(&plan), Vec::<&str>::new(), "not before it is recorded");
    let plan = story.plan(1_000);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Running 1/2")), "{plan:?}");
    let plan = story.fleet.poll_plan(story.now);
    let delete =
        plan.actions.iter().find_map(|a| if let Action::Delete(delete) = a { Some(delete.clone()) } else { None });
    let Delete { id, version, ended, .. } = delete.expect("its pod is to go");
    assert_eq!((id, version, ended), (Story::id(0, 1), Some(2), false), "with its grace, and as it was seen");
    story.ends(1, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.fleet.task(&key()).unwrap().phase(), Succeeded);
}

#[test]
fn the_outcome_of_a_container_stays_that_of_its_attempt_whatever_happens_to_its_pod() {
    let ends = |pod: PodSeen| {
        let mut story = story(&json!({ "completion": "Container", "retryPolicy": { "infrastructureRetries": 0 } }));
        story.fleet.handle_pod_gone(story.now, &pod);
        story.plan(1_000);
        // One that was not seen to end is looked for by name.
        let id = Story::id(0, 1);
        story.fleet.handle_got_pod(story.now, &id, "u", GetPodOutcome::NotFound);
        story.plan(1_000);
        story.plan(1_000);
        let status = story.written.unwrap().status;
        (status.phase.unwrap(), status.failures.first().map(|group| (group.category.clone(), group.exit_code)))
    };
    let deleted = Some(crate::core::pod::Deletion { asked: Time(5_000), last: false });
    let evicted = |code: i32| {
        let mut pod = outlived(0, 3, code);
        let target = json!([{ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
                              "lastTransitionTime": "1970-01-01T00:00:09Z" }]);
        pod.status.conditions = serde_json::from_value(target).unwrap();
        pod.status.phase = Some("Failed".to_owned());
        pod
    };
    assert_eq!(ends(PodSeen { deleted, ..outlived(0, 3, 0) }), (Succeeded, None));
    assert_eq!(ends(evicted(0)), (Succeeded, None));
    let failed = Some(("Failed".to_owned(), Some(3)));
    assert_eq!(ends(PodSeen { deleted, ..outlived(0, 3, 3) }), (Failed, failed.clone()));
    assert_eq!(ends(evicted(3)), (Failed, failed));
    let by_deletion = Some(crate::core::pod::Deletion { asked: Time(1_000), last: false });
    let taken = Some(("Deleted".to_owned(), None));
    assert_eq!(
        ends(PodSeen { deleted: by_deletion, ..outlived(0, 3, 143) }),
        (Failed, taken),
        "it ended for the deletion"
    );
}

#[test]
fn after_a_restart_a_pod_that_still_exists_gives_the_same_outcome() {
    let mut story = story(&json!({ "completion": "Container" }));
    story.plan(1_000);
    story.plan(1_000);
    // The operator dies after it has seen the end, and before it could record it.
    story.restart([outlived(0, 2, 0)]);
    let plan = story.plan(0);
    assert!(plan.iter().any(|line| line.starts_with("write ns/t Succeeded 1/1")), "{plan:?}");
    assert_eq!(stops(&plan), Vec::<&str>::new(), "not before it is recorded");
    // Creates of the operator before this one may be on their way for 75 seconds.
    assert_eq!(stops(&story.plan(80_000)), ["stop ns/t-0-1"]);
}
