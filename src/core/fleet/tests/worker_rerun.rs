//! Items that run again in workers, and what the leader before has left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::crew::{Crew, good, task};
use super::story::{REDUCE, key, running};
use crate::core::phases::ItemPhase;
use crate::core::port::Event;

/// Two items in two workers.
fn two(extra: &serde_json::Value) -> Crew {
    let mut spec = json!({ "items": { "count": 2 }, "concurrency": 2, "workers": {} });
    spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Crew::new(&task(&spec))
}

fn rerun(crew: &mut Crew, items: &str) {
    let rerun = json!({ "id": "1", "items": items });
    crew.story.edit(|task| task.spec.rerun = serde_json::from_value(rerun).unwrap());
}

/// Their reduce is under way, and item 0 is to run again.
fn reducing() -> Crew {
    let reduce = json!({ "template": { "spec": { "containers": [{ "name": "main", "image": "y" }] } } });
    let mut crew = two(&json!({ "reduce": reduce }));
    rerun(&mut crew, "0");
    crew.ends(1, 0, good());
    crew.ends(2, 1, good());
    crew.rounds(6);
    crew
}

#[test]
fn items_run_again_in_new_workers_though_those_of_before_went_during_the_reduce() {
    let mut crew = reducing();
    crew.story.runs(REDUCE, 1);
    crew.story.ends(REDUCE, 1, 0);
    crew.rounds(12);
    assert_eq!(crew.running(), BTreeMap::from([(3, vec![(0, 2)])]), "{:?}", crew.story.status());
    crew.ends(3, 0, good());
    crew.rounds(6);
    crew.story.ends(REDUCE, 2, 0);
    crew.rounds(6);
    assert_eq!(crew.item(0).0, ItemPhase::Succeeded);
    assert!(crew.story.status().completion_time.is_some(), "{:?}", crew.story.status());
}

#[test]
fn a_worker_of_the_run_before_gets_nothing_in_a_rerun() {
    let mut crew = two(&json!({}));
    rerun(&mut crew, "All");
    crew.stuck.insert(1);
    crew.ends(1, 0, good());
    crew.ends(2, 1, good());
    crew.rounds(12);
    assert_eq!(crew.running().keys().copied().collect::<Vec<u32>>(), [3, 4]);
    crew.show(1, &running());
    crew.rounds(6);
    assert_eq!(crew.running().keys().copied().collect::<Vec<u32>>(), [3, 4]);
}

#[test]
fn names_of_workers_are_not_given_again_after_a_restart_during_the_reduce() {
    let mut crew = reducing();
    crew.stuck.extend([1, 2]);
    crew.restart(&[1, 2]);
    crew.story.ends(REDUCE, 1, 0);
    crew.rounds(90);
    assert_eq!(crew.running(), BTreeMap::from([(3, vec![(0, 2)])]), "{:?}", crew.story.status());
}

#[test]
fn a_worker_is_not_heard_before_the_epoch_is_recorded() {
    let mut crew = two(&json!({}));
    let (epoch, running) = (crew.story.status().workers.unwrap().epoch, crew.running());
    crew.restart(&[1, 2]);
    assert_eq!((crew.refused, crew.running()), (2, running), "both try again at once, and keep what they run");
    assert_eq!(crew.story.status().workers.unwrap().epoch, epoch + 1);
}

#[test]
fn what_a_worker_runs_that_is_shown_as_pending_is_not_granted_to_another() {
    let mut crew = two(&json!({ "items": { "count": 3 } }));
    crew.stuck.insert(1);
    crew.restart_pending(1, &[2]);
    let held =
        |crew: &Crew, index: u32| crew.workers.values().filter(|w| w.running.iter().any(|id| id.0 == index)).count();
    assert_eq!((held(&crew, 0), crew.item(0).1.attempt.0), (1, 1), "worker 1 has it");
    crew.rounds(40);
    assert_eq!(crew.item(0).1.attempt.0, 2, "nothing was heard of worker 1: {:?}", crew.story.status());
}

#[test]
fn workers_of_a_namespace_that_is_left_out_try_again_until_it_can_be_read() {
    let mut crew = two(&json!({}));
    let running = crew.running();
    crew.story.fleet.handle_event(crew.story.now, Event::LeftOut(["ns".into()].into()));
    crew.rounds(3);
    assert!(crew.refused >= 4, "they are told to try again: {}", crew.refused);
    crew.story.fleet.handle_event(crew.story.now, Event::LeftOut(BTreeSet::new()));
    let task = crew.story.written.clone().unwrap();
    crew.story.fleet.handle_task(crew.story.now, task);
    crew.rounds(90);
    assert_eq!(crew.running(), running);
    assert_eq!((crew.item(0).1.attempt.0, crew.item(1).1.attempt.0), (1, 1), "{:?}", crew.story.status());
    crew.story.fleet.handle_event(crew.story.now, Event::TaskGone(key()));
    let refused = crew.refused;
    crew.rounds(3);
    assert_eq!(crew.refused, refused, "nobody wants them any more");
}
