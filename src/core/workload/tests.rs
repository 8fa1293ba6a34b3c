//! What is done about a Workload in each of its states.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::condition::{ADMITTED, EVICTED, FINISHED, PODS_READY, REQUEUED, RESERVED};
use super::*;
use crate::core::ids::Time;

const NOW: Time = Time(5_000);

/// A Workload of five pods and a reduce, with these conditions True.
fn workload(conditions: &[&str]) -> WorkloadSeen {
    let condition = |type_: &&str| Condition {
        type_: (*type_).to_owned(),
        status: "True".to_owned(),
        reason: "Preempted".to_owned(),
        message: format!("{type_}!"),
        observed_generation: None,
        last_transition_time: MetaTime(Timestamp::UNIX_EPOCH),
    };
    let pods = |name: &str, count| PodSet { name: name.to_owned(), count };
    let given =
        |name: &str, count| Assignment { name: name.to_owned(), count: Some(count), flavors: vec!["f".to_owned()] };
    let reserved = conditions.contains(&RESERVED);
    WorkloadSeen {
        task: TaskKey::new("ns", "t"),
        task_uid: "u".to_owned(),
        uid: "w".to_owned(),
        version: 7,
        generation: 1,
        deleting: false,
        active: true,
        rerun: None,
        queue: "q".to_owned(),
        priority: 0,
        pod_sets: vec![pods(MAIN, 5), pods(REDUCE, 1)],
        assignments: if reserved { vec![given(MAIN, 3), given(REDUCE, 1)] } else { Vec::new() },
        updates: Vec::new(),
        reclaimable: BTreeMap::new(),
        conditions: conditions.iter().map(condition).collect(),
    }
}

fn sets(most: u32, left: u32) -> Need {
    let reduce = WantedSet { name: REDUCE, most: 1, left: 1, least: None };
    Need::Pods(vec![WantedSet { name: MAIN, most, left, least: Some(2) }, reduce])
}

fn wanted(need: Need, alive: usize) -> Wanted {
    Wanted { queue: "q".to_owned(), priority: 0, rerun: None, need, alive, started: true }
}

fn patched(step: Option<Step>) -> Value {
    match step {
        Some(Step::Patch(patch)) => patch.json(),
        other => panic!("{other:?}"),
    }
}

fn ended() -> Need {
    Need::Ended { success: true, message: "done".to_owned() }
}

#[test]
fn a_task_is_queued_once_and_only_while_it_needs_pods() {
    let step = |need, alive| next_step(NOW, None, &wanted(need, alive));
    assert_eq!(step(sets(5, 5), 0), Some(Step::Create));
    assert_eq!(step(sets(5, 5), 1), None, "what runs of it has to end first");
    assert_eq!((step(Need::Nothing, 0), step(ended(), 0)), (None, None));
    let queued = workload(&[]);
    assert_eq!(next_step(NOW, Some(&queued), &wanted(sets(5, 9), 0)), None);
    assert_eq!(next_step(NOW, Some(&queued), &wanted(Need::Nothing, 0)), Some(Step::Delete), "it is suspended");
    assert_eq!(next_step(NOW, Some(&WorkloadSeen { deleting: true, ..queued }), &wanted(ended(), 0)), None);
}

#[test]
fn a_workload_that_waits_follows_its_task() {
    let queued = workload(&[]);
    let step = |seen: &WorkloadSeen, wanted: &Wanted| next_step(NOW, Some(seen), wanted);
    assert_eq!(step(&queued, &wanted(sets(6, 9), 0)), Some(Step::Delete), "more pods than it asks for");
    let less = patched(step(&queued, &wanted(sets(2, 9), 0)));
    assert_eq!(less, json!({ "reclaimablePods": [{ "name": MAIN, "count": 3 }, { "name": REDUCE, "count": 0 }] }));
    for other in
        [Wanted { queue: "other".to_owned(), ..wanted(sets(5, 5), 0) }, Wanted { priority: 3, ..wanted(sets(5, 5), 0) }]
    {
        assert_eq!(step(&queued, &other), Some(Step::Delete));
        let reserved = workload(&[RESERVED, ADMITTED, PODS_READY]);
        assert_eq!(step(&reserved, &other), None, "an admission stays as it is");
    }
}

#[test]
fn pods_may_run_as_far_as_they_are_admitted_and_not_given_back() {
    let admitted = workload(&[RESERVED, ADMITTED]);
    assert_eq!((granted(&admitted, MAIN), granted(&admitted, REDUCE), granted(&admitted, "other")), (3, 1, 0));
    let partly = WorkloadSeen { reclaimable: [(MAIN.to_owned(), 4)].into(), ..admitted.clone() };
    assert_eq!(granted(&partly, MAIN), 1);
    for none in [&[RESERVED][..], &[RESERVED, ADMITTED, EVICTED], &[RESERVED, ADMITTED, FINISHED]] {
        assert_eq!(granted(&workload(none), MAIN), 0, "{none:?}");
    }
    assert_eq!(granted(&WorkloadSeen { deleting: true, ..admitted }, MAIN), 0);
}

#[test]
fn what_a_list_that_runs_out_needs_no_more_is_given_back_and_never_taken_again() {
    let admitted = workload(&[RESERVED, ADMITTED, PODS_READY]);
    let step = |seen: &WorkloadSeen, need| next_step(NOW, Some(seen), &wanted(need, 2));
    assert_eq!(step(&admitted, sets(5, 9)), None);
    assert_eq!(step(&admitted, sets(1, 9)), None, "a smaller concurrency may be raised again");
    let left = patched(step(&admitted, sets(5, 2)));
    assert_eq!(left, json!({ "reclaimablePods": [{ "name": MAIN, "count": 3 }, { "name": REDUCE, "count": 0 }] }));
    let given = WorkloadSeen { reclaimable: [(MAIN.to_owned(), 3)].into(), ..admitted };
    assert_eq!((step(&given, sets(5, 2)), step(&given, sets(5, 4))), (None, None));
}

#[test]
fn an_evicted_workload_gives_its_quota_back_once_no_pod_is_left() {
    let evicted = workload(&[RESERVED, ADMITTED, EVICTED]);
    assert_eq!(next_step(NOW, Some(&evicted), &wanted(sets(5, 5), 1)), None);
    let status = patched(next_step(NOW, Some(&evicted), &wanted(sets(5, 5), 0)));
    assert_eq!(status["admission"], Value::Null);
    assert!(status.as_object().unwrap().contains_key("admission"));
    let of = |type_: &str| {
        let conditions = status["conditions"].as_array().unwrap();
        let condition = conditions.iter().find(|condition| condition["type"] == type_).unwrap();
        (condition["status"].as_str().unwrap().to_owned(), condition["reason"].as_str().unwrap().to_owned())
    };
    assert_eq!(of(RESERVED), ("False".to_owned(), "Pending".to_owned()));
    assert_eq!(of(ADMITTED), ("False".to_owned(), "NoReservation".to_owned()));
    assert_eq!(of(REQUEUED), ("True".to_owned(), "Preempted".to_owned()));
    assert_eq!(of(EVICTED), ("True".to_owned(), "Preempted".to_owned()), "others stay as they are");
    assert_eq!(next_step(NOW, Some(&workload(&[EVICTED])), &wanted(sets(5, 5), 0)), None, "it waits again");
}

#[test]
fn the_end_of_a_task_is_that_of_its_workload_and_a_rerun_has_another_one() {
    let admitted = workload(&[RESERVED, ADMITTED]);
    let status = patched(next_step(NOW, Some(&admitted), &wanted(ended(), 0)));
    let finished = status["conditions"].as_array().unwrap().iter().find(|one| one["type"] == FINISHED).unwrap();
    assert_eq!((&finished["reason"], &finished["message"]), (&json!("Succeeded"), &json!("done")));
    let finished = workload(&[RESERVED, ADMITTED, FINISHED]);
    assert_eq!(next_step(NOW, Some(&finished), &wanted(ended(), 0)), None);
    assert_eq!(next_step(NOW, Some(&finished), &wanted(sets(5, 5), 0)), Some(Step::Delete));
    // The rerun came before its end was reported.
    let used_up = workload(&[RESERVED, ADMITTED, PODS_READY]);
    let used_up = WorkloadSeen { reclaimable: [(MAIN.to_owned(), 5)].into(), ..used_up };
    assert_eq!(next_step(NOW, Some(&used_up), &wanted(sets(5, 5), 0)), Some(Step::Delete));
    assert_eq!(next_step(NOW, Some(&used_up), &wanted(sets(5, 5), 1)), None, "what runs of it ends first");
    let only_reduce =
        WorkloadSeen { pod_sets: vec![used_up.pod_sets[1].clone()], reclaimable: BTreeMap::new(), ..used_up };
    assert_eq!(next_step(NOW, Some(&only_reduce), &wanted(sets(5, 5), 0)), Some(Step::Delete));
}

#[test]
fn kueue_hears_once_that_pods_run() {
    let step = |conditions: &[&str], started| {
        next_step(NOW, Some(&workload(conditions)), &Wanted { started, ..wanted(sets(5, 5), 1) })
    };
    let status = patched(step(&[RESERVED, ADMITTED], true));
    assert!(status["conditions"].as_array().unwrap().iter().any(|one| one["type"] == PODS_READY));
    assert_eq!(step(&[RESERVED, ADMITTED], false), None);
    assert_eq!(step(&[RESERVED, ADMITTED, PODS_READY], true), None);
}

#[test]
fn pods_get_the_node_labels_and_tolerations_of_their_flavors_and_what_checks_add() {
    let update = PodSetUpdate {
        name: MAIN.to_owned(),
        labels: [("l".to_owned(), "1".to_owned())].into(),
        node_selector: [("zone".to_owned(), "a".to_owned())].into(),
        ..PodSetUpdate::default()
    };
    let workload = WorkloadSeen { updates: vec![update], ..workload(&[RESERVED, ADMITTED]) };
    let flavor = |name: &str| Flavor {
        name: name.to_owned(),
        node_labels: [("type".to_owned(), name.to_owned())].into(),
        tolerations: vec![json!({ "key": name })],
    };
    let flavors = [flavor("f"), flavor("other")];
    let mut pod =
        json!({ "metadata": {}, "spec": { "nodeSelector": { "disk": "ssd" }, "tolerations": [{ "key": "f" }] } });
    Placement::of(&workload, MAIN, &flavors).apply(&mut pod);
    assert_eq!(
        pod,
        json!({
            "metadata": { "labels": { "l": "1" } },
            "spec": { "nodeSelector": { "disk": "ssd", "type": "f", "zone": "a" }, "tolerations": [{ "key": "f" }] },
        })
    );
    let mut pod = json!({ "spec": { "nodeSelector": null, "tolerations": null } });
    Placement::of(&workload, REDUCE, &flavors).apply(&mut pod);
    assert_eq!(pod["spec"], json!({ "nodeSelector": { "type": "f" }, "tolerations": [{ "key": "f" }] }));
}

#[test]
fn a_workload_asks_for_pods_of_each_kind_and_for_fewer_where_that_is_allowed() {
    let Need::Pods(sets) = sets(5, 9) else { unreachable!() };
    let pod = json!({ "metadata": { "name": "x" }, "spec": { "containers": [{ "name": "main" }] } });
    let sets: Vec<_> = sets.iter().map(|set| (set, pod.clone())).collect();
    let manifest = manifest(&TaskKey::new("ns", "t"), "0123456789", &wanted(Need::Nothing, 0), &sets);
    assert_eq!(manifest["metadata"]["name"], "maptask-t-01234567");
    assert_eq!(manifest["metadata"]["ownerReferences"][0]["uid"], "0123456789");
    let template = json!({ "spec": { "containers": [{ "name": "main" }] } });
    assert_eq!(
        manifest["spec"],
        json!({ "queueName": "q", "priority": 0, "podSets": [
            { "name": MAIN, "count": 5, "minCount": 2, "template": template },
            { "name": REDUCE, "count": 1, "template": template },
        ] })
    );
}

#[test]
fn a_workload_says_why_it_waits() {
    let queued = workload(&[]);
    assert_eq!(why_not(&queued), "its Workload waits in queue q");
    let mut full = queued.clone();
    full.conditions = vec![Condition { status: "False".to_owned(), ..workload(&[RESERVED]).conditions[0].clone() }];
    assert_eq!(why_not(&full), "queue q: QuotaReserved!");
    assert_eq!(why_not(&workload(&[RESERVED, ADMITTED, EVICTED])), "queue q: Evicted!");
    assert!(why_not(&WorkloadSeen { active: false, ..queued }).contains("not active"));
}

#[test]
fn a_change_on_its_way_leaves_what_it_does_not_take() {
    let admitted = workload(&[RESERVED, ADMITTED]);
    let left = |patch: &StatusPatch| [MAIN, REDUCE].map(|set| granted_with(&admitted, patch, set));
    let reclaim = |count| StatusPatch::Reclaim(vec![(MAIN.to_owned(), count), (REDUCE.to_owned(), 0)]);
    assert_eq!([1, 2, 3, 9].map(|count| left(&reclaim(count))), [[3, 1], [3, 1], [2, 1], [0, 1]]);
    let conditions = |type_: &str| workload(&[RESERVED, ADMITTED, type_]).conditions;
    assert_eq!(left(&StatusPatch::Conditions(conditions(PODS_READY))), [3, 1]);
    assert_eq!(left(&StatusPatch::Conditions(conditions(FINISHED))), [0, 0]);
    assert_eq!(left(&StatusPatch::Release(conditions(REQUEUED))), [0, 0]);
}
