//! Whose trouble is it? Creates that fail hold up their own task and no other.

use serde_json::json;

use super::queue::{Cluster, limits};
use super::story::{LIMITS, Story, key, lines};
use crate::api::TaskPhase;
use crate::api::status::WaitingReason;
use crate::core::port::{Action, CheckOutcome, CreateOutcome, GetPodOutcome};

fn broken() -> CreateOutcome {
    CreateOutcome::Failed { message: "failed calling webhook".to_owned(), may_exist: false }
}

fn waiting(story: &Story) -> (WaitingReason, String) {
    let waiting = story.fleet.task(&key()).unwrap().waiting().cloned().unwrap();
    (waiting.reason, waiting.message.unwrap_or_default())
}

/// How long 100 items take, 20 at a time, beside ten tasks in namespaces of their own whose creates fail.
fn millis_beside(troubles: usize, delay: u64, outcome: &CreateOutcome) -> u64 {
    const NAMES: [&str; 10] = ["b0", "b1", "b2", "b3", "b4", "b5", "b6", "b7", "b8", "b9"];
    let mut cluster = Cluster::new(limits(200));
    for name in &NAMES[..troubles] {
        cluster.broken.insert(name, (delay, outcome.clone()));
        cluster.add(name, "t", 1_000, 0);
    }
    (0..40).for_each(|_| cluster.tick());
    let healthy = cluster.add("healthy", "t", 100, 0);
    cluster.millis_to_end(&healthy)
}

#[test]
fn a_task_whose_creates_fail_does_not_slow_its_neighbours() {
    let alone = millis_beside(0, 0, &broken());
    for troubles in [1, 10] {
        for delay in [0, 200, 2_000, 30_000] {
            let beside = millis_beside(troubles, delay, &broken());
            assert!(
                beside * 10 <= alone * 12,
                "{beside} ms beside {troubles} that fail after {delay} ms, {alone} alone"
            );
        }
    }
}

#[test]
fn a_task_whose_creates_get_no_answer_does_not_slow_its_neighbours() {
    let alone = millis_beside(0, 0, &broken());
    for troubles in [1, 10] {
        let beside = millis_beside(troubles, 35_000, &CreateOutcome::Indeterminate);
        assert!(beside * 10 <= alone * 12, "{beside} ms beside {troubles} without an answer, {alone} alone");
    }
}

#[test]
fn timeouts_of_one_task_are_not_overload_while_others_are_served() {
    let mut cluster = Cluster::new(limits(200));
    cluster.broken.insert("broken", (5_000, CreateOutcome::Indeterminate));
    cluster.add("broken", "t", 1_000, 0);
    cluster.add("healthy", "t", 10_000, 0);
    (0..200).for_each(|_| cluster.tick());
    let window = cluster.fleet.gauges().window.0;
    assert!(window >= 20, "the window is {window}");
    let mut alone = Cluster::new(limits(200));
    alone.broken.insert("broken", (5_000, CreateOutcome::Indeterminate));
    alone.add("broken", "t", 1_000, 0);
    (0..200).for_each(|_| alone.tick());
    assert!(alone.fleet.gauges().window.0 < 4, "nobody is served: that is load");
}

#[test]
fn failed_creates_are_retried_up_to_a_minute_apart_and_the_task_says_why() {
    let mut cluster = Cluster::new(limits(200));
    cluster.broken.insert("ns", (10, broken()));
    let key = cluster.add("ns", "t", 100_000, 0);
    // Ten minutes.
    (0..12_000).for_each(|_| cluster.tick());
    let asked = cluster.asked["ns"];
    assert!((10..=25).contains(&asked), "{asked} creates in ten minutes");
    let waiting = cluster.fleet.task(&key).unwrap().waiting().unwrap();
    assert_eq!(waiting.reason, WaitingReason::FailedCreate);
    assert!(waiting.message.as_deref().unwrap().contains("failed calling webhook"));
    assert_eq!(cluster.fleet.gauges().blocked_tasks, 1);
    cluster.broken.clear();
    (0..1_300).for_each(|_| cluster.tick());
    assert!(cluster.in_flight(&key) > 100, "a minute later all is well");
    assert_eq!(cluster.fleet.gauges().blocked_tasks, 0);
}

#[test]
fn an_item_whose_create_fails_backs_off_on_its_own_at_no_cost() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(broken());
    assert_eq!(lines(&story.plan(0), "create").len(), 1);
    story.plan(0);
    assert_eq!(waiting(&story), (WaitingReason::FailedCreate, "pod t-0-1: failed calling webhook".to_owned()));
    assert_eq!(lines(&story.plan(400), "create").len(), 0, "not at once");
    assert_eq!(lines(&story.plan(600), "create").len(), 1, "the first delay is at most a second");
    let tried: usize = (0..600).map(|_| lines(&story.plan(1_000), "create").len()).sum();
    assert!((8..=25).contains(&tried), "{tried} creates in ten minutes");
    story.created = Some(CreateOutcome::Created);
    let plans: Vec<String> = (0..60).flat_map(|_| story.plan(1_000)).collect();
    assert!(plans.contains(&"create ns/t-0-1".to_owned()), "the same attempt: {plans:?}");
    assert!(story.fleet.task(&key()).unwrap().waiting().is_none());
}

#[test]
fn a_pod_that_may_exist_all_the_same_keeps_its_slot_while_its_item_backs_off() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 1 }));
    story.plan(0);
    story.created = Some(CreateOutcome::Failed { message: "no".to_owned(), may_exist: true });
    assert_eq!(lines(&story.plan(0), "create").len(), 1);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
    assert!(!story.plan(300).iter().any(|line| line.starts_with("create")), "no other item takes its place");
    story.created = Some(CreateOutcome::Created);
    assert!(story.plan(800).contains(&"create ns/t-0-1".to_owned()));
}

#[test]
fn a_pod_that_no_cluster_accepts_fails_its_item_at_once_with_the_api_servers_message() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 }, "retries": 5 }));
    story.plan(0);
    story.created = Some(CreateOutcome::Invalid("etcdserver: request is too large".to_owned()));
    story.plan(0);
    story.plan(1_000);
    let status = story.written.clone().unwrap().status;
    assert_eq!(status.phase, Some(TaskPhase::Failed));
    let sample = &status.failures[0].sample;
    assert_eq!((status.failures[0].category.as_str(), status.failures[0].attempts), ("Refused", 1));
    assert!(sample.message.as_deref().unwrap().contains("request is too large"));
}

#[test]
fn a_task_waits_at_its_acceptance_for_what_the_cluster_lacks() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    let words = "error looking up service account ns/a: serviceaccount \"a\" not found";
    assert!(matches!(story.fleet.poll_plan(story.now).actions[..], [Action::Check(_)]));
    story.fleet.handle_checked(story.now, &key(), "u", CheckOutcome::Refused(words.to_owned()));
    story.checks = false;
    let mut asked = 0;
    for _ in 0..600 {
        for line in story.plan(1_000) {
            if line == "check ns/t" {
                asked += 1;
                story.fleet.handle_checked(story.now, &key(), "u", CheckOutcome::Refused(words.to_owned()));
            }
        }
    }
    assert!((10..=20).contains(&asked), "{asked} checks in ten minutes");
    assert_eq!(waiting(&story), (WaitingReason::FailedCreate, words.to_owned()));
    let status = story.written.clone().unwrap().status;
    assert_eq!(status.phase, Some(TaskPhase::Pending));
    let accepted = &status.conditions[0];
    assert_eq!(
        (accepted.type_.as_str(), accepted.status.as_str(), accepted.reason.as_str()),
        ("Accepted", "False", "FailedCreate")
    );
    story.checks = true;
    let plans: Vec<String> = (0..61).flat_map(|_| story.plan(1_000)).collect();
    assert!(plans.contains(&"create ns/t-0-1".to_owned()), "{plans:?}");
}

#[test]
fn a_late_answer_about_a_predecessor_of_the_same_name_does_not_end_a_live_attempt() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    let id = Story::id(0, 1);
    // Created by an answer, and not yet shown by the watch: it is looked for.
    let looks = (0..40).flat_map(|_| story.plan(1_000)).filter(|line| line == "get ns/t-0-1").count();
    assert!(looks > 0);
    story.fleet.handle_got_pod(story.now, &id, "the one before", GetPodOutcome::NotFound);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
    story.fleet.handle_got_pod(story.now, &id, "u", GetPodOutcome::NotFound);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 0);
}

#[test]
fn an_item_keeps_its_slot_while_a_create_without_an_answer_may_be_carried_out_whatever_the_next_answer_is() {
    for outcome in [CreateOutcome::Contended, broken()] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 1 }));
        story.plan(0);
        story.created = Some(CreateOutcome::Indeterminate);
        assert_eq!(lines(&story.plan(0), "create").len(), 1);
        story.created = Some(outcome.clone());
        assert_eq!(lines(&story.plan(200), "create").len(), 1, "sent again");
        story.created = None;
        let plan = story.plan(1);
        assert_eq!(
            (lines(&plan, "create").len(), story.fleet.task(&key()).unwrap().in_flight()),
            (0, 1),
            "{outcome:?}"
        );
    }
}
