//! An attempt has ended: what it costs, what is said of it, and when the next one starts.

use serde_json::{Value, json};

use super::Limits;
use super::story::{LIMITS, Story, key, lines, new_task, with};
use crate::api::FailureGroup;
use crate::api::TaskPhase;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{Action, CreateOutcome, GetPodOutcome};

/// A task of these fields, one item unless they say otherwise, whose items have started.
fn started(extra: &Value) -> Story {
    let spec = with(json!({ "items": { "count": 1 } }), extra);
    Story::after(3, LIMITS, &spec)
}

fn shows(story: &mut Story, status: &Value) {
    let pod = PodSeen { version: 2, ..Story::pod(0, 1, status) };
    story.fleet.handle_pod(story.now, pod);
}

fn terminated(exit_code: i32, reason: &str, message: &str) -> Value {
    let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
    let terminated = json!({ "exitCode": exit_code, "reason": reason, "message": message });
    json!({ "phase": phase, "containerStatuses": [{ "name": "main", "state": { "terminated": terminated } }] })
}

/// The only group of failures, once it is recorded.
fn failure(story: &mut Story) -> FailureGroup {
    story.plan(1_000);
    story.plan(1_000);
    let [group] = &story.status().failures[..] else { panic!("{:?}", story.status().failures) };
    group.clone()
}

fn words(story: &mut Story) -> String {
    failure(story).sample.message.unwrap_or_default()
}

#[test]
fn a_result_that_is_too_long_is_told_with_its_size_and_what_is_allowed() {
    let mut story = started(&json!({ "results": { "maxBytesPerItem": 8 } }));
    shows(&mut story, &terminated(0, "Completed", "0123456789"));
    assert_eq!(words(&mut story), "the result has 12 bytes; spec.results.maxBytesPerItem allows 8");
    let mut story = started(&json!({ "results": { "maxBytesPerItem": 4096 } }));
    shows(&mut story, &terminated(0, "Completed", &"x".repeat(4_096)));
    let said = words(&mut story);
    let cut = "the result has 4098 bytes and may be truncated: the kubelet keeps the last 4096 bytes";
    assert!(said.starts_with(cut), "{said}");
}

#[test]
fn a_container_whose_memory_can_not_be_raised_is_told_with_its_own_words() {
    let mut story = started(&json!({ "retryPolicy": { "outOfMemory": { "factor": 2, "maxMemory": "1Gi" } } }));
    assert_eq!(story.status().phase, Some(TaskPhase::Failed), "no container of it has a limit");
    story = started(&json!({}));
    shows(&mut story, &terminated(137, "OOMKilled", "killed"));
    assert_eq!(words(&mut story), "killed", "nobody has asked for more");
}

/// A story whose containers have these limits of memory, with a growth up to 2Gi.
fn growing(limits: &[(&str, Option<&str>)]) -> Story {
    let policy = json!({ "outOfMemory": { "factor": 2, "maxMemory": "2Gi" }, "backoffSeconds": 0 });
    let spec = json!({ "items": { "count": 1 }, "retries": 3, "retryPolicy": policy });
    let mut task = new_task(key(), "u", 1, &spec);
    let container = |(name, limit): &(&str, Option<&str>)| match limit {
        Some(memory) => json!({ "name": name, "image": "x", "resources": { "limits": { "memory": memory } } }),
        None => json!({ "name": name, "image": "x" }),
    };
    task.spec.template["spec"]["containers"] = limits.iter().map(container).collect();
    let mut story = Story::new(LIMITS, &spec);
    story.fleet = super::story::empty_fleet(LIMITS);
    story.task = task.clone();
    story.fleet.handle_task(story.now, task);
    (0..3).for_each(|_| drop(story.plan(0)));
    story
}

#[test]
fn the_next_attempt_of_an_item_that_was_out_of_memory_has_more_of_it() {
    let mut story = growing(&[("main", Some("1Gi"))]);
    shows(&mut story, &terminated(137, "OOMKilled", ""));
    story.plan(1_000);
    let plan = story.fleet.poll_plan(story.now);
    let create = plan.actions.iter().find_map(|a| if let Action::Create(create) = a { Some(create) } else { None });
    let create = create.expect("its second attempt");
    let pod = create.blueprint.pod(create.role, create.memory_raises);
    assert_eq!(pod["spec"]["containers"][0]["resources"]["limits"]["memory"], json!("2Gi"));
}

#[test]
fn memory_that_can_not_be_raised_is_told_after_the_containers_own_words() {
    let mut story = growing(&[("main", Some("1Gi")), ("side", None)]);
    let terminated = json!({ "exitCode": 137, "reason": "OOMKilled", "message": "killed" });
    let side = json!({ "name": "side", "state": { "terminated": terminated } });
    shows(&mut story, &json!({ "phase": "Failed", "containerStatuses": [side] }));
    let said = words(&mut story);
    assert!(said.starts_with("killed the memory of container side is not raised"), "{said}");
}

#[test]
fn a_pod_that_says_nothing_of_why_it_did_not_start_is_told_with_its_deadline() {
    let mut story = started(&json!({ "startDeadlineSeconds": 5, "retryPolicy": { "infrastructureRetries": 0 } }));
    // A node was found for it only a second ago.
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no" });
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &json!({ "phase": "Pending", "conditions": [condition] })));
    story.plan(4_000);
    shows(&mut story, &json!({ "phase": "Pending" }));
    let plan = story.plan(1_000);
    assert!(plan.contains(&"stop ns/t-0-1".to_owned()), "{plan:?}");
    story.fleet.handle_pod_gone(story.now, &Story::pod(0, 1, &json!({ "phase": "Pending" })));
    story.plan(0);
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
    let group = failure(&mut story);
    assert_eq!(group.category, "NeverStarted");
    assert_eq!(group.sample.message.as_deref(), Some("the pod did not start within 5 s"));
}

#[test]
fn an_image_name_that_is_none_ends_the_attempt_at_once_and_a_missing_image_does_not() {
    for (reason, at_once) in [("InvalidImageName", true), ("ErrImagePull", false)] {
        let mut story = started(&json!({ "startDeadlineSeconds": 60 }));
        let waiting = json!({ "reason": reason, "message": "no" });
        let container = json!({ "name": "main", "state": { "waiting": waiting } });
        shows(&mut story, &json!({ "phase": "Pending", "containerStatuses": [container] }));
        assert_eq!(story.plan(0).contains(&"stop ns/t-0-1".to_owned()), at_once, "{reason}");
    }
}

#[test]
fn a_pods_deadline_that_passed_before_it_started_is_told_with_what_held_it_up() {
    let held = "0/3 nodes are available: 3 Insufficient cpu.";
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": held });
    let late = json!({ "phase": "Failed", "reason": "DeadlineExceeded", "message": "Pod was active too long" });
    let mut story = started(&json!({}));
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &json!({ "phase": "Pending", "conditions": [condition] })));
    shows(&mut story, &late);
    assert_eq!(words(&mut story), format!("Pod was active too long; it had not started: {held}"));
    // One that has run, and another ending.
    let mut story = started(&json!({}));
    story.runs(0, 1);
    shows(&mut story, &late);
    assert_eq!(words(&mut story), "Pod was active too long");
    let mut story = started(&json!({}));
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &json!({ "phase": "Pending", "conditions": [condition] })));
    shows(&mut story, &terminated(3, "Error", "no"));
    assert_eq!(words(&mut story), "no");
}

#[test]
fn a_pod_that_was_seen_to_run_is_not_evicted_for_free_though_it_says_nothing_of_that_any_more() {
    for (runs, phase) in [(true, TaskPhase::Failed), (false, TaskPhase::Running)] {
        let mut story = started(&json!({ "retryPolicy": { "infrastructureRetries": 0 } }));
        if runs {
            story.runs(0, 1);
        }
        shows(&mut story, &json!({ "phase": "Failed", "reason": "Evicted" }));
        story.plan(1_000);
        story.plan(1_000);
        assert_eq!(story.status().phase, Some(phase));
    }
}

#[test]
fn a_pod_that_is_gone_after_a_restart_costs_nothing_only_if_its_task_is_suspended_and_stops_its_items() {
    let deleted = Some(Deletion { asked: crate::core::ids::Time(0), last: false });
    for (suspend, policy, killed, lost) in [
        (true, "Stop", false, None),
        (true, "Drain", false, Some("NodeLost")),
        (false, "Stop", false, Some("NodeLost")),
        // Somebody else has deleted it: the operator names its own stops, which it had not yet sent.
        (true, "Stop", true, Some("Deleted")),
    ] {
        let spec = json!({ "suspendPolicy": policy, "retryPolicy": { "infrastructureRetries": 0 } });
        let mut story = started(&spec);
        story.plan(1_000);
        story.written.as_mut().unwrap().spec.suspend = suspend;
        story.restart(killed.then(|| PodSeen { deleted, ..Story::ended(0, 1, 143) }));
        if !killed {
            assert!(story.plan(0).contains(&"get ns/t-0-1".to_owned()));
            story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
        }
        story.plan(1_000);
        story.plan(1_000);
        let told = story.status().failures.first().map(|group| group.category.as_str());
        assert_eq!(told, lost, "suspend {suspend}, {policy}, killed {killed}");
    }
}

#[test]
fn an_item_that_was_stopped_for_a_suspension_starts_at_once_when_its_task_is_resumed() {
    let policy = json!({ "backoffSeconds": 60, "infrastructureRetries": 0 });
    let mut story = started(&json!({ "suspendPolicy": "Stop", "retryPolicy": policy }));
    story.runs(0, 1);
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = true);
    assert!(!story.plan(1_000).contains(&"stop ns/t-0-1".to_owned()), "not before the suspension is recorded");
    assert!(story.plan(0).contains(&"stop ns/t-0-1".to_owned()));
    let deleted = Some(Deletion { asked: story.now, last: false });
    story.fleet.handle_pod_gone(story.now, &PodSeen { deleted, version: 3, ..Story::ended(0, 1, 143) });
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = false);
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-0-2"]);
}

#[test]
fn what_fails_while_the_rest_of_a_decided_task_drains_is_not_tried_again() {
    let spec =
        json!({ "items": { "count": 2 }, "minSuccesses": 1, "remainingItems": { "onSuccess": "Drain" }, "retries": 1 });
    let mut story = started(&spec);
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.ends(1, 1, 3);
    story.plan(1_000);
    let counts = story.status().counts.unwrap();
    assert_eq!((story.status().phase, counts.failed, counts.cancelled), (Some(TaskPhase::Succeeded), 0, 1));
    let rerun = serde_json::from_value(json!({ "id": "1", "items": "1" })).unwrap();
    story.edit(|task| task.spec.rerun = rerun);
    let plan: Vec<String> = (0..3).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-1-2"], "its second attempt was never begun");
}

#[test]
fn the_next_attempt_waits_for_a_late_create_only_if_the_pod_of_the_last_is_gone() {
    for gone in [false, true] {
        let mut story = Story::new(
            LIMITS,
            &json!({ "items": { "count": 1 }, "retries": 1, "retryPolicy": { "backoffSeconds": 0 } }),
        );
        story.plan(0);
        story.created = Some(CreateOutcome::Indeterminate);
        story.plan(0);
        story.created = Some(CreateOutcome::Created);
        assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-0-1"]);
        if gone {
            story.fleet.handle_pod_gone(story.now, &Story::ended(0, 1, 3));
        } else {
            story.ends(0, 1, 3);
        }
        let early: Vec<String> = (0..7).flat_map(|_| story.plan(10_000)).collect();
        assert_eq!(lines(&early, "create").is_empty(), gone, "{early:?}");
        assert_eq!(lines(&story.plan(5_000), "create").is_empty(), !gone);
    }
}

#[test]
fn a_finished_pod_waits_for_creates_without_an_answer_and_for_no_others() {
    // The first create had no answer, the second was answered well: 75 s after the first nothing can come any more.
    let limits = Limits { finished_pods: 0, ..LIMITS };
    let mut story = Story::new(limits, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    story.plan(0);
    story.created = Some(CreateOutcome::Created);
    assert_eq!(lines(&story.plan(10_000), "create"), ["create ns/t-0-1"]);
    story.ends(0, 1, 0);
    let clean = |plan: &[String]| plan.contains(&"clean up ns/t-0-1".to_owned());
    assert!(!clean(&story.plan(1_000)) && !clean(&story.plan(0)) && !clean(&story.plan(63_000)));
    assert!(clean(&story.plan(1_000)));
}
