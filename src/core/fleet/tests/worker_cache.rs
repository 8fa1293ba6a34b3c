//! Items in workers that wait for their equals: `cache.serialize`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::crew::{Crew, good, task};
use super::story::new_task;
use crate::api::status::WaitingReason;
use crate::core::ids::TaskKey;
use crate::core::phases::ItemPhase;

fn serialized(items: &Value) -> Value {
    let cache = json!({ "version": "1", "name": "c", "serialize": true, "ignoreTemplate": true });
    json!({ "items": { "values": items }, "cache": cache })
}

/// Three items, two of them equal, and two workers.
fn crew() -> Crew {
    let mut spec = serialized(&json!(["a", "a", "b"]));
    spec["concurrency"] = json!(2);
    spec["workers"] = json!({ "idleSeconds": 600 });
    Crew::new(&task(&spec))
}

#[test]
fn an_item_in_workers_waits_for_its_equal_and_takes_its_result() {
    let mut crew = crew();
    assert_eq!(crew.running(), BTreeMap::from([(1, vec![(0, 1)]), (2, vec![(2, 1)])]), "item 1 waits");
    crew.ends(2, 2, good());
    assert_eq!(crew.running(), BTreeMap::from([(1, vec![(0, 1)])]), "also where there is room");
    assert_eq!(crew.story.status().waiting.as_ref().unwrap().reason, WaitingReason::Serialized);
    crew.ends(1, 0, good());
    crew.rounds(4);
    assert_eq!((crew.item(1).0, crew.running().len()), (ItemPhase::Cached, 0));
}

#[test]
fn an_item_in_workers_runs_if_its_equal_fails() {
    let mut crew = crew();
    let failed = maptask_exchange::Outcome::Failed { exit_code: 3, message: "no".to_owned() };
    crew.ends(1, 0, failed);
    let equals: Vec<u32> = crew.running().values().flatten().map(|id| id.0).filter(|index| *index < 2).collect();
    assert_eq!(equals.len(), 1, "one of the two, and never both: {equals:?}");
}

#[test]
fn nothing_of_a_cache_starts_before_all_workers_have_said_what_they_run() {
    let mut crew = crew();
    crew.stuck.insert(1);
    crew.restart(&[1, 2]);
    let other = new_task(TaskKey::new("ns", "other"), "u2", 1, &serialized(&json!(["a", "x"])));
    crew.story.fleet.handle_task(crew.story.now, other);
    crew.rounds(6);
    assert_eq!(crew.others, Vec::<String>::new(), "an item may run that no one knows");
    crew.speak(1);
    crew.rounds(6);
    assert_eq!(crew.others, ["other-1-1"], "the first one waits for its equal in the worker");
}
