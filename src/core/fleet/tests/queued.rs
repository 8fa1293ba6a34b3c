//! A task in a queue of Kueue, which is played here.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};
use k8s_openapi::jiff::Timestamp;
use maptask_exchange::{AttemptId, Request, State};
use serde_json::{Value, json};

use super::story::{LIMITS, Story, empty_fleet, key, lines, pod_of, running};
use crate::api::status::WaitingReason;
use crate::core::exchange_address::ExchangeAddress;
use crate::core::ids::PodRole;
use crate::core::pod::{Deletion, PodSeen};
use crate::core::port::{Action, Event, Exchange, FlavorsOutcome, PodId, WorkloadChange};
use crate::core::workload::{Assignment, PodSet, Queueing, WorkloadSeen};

/// A task with a queue, in an operator with Kueue or without.
fn task(queueing: Queueing, spec: &Value) -> Story {
    let mut story = Story::new(LIMITS, spec);
    story.fleet = empty_fleet(LIMITS);
    story.fleet.set_queueing(queueing);
    story.task.queue = Some("q".to_owned());
    story.fleet.handle_task(story.now, story.task.clone());
    story.plan(0);
    story
}

/// A queued task whose Workload exists and asks for three pods.
fn queued(spec: &Value) -> Story {
    let mut story = task(Queueing::Known, spec);
    let plan = story.plan(0);
    assert_eq!((lines(&plan, "queue"), lines(&plan, "create")), (vec!["queue ns/t"], vec![]), "{plan:?}");
    show(&mut story, 1, &[]);
    let gauges = story.fleet.gauges();
    assert_eq!(gauges.suspended_items, gauges.items["Pending"], "they wait for Kueue, as it is meant to be");
    story
}

/// A Workload of the task that asks for three pods; admitted for two of them, if any condition is True.
pub(super) fn workload(version: u64, conditions: &[&str]) -> WorkloadSeen {
    let condition = |type_: &&str| Condition {
        type_: (*type_).to_owned(),
        status: "True".to_owned(),
        reason: "Preempted".to_owned(),
        message: "room for another".to_owned(),
        observed_generation: None,
        last_transition_time: MetaTime(Timestamp::UNIX_EPOCH),
    };
    let given = Assignment { name: "main".to_owned(), count: Some(2), flavors: vec!["f".to_owned()] };
    WorkloadSeen {
        task: key(),
        task_uid: "u".to_owned(),
        uid: "w".to_owned(),
        version,
        generation: 1,
        deleting: false,
        active: true,
        rerun: None,
        queue: "q".to_owned(),
        priority: 0,
        pod_sets: vec![PodSet { name: "main".to_owned(), count: 3 }],
        assignments: if conditions.is_empty() { Vec::new() } else { vec![given] },
        updates: Vec::new(),
        reclaimable: BTreeMap::new(),
        conditions: conditions.iter().map(condition).collect(),
    }
}

#[test]
fn a_workload_has_whole_pods() {
    let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
    let reduce = json!({ "template": template });
    let mut story = task(Queueing::Known, &json!({ "items": { "count": 9 }, "template": template, "reduce": reduce }));
    let created = story.fleet.poll_plan(story.now).actions.into_iter().find_map(|action| match action {
        Action::ChangeWorkload(request) => match request.change {
            WorkloadChange::Create(workload) => Some(workload),
            _ => None,
        },
        _ => None,
    });
    let created = created.unwrap();
    let sets = created["spec"]["podSets"].as_array().unwrap();
    let volumes = |set: &Value| {
        let spec = &set["template"]["spec"];
        let names = |list: &Value| -> Vec<String> {
            list.as_array().into_iter().flatten().map(|entry| entry["name"].to_string()).collect()
        };
        (names(&spec["volumes"]), names(&spec["containers"][0]["volumeMounts"]))
    };
    assert_eq!(sets.iter().map(|set| set["name"].as_str().unwrap()).collect::<Vec<_>>(), ["main", "reduce"]);
    for (set, count) in sets.iter().zip([0, 1]) {
        let (volumes, mounts) = volumes(set);
        assert_eq!((volumes.len(), &volumes), (count, &mounts), "what is mounted is there");
    }
}

#[test]
fn a_worker_that_is_about_to_end_is_one_of_the_pods_that_kueue_has_admitted() {
    let container = json!({ "name": "main", "image": "x", "command": ["run"] });
    let template = json!({ "spec": { "containers": [container] } });
    let mut story = queued(&json!({ "items": { "count": 9 }, "template": template, "workers": {} }));
    let (url, server_name) = ("https://o".to_owned(), "o".to_owned());
    story.fleet.set_exchange(Some(ExchangeAddress { url, server_name, ca_pem: String::new() }));
    show(&mut story, 2, &["QuotaReserved", "Admitted", "PodsReady"]);
    let plan: Vec<String> = [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-worker-1", "create ns/t-worker-2"]);
    let id = PodId { key: key(), role: PodRole::Worker(1) };
    story.fleet.handle_pod(story.now, pod_of(&id, "u", serde_json::from_value(running()).unwrap()));
    let mut plan = Vec::new();
    for (number, state) in [(1, State::Working), (2, State::Recycle { message: String::new() })] {
        let running = if number == 1 { Vec::new() } else { vec![AttemptId(0, 1)] };
        let begun = running.len() as u64;
        let session = format!("{:016x}", 1);
        let (stock, ended) = (Vec::new(), Vec::new());
        let request = Request { session, number, epoch: 1, running, stock, ended, begun, state };
        let (namespace, pod, pod_uid) = ("ns".into(), "t-worker-1".to_owned(), id.role.to_string());
        let exchange = Exchange { ticket: number, namespace, pod, pod_uid, request };
        story.fleet.handle_event(story.now, Event::Exchange(Box::new(exchange)));
        plan.extend(story.plan(1_000));
    }
    plan.extend((0..9).flat_map(|_| story.plan(1_000)));
    assert_eq!(lines(&plan, "create"), [] as [&str; 0], "{plan:?}");
}

#[test]
fn flavors_that_were_read_for_another_admission_do_not_count() {
    let mut story = queued(&json!({ "items": { "count": 3 } }));
    let with_flavor = |version, flavor: &str| {
        let mut seen = workload(version, &["QuotaReserved", "Admitted", "PodsReady"]);
        seen.assignments[0].flavors = vec![flavor.to_owned()];
        Event::Workload(Box::new(seen))
    };
    story.fleet.handle_event(story.now, with_flavor(2, "spot"));
    let plan = story.fleet.poll_plan(story.now.plus_millis(1_000)).to_string();
    assert!(plan.contains("read flavors spot"), "{plan}");
    story.fleet.handle_event(story.now, with_flavor(3, "on-demand"));
    story.fleet.handle_flavors_read(story.now, &key(), "u", FlavorsOutcome::Found(Vec::new()));
    let plan: Vec<String> = [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "read"), ["read flavors on-demand for ns/t"], "{plan:?}");
}

fn show(story: &mut Story, version: u64, conditions: &[&str]) {
    story.fleet.handle_event(story.now, Event::Workload(Box::new(workload(version, conditions))));
}

/// Admitted for two pods, which run.
fn admitted(spec: &Value) -> Story {
    let mut story = queued(spec);
    show(&mut story, 2, &["QuotaReserved", "Admitted", "PodsReady"]);
    let plan: Vec<String> = [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "read"), ["read flavors f for ns/t"]);
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-1", "create ns/t-1-1"]);
    (0..2).for_each(|index| story.runs(index, 1));
    story.plan(1_000);
    story
}

fn stopped(index: u32) -> PodSeen {
    let status = json!({ "phase": "Failed", "containerStatuses": [{ "name": "main", "state": { "terminated": { "exitCode": 143 } } }] });
    PodSeen { version: 9, ..Story::pod(index, 1, &status) }
}

fn go(story: &mut Story) {
    let deleted = Some(Deletion { asked: story.now, last: true });
    for index in 0..2 {
        story.fleet.handle_pod_gone(story.now, &PodSeen { deleted, ..stopped(index) });
    }
}

fn waiting(story: &Story) -> (WaitingReason, String) {
    let waiting = story.status().waiting.clone().unwrap();
    (waiting.reason, waiting.message.unwrap_or_default())
}

#[test]
fn nothing_starts_before_its_task_is_admitted_and_no_more_than_that() {
    let mut story = queued(&json!({ "items": { "count": 3 }, "concurrency": 3, "minConcurrency": 1 }));
    let plan: Vec<String> = [1_000, 60_000].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!((lines(&plan, "create"), lines(&plan, "queue")), (vec![], vec![]), "{plan:?}");
    assert_eq!(waiting(&story), (WaitingReason::NotAdmitted, "its Workload waits in queue q".to_owned()));
    let mut story = admitted(&json!({ "items": { "count": 3 }, "concurrency": 3, "minConcurrency": 1 }));
    story.plan(1_000);
    assert_eq!(waiting(&story), (WaitingReason::Concurrency, "Kueue has admitted 2 pods".to_owned()));
    story.ends(0, 1, 0);
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-2-1"]);
    // Of three pods one is not needed any more.
    let plan: Vec<String> = (0..2).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.contains(&"patch workload of ns/t: reclaimablePods".to_owned()), "{plan:?}");
    story.ends(1, 1, 0);
    story.ends(2, 1, 0);
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(plan.last().map(String::as_str), Some("patch workload of ns/t: conditions"), "{plan:?}");
}

#[test]
fn an_evicted_task_stops_its_pods_at_no_cost_and_is_admitted_again() {
    let mut story = admitted(&json!({ "items": { "count": 2 }, "retryPolicy": { "infrastructureRetries": 0 } }));
    show(&mut story, 3, &["QuotaReserved", "Admitted", "Evicted", "PodsReady"]);
    let plan = story.plan(1_000);
    assert_eq!(lines(&plan, "stop"), ["stop ns/t-0-1", "stop ns/t-1-1"], "{plan:?}");
    assert_eq!(lines(&story.plan(5_000), "patch workload"), Vec::<&str>::new(), "they use their quota");
    assert_eq!(waiting(&story), (WaitingReason::NotAdmitted, "queue q: room for another".to_owned()));
    go(&mut story);
    let plan: Vec<String> = (0..2).flat_map(|_| story.plan(1_000)).collect();
    assert!(plan.contains(&"patch workload of ns/t: admission, conditions".to_owned()), "{plan:?}");
    show(&mut story, 4, &["Evicted"]);
    assert_eq!(lines(&story.plan(60_000), "create"), Vec::<&str>::new());
    show(&mut story, 5, &["QuotaReserved", "Admitted", "PodsReady"]);
    let plan: Vec<String> = [1_000, 0, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "create"), ["create ns/t-0-2", "create ns/t-1-2"], "{plan:?}");
    assert!(story.status().failures.is_empty(), "{:?}", story.status().failures);
}

#[test]
fn a_task_whose_workload_is_deleted_stops_its_pods_and_is_queued_again() {
    let mut story = admitted(&json!({ "items": { "count": 2 } }));
    story.fleet.handle_event(story.now, Event::WorkloadGone(Box::new(workload(3, &[]))));
    let plan = story.plan(1_000);
    assert_eq!((lines(&plan, "stop").len(), lines(&plan, "queue").len()), (2, 0), "{plan:?}");
    go(&mut story);
    assert_eq!(lines(&story.plan(1_000), "queue"), ["queue ns/t"]);
}

#[test]
fn the_time_of_a_task_in_its_queue_does_not_count_for_its_deadline() {
    let mut story = queued(&json!({ "items": { "count": 2 }, "activeDeadlineSeconds": 30 }));
    story.plan(60_000);
    show(&mut story, 2, &["QuotaReserved", "Admitted", "PodsReady"]);
    for wait in [1_000, 0, 0] {
        story.plan(wait);
    }
    (0..2).for_each(|index| story.runs(index, 1));
    assert_eq!(lines(&story.plan(20_000), "stop"), Vec::<&str>::new());
    let plan: Vec<String> = [10_000, 1_000].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!(lines(&plan, "stop").len(), 2, "{plan:?}");
}

#[test]
fn a_task_in_a_queue_waits_as_long_as_kueue_can_not_be_read() {
    let mut story = task(Queueing::Unknown, &json!({ "items": { "count": 1 } }));
    let plan: Vec<String> = [0, 60_000].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!((lines(&plan, "create"), lines(&plan, "queue")), (vec![], vec![]), "{plan:?}");
    assert!(waiting(&story).1.contains("is Kueue installed"), "{:?}", waiting(&story));
    story.fleet.handle_event(story.now, Event::WorkloadsListing);
    story.fleet.handle_event(story.now, Event::WorkloadsListed);
    assert_eq!(lines(&story.plan(0), "queue"), ["queue ns/t"]);
}

#[test]
fn a_queue_means_nothing_where_the_operator_has_no_kueue() {
    let mut story = task(Queueing::Off, &json!({ "items": { "count": 1 } }));
    assert_eq!(lines(&story.plan(0), "create"), ["create ns/t-0-1"]);
}

#[test]
fn a_task_that_is_suspended_leaves_its_queue_and_one_that_is_resumed_joins_it_again() {
    let mut story = queued(&json!({ "items": { "count": 1 } }));
    story.plan(1_000);
    story.edit(|task| task.spec.suspend = true);
    assert_eq!(lines(&story.plan(1_000), "dequeue"), ["dequeue ns/t"]);
    story.fleet.handle_event(story.now, Event::WorkloadGone(Box::new(workload(2, &[]))));
    story.edit(|task| task.spec.suspend = false);
    assert_eq!(lines(&story.plan(1_000), "queue"), ["queue ns/t"]);
}

#[test]
fn a_workload_of_other_templates_starts_nothing_and_is_replaced() {
    let mut story = queued(&json!({ "items": { "count": 2 } }));
    story.plan(1_000);
    story.edit(|task| {
        task.spec.template["spec"]["nodeSelector"] = json!({ "zone": "a" });
        task.spec.suspend = true;
    });
    story.edit(|task| task.spec.suspend = false);
    show(&mut story, 2, &["QuotaReserved", "Admitted"]);
    let plan: Vec<String> = [0, 1_000, 0].into_iter().flat_map(|wait| story.plan(wait)).collect();
    assert_eq!((lines(&plan, "dequeue"), lines(&plan, "create")), (vec!["dequeue ns/t"], vec![]), "{plan:?}");
    story.fleet.handle_event(story.now, Event::WorkloadGone(Box::new(workload(3, &[]))));
    assert_eq!(lines(&story.plan(1_000), "queue"), ["queue ns/t"]);
}

#[test]
fn a_rerun_starts_nothing_while_the_quota_is_being_given_back() {
    let mut story = admitted(&json!({ "items": { "count": 2 } }));
    (0..2).for_each(|index| story.ends(index, 1, 0));
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(plan.last().map(String::as_str), Some("patch workload of ns/t: conditions"), "{plan:?}");
    // The watch has yet to show that the Workload is finished.
    story.edit(|task| task.spec.rerun = serde_json::from_value(json!({ "id": "1", "items": "0" })).unwrap());
    let plan: Vec<String> = (0..4).flat_map(|_| story.plan(1_000)).collect();
    assert_eq!(lines(&plan, "create"), Vec::<&str>::new(), "{plan:?}");
    show(&mut story, 3, &["QuotaReserved", "Admitted", "PodsReady", "Finished"]);
    let plan = story.plan(1_000);
    assert_eq!((lines(&plan, "create"), lines(&plan, "dequeue")), (vec![], vec!["dequeue ns/t"]), "{plan:?}");
}
