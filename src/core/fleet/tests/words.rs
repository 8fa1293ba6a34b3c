//! What a task says of itself when it waits or has failed.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, key, missing_config_map};
use crate::core::ids::Time;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{Action, CreateOutcome, ExplainOutcome, FetchOutcome, GetPodOutcome};

fn ended(index: u32, message: &str) -> crate::core::pod::PodSeen {
    let terminated = json!({ "exitCode": 1, "reason": "Error", "message": message });
    let containers = json!([{ "name": "main", "state": { "terminated": terminated } }]);
    Story::pod(index, 1, &json!({ "phase": "Failed", "containerStatuses": containers }))
}

fn pending(message: &str) -> Value {
    let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message });
    json!({ "phase": "Pending", "conditions": [condition] })
}

#[test]
fn a_failed_task_names_its_most_frequent_failure_with_one_sample() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "remainingItems": { "onFailure": "Run" } }));
    story.plan(0);
    story.plan(0);
    let traceback = |last: &str| {
        format!("Traceback (most recent call last):\n  File \"/app/x.py\", line 1, in run\n    go()\n{last}\n")
    };
    story.fleet.handle_pod(story.now, ended(0, &traceback("OSError: disk full")));
    story.fleet.handle_pod(story.now, ended(1, &traceback("KeyError: 'language'")));
    story.fleet.handle_pod(story.now, ended(2, &traceback("KeyError: 'language'")));
    story.plan(1_000);
    story.plan(1_000);
    let told = story.status();
    let words = "0 of 3 items succeeded, 3 were required, 3 failed; most often (2 attempts): Failed exit 1 in container main: Traceback";
    let message = told.message.as_deref().unwrap();
    assert!(message.starts_with(words) && message.ends_with("KeyError: 'language' (item 1)"), "{message}");
    assert!(message.chars().count() <= 512);
    assert_eq!((told.reason.as_deref(), told.failures.len()), (Some("TooManyFailures"), 2));
}

#[test]
fn a_deadline_names_what_the_task_was_waiting_for() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "activeDeadlineSeconds": 5 }));
    story.plan(0);
    story.plan(0);
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &pending("0/3 nodes are available: 3 Insufficient cpu.")));
    story.plan(1_000);
    assert_eq!(story.status().reason.as_deref(), Some("NoCapacity"));
    story.plan(4_000);
    let target = story.status().conditions.iter().find(|c| c.type_ == "FailureTarget").map(|c| c.message.clone());
    let words = "the task has run for longer than spec.activeDeadlineSeconds, 5 s, and waits for NoCapacity: 0/3 nodes are available";
    assert!(target.as_ref().is_some_and(|message| message.starts_with(words)), "{target:?}");
    assert_eq!(story.status().reason.as_deref(), Some("DeadlineExceeded"));
}

#[test]
fn a_task_shows_one_word_for_why_it_waits_or_failed() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    assert_eq!(story.status().reason, None, "all is well");
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    story.plan(0);
    story.plan(1_000);
    assert_eq!(story.status().reason.as_deref(), Some("Concurrency"));
    story.created =
        Some(CreateOutcome::Quota("exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1".to_owned()));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.status().reason.as_deref(), Some("Quota"));
    story.created = Some(CreateOutcome::Created);
    story.plan(20_000);
    story.ends(1, 1, 0);
    story.plan(1_000);
    story.plan(1_000);
    let told = story.status();
    assert_eq!((told.phase, told.reason.as_deref()), (Some(crate::api::TaskPhase::Succeeded), None));
}

#[test]
fn a_task_that_is_refused_or_lacks_its_items_says_so_in_one_word() {
    let mut spec = json!({ "items": { "count": 1 }, "container": "gone" });
    let story = {
        let mut story = Story::new(LIMITS, &spec);
        story.plan(0);
        story.plan(0);
        story
    };
    assert_eq!(story.status().reason.as_deref(), Some("InvalidTemplate"));
    spec = json!({ "items": { "configMap": { "name": "inputs", "key": "items" } } });
    let mut story = Story::new(LIMITS, &spec);
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.actions.iter().any(|action| matches!(action, Action::Fetch(_))), "{plan}");
    story.fleet.handle_fetched(story.now, &key(), "u", FetchOutcome::Missing("no ConfigMap inputs".to_owned()));
    story.plan(0);
    assert_eq!(story.status().reason.as_deref(), Some("ItemsMissing"));
}

fn creating() -> Value {
    let waiting = json!({ "reason": "ContainerCreating" });
    json!({ "phase": "Pending", "containerStatuses": [{ "name": "main", "state": { "waiting": waiting } }] })
}

fn waiting(story: &Story) -> (&'static str, String) {
    let waiting = story.status().waiting.clone().expect("it waits");
    (waiting.reason.as_str(), waiting.message.unwrap_or_default())
}

fn explained(plan: &[String]) -> usize {
    plan.iter().filter(|line| line.starts_with("explain ns/t-0-1")).count()
}

#[test]
fn a_pod_that_has_not_started_for_ten_seconds_is_examined_and_reported() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &creating()));
    assert_eq!(explained(&story.plan(9_000)), 0, "it may take ten seconds");
    assert_eq!(explained(&story.plan(0)), 0);
    assert_eq!(story.fleet.next_wake(story.now), Some(Time(10_000)));
    assert_eq!(explained(&story.plan(1_000)), 1);
    story.plan(1_000);
    assert_eq!(waiting(&story), ("NotStarting", "pod t-0-1: no container of it has run for 10 s".to_owned()));
    story.says(0, &missing_config_map());
    story.plan(1_000);
    let (reason, message) = waiting(&story);
    assert!(reason == "NotStarting" && message.starts_with("pod t-0-1: FailedMount: "), "{message}");
    assert!(message.ends_with("configmap \"nobody\" not found"), "{message}");
    assert_eq!(story.status().reason.as_deref(), Some("NotStarting"));
    // The kubelet tells of other things in the meantime.
    story.fleet.handle_pod(story.now, PodSeen { version: 2, ..Story::pod(0, 1, &creating()) });
    assert_eq!(explained(&story.plan(1_000)), 0, "one look at a time, and not too often");
    assert!(waiting(&story).1.contains("nobody"));
    assert_eq!(explained(&story.plan(5_000)), 1, "it may be another reason by now");
    story.runs(0, 1);
    story.plan(1_000);
    assert_eq!(story.status().waiting, None);
    story.plan(60_000);
    assert_eq!(explained(&story.plan(60_000)), 0);
}

#[test]
fn a_pod_whose_status_says_all_is_not_looked_into() {
    let waiting = |reason: &str| {
        let waiting = json!({ "reason": reason, "message": "words" });
        json!({ "phase": "Pending", "containerStatuses": [{ "name": "main", "state": { "waiting": waiting } }] })
    };
    for (status, looks) in [
        (pending("0/3 nodes are available: 3 Insufficient cpu."), 0),
        (pending("persistentvolumeclaim \"nobody\" not found"), 0),
        (waiting("CreateContainerConfigError"), 0),
        (waiting("ImagePullBackOff"), 1),
        (pending("pod has unbound immediate PersistentVolumeClaims"), 1),
        (creating(), 1),
    ] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
        story.plan(0);
        story.plan(0);
        story.fleet.handle_pod(story.now, Story::pod(0, 1, &status));
        story.plan(1_000);
        assert_eq!(explained(&story.plan(10_000)), looks, "{status}");
    }
}

#[test]
fn an_operator_that_may_not_list_events_reports_less_and_rarely_asks() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &creating()));
    assert_eq!(explained(&story.plan(10_000)), 1);
    story.says(0, &ExplainOutcome::Denied);
    assert_eq!((0..50).map(|_| explained(&story.plan(10_000))).sum::<usize>(), 0);
    assert_eq!(waiting(&story).0, "NotStarting");
}

#[test]
fn a_pod_whose_volume_is_missing_costs_a_retry_even_if_only_another_pod_reported_it() {
    let spec = json!({ "items": { "count": 2 }, "startDeadlineSeconds": 8, "remainingItems": { "onFailure": "Run" } });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.plan(0);
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &creating()));
    story.fleet.handle_pod(story.now, Story::pod(1, 1, &creating()));
    assert_eq!(explained(&story.plan(4_000)), 1, "when half of its time is over");
    story.says(0, &missing_config_map());
    story.plan(4_000);
    for index in [0, 1] {
        let pod =
            PodSeen { deleted: Some(Deletion { asked: story.now, last: false }), ..Story::pod(index, 1, &creating()) };
        story.fleet.handle_pod_gone(story.now, &pod);
    }
    story.plan(0);
    for index in [0, 1] {
        story.fleet.handle_got_pod(story.now, &Story::id(index, 1), "u", GetPodOutcome::NotFound);
    }
    story.plan(1_000);
    story.plan(1_000);
    let told = story.status();
    assert_eq!(told.counts.map(|counts| counts.failed), Some(2), "of its own budget, which is none: {told:?}");
    let sample = told.failures[0].sample.message.as_deref().unwrap_or_default();
    assert!(told.failures[0].category == "NeverStarted" && sample.contains("\"nobody\" not found"), "{told:?}");
}

#[test]
fn a_claim_that_is_missing_and_a_gate_are_told_with_words_of_their_own() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    let seen = |version, message: &str| PodSeen { version, ..Story::pod(0, 1, &pending(message)) };
    story.fleet.handle_pod(story.now, seen(2, "0/1 nodes are available: persistentvolumeclaim \"nobody\" not found."));
    story.plan(1_000);
    assert!(
        waiting(&story).0 == "NotStarting" && waiting(&story).1.contains("\"nobody\" not found"),
        "{:?}",
        waiting(&story)
    );
    story.fleet.handle_pod(story.now, seen(3, "pod has unbound immediate PersistentVolumeClaims"));
    story.plan(1_000);
    assert_eq!(waiting(&story).0, "NotStarting");
    story.fleet.handle_pod(story.now, PodSeen { version: 4, ..super::gates::gated(0) });
    story.plan(1_000);
    assert_eq!(
        waiting(&story),
        ("SchedulingGated", "1 pod is held back by the scheduling gates example.com/queue".to_owned())
    );
}
