//! The life of a small task, as the plans that the fleet makes: read it as a specification.

use serde_json::json;

use super::story::{LIMITS, Story, key};
use super::{Fleet, Limits};
use crate::core::ids::Index;
use crate::core::port::{Action, CreateOutcome, GetPodOutcome, PodId, TaskSeen, WriteOutcome};

#[test]
fn a_task_from_its_check_to_its_end() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 2, "retries": 1 }));
    assert_eq!(story.plan(0), ["check ns/t"]);
    assert_eq!(
        story.plan(0),
        ["create ns/t-0-1", "create ns/t-1-1", "write ns/t Running 0/3 running 0 failed 0 waiting Concurrency",]
    );
    story.ends(0, 1, 0);
    story.ends(1, 1, 5);
    // The slots are free at once; the status waits for its second, and the second attempt for the status.
    assert_eq!(story.plan(100), ["emit event ns/t Accepted: 3 items; 3 must succeed", "create ns/t-2-1"]);
    assert_eq!(story.plan(1_000), ["write ns/t Running 1/3 running 1 failed 0 +1 results"]);
    // Of finished pods one stays, and that is the failed one.
    assert_eq!(story.plan(0), ["clean up ns/t-0-1", "create ns/t-1-2"]);
    assert_eq!(story.plan(1_000), ["write ns/t Running 1/3 running 2 failed 0"]);
    story.ends(2, 1, 0);
    story.ends(1, 2, 0);
    assert_eq!(story.plan(100), ["write ns/t Succeeded 3/3 running 0 failed 0 +2 results"]);
    // What is not recorded is not reported.
    assert_eq!(
        story.plan(0),
        [
            "clean up ns/t-1-2",
            "clean up ns/t-2-1",
            "emit event ns/t Succeeded: 3 of 3 items succeeded, 3 were required, 0 failed",
        ]
    );
    assert_eq!(story.plan(5_000), Vec::<String>::new());
}

#[test]
fn a_task_that_somebody_else_manages_is_left_alone() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "managedBy": "kueue.x-k8s.io/multikueue" }));
    story.fleet.handle_pod(story.now, Story::running(0, 1));
    assert_eq!([0, 60_000].map(|wait| story.plan(wait)), [const { Vec::<String>::new() }; 2]);
    assert!(story.fleet.task(&key()).is_none());
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 3 }, "managedBy": "maptask.dev/operator" }));
    assert_eq!(story.plan(0), ["check ns/t"]);
    // Under its name there is another one, of somebody else's.
    let mut other = TaskSeen { uid: "v".to_owned(), ..story.task.clone() };
    other.spec.managed_by = Some("acme.io/controller".to_owned());
    story.fleet.handle_task(story.now, other);
    assert_eq!(story.plan(60_000), Vec::<String>::new());
}

#[test]
fn a_full_quota_is_probed_with_one_pod_when_another_ends() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 9 } }));
    story.plan(0);
    let plan = story.fleet.poll_plan(story.now);
    let creates: Vec<PodId> =
        plan.actions.iter().filter_map(|a| if let Action::Create(c) = a { Some(c.id()) } else { None }).collect();
    assert_eq!(creates.len(), 4);
    for (i, id) in creates.iter().enumerate() {
        let full = CreateOutcome::Quota("exceeded quota: q".to_owned());
        story.fleet.handle_created(story.now, id, "u", if i < 2 { CreateOutcome::Created } else { full });
    }
    assert!(story.plan(100).iter().all(|line| !line.starts_with("create")), "the namespace is held");
    story.ends(0, 1, 0);
    let plan = story.plan(100);
    assert!(plan.contains(&"create ns/t-2-1".to_owned()), "{plan:?}");
    assert_eq!(plan.iter().filter(|line| line.starts_with("create")).count(), 1, "{plan:?}");
}

#[test]
fn what_the_operator_was_told_of_after_a_restart_is_enough_to_go_on() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_500);
    let plan = story.fleet.poll_plan(story.now);
    let status = plan.actions.iter().find_map(|a| if let Action::Write(w) = a { Some(w.status.clone()) } else { None });
    let seen = TaskSeen {
        key: key(),
        uid: "u".to_owned(),
        resource_version: 9,
        generation: 1,
        deleting: false,
        queue: None,
        prebuilt: None,
        spec: serde_json::from_value(
            json!({ "items": { "count": 2 }, "template": { "spec": { "containers": [{ "name": "main" }] } } }),
        )
        .unwrap(),
        status: status.unwrap(),
    };
    let running = Story::pod(1, 1, &json!({ "phase": "Running" }));
    story.fleet = Fleet::new(LIMITS, 2);
    story.fleet.handle_tasks_listing();
    story.fleet.handle_task(story.now, seen);
    story.fleet.handle_tasks_listed(story.now);
    assert_eq!(story.plan(0), Vec::<String>::new(), "nothing is planned before the pods are listed");
    story.fleet.handle_pods_listing();
    story.fleet.handle_pod(story.now, running);
    story.fleet.handle_pods_listed(story.now);
    assert_eq!(story.plan(0), Vec::<String>::new(), "item 0 is done and item 1 runs");
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
    story.ends(1, 1, 0);
    assert!(story.plan(1_000).iter().any(|line| line.starts_with("write ns/t Succeeded 2/2")));
}

/// The create that is on its way ends without an answer; the pod, asked for ten seconds later, is as it was seen.
fn gets_no_answer(story: &mut Story) {
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Indeterminate);
    assert!(story.plan(10_000).contains(&"get ns/t-0-1".to_owned()));
    let found = GetPodOutcome::Found(Box::new(Story::ended(0, 1, 0)));
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", found);
}

#[test]
fn a_finished_pod_stays_while_another_create_of_it_may_be_carried_out() {
    let mut story = Story::new(Limits { finished_pods: 0, ..LIMITS }, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    assert!(story.plan(0).contains(&"create ns/t-0-1".to_owned()));
    story.created = None;
    assert!(story.plan(60_000).contains(&"create ns/t-0-1".to_owned()), "sent again, and it has no answer yet");
    // The first one is carried out after all.
    story.ends(0, 1, 0);
    gets_no_answer(&mut story);
    let mut rest = Vec::new();
    for _ in 0..6 {
        rest.extend(story.plan(10_000));
    }
    assert!(!rest.iter().any(|line| line.starts_with("clean up")), "the second may bring it back: {rest:?}");
    assert!(story.plan(10_000).contains(&"clean up ns/t-0-1".to_owned()));
}

#[test]
fn a_finished_pod_stays_while_a_create_is_on_its_way_though_the_one_that_made_it_was_long_ago() {
    let mut story = Story::new(Limits { finished_pods: 0, ..LIMITS }, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    story.plan(0);
    story.created = None;
    assert!(story.plan(60_000).contains(&"create ns/t-0-1".to_owned()), "sent again, and it has no answer yet");
    // The first one was carried out just before its 75 s were over.
    story.plan(20_000);
    story.ends(0, 1, 0);
    gets_no_answer(&mut story);
    let rest: Vec<String> = (0..6).flat_map(|_| story.plan(10_000)).collect();
    assert!(!rest.iter().any(|line| line.starts_with("clean up")), "the second may bring it back: {rest:?}");
    assert!(story.plan(10_000).contains(&"clean up ns/t-0-1".to_owned()));
}

#[test]
fn an_answer_about_a_task_that_is_gone_does_not_bring_it_back() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.plan(0);
    let read = story.written.clone().unwrap();
    story.fleet.handle_task_gone(&key());
    story.fleet.handle_reread(story.now, read);
    assert!(story.fleet.task(&key()).is_none());
}

fn lingering(finished_pods: usize) -> Limits {
    Limits { finished_pods, linger_millis: 60_000, lingering_pods: 2, ..LIMITS }
}

fn clean_ups(plan: Vec<String>) -> Vec<String> {
    plan.into_iter().filter(|line| line.starts_with("clean up")).collect()
}

#[test]
fn no_more_finished_pods_linger_than_allowed_and_none_for_longer() {
    let mut story = Story::new(lingering(0), &json!({ "items": { "count": 8 } }));
    story.plan(0);
    story.plan(0);
    (0..4).for_each(|index| story.ends(index, 1, 0));
    assert!(story.plan(1_000).iter().any(|line| line.starts_with("write ns/t Running 4/8")));
    assert_eq!(clean_ups(story.plan(0)), Vec::<String>::new());
    story.runs(4, 1);
    assert_eq!(clean_ups(story.plan(0)), ["clean up ns/t-0-1", "clean up ns/t-1-1"], "two are too many");
    assert_eq!(clean_ups(story.plan(59_000)), Vec::<String>::new());
    assert_eq!(clean_ups(story.plan(1_000)), ["clean up ns/t-2-1", "clean up ns/t-3-1"]);
}

#[test]
fn finished_pods_that_count_in_a_full_quota_are_deleted_at_once() {
    let mut story = Story::new(lingering(1), &json!({ "items": { "count": 8 }, "concurrency": 2 }));
    story.plan(0);
    story.plan(0);
    (0..2).for_each(|index| story.ends(index, 1, 0));
    let words = "exceeded quota: q, requested: count/pods=1, used: count/pods=2, limited: count/pods=2";
    story.created = Some(CreateOutcome::Quota(words.to_owned()));
    assert_eq!(clean_ups(story.plan(1_000)), Vec::<String>::new(), "before they are recorded");
    assert_eq!(clean_ups(story.plan(0)), ["clean up ns/t-0-1", "clean up ns/t-1-1"]);
}

#[test]
fn what_is_told_of_an_item_that_has_ended_changes_nothing() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    assert!(story.plan(1_000).contains(&"write ns/t Running 1/2 running 1 failed 0 +1 results".to_owned()));
    // Old news, or another word of its pod before that is cleaned up.
    for _ in 0..2 {
        story.runs(0, 1);
        story.ends(0, 1, 1);
        let plan = story.plan(1_000);
        assert!(plan.iter().all(|line| !line.starts_with("write") && !line.starts_with("create")), "{plan:?}");
    }
    story.ends(1, 1, 0);
    assert!(story.plan(1_000).contains(&"write ns/t Succeeded 2/2 running 0 failed 0 +1 results".to_owned()));
}

#[test]
fn a_result_is_stored_though_only_the_watch_says_so() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 } }));
    story.plan(0);
    story.plan(0);
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_000);
    let plan = story.fleet.poll_plan(story.now);
    let write =
        plan.actions.iter().find_map(|a| if let Action::Write(write) = a { Some(write) } else { None }).unwrap();
    let seen = story.written.clone().unwrap();
    let version = seen.resource_version + 1;
    story.fleet.handle_task(story.now, TaskSeen { resource_version: version, status: write.status.clone(), ..seen });
    story.fleet.handle_written(story.now, &key(), "u", &WriteOutcome::Failed("timeout".to_owned()));
    let run = story.fleet.task(&key()).unwrap().map().unwrap();
    assert!(!run.items().needs_claim(Index(0)), "an item that waits for its result need not wait any more");
    assert!(run.items().needs_claim(Index(1)));
}
