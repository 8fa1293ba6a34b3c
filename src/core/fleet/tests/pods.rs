//! What the watch shows of pods that are of the past, of others, or not there any more.

use serde_json::json;

use super::story::{LIMITS, REDUCE, Story, empty_fleet, key, lines};
use super::{Fleet, Limits};
use crate::api::TaskPhase;
use crate::core::pod::{Holder, PodSeen};
use crate::core::port::{Action, CheckOutcome, CreateOutcome, DeleteOutcome, GetPodOutcome, WriteOutcome};

/// The item's container has ended well, and another one runs on.
fn outlived(index: u32, version: u64) -> PodSeen {
    let ended = json!({ "name": "main", "state": { "terminated": { "exitCode": 0, "message": "7" } } });
    let proxy = json!({ "name": "proxy", "state": { "running": {} } });
    let status = json!({ "phase": "Running", "containerStatuses": [ended, proxy] });
    PodSeen { version, ..Story::pod(index, 1, &status) }
}

/// A complete list of pods, which shows these.
fn lists(story: &mut Story, pods: impl IntoIterator<Item = PodSeen>) {
    story.fleet.handle_pods_listing();
    for pod in pods {
        story.fleet.handle_pod(story.now, pod);
    }
    story.fleet.handle_pods_listed(story.now);
}

#[test]
fn a_task_that_asks_for_more_finished_pods_than_are_kept_gets_the_limit() {
    let limits = Limits { max_finished_pods: 100, ..LIMITS };
    let limited = |story: &Story| -> Vec<String> {
        let told = story.told.iter().filter(|event| event.reason.as_str() == "FinishedPodsLimited");
        told.map(|event| event.note.split(':').next().unwrap().to_owned()).collect()
    };
    let mut story = Story::after(3, limits, &json!({ "items": { "count": 1 }, "finishedPods": 101 }));
    assert_eq!(limited(&story), ["spec.finishedPods is 101, and 100 are kept"]);
    story.edit(|task| task.spec.priority = 1);
    story.edit(|task| task.spec.finished_pods = Some(100));
    story.plan(1_000);
    story.restart([]);
    story.plan(1_000);
    assert_eq!(limited(&story).len(), 1, "not for another change, and not for a number that is kept");
    // While no operator runs.
    story.version += 1;
    let task = story.written.as_mut().unwrap();
    (task.spec.finished_pods, task.generation, task.resource_version) = (Some(500), task.generation + 1, story.version);
    story.restart([]);
    story.plan(1_000);
    story.restart([]);
    story.plan(1_000);
    assert_eq!(limited(&story)[1..], ["spec.finishedPods is 500, and 100 are kept"]);
    story.edit(|task| task.spec.finished_pods = Some(600));
    story.plan(1_000);
    assert_eq!(limited(&story).len(), 3);
    let after_end = |finished_pods: i32| {
        let mut story = Story::after(3, limits, &json!({ "items": { "count": 1 } }));
        story.ends(0, 1, 0);
        story.plan(1_000);
        story.plan(1_000);
        assert_eq!(story.phase(), TaskPhase::Succeeded);
        story.edit(|task| task.spec.finished_pods = Some(finished_pods));
        story.plan(1_000);
        limited(&story)
    };
    assert_eq!(after_end(500), ["spec.finishedPods is 500, and 100 are kept"]);
}

#[test]
fn a_pod_of_another_owner_says_nothing_of_the_item_whose_pods_name_it_has() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 } }));
    story.fleet.handle_pod(story.now, PodSeen { owner_uid: Some("other".to_owned()), ..Story::ended(0, 1, 0) });
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Running);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
}

#[test]
fn a_task_that_is_being_deleted_starts_and_notes_nothing_more() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "concurrency": 2 }));
    story.edit(|task| task.deleting = true);
    story.ends(0, 1, 0);
    assert_eq!(story.plan(60_000), Vec::<String>::new());
}

#[test]
fn a_pod_that_runs_after_its_tasks_end_is_stopped_at_once() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 } }));
    story.ends(0, 1, 0);
    story.plan(1_000);
    story.plan(0);
    assert_eq!(story.phase(), TaskPhase::Succeeded);
    story.fleet.handle_pod(story.now, PodSeen { uid: "late".to_owned(), version: 9, ..Story::running(0, 2) });
    assert_eq!(lines(&story.plan(0), "stop"), ["stop ns/t-0-2"]);
}

#[test]
fn finished_pods_of_an_ended_task_go_after_a_restart_once_no_create_can_bring_them_back() {
    let mut story =
        Story::after(3, LIMITS, &json!({ "items": { "count": 3 }, "remainingItems": { "onFailure": "Run" } }));
    story.ends(0, 1, 3);
    story.ends(1, 1, 0);
    story.ends(2, 1, 0);
    story.plan(1_000);
    story.plan(0);
    assert_eq!(story.phase(), TaskPhase::Failed);
    story.restart([Story::ended(0, 1, 3), Story::ended(1, 1, 0), Story::ended(2, 1, 0)]);
    assert_eq!(lines(&story.plan(0), "clean up"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(74_000), "clean up"), Vec::<&str>::new());
    let plan = story.plan(1_000);
    assert_eq!(
        lines(&plan, "clean up"),
        ["clean up ns/t-1-1", "clean up ns/t-2-1"],
        "one stays, and that is the failed one"
    );
}

#[test]
fn a_pod_that_lives_on_after_its_item_is_stopped_by_the_next_operator_once_no_create_can_bring_it_back() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let spec = json!({ "items": { "count": 1 }, "completion": "Container", "reduce": { "template": template } });
    let mut story = Story::after(3, LIMITS, &spec);
    story.fleet.handle_pod(story.now, outlived(0, 2));
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Reducing);
    story.restart([outlived(0, 3)]);
    assert_eq!(lines(&story.plan(74_000), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-0-1"], "with its grace");
    // Also when the task has ended, and its spec is no longer at hand.
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "completion": "Container" }));
    story.fleet.handle_pod(story.now, outlived(0, 2));
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Succeeded);
    story.restart([outlived(0, 3)]);
    assert_eq!(lines(&story.plan(74_000), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-0-1"]);
}

#[test]
fn a_pod_that_a_late_create_has_made_again_is_stopped_once_no_other_can_come() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "y" }] } });
    let spec = json!({ "items": { "count": 1 }, "completion": "Container", "reduce": { "template": template } });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    story.plan(0);
    story.created = Some(CreateOutcome::Created);
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-0-1"]);
    story.fleet.handle_pod_gone(story.now, &outlived(0, 2));
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Reducing);
    story.fleet.handle_pod(story.now, PodSeen { uid: "late".to_owned(), ..outlived(0, 9) });
    assert_eq!(lines(&story.plan(72_000), "stop"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-0-1"]);
}

#[test]
fn a_pod_that_lives_on_is_read_as_an_items_while_the_reduce_runs() {
    let template = json!({ "spec": { "containers": [{ "name": "other", "image": "y" }] } });
    let reduce = json!({ "template": template });
    let spec = json!({ "items": { "count": 1 }, "completion": "Container", "reduce": reduce });
    let mut story = Story::after(3, LIMITS, &spec);
    story.fleet.handle_pod(story.now, outlived(0, 2));
    // The write that records its end, and begins the reduce, has no answer yet.
    let plan = story.fleet.poll_plan(story.now.plus_millis(1_000));
    let write = plan.actions.iter().any(|action| matches!(action, Action::Write(_)));
    assert!(write && story.phase() == TaskPhase::Reducing, "{plan}");
    story.fleet.handle_pod(story.now, outlived(0, 3));
    assert_eq!(lines(&story.plan(1_100), "stop"), Vec::<&str>::new(), "not before its end is recorded");
    let written = WriteOutcome::Written { version: 9, rewritten: 0, uncached: None };
    story.fleet.handle_written(story.now, &key(), "u", &written);
    assert_eq!(lines(&story.plan(0), "stop"), ["stop ns/t-0-1"]);
    // The pod of the reduce is read as that.
    story.plan(0);
    let mut pod = outlived(REDUCE, 2);
    pod.status.container_statuses.as_mut().unwrap()[0].name = "other".to_owned();
    story.fleet.handle_pod(story.now, pod);
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Succeeded);
}

#[test]
fn a_name_is_tried_again_at_once_when_the_pod_that_had_it_is_gone() {
    for (attempt, again) in [(1, true), (2, false)] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
        story.plan(0);
        story.created = Some(CreateOutcome::NameTaken(Holder::default()));
        assert_eq!(lines(&story.plan(0), "create").len(), 1);
        let other = PodSeen { owner_uid: Some("other".to_owned()), ..Story::running(0, attempt) };
        story.fleet.handle_pod_gone(story.now, &other);
        assert_eq!(lines(&story.plan(1_000), "create").len(), usize::from(again), "attempt {attempt}");
    }
    // A create of ours that got no answer may still be carried out, and the name with it.
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = Some(CreateOutcome::Indeterminate);
    story.plan(0);
    story.created = Some(CreateOutcome::NameTaken(Holder::default()));
    assert_eq!(lines(&story.plan(1_000), "create").len(), 1);
    story.fleet.handle_pod_gone(story.now, &PodSeen { owner_uid: Some("other".to_owned()), ..Story::running(0, 1) });
    assert_eq!(lines(&story.plan(1_000), "create").len(), 0);
}

#[test]
fn a_finished_pod_that_a_list_does_not_show_is_not_deleted() {
    let limits = Limits { finished_pods: 0, linger_millis: 60_000, lingering_pods: 9, ..LIMITS };
    for shown in [true, false] {
        let mut story = Story::after(3, limits, &json!({ "items": { "count": 2 } }));
        story.ends(0, 1, 0);
        story.plan(1_000);
        lists(&mut story, [Story::running(1, 1)].into_iter().chain(shown.then(|| Story::ended(0, 1, 0))));
        let plan: Vec<String> = (0..7).flat_map(|_| story.plan(10_000)).collect();
        assert_eq!(lines(&plan, "clean up").len(), usize::from(shown), "{plan:?}");
    }
}

#[test]
fn a_list_that_does_not_show_a_pod_makes_it_be_looked_for_once() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 2 } }));
    story.runs(0, 1);
    story.runs(1, 1);
    story.plan(1_000);
    lists(&mut story, [Story::running(0, 1)]);
    assert_eq!(lines(&story.plan(0), "get"), ["get ns/t-1-1"]);
    lists(&mut story, [Story::running(0, 1)]);
    assert_eq!(lines(&story.plan(0), "get"), Vec::<&str>::new(), "it has been asked for");
    // A create on its way has no pod that a list could show.
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
    story.plan(0);
    story.created = None;
    story.plan(0);
    lists(&mut story, []);
    assert_eq!(lines(&story.plan(0), "get"), Vec::<&str>::new());
}

#[test]
fn an_answer_to_a_look_that_nobody_has_asked_for_says_nothing() {
    let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 1 } }));
    story.runs(0, 1);
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
    lists(&mut story, []);
    assert_eq!(lines(&story.plan(0), "get"), ["get ns/t-0-1"]);
    story.fleet.handle_got_pod(story.now, &Story::id(0, 2), "u", GetPodOutcome::NotFound);
    story.plan(1_000);
    assert_eq!(story.fleet.task(&key()).unwrap().in_flight(), 1);
}

#[test]
fn a_pod_of_another_owner_that_a_look_finds_is_not_the_one_that_was_looked_for() {
    let mut story =
        Story::after(3, LIMITS, &json!({ "items": { "count": 1 }, "retryPolicy": { "infrastructureRetries": 0 } }));
    story.runs(0, 1);
    story.plan(1_000);
    lists(&mut story, []);
    story.plan(0);
    let other = PodSeen { owner_uid: Some("other".to_owned()), version: 9, ..Story::running(0, 1) };
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::Found(Box::new(other)));
    story.plan(1_000);
    assert_eq!(story.phase(), TaskPhase::Failed);
}

#[test]
fn a_delete_that_failed_is_sent_again_after_a_second_and_a_pod_that_has_changed_is_looked_at() {
    let delete = |plan: &crate::core::port::Plan| {
        plan.actions.iter().find_map(|a| if let Action::Delete(delete) = a { Some(delete.id.clone()) } else { None })
    };
    // A finished one.
    let mut story = Story::after(3, Limits { finished_pods: 0, ..LIMITS }, &json!({ "items": { "count": 2 } }));
    story.ends(0, 1, 0);
    story.plan(1_000);
    let id = delete(&story.fleet.poll_plan(story.now)).expect("it is recorded");
    story.fleet.handle_deleted(story.now, &id, "u", DeleteOutcome::Failed);
    assert_eq!(lines(&story.plan(980), "clean up"), Vec::<&str>::new());
    assert_eq!(lines(&story.plan(20), "clean up"), ["clean up ns/t-0-1"]);
    // One that runs, and is not needed any more.
    for (outcome, looks) in [(DeleteOutcome::Failed, 0), (DeleteOutcome::Changed, 1)] {
        let mut story = Story::after(3, LIMITS, &json!({ "items": { "count": 2 }, "minSuccesses": 1 }));
        story.runs(1, 1);
        story.ends(0, 1, 0);
        story.plan(1_000);
        let id = delete(&story.fleet.poll_plan(story.now)).expect("it is stopped");
        // An answer about an attempt before this one says nothing.
        let old = Story::id(1, 9);
        story.fleet.handle_deleted(story.now, &old, "u", DeleteOutcome::Failed);
        assert_eq!(lines(&story.plan(2_000), "stop"), Vec::<&str>::new(), "it is on its way");
        story.fleet.handle_deleted(story.now, &id, "u", outcome);
        let plan = story.plan(0);
        assert_eq!((lines(&plan, "get ").len(), lines(&plan, "stop").len()), (looks, 0), "{outcome:?}: {plan:?}");
        if looks > 0 {
            let found = GetPodOutcome::Found(Box::new(PodSeen { version: 3, ..Story::running(1, 1) }));
            story.fleet.handle_got_pod(story.now, &id, "u", found);
        }
        assert_eq!(lines(&story.plan(1_000), "stop"), ["stop ns/t-1-1"]);
    }
}

#[test]
fn a_pod_that_only_a_limit_range_refuses_fails_its_task_and_one_that_a_policy_refuses_its_attempt() {
    let range = "pods \"t-0-1\" is forbidden: maximum cpu usage per Container is 1, but limit is 2";
    for (words, failed) in [(range, true), ("admission webhook \"x\" denied the request", false)] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
        story.plan(0);
        story.created = Some(CreateOutcome::Refused(words.to_owned()));
        (0..3).for_each(|_| drop(story.plan(100)));
        assert_eq!(story.phase(), if failed { TaskPhase::Failed } else { TaskPhase::Running }, "{words}");
        // The same of the pod that is made for a check.
        let mut fleet: Fleet = empty_fleet(LIMITS);
        fleet.handle_task(story.now, story.task.clone());
        fleet.poll_plan(story.now);
        fleet.handle_checked(story.now, &key(), "u", CheckOutcome::Refused(words.to_owned()));
        let expected = if failed { TaskPhase::Failed } else { TaskPhase::Pending };
        assert_eq!(fleet.task(&key()).unwrap().phase(), expected, "{words}");
    }
}
