//! What the watches and the answers tell, and what it changes.

use std::collections::BTreeSet;

use serde_json::json;

use super::story::{LIMITS, Story, empty_fleet, key, new_task, pod_of};
use super::{Fleet, Limits};
use crate::core::ids::{Attempt, TaskKey, Time};
use crate::core::pod::PodSeen;
use crate::core::port::{Action, Answer, CheckOutcome, CreateOutcome, DeleteOutcome, Event, TaskSeen, WriteOutcome};

fn running(index: u32) -> PodSeen {
    Story::pod(index, 1, &json!({ "phase": "Running" }))
}

#[test]
fn a_task_that_a_new_list_does_not_show_is_gone() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    story.fleet.handle_tasks_listing();
    story.fleet.handle_task(story.now, story.written.clone().unwrap());
    story.fleet.handle_tasks_listed(story.now);
    assert!(story.fleet.task(&key()).is_some(), "it was shown");
    story.fleet.handle_tasks_listing();
    story.fleet.handle_tasks_listed(story.now);
    assert!(story.fleet.task(&key()).is_none());
}

#[test]
fn a_pod_that_a_new_list_does_not_show_is_looked_for_at_once() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 2 } }));
    (0..2).for_each(|index| story.fleet.handle_pod(story.now, running(index)));
    story.plan(1_000);
    story.fleet.handle_pods_listing();
    story.fleet.handle_pod(story.now, running(1));
    story.fleet.handle_pods_listed(story.now);
    let looks: Vec<String> = story.plan(0).into_iter().filter(|line| line.starts_with("get ")).collect();
    assert_eq!(looks, ["get ns/t-0-1"]);
}

#[test]
fn news_that_is_older_than_what_is_known_of_the_name_changes_nothing_and_its_pod_counts_as_listed() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    story.fleet.handle_pod(story.now, PodSeen { version: 8, ..running(0) });
    story.plan(1_000);
    // Of a GET that was faster than the watch, or of a pod that had the name before.
    story.fleet.handle_pod(story.now, PodSeen { version: 7, ..Story::ended(0, 1, 3) });
    story.fleet.handle_pod(story.now, PodSeen { version: 7, uid: "other".to_owned(), ..Story::ended(0, 1, 3) });
    story.fleet.handle_pod_gone(story.now, &PodSeen { version: 7, uid: "other".to_owned(), ..running(0) });
    story.fleet.handle_pods_listing();
    story.fleet.handle_pod(story.now, PodSeen { version: 7, ..running(0) });
    story.fleet.handle_pods_listed(story.now);
    let plan = story.plan(1_000);
    assert!(!plan.iter().any(|line| line.starts_with("get ")), "{plan:?}");
    assert_eq!(story.fleet.task(&key()).unwrap().map().unwrap().items().counts().running, 1);
}

#[test]
fn a_task_of_the_same_name_and_another_uid_starts_over() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
    story.fleet.handle_task(story.now, new_task(key(), "other", 9, &json!({ "items": { "count": 1 } })));
    assert_eq!(story.plan(0), ["check ns/t"]);
    let task = story.fleet.task(&key()).unwrap();
    assert_eq!((task.uid(), task.in_flight()), ("other", 0));
}

#[test]
fn a_task_of_the_same_name_begins_without_the_trouble_of_the_one_before() {
    for shown in [true, false] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 4 } }));
        story.plan(0);
        story.created = Some(CreateOutcome::Failed { message: "no such webhook".to_owned(), may_exist: false });
        story.plan(0);
        assert_eq!(story.fleet.gauges().blocked_tasks, 1, "its creates fail");
        if shown {
            story.fleet.handle_task_gone(&key());
        }
        story.fleet.handle_task(story.now, new_task(key(), "other", 9, &json!({ "items": { "count": 4 } })));
        assert_eq!(story.fleet.gauges().blocked_tasks, 0, "{shown}");
    }
}

#[test]
fn a_task_from_before_is_loaded_once_both_lists_are_complete_whichever_is_first() {
    for tasks_first in [true, false] {
        let story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
        let tasks =
            vec![Event::TasksListing, Event::Task(Box::new(story.written.clone().unwrap())), Event::TasksListed];
        let pods = vec![Event::PodsListing, Event::Pod(running(0)), Event::PodsListed];
        let (first, second) = if tasks_first { (tasks, pods) } else { (pods, tasks) };
        let mut fleet = Fleet::new(LIMITS, 1);
        for event in first {
            fleet.handle_event(story.now, event);
        }
        assert!(fleet.task(&key()).is_none() && !fleet.is_synced(), "half of it is not enough");
        for event in second {
            fleet.handle_event(story.now, event);
        }
        assert_eq!(fleet.task(&key()).map(crate::core::task::Task::in_flight), Some(1));
        let plan = fleet.poll_plan(story.now);
        assert!(!plan.to_string().contains("get "), "its pod is there: {plan}");
    }
}

#[test]
fn after_a_restart_a_finished_pod_stays_while_a_create_of_before_may_bring_it_back() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 2 } }));
    // One of two finished pods may stay for good.
    story.restart([Story::ended(0, 1, 0), Story::ended(1, 1, 0)]);
    let before: Vec<String> = (0..74).flat_map(|_| story.plan(1_000)).collect();
    assert!(before.iter().any(|line| line.starts_with("write ns/t Succeeded 2/2")), "{before:?}");
    assert!(!before.iter().any(|line| line.starts_with("clean up")), "{before:?}");
    assert_eq!(story.plan(1_000), ["clean up ns/t-0-1"]);
}

#[test]
fn a_delete_that_fails_is_sent_again_and_a_pod_that_has_changed_is_looked_at_first() {
    for (outcome, expected) in [
        (DeleteOutcome::Taken, vec!["stop ns/t-0-1"]),
        (DeleteOutcome::Failed, vec!["stop ns/t-0-1", "stop ns/t-0-1"]),
        (DeleteOutcome::Changed, vec!["stop ns/t-0-1", "get ns/t-0-1"]),
    ] {
        let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 2 }, "minSuccesses": 1 }));
        story.runs(0, 1);
        story.plan(1_000);
        story.ends(1, 1, 0);
        story.deleted = Some(outcome);
        let mut lines = story.plan(0);
        lines.extend(story.plan(0));
        story.deleted = Some(DeleteOutcome::Taken);
        for millis in [0, 999, 1] {
            lines.extend(story.plan(millis));
        }
        let asked: Vec<&String> = lines.iter().filter(|line| line.contains("ns/t-0-1")).collect();
        assert_eq!(asked, expected, "{outcome:?}");
    }
}

#[test]
fn after_a_conflict_the_object_is_read_again_and_what_is_read_is_what_the_next_write_names() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 2 } }));
    story.ends(0, 1, 0);
    story.now = story.now.plus_millis(1_000);
    assert!(story.fleet.poll_plan(story.now).to_string().contains("write ns/t"));
    story.fleet.handle_answer(story.now, Answer::Written(key(), "u".to_owned(), WriteOutcome::Conflict));
    assert!(story.plan(1_000).contains(&"reread ns/t".to_owned()), "the watch does not show it");
    // Somebody has changed a label, say.
    let read = TaskSeen { resource_version: 70, ..story.written.clone().unwrap() };
    let other = TaskSeen { uid: "other".to_owned(), ..read.clone() };
    story.fleet.handle_answer(story.now, Answer::Reread(Box::new(other)));
    assert!(!story.plan(0).iter().any(|line| line.starts_with("write")));
    assert_eq!(story.fleet.task(&key()).unwrap().uid(), "u", "what became of the name is for the watch to tell");
    story.fleet.handle_answer(story.now, Answer::Reread(Box::new(read)));
    let plan = story.fleet.poll_plan(story.now);
    let named =
        plan.actions.iter().find_map(|a| if let Action::Write(w) = a { Some(w.resource_version) } else { None });
    assert_eq!(named, Some(70), "{plan}");
}

#[test]
fn a_task_that_a_list_does_not_show_is_gone_though_an_answer_shows_it_meanwhile() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 2 } }));
    let read = story.written.clone().unwrap();
    // It was deleted while the watch was broken off; an answer from before that arrives during the next list.
    story.fleet.handle_tasks_listing();
    story.fleet.handle_answer(story.now, Answer::Reread(Box::new(read)));
    story.fleet.handle_tasks_listed(story.now);
    assert!(story.fleet.task(&key()).is_none());
}

#[test]
fn a_full_quota_on_objects_takes_the_finished_pods_of_all_tasks_of_its_namespace_and_of_no_other() {
    let mut fleet = empty_fleet(Limits { linger_millis: 60_000, lingering_pods: 100, ..LIMITS });
    let full = CreateOutcome::Quota("exceeded quota: q, requested: count/pods=1, used: count/pods=2".to_owned());
    let mut version = 1;
    let mut now = Time(0);
    for namespace in ["ns", "other"] {
        let spec = json!({ "items": { "count": 3 } });
        fleet.handle_task(now, new_task(TaskKey::new(namespace, "done"), namespace, 1, &spec));
    }
    let mut cleaned = Vec::new();
    for round in 0..11 {
        now = now.plus_millis(500);
        if round == 8 {
            fleet
                .handle_task(now, new_task(TaskKey::new("ns", "full"), "full", 1, &json!({ "items": { "count": 1 } })));
        }
        for action in fleet.poll_plan(now).actions {
            match action {
                Action::Check(check) => fleet.handle_checked(now, &check.key, &check.uid, CheckOutcome::Good),
                Action::Create(create) if &*create.blueprint.uid == "full" => {
                    fleet.handle_created(now, &create.id(), "full", full.clone());
                }
                Action::Create(create) => {
                    let (id, uid) = (create.id(), create.blueprint.uid.clone());
                    fleet.handle_created(now, &id, &uid, CreateOutcome::Created);
                    let ended = Story::ended_pod(&id, 0).status;
                    fleet.handle_pod(now, pod_of(&id, &uid, ended));
                }
                Action::Write(write) => {
                    version += 1;
                    let written = WriteOutcome::Written { version, rewritten: 0, uncached: None };
                    fleet.handle_written(now, &write.key, &write.uid, &written);
                }
                Action::Delete(delete) => cleaned.push(delete.id.to_string()),
                _ => {}
            }
        }
        assert!(round > 9 || cleaned.is_empty(), "they linger: {cleaned:?}");
    }
    assert_eq!(cleaned, ["ns/done-0-1", "ns/done-1-1", "ns/done-2-1"], "the kept one, too");
}

/// When the second attempt of an item starts whose first has failed.
fn second_attempt(seed: u64, uid: &str) -> Time {
    let mut fleet = Fleet::new(LIMITS, seed);
    for event in [Event::TasksListing, Event::TasksListed, Event::PodsListing, Event::PodsListed] {
        fleet.handle_event(Time(0), event);
    }
    let policy = json!({ "backoffSeconds": 20_000, "maxBackoffSeconds": 20_000 });
    let spec = json!({ "items": { "count": 1 }, "retries": 1, "retryPolicy": policy });
    fleet.handle_task(Time(0), new_task(key(), uid, 1, &spec));
    let mut now = Time(0);
    loop {
        now = fleet.next_wake(now).unwrap();
        for action in fleet.poll_plan(now).actions {
            match action {
                Action::Check(_) => fleet.handle_checked(now, &key(), uid, CheckOutcome::Good),
                Action::Create(create) if create.role.attempt() == Attempt(2) => return now,
                Action::Create(create) => {
                    fleet.handle_created(now, &create.id(), uid, CreateOutcome::Created);
                    let id = Story::id(0, 1);
                    fleet.handle_pod(now, pod_of(&id, uid, Story::ended(0, 1, 3).status));
                }
                Action::Write(write) => {
                    let version = write.resource_version + 1;
                    let written = WriteOutcome::Written { version, rewritten: 0, uncached: None };
                    fleet.handle_written(now, &key(), uid, &written);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn every_task_spreads_its_retries_in_its_own_way_and_every_operator_in_another() {
    let uids: Vec<String> = ('a'..='p').flat_map(|last| [format!("{last}"), format!("u-{last}")]).collect();
    let times: BTreeSet<Time> =
        [1, 2].into_iter().flat_map(|seed| uids.iter().map(move |uid| second_attempt(seed, uid))).collect();
    assert_eq!(times.len(), 2 * uids.len());
}
