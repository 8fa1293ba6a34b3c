//! Items that run out of memory in workers: who is to blame, and where the next attempt runs.

use std::collections::BTreeMap;

use serde_json::json;

use super::crew::{Crew, good, short, task};
use super::story::key;
use crate::core::ids::PodRole;
use crate::core::phases::{ItemPhase, Raises};
use crate::core::port::{CreateOutcome, GetPodOutcome, PodId};

const KIND: Option<&str> = Some("items wait for another kind of worker");

/// One worker at a time, in which item 0 has run before item 1.
fn one_after_another(count: u32) -> Crew {
    let mut crew = Crew::new(&task(&json!({ "items": { "count": count }, "concurrency": 1, "workers": {} })));
    assert_eq!(crew.running(), BTreeMap::from([(1, vec![(0, 1)])]));
    crew.ends(1, 0, good());
    crew
}

/// Item 1 was short of memory, at last in worker 2, where it was alone. Item 4 is left.
fn raised() -> Crew {
    let mut crew = one_after_another(5);
    crew.ends(1, 1, short());
    crew.ends(1, 2, good());
    crew.ends(2, 1, short());
    crew.ends(2, 3, good());
    crew
}

#[test]
fn an_item_that_is_short_of_memory_beside_others_runs_alone_before_it_is_blamed() {
    let spec = json!({ "items": { "count": 2 }, "concurrency": 2, "workers": { "slots": 2 } });
    let mut crew = Crew::new(&task(&spec));
    assert_eq!(crew.running(), BTreeMap::from([(1, vec![(0, 1), (1, 1)])]));
    crew.ends(1, 0, short());
    assert_eq!(crew.tries(0), (2, 0, 0), "it has lost nothing");
    crew.ends(1, 1, good());
    assert_eq!(crew.running(), BTreeMap::from([(2, vec![(0, 2)])]));
    assert_eq!(crew.workers[&1].stop.as_deref(), KIND);
    crew.ends(2, 0, short());
    assert_eq!(crew.tries(0), (3, 1, 1), "it was its own fault");
}

#[test]
fn an_item_that_is_short_of_memory_in_a_used_worker_runs_in_a_fresh_one_before_it_is_blamed() {
    let mut crew = one_after_another(2);
    crew.ends(1, 1, short());
    assert_eq!((crew.tries(1), crew.running()), ((2, 0, 0), BTreeMap::from([(2, vec![(1, 2)])])));
    crew.ends(2, 1, short());
    assert_eq!(crew.tries(1), (3, 1, 1));
}

#[test]
fn fresh_workers_for_items_that_have_to_run_alone_come_side_by_side_a_quarter_of_all_at_a_time() {
    let mut crew = Crew::new(&task(&json!({ "items": { "count": 20 }, "concurrency": 8, "workers": {} })));
    (0..8).for_each(|index| crew.ends(index + 1, index, good()));
    crew.stuck.extend(9..=12);
    (8..12).for_each(|index| crew.ends(index - 7, index, short()));
    let stopped = |crew: &Crew| crew.workers.values().filter(|worker| worker.stop.as_deref() == KIND).count();
    assert_eq!(stopped(&crew), 2, "the others work");
    crew.stuck.clear();
    crew.rounds(12);
    // The operator allows no more than 10 pods.
    (1..=2).for_each(|number| crew.ends(number, number + 15, good()));
    let alone: Vec<_> = crew.running().into_iter().filter(|(number, _)| *number > 8).collect();
    assert_eq!(alone, [(9, vec![(8, 2)]), (10, vec![(9, 2)]), (11, vec![(10, 2)]), (12, vec![(11, 2)])]);
}

#[test]
fn an_item_whose_memory_was_raised_runs_in_a_worker_of_that_size() {
    let mut crew = raised();
    assert_eq!((crew.tries(1), crew.running()), ((3, 1, 1), BTreeMap::from([(3, vec![(1, 3)])])));
    assert_eq!(crew.workers[&3].memory, Raises::NONE.raised(0));
    crew.ends(3, 1, good());
    assert_eq!(crew.running(), BTreeMap::from([(4, vec![(4, 1)])]), "others do not run in it");
    assert_eq!(crew.workers[&4].memory, Raises::NONE);
    crew.ends(4, 4, good());
    assert_eq!(crew.story.status().counts.as_ref().unwrap().succeeded, 5);
}

#[test]
fn a_worker_of_another_size_ends_where_there_is_no_room_for_the_one_that_an_item_needs() {
    let mut crew = raised();
    let stops = |crew: &Crew, number: u32| crew.workers[&number].stop.clone();
    assert_eq!((stops(&crew, 2).as_deref(), stops(&crew, 3)), (KIND, None), "it has an item to run");
    crew.ends(3, 1, good());
    assert_eq!(stops(&crew, 3).as_deref(), KIND, "another item needs its place");
    let mut crew = two_workers();
    crew.ends(1, 2, good());
    assert_eq!(crew.running(), BTreeMap::from([(2, vec![(1, 1)]), (3, vec![(0, 2)])]), "one has made room");
}

/// Two workers that run items 1 and 2, after item 0 was short of memory.
fn two_workers() -> Crew {
    let spec = json!({ "items": { "count": 4 }, "concurrency": 2, "workers": {} });
    let mut crew = Crew::new(&task(&spec));
    crew.ends(1, 0, short());
    assert_eq!(crew.tries(0), (2, 1, 1), "it was the first there");
    crew
}

#[test]
fn a_worker_has_the_size_that_its_pod_says_also_for_the_next_operator() {
    let mut crew = two_workers();
    crew.stuck.insert(3);
    crew.ends(1, 2, good());
    assert_eq!(crew.workers[&3].memory.of(0), 1);
    crew.stuck.remove(&3);
    crew.restart(&[2, 3]);
    assert_eq!(crew.running(), BTreeMap::from([(2, vec![(1, 1)]), (3, vec![(0, 2)])]), "that one is too small");
}

/// What the API server says of a larger worker.
fn never_fits() -> CreateOutcome {
    let quota = "pods \"t-worker\" is forbidden: exceeded quota: q, requested: limits.memory=200Mi, used: \
                 limits.memory=0, limited: limits.memory=150Mi";
    CreateOutcome::Quota(quota.to_owned())
}

#[test]
fn a_create_without_an_answer_of_one_worker_says_nothing_of_another() {
    let mut crew = one_after_another(2);
    crew.ends(1, 1, short());
    crew.story.created = Some(CreateOutcome::Indeterminate);
    crew.ends(2, 1, short());
    crew.story.created = Some(never_fits());
    let third = PodId { key: key(), role: PodRole::Worker(3) };
    crew.story.fleet.handle_got_pod(crew.story.now, &third, "u", GetPodOutcome::NotFound);
    crew.rounds(6);
    assert_eq!(crew.item(1).0, ItemPhase::Failed, "worker 4 is refused, and was never asked for before");
}

#[test]
fn an_item_whose_larger_worker_can_not_be_created_ends_as_with_a_pod_of_its_own() {
    let mut crew = one_after_another(2);
    crew.ends(1, 1, short());
    crew.story.created = Some(never_fits());
    crew.ends(2, 1, short());
    assert_eq!(crew.item(1).0, ItemPhase::Failed);
    let failures = &crew.story.status().failures;
    assert!(failures.iter().any(|group| group.category == "Refused"), "{failures:?}");
}

#[test]
fn a_larger_worker_that_does_not_start_in_time_ends_the_attempt_that_waits_for_it() {
    let spec = json!({ "items": { "count": 2 }, "concurrency": 1, "workers": {}, "startDeadlineSeconds": 30,
        "retryPolicy": { "infrastructureRetries": 0, "outOfMemory": { "factor": 2, "maxMemory": "400Mi" } } });
    let mut crew = Crew::new(&task(&spec));
    crew.stuck.insert(2);
    crew.ends(1, 0, short());
    crew.ends(1, 1, good());
    let unschedulable =
        json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no" }]);
    crew.show(2, &json!({ "phase": "Pending", "conditions": unschedulable }));
    crew.rounds(40);
    crew.vanishes(2);
    assert_eq!(crew.item(0).0, ItemPhase::Failed, "{:?}", crew.story.status());
    let failures = &crew.story.status().failures;
    assert!(failures.iter().any(|group| group.category == "NeverStarted"), "{failures:?}");
}
