//! What another operator, or this one before its restart, has written: the status is the truth, and what is known
//! beyond it stays.

use serde_json::{Value, json};

use super::story::{LIMITS, Story, key, lines, new_task};
use crate::api::{MapTaskStatus, TaskPhase};
use crate::core::ids::{Index, ItemCount, TaskKey, Time};
use crate::core::limits::Limits;
use crate::core::phases::{ItemPhase, Phases};
use crate::core::pod::PodSeen;
use crate::core::port::{Answer, CreateOutcome, GetPodOutcome, TaskSeen, WriteOutcome};

/// A story whose task is accepted and has asked for what it may start.
fn started(spec: &Value, created: Option<CreateOutcome>) -> Story {
    let mut story = Story::new(LIMITS, spec);
    story.created = created;
    story.plan(0);
    story.plan(0);
    story
}

/// Somebody else writes the status; and maybe more.
pub(crate) fn another_writes(story: &mut Story, change: impl FnOnce(&mut TaskSeen)) {
    story.edit(|task| {
        let mut condition = task.status.conditions[0].clone();
        condition.type_ = format!("Seen{}", task.resource_version);
        task.status.conditions.push(condition);
        change(task);
    });
}

fn pending(version: u64) -> PodSeen {
    PodSeen { version, ..Story::pod(0, 1, &json!({ "phase": "Pending" })) }
}

#[test]
fn a_create_on_its_way_is_still_known_when_another_wrote_the_status() {
    let spec = json!({ "items": { "count": 2 }, "concurrency": 1 });
    let mut story = started(&spec, None);
    another_writes(&mut story, |_| ());
    assert_eq!(lines(&story.plan(1_000), "create"), Vec::<&str>::new(), "its pod may come");
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    another_writes(&mut story, |_| ());
    assert_eq!(
        lines(&story.plan(1_000), "create"),
        Vec::<&str>::new(),
        "its pod is there, though no list has shown it"
    );
    story.runs(0, 1);
    story.ends(0, 1, 0);
    story.created = Some(CreateOutcome::Created);
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-1-1"]);
}

#[test]
fn a_create_on_its_way_of_an_item_that_ended_by_another_word_holds_no_slot() {
    let mut story = started(&json!({ "items": { "count": 2 }, "concurrency": 1 }), None);
    another_writes(&mut story, |task| {
        let mut phases = Phases::new(ItemCount::new(2).unwrap());
        phases.set(Index(0), ItemPhase::Succeeded);
        task.status.phases = Some(phases.encode());
    });
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-1-1"]);
}

#[test]
fn a_create_on_its_way_of_an_attempt_before_the_recorded_one_holds_no_slot() {
    let mut story = started(&json!({ "items": { "count": 2 }, "concurrency": 1, "retries": 1 }), None);
    let attempts = {
        let mut other = started(&json!({ "items": { "count": 2 }, "retries": 1 }), Some(CreateOutcome::Created));
        other.ends(0, 1, 1);
        other.plan(1_000);
        other.status().attempts.clone()
    };
    assert!(attempts.is_some());
    another_writes(&mut story, |task| task.status.attempts = attempts);
    assert_eq!(
        lines(&story.plan(1_000), "create"),
        ["create ns/t-1-1"],
        "the second attempt waits for the first one's create"
    );
}

#[test]
fn a_pod_that_is_late_with_its_start_is_stopped_also_if_another_wrote_the_status() {
    let spec = json!({ "items": { "count": 1 }, "startDeadlineSeconds": 5 });
    let mut story = started(&spec, Some(CreateOutcome::Created));
    story.fleet.handle_pod(story.now, pending(1));
    another_writes(&mut story, |_| ());
    let stops = |plan: Vec<String>| plan.contains(&"stop ns/t-0-1".to_owned());
    assert!(!stops(story.plan(10_000)), "another create of it may still be carried out");
    assert!(stops(story.plan(80_000)));
}

#[test]
fn a_pod_that_another_calls_running_is_asked_for_at_once_where_no_list_shows_it() {
    let mut story = started(&json!({ "items": { "count": 2 }, "concurrency": 1 }), Some(CreateOutcome::Created));
    story.runs(0, 1);
    story.plan(1_000);
    another_writes(&mut story, |task| {
        let mut phases = Phases::new(ItemCount::new(2).unwrap());
        for index in [0, 1] {
            phases.set(Index(index), ItemPhase::Running);
        }
        task.status.phases = Some(phases.encode());
    });
    let plan = story.plan(0);
    let looks: Vec<&String> = plan.iter().filter(|line| line.starts_with("get ")).collect();
    assert_eq!(looks, ["get ns/t-1-1"]);
}

#[test]
fn a_template_that_another_changed_together_with_the_status_starts_nothing() {
    let mut story = started(&json!({ "items": { "count": 2 }, "concurrency": 1 }), Some(CreateOutcome::Created));
    another_writes(&mut story, |task| {
        task.spec.template["spec"]["priorityClassName"] = json!("high");
    });
    story.ends(0, 1, 0);
    let plan = story.plan(1_000);
    assert!(
        lines(&plan, "create").is_empty() && plan.iter().any(|line| line.contains("waiting TemplateChanged")),
        "{plan:?}"
    );
}

#[test]
fn after_a_restart_a_retry_waits_for_late_creates_unless_the_pod_before_it_keeps_its_name_taken() {
    let mut story = started(&json!({ "items": { "count": 2 }, "retries": 1 }), Some(CreateOutcome::Created));
    story.ends(0, 1, 1);
    story.ends(1, 1, 1);
    assert!(lines(&story.plan(1_000), "create").is_empty(), "they back off");
    story.restart([Story::ended(0, 1, 1)]);
    assert!(lines(&story.plan(0), "create").is_empty(), "an operator that is new lets them back off, too");
    assert_eq!(lines(&story.plan(1_000), "create"), ["create ns/t-0-2"]);
    assert_eq!(lines(&story.plan(80_000), "create"), ["create ns/t-1-2"]);
}

/// What becomes of an item that the record calls running and whose pod is gone when another operator takes over;
/// failures of the cluster cost it all it has.
fn pod_lost_over_a_restart(spec: &Value, suspended: bool, resumed: bool) -> (u32, u32) {
    let mut spec = spec.clone();
    spec["items"] = json!({ "count": 1 });
    spec["retryPolicy"] = json!({ "infrastructureRetries": 0 });
    let mut story = started(&spec, Some(CreateOutcome::Created));
    story.runs(0, 1);
    story.plan(1_000);
    if suspended {
        story.edit(|task| task.spec.suspend = true);
        story.task.spec.suspend = true;
        story.plan(1_000);
        assert_eq!(story.status().phase, Some(TaskPhase::Suspended));
    }
    story.written.as_mut().unwrap().spec.suspend = suspended && !resumed;
    story.restart([]);
    let plan = story.plan(1_000);
    assert!(plan.contains(&"get ns/t-0-1".to_owned()), "asked for before it counts as lost: {plan:?}");
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
    let counts = story.fleet.task(&key()).unwrap().map().unwrap().items().counts();
    (counts.pending, counts.failed)
}

#[test]
fn a_pod_that_is_gone_after_a_restart_is_lost_unless_it_was_stopped_for_a_suspension() {
    let (waits, fails) = ((1, 0), (0, 1));
    let stop = json!({ "suspendPolicy": "Stop" });
    let drain = json!({ "suspendPolicy": "Drain" });
    for (policy, suspended, resumed, expected) in [
        (&stop, false, false, fails),
        (&stop, true, false, waits),
        (&stop, true, true, waits),
        (&drain, false, false, fails),
        (&drain, true, false, fails),
        (&drain, true, true, fails),
    ] {
        let found = pod_lost_over_a_restart(policy, suspended, resumed);
        assert_eq!(found, expected, "{policy}, suspended {suspended}, resumed {resumed}");
    }
}

#[test]
fn a_deadline_counts_from_the_resumption_also_if_nobody_was_there_to_see_it() {
    let start = |suspended: bool, resumed: bool| {
        let spec = json!({ "items": { "count": 1 }, "activeDeadlineSeconds": 1_000 });
        let mut story = started(&spec, Some(CreateOutcome::Created));
        story.runs(0, 1);
        story.plan(1_000);
        if suspended {
            story.edit(|task| task.spec.suspend = true);
            story.plan(1_000);
            assert_eq!(story.status().phase, Some(TaskPhase::Suspended));
        }
        story.written.as_mut().unwrap().spec.suspend = suspended && !resumed;
        story.now = Time(100_000);
        story.restart([]);
        story.runs(0, 1);
        story.plan(1_000);
        story.ends(0, 1, 0);
        story.plan(1_000);
        story.status().start_time.as_ref().unwrap().0.as_second()
    };
    assert_eq!((start(false, false), start(true, false), start(true, true)), (0, 0, 100));
}

#[test]
fn of_a_task_that_has_ended_no_item_is_kept_before_a_rerun_is_asked_for() {
    let mut story = started(&json!({ "items": { "count": 1 } }), Some(CreateOutcome::Created));
    story.ends(0, 1, 1);
    story.plan(1_000);
    let items_at_hand = |story: &Story| story.fleet.task(&key()).unwrap().map().is_some();
    assert!(!items_at_hand(&story), "its end is written");
    story.restart([]);
    story.plan(1_000);
    assert!(!items_at_hand(&story));
    let rerun = serde_json::from_value(json!({ "id": "1", "items": "Failed" })).unwrap();
    story.edit(|task| task.spec.rerun = rerun);
    story.plan(80_000);
    assert_eq!(lines(&story.plan(80_000), "create"), ["create ns/t-0-2"]);
}

#[test]
fn a_rerun_of_a_task_whose_items_can_not_be_read_is_refused_and_changes_none_of_them() {
    let mut story = started(&json!({ "items": { "count": 1 } }), Some(CreateOutcome::Created));
    story.ends(0, 1, 1);
    story.plan(1_000);
    let rerun = serde_json::from_value(json!({ "id": "1", "items": "Failed" })).unwrap();
    story.plan(1_000);
    another_writes(&mut story, |task| {
        task.spec.rerun = rerun;
        task.status.phases = Some("oops".to_owned());
    });
    for _ in 0..3 {
        story.plan(1_000);
    }
    let told = story.status();
    assert_eq!((told.phase, told.phases.as_deref()), (Some(TaskPhase::Failed), Some("oops")));
    assert_eq!(
        told.rerun.as_ref().and_then(|done| done.message.as_deref()),
        Some("the status of the task can't be decoded")
    );
    assert!(told.message.as_ref().is_some_and(|message| message.contains("can't be decoded")), "{told:?}");
    let words = "rerun 1: the status of the task can't be decoded";
    assert!(
        story.told.iter().any(|tell| tell.reason.as_str() == "RerunRefused" && tell.note == words),
        "{:?}",
        story.told
    );
}

#[test]
fn a_create_on_its_way_counts_though_a_write_of_somebody_else_came_before_the_acceptance() {
    let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "concurrency": 1 }));
    story.plan(0);
    let plan = story.fleet.poll_plan(story.now);
    assert!(plan.to_string().contains("create ns/t-0-1"), "{plan}");
    let status = MapTaskStatus { phase: Some(TaskPhase::Pending), ..MapTaskStatus::default() };
    story.fleet.handle_task(story.now, TaskSeen { resource_version: 7, status, ..story.task.clone() });
    story.fleet.handle_answer(story.now, Answer::Written(key(), "u".to_owned(), WriteOutcome::Conflict));
    let plan = story.plan(1_000);
    assert!(lines(&plan, "check").is_empty() && lines(&plan, "create").is_empty(), "{plan:?}");
    assert_eq!(lines(&plan, "write"), ["write ns/t Running 0/2 running 0 failed 0 waiting Concurrency"]);
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    story.ends(0, 1, 0);
    assert!(story.plan(1_000).contains(&"create ns/t-1-1".to_owned()));
}

#[test]
fn a_pod_that_is_shown_before_its_create_is_answered_keeps_its_start_deadline_when_another_wrote_the_status() {
    let spec = json!({ "items": { "count": 1 }, "startDeadlineSeconds": 15 });
    let mut story = started(&spec, None);
    story.fleet.handle_pod(story.now, pending(3));
    another_writes(&mut story, |_| ());
    story.plan(1_000);
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Created);
    story.plan(15_000);
    // Not while another create of it may still be carried out.
    assert_eq!(lines(&story.plan(75_000), "stop"), ["stop ns/t-0-1"]);
}

#[test]
fn an_item_whose_create_may_still_be_carried_out_keeps_its_place_when_another_wrote_the_status() {
    let mut story = Story::new(Limits { max_pods: 1, ..LIMITS }, &json!({ "items": { "count": 1 } }));
    story.created = None;
    story.plan(0);
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-0-1"]);
    let first = new_task(TaskKey::new("ns", "first"), "f", 1, &json!({ "items": { "count": 1 }, "priority": 1 }));
    story.fleet.handle_task(story.now, first);
    story.plan(0);
    story.plan(0);
    story.fleet.handle_created(story.now, &Story::id(0, 1), "u", CreateOutcome::Indeterminate);
    another_writes(&mut story, |_| ());
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-1"], "a pod may yet come of the first create: {plan:?}");
}

#[test]
fn a_pod_that_counts_again_when_another_wrote_the_status_is_not_stopped() {
    let spec = json!({ "items": { "count": 1 }, "retries": 3 });
    let mut story = started(&spec, Some(CreateOutcome::Created));
    story.runs(0, 1);
    story.plan(1_000);
    story.fleet.handle_pod_gone(story.now, &Story::running(0, 1));
    assert_eq!(lines(&story.plan(0), "get"), ["get ns/t-0-1"]);
    story.fleet.handle_got_pod(story.now, &Story::id(0, 1), "u", GetPodOutcome::NotFound);
    // Its end is not recorded when a late create makes it again, and when another writes that it runs.
    story.fleet.handle_pod(story.now, PodSeen { uid: "late".to_owned(), version: 9, ..Story::running(0, 1) });
    another_writes(&mut story, |_| ());
    let plan: Vec<String> = (0..9).flat_map(|_| story.plan(10_000)).collect();
    assert_eq!((lines(&plan, "stop"), lines(&plan, "create")), (vec![], vec![]), "{plan:?}");
}
