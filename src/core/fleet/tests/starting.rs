//! Pods that are slow to start or to end: which requests are sent, what the status reports, and which budget is
//! charged.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, empty_fleet, missing_config_map};
use crate::api::status::WaitingReason;
use crate::core::ids::Time;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{Action, DeleteOutcome, ExplainOutcome, GetPodOutcome};

/// A container that waits, for a reason that the kubelet gives or for none.
fn held_up(reason: &str) -> Value {
    let waiting = json!({ "reason": reason, "message": "no such thing" });
    json!({ "phase": "Pending", "containerStatuses": [{ "name": "main", "state": { "waiting": waiting } }] })
}

fn silent(story: &mut Story, index: u32) {
    story.fleet.handle_pod(story.now, Story::pod(index, 1, &held_up("ContainerCreating")));
}

fn looks(plan: &[String]) -> Vec<&str> {
    plan.iter().filter_map(|line| line.strip_prefix("explain ns/")).collect()
}

#[test]
fn silent_pods_are_looked_into_in_turn_and_less_often_each_time_until_none_is_left() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 4 } }));
    (0..3).for_each(|index| silent(&mut story, index));
    let nothing = ExplainOutcome::Said(Vec::new());
    for (wait, looked) in [(10_000, 0), (5_000, 1), (10_000, 2)] {
        assert_eq!(looks(&story.plan(wait - 100)), Vec::<&str>::new());
        assert_eq!(looks(&story.plan(100)), [format!("t-{looked}-1")]);
        assert_eq!(looks(&story.plan(0)), Vec::<&str>::new());
        story.says(looked, &nothing);
    }
    // One starts; the others are as silent as before.
    story.runs(0, 1);
    assert_eq!(looks(&story.plan(19_900)), Vec::<&str>::new());
    assert_eq!(looks(&story.plan(100)), ["t-1-1"], "the one that has started tells all there is to know");
    story.says(1, &nothing);
    // None is left: the delay starts from its first value with the next one.
    story.runs(1, 1);
    story.runs(2, 1);
    silent(&mut story, 3);
    assert_eq!(looks(&story.plan(0)), ["t-3-1"], "it was created long ago");
    story.says(3, &nothing);
    story.plan(0);
    assert_eq!(looks(&story.plan(4_900)), Vec::<&str>::new());
    assert_eq!(looks(&story.plan(100)), ["t-3-1"]);
}

#[test]
fn what_held_up_a_pod_is_forgotten_when_a_late_create_makes_another_of_its_name() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    story.fleet.handle_pod(story.now, Story::pod(0, 1, &held_up("ImagePullBackOff")));
    story.plan(1_000);
    assert_eq!(story.status().waiting.as_ref().map(|waiting| waiting.reason), Some(WaitingReason::NotStarting));
    let another = PodSeen { uid: "another".to_owned(), version: 9, ..Story::running(0, 1) };
    story.fleet.handle_pod(story.now, another);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.status().waiting, None);
}

#[test]
fn a_look_that_is_on_its_way_wakes_nobody() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 } }));
    silent(&mut story, 0);
    assert_eq!(looks(&story.plan(10_000)).len(), 1);
    story.plan(1_000);
    let next = story.fleet.next_wake(story.now).unwrap();
    assert_eq!(next, Time(30_000), "when all is looked at again");
    story.says(0, &ExplainOutcome::Indeterminate);
    story.plan(0);
    assert_eq!(story.fleet.next_wake(story.now), Some(Time(15_000)));
    story.runs(0, 1);
    story.plan(1_000);
    story.plan(1_000);
    assert_eq!(story.fleet.next_wake(story.now), Some(Time(30_000)));
}

#[test]
fn a_pod_is_looked_into_when_half_of_its_time_to_start_is_over() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 8 }));
    silent(&mut story, 0);
    assert_eq!(looks(&story.plan(3_900)), Vec::<&str>::new());
    assert_eq!(looks(&story.plan(100)), ["t-0-1"]);
    story.says(0, &ExplainOutcome::Said(Vec::new()));
    story.plan(1_000);
    let told = story.status().waiting.clone().and_then(|waiting| waiting.message);
    assert_eq!(told.as_deref(), Some("pod t-0-1: no container of it has run for 4 s"), "nothing is known beyond that");
}

#[test]
fn the_events_of_its_claims_are_asked_for_where_a_volume_holds_a_pod_up_and_only_there() {
    let unbound = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims." });
    for (pod, expected) in [
        (json!({ "phase": "Pending", "conditions": [unbound] }), vec!["data".to_owned()]),
        (held_up("ContainerCreating"), Vec::new()),
    ] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 1 } }));
        story.fleet = empty_fleet(LIMITS);
        let volumes = json!([{ "name": "d", "persistentVolumeClaim": { "claimName": "data" } }]);
        story.task.spec.template["spec"]["volumes"] = volumes;
        story.fleet.handle_task(story.now, story.task.clone());
        story.plan(0);
        story.plan(0);
        story.fleet.handle_pod(story.now, Story::pod(0, 1, &pod));
        story.plan(0);
        let plan = story.fleet.poll_plan(story.now.plus_millis(10_000));
        let claims =
            plan.actions.iter().find_map(|a| if let Action::Explain(e) = a { Some(e.claims.clone()) } else { None });
        assert_eq!(claims, Some(expected), "{plan}");
    }
}

/// The categories of the failures of a task without retries whose pods did not start in time and are gone.
fn never_started(mut story: Story, indexes: &[u32], last: &Value) -> (Vec<(String, i32)>, Option<i32>) {
    story.plan(5_000 - story.now.millis_since(Time(0)));
    for index in indexes {
        let deleted = Some(Deletion { asked: story.now, last: false });
        story.fleet.handle_pod_gone(story.now, &PodSeen { deleted, version: 9, ..Story::pod(*index, 1, last) });
    }
    story.plan(0);
    for index in indexes {
        story.fleet.handle_got_pod(story.now, &Story::id(*index, 1), "u", GetPodOutcome::NotFound);
    }
    story.plan(1_000);
    story.plan(1_000);
    let told = story.status();
    let groups = told.failures.iter().map(|group| (group.category.clone(), group.attempts));
    (groups.collect(), told.counts.map(|counts| counts.failed))
}

#[test]
fn what_last_held_up_a_pod_says_whom_it_costs_that_it_never_started() {
    let scheduling = |message: &str| {
        let condition = json!({ "type": "PodScheduled", "status": "False", "reason": "Unschedulable",
            "message": message });
        json!({ "phase": "Pending", "conditions": [condition] })
    };
    for (pod, failed) in [
        (held_up("ImagePullBackOff"), 1),
        (held_up("CreateContainerConfigError"), 1),
        (scheduling("0/3 nodes are available: 3 Insufficient cpu."), 0),
        (held_up("ContainerCreating"), 0),
    ] {
        let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 5 }));
        story.fleet.handle_pod(story.now, Story::pod(0, 1, &pod));
        let told = never_started(story, &[0], &pod);
        assert_eq!(told, (vec![("NeverStarted".to_owned(), 1)], Some(failed)), "{pod}");
    }
}

#[test]
fn what_the_events_say_of_a_pod_that_has_started_since_says_nothing_of_others() {
    let spec = json!({ "items": { "count": 2 }, "startDeadlineSeconds": 5, "remainingItems": { "onFailure": "Run" } });
    for started_since in [false, true] {
        let mut story = Story::after(2, LIMITS, &spec);
        silent(&mut story, 0);
        silent(&mut story, 1);
        assert_eq!(looks(&story.plan(2_500)), ["t-0-1"]);
        if started_since {
            story.runs(0, 1);
        }
        story.says(0, &missing_config_map());
        let told = never_started(story, &[1], &held_up("ContainerCreating"));
        assert_eq!(told, (vec![("NeverStarted".to_owned(), 1)], Some(i32::from(!started_since))));
    }
}

/// A pod whose item's container has ended, while its proxy runs.
fn outlived(index: u32) -> PodSeen {
    let own = json!({ "exitCode": 0, "message": "7", "finishedAt": "1970-01-01T00:00:00Z" });
    let status = json!({ "phase": "Running", "containerStatuses": [
        { "name": "main", "state": { "terminated": own } },
        { "name": "proxy", "state": { "running": {} } },
    ] });
    PodSeen { version: 2, ..Story::pod(index, 1, &status) }
}

#[test]
fn a_pod_that_has_ended_at_last_is_waited_for_no_more_while_others_run() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 3 } }));
    (0..2).for_each(|index| story.fleet.handle_pod(story.now, outlived(index)));
    story.runs(2, 1);
    story.plan(10_000);
    story.plan(1_000);
    let told = |story: &Story| {
        let waiting = story.status().waiting.clone();
        waiting.map(|waiting| waiting.message.unwrap_or_default().chars().take(9).collect::<String>())
    };
    assert_eq!(told(&story).as_deref(), Some("pod t-0-1"));
    story.fleet.handle_pod(story.now, PodSeen { version: 3, ..Story::ended(0, 1, 0) });
    story.plan(1_000);
    assert_eq!(told(&story).as_deref(), Some("pod t-1-1"));
    story.fleet.handle_pod(story.now, PodSeen { version: 3, ..Story::ended(1, 1, 0) });
    story.plan(1_000);
    assert_eq!(told(&story), None);
}

#[test]
fn a_deletion_that_fails_after_the_status_was_read_again_does_not_keep_the_pod_from_being_stopped() {
    let mut story = Story::after(2, LIMITS, &json!({ "items": { "count": 1 }, "startDeadlineSeconds": 5 }));
    story.deleted = None;
    silent(&mut story, 0);
    let is_stop = |line: &String| line == "stop ns/t-0-1";
    assert!((0..6).flat_map(|_| story.plan(1_000)).any(|line| is_stop(&line)));
    // Somebody else writes the status: what this operator knew of the pod is no more.
    story.edit(|task| {
        task.status.conditions.retain(|condition| condition.type_ == "Accepted");
        task.status.message = Some("edited".to_owned());
    });
    story.plan(10);
    story.fleet.handle_deleted(story.now, &Story::id(0, 1), "u", DeleteOutcome::Changed);
    let lines: Vec<String> = (0..100).flat_map(|_| story.plan(1_000)).collect();
    assert!(lines.iter().any(is_stop), "{lines:?}");
}
