//! A task that MultiKueue runs in another cluster: in the cluster where it was applied, and in the one that runs it.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::queued;
use super::story::{LIMITS, Story, empty_fleet, key, lines};
use crate::api::status::{ItemCounts, RerunDone};
use crate::api::{MULTIKUEUE, TaskPhase};
use crate::core::port::{Action, Answer, Event, WorkloadChange, WorkloadOutcome};
use crate::core::workload::{PodSet, Queueing, WorkloadSeen};

/// A task with a queue where Kueue is known.
fn with_queue(spec: &Value, prebuilt: Option<&str>) -> Story {
    let mut story = Story::new(LIMITS, spec);
    story.fleet = empty_fleet(LIMITS);
    story.fleet.set_queueing(Queueing::Known);
    story.task.queue = Some("q".to_owned());
    story.task.prebuilt = prebuilt.map(str::to_owned);
    story.fleet.handle_task(story.now, story.task.clone());
    story
}

/// A task that another cluster runs.
fn remote(spec: &Value) -> Story {
    let mut spec = spec.clone();
    spec["managedBy"] = json!(MULTIKUEUE);
    let mut story = with_queue(&spec, None);
    story.written = Some(story.task.clone());
    story
}

/// The Workload of a rerun, or of the first run.
fn workload(version: u64, rerun: Option<&str>, conditions: &[&str]) -> WorkloadSeen {
    let uid = format!("w-{}", rerun.unwrap_or_default());
    let pod_sets = vec![PodSet { name: "main".to_owned(), count: 2 }];
    let rerun = rerun.map(str::to_owned);
    WorkloadSeen { uid, rerun, pod_sets, ..queued::workload(version, conditions) }
}

fn show(story: &mut Story, workload: WorkloadSeen) {
    story.fleet.handle_event(story.now, Event::Workload(Box::new(workload)));
}

/// What is planned in the next seconds.
fn plans(story: &mut Story) -> Vec<String> {
    (0..3).flat_map(|_| story.plan(1_000)).collect()
}

/// The Workload that is asked for.
fn created(story: &mut Story) -> Value {
    let plan = story.fleet.poll_plan(story.now);
    let create = plan.actions.iter().find_map(|action| match action {
        Action::ChangeWorkload(change) => match &change.change {
            WorkloadChange::Create(workload) => Some(workload.clone()),
            _ => None,
        },
        _ => None,
    });
    story.fleet.handle_workload_changed(story.now, &key(), "u", WorkloadOutcome::Done);
    create.unwrap_or_else(|| panic!("{plan}"))
}

/// The task of the other cluster has come so far, and MultiKueue has copied its status.
fn copied(story: &mut Story, phase: TaskPhase, rerun: Option<&str>) {
    let done = |id: &str| RerunDone { id: id.to_owned(), items: 2, explicit_selection: false, message: None };
    story.edit(|task| {
        task.status.phase = Some(phase);
        task.status.counts = Some(ItemCounts { running: 1, ..ItemCounts::default() });
        task.status.completion_time = phase.is_terminal().then_some(MetaTime(Timestamp::UNIX_EPOCH));
        task.status.rerun = rerun.map(done);
    });
}

const ADMITTED: [&str; 2] = ["QuotaReserved", "Admitted"];
const FINISHED: [&str; 3] = ["QuotaReserved", "Admitted", "Finished"];

#[test]
fn a_task_of_multikueue_is_a_workload_here_and_starts_no_pod() {
    let reduce = json!({ "template": { "spec": { "containers": [{ "name": "r", "image": "y" }] } } });
    let spec = json!({ "items": { "count": 9 }, "concurrency": 4, "minConcurrency": 2, "reduce": reduce });
    let mut story = remote(&spec);
    let workload = created(&mut story);
    assert_eq!(workload["metadata"]["ownerReferences"][0]["uid"], "u");
    let sets = &workload["spec"]["podSets"];
    assert_eq!((&sets[0]["count"], &sets[0]["minCount"], &sets[1]["count"]), (&json!(4), &json!(2), &json!(1)));
    assert_eq!(sets[1]["template"]["spec"]["containers"][0]["image"], "y");
    show(&mut story, self::workload(1, None, &ADMITTED));
    assert_eq!(plans(&mut story), Vec::<String>::new(), "it is admitted, and the other cluster runs it");
    // Kueue may wait for pods, which run elsewhere.
    copied(&mut story, TaskPhase::Running, None);
    assert_eq!(lines(&plans(&mut story), "patch workload")[0], "patch workload of ns/t: conditions");
    show(&mut story, self::workload(2, None, &["QuotaReserved", "Admitted", "PodsReady"]));
    assert_eq!(plans(&mut story), Vec::<String>::new());
}

#[test]
fn the_end_of_a_task_of_multikueue_is_not_for_this_cluster_to_report() {
    let mut story = remote(&json!({ "items": { "count": 2 } }));
    drop(created(&mut story));
    // Its Workload is finished before the copied status is seen, or after: it runs once.
    show(&mut story, workload(2, None, &FINISHED));
    assert_eq!(plans(&mut story), Vec::<String>::new());
    copied(&mut story, TaskPhase::Succeeded, None);
    assert_eq!(plans(&mut story), Vec::<String>::new());
    story.fleet.handle_event(story.now, Event::WorkloadGone(Box::new(workload(3, None, &FINISHED))));
    assert_eq!(plans(&mut story), Vec::<String>::new(), "somebody has deleted its Workload");
    story.edit(|task| task.spec.ttl_seconds_after_finished = Some(60));
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(30_000)).collect();
    assert_eq!(lines(&plan, "expire")[0], "expire ns/t");
}

#[test]
fn a_rerun_of_a_task_of_multikueue_is_another_workload() {
    let mut story = remote(&json!({ "items": { "count": 2 } }));
    drop(created(&mut story));
    show(&mut story, workload(2, None, &FINISHED));
    copied(&mut story, TaskPhase::Failed, None);
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": "again", "items": "Failed" })).unwrap());
    assert_eq!(lines(&plans(&mut story), "dequeue")[0], "dequeue ns/t");
    story.fleet.handle_event(story.now, Event::WorkloadGone(Box::new(workload(3, None, &FINISHED))));
    story.now = story.now.plus_millis(1_000);
    assert_eq!(created(&mut story)["metadata"]["annotations"]["maptask.dev/rerun"], "again");
    // It is over before its status is seen.
    show(&mut story, workload(4, Some("again"), &FINISHED));
    assert_eq!(plans(&mut story), Vec::<String>::new());
    copied(&mut story, TaskPhase::Succeeded, Some("again"));
    assert_eq!(plans(&mut story), Vec::<String>::new());
}

#[test]
fn a_task_of_multikueue_leaves_its_queue_at_once_and_gives_quota_back_at_once() {
    let mut story = remote(&json!({ "items": { "count": 2 } }));
    drop(created(&mut story));
    show(&mut story, workload(2, None, &["QuotaReserved", "Admitted", "Evicted", "PodsReady"]));
    copied(&mut story, TaskPhase::Running, None);
    let plan = plans(&mut story);
    assert_eq!(lines(&plan, "patch workload")[0], "patch workload of ns/t: admission, conditions", "{plan:?}");
    show(&mut story, workload(3, None, &["QuotaReserved", "Admitted", "PodsReady"]));
    story.edit(|task| task.spec.suspend = true);
    assert_eq!(lines(&plans(&mut story), "dequeue")[0], "dequeue ns/t");
}

#[test]
fn a_refused_workload_of_a_task_of_multikueue_is_reported_once_and_tried_again() {
    let mut story = remote(&json!({ "items": { "count": 2 } }));
    let mut told = 0;
    for _ in 0..4 {
        let plan = story.fleet.poll_plan(story.now);
        told +=
            lines(&plan.to_string().lines().map(str::to_owned).collect::<Vec<_>>(), "emit event ns/t Blocked").len();
        let asks = plan.actions.iter().any(|action| matches!(action, Action::ChangeWorkload(_)));
        assert!(asks, "{plan}");
        let refused = WorkloadOutcome::Refused("its Workload can't be changed: no".to_owned());
        story.fleet.handle_answer(story.now, Answer::WorkloadChanged(key(), "u".to_owned(), refused));
        story.now = story.now.plus_millis(60_000);
    }
    assert_eq!(told, 1);
}

#[test]
fn a_task_that_multikueue_has_sent_does_not_delete_itself() {
    let spec = json!({ "items": { "count": 2 }, "ttlSecondsAfterFinished": 0 });
    for (prebuilt, expires) in [(Some("made"), false), (None, true)] {
        let mut story = with_queue(&spec, prebuilt);
        let plan = plans(&mut story);
        show(&mut story, workload(1, None, &["QuotaReserved", "Admitted", "PodsReady"]));
        let plan = [plan, [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect()].concat();
        (0..2).for_each(|index| story.ends(index, 1, 0));
        let plan = [plan, (0..8).flat_map(|_| story.plan(10_000)).collect()].concat();
        assert_eq!(!lines(&plan, "expire").is_empty(), expires, "{plan:?}");
    }
}

#[test]
fn other_managers_and_tasks_without_a_queue_get_no_workload() {
    for (manager, queue) in [(MULTIKUEUE, None), ("acme.io/controller", Some("q"))] {
        let mut story = Story::new(LIMITS, &json!({ "items": { "count": 2 }, "managedBy": manager }));
        story.fleet = empty_fleet(LIMITS);
        story.fleet.set_queueing(Queueing::Known);
        story.task.queue = queue.map(str::to_owned);
        story.fleet.handle_task(story.now, story.task.clone());
        assert_eq!(plans(&mut story), Vec::<String>::new());
    }
    let mut story = remote(&json!({ "items": { "count": 2 } }));
    drop(created(&mut story));
    story.fleet.handle_task_gone(&key());
    assert_eq!(plans(&mut story), Vec::<String>::new());
    assert!(story.fleet.next_wake(story.now).is_some_and(|wake| wake > story.now));
}

#[test]
fn in_the_other_cluster_a_task_adopts_the_workload_that_came_with_it_and_never_deletes_it() {
    let mut story = with_queue(&json!({ "items": { "count": 2 }, "concurrency": 2 }), Some("made"));
    let plan = plans(&mut story);
    assert_eq!(lines(&plan, "adopt")[0], "adopt made for ns/t", "{plan:?}");
    assert_eq!((lines(&plan, "queue"), lines(&plan, "create")), (vec![], vec![]));
    let waiting = story.status().waiting.clone().unwrap();
    assert_eq!(waiting.message.as_deref(), Some("queue q: its Workload is not known yet"));
    show(&mut story, workload(1, None, &["QuotaReserved", "Admitted", "PodsReady"]));
    let plan: Vec<String> = [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-1", "create ns/t-1-1"], "{plan:?}");
    (0..2).for_each(|index| story.ends(index, 1, 0));
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(plan.last().map(String::as_str), Some("patch workload of ns/t: conditions"), "{plan:?}");
    let mut story = with_queue(&json!({ "items": { "count": 2 }, "concurrency": 2 }), Some("made"));
    plans(&mut story);
    show(&mut story, workload(1, None, &[]));
    story.edit(|task| task.spec.suspend = true);
    assert_eq!(lines(&plans(&mut story), "dequeue"), Vec::<&str>::new());
}
