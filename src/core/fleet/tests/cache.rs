//! Two tasks with one cache: what is known is found before anything starts, and who computes what.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Fleet;
use super::story::{LIMITS, empty_fleet, new_task, pod_of};
use crate::api::{MapTaskStatus, TaskPhase};
use crate::core::cache::{Entry, Key};
use crate::core::ids::{TaskKey, Time};
use crate::core::port::{
    Action, CacheLookupOutcome, CheckOutcome, CreateOutcome, DeleteOutcome, PodId, TaskSeen, WriteOutcome,
};

/// A fleet whose requests are carried out at once, and a cache that both tasks share.
struct Pair {
    fleet: Fleet,
    now: Time,
    version: u64,
    cache: BTreeMap<Key, String>,
    created: Vec<PodId>,
    /// Look-ups that are not answered.
    lookups: Vec<Action>,
    answers_lookups: bool,
    statuses: BTreeMap<TaskKey, MapTaskStatus>,
}

impl Pair {
    fn new() -> Self {
        Self {
            fleet: empty_fleet(LIMITS),
            now: Time(0),
            version: 1,
            cache: BTreeMap::new(),
            created: Vec::new(),
            lookups: Vec::new(),
            answers_lookups: true,
            statuses: BTreeMap::new(),
        }
    }

    fn apply(&mut self, name: &str, items: &Value, cache: &Value) -> TaskKey {
        let task = self.task(name, items, cache);
        let key = task.key.clone();
        self.fleet.handle_task(self.now, task);
        key
    }

    fn task(&mut self, name: &str, items: &Value, cache: &Value) -> TaskSeen {
        let mut cache = cache.clone();
        cache["name"] = json!("c");
        cache["version"] = json!("1");
        let mut spec = json!({ "items": { "values": items }, "cache": cache, "retries": 1 });
        if let Some(concurrency) = spec["cache"].as_object_mut().and_then(|cache| cache.remove("concurrency")) {
            spec["concurrency"] = concurrency;
        }
        self.version += 1;
        new_task(TaskKey::new("ns", name), name, self.version, &spec)
    }

    fn ends(&mut self, name: &str, index: u32, exit_code: i32) {
        let id = self
            .created
            .iter()
            .rfind(|id| &*id.key.name == name && id.role.label() == index.to_string())
            .unwrap()
            .clone();
        let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
        let terminated = json!({ "exitCode": exit_code, "message": format!("{name}{index}") });
        let status = json!({ "phase": phase,
            "containerStatuses": [{ "name": "main", "state": { "terminated": terminated } }] });
        self.fleet.handle_pod(self.now, pod_of(&id, name, serde_json::from_value(status).unwrap()));
        self.pass(5_000);
    }

    /// Lets time pass.
    fn pass(&mut self, millis: u64) {
        for _ in 0..millis / 50 {
            self.now = self.now.plus_millis(50);
            for action in self.fleet.poll_plan(self.now).actions {
                self.carry_out(action);
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        let now = self.now;
        match action {
            Action::Check(check) => self.fleet.handle_checked(now, &check.key, &check.uid, CheckOutcome::Good),
            Action::Create(create) => {
                self.created.push(create.id());
                self.fleet.handle_created(now, &create.id(), &create.blueprint.uid, CreateOutcome::Created);
                let running = json!({ "phase": "Running" });
                let pod = pod_of(&create.id(), &create.blueprint.uid, serde_json::from_value(running).unwrap());
                self.fleet.handle_pod(now, pod);
            }
            Action::Write(write) => {
                self.version += 1;
                let entries = write.cache.into_iter().flat_map(|(_, entries)| entries);
                self.cache.extend(entries.map(|entry| (entry.key, entry.line)));
                self.statuses.insert(write.key.clone(), write.status);
                let written = WriteOutcome::Written { version: self.version, rewritten: 0, uncached: None };
                self.fleet.handle_written(now, &write.key, &write.uid, &written);
            }
            Action::CacheLookup(_) if !self.answers_lookups => self.lookups.push(action),
            Action::CacheLookup(lookup) => {
                let known = self.cache.iter().filter(|(key, _)| lookup.wanted.has(key));
                let entries = known.map(|(key, line)| Entry { key: *key, line: line.clone() }).collect();
                let found = CacheLookupOutcome::Found { from: lookup.from, entries, damaged: 0, next: None };
                self.fleet.handle_cache_lookup(now, &lookup.task, &lookup.uid, found);
            }
            Action::Delete(delete) => {
                self.fleet.handle_deleted(now, &delete.id, &delete.task_uid, DeleteOutcome::Taken);
            }
            Action::GetPod(..)
            | Action::Explain(_)
            | Action::Note(_)
            | Action::Reread(_)
            | Action::Fetch(_)
            | Action::Expire(_)
            | Action::ChangeWorkload(_)
            | Action::ReadFlavors(_)
            | Action::StorePiece(_)
            | Action::EmitEvent(_) => {}
        }
    }

    fn created(&self) -> Vec<String> {
        self.created.iter().map(PodId::pod_name).collect()
    }

    fn counts(&self, task: &TaskKey) -> (i32, i32) {
        let counts = self.statuses[task].counts.unwrap();
        (counts.succeeded, counts.cached)
    }
}

#[test]
fn cached_results_are_found_before_anything_starts() {
    let mut pair = Pair::new();
    pair.apply("a", &json!(["x", "y"]), &json!({}));
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    pair.ends("a", 1, 0);
    let b = pair.apply("b", &json!(["z", "y", "x"]), &json!({}));
    pair.pass(1_000);
    assert_eq!(pair.created(), ["a-0-1", "a-1-1", "b-0-1"]);
    pair.ends("b", 0, 0);
    assert_eq!((pair.counts(&b), pair.statuses[&b].phase), ((1, 2), Some(TaskPhase::Succeeded)));
    assert_eq!(pair.fleet.gauges().cached, 2);
}

#[test]
fn a_look_up_is_planned_for_all_items_at_once_and_for_none_if_there_are_none() {
    let mut pair = Pair::new();
    pair.apply("a", &json!(["x", "y", "x"]), &json!({}));
    pair.apply("b", &json!([]), &json!({}));
    let lines: Vec<String> = (0..3)
        .flat_map(|_| {
            let plan = pair.fleet.poll_plan(pair.now);
            let lines: Vec<String> = plan.to_string().lines().map(str::to_owned).collect();
            plan.actions.into_iter().for_each(|action| pair.carry_out(action));
            lines
        })
        .filter(|line| line.starts_with("look up"))
        .collect();
    assert_eq!(lines, ["look up 3 items of ns/a from ns/c page 0"]);
}

#[test]
fn a_rerun_runs_its_items_even_if_they_are_cached() {
    let mut pair = Pair::new();
    let a = pair.apply("a", &json!(["x"]), &json!({}));
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    let spec = json!({ "items": { "values": ["x"] }, "cache": { "name": "c", "version": "1" }, "retries": 1,
        "rerun": { "id": "2", "items": "All" } });
    pair.version += 1;
    let mut again = new_task(a.clone(), "a", pair.version, &spec);
    again.status = pair.statuses[&a].clone();
    again.generation = 2;
    pair.fleet.handle_task(pair.now, again);
    pair.pass(100_000);
    assert_eq!(pair.created(), ["a-0-1", "a-0-2"]);
}

/// Task `a` computes two items, and `b` waits for both, in the other order.
fn waiting() -> (Pair, TaskKey) {
    let mut pair = Pair::new();
    let serialize = json!({ "serialize": true });
    pair.apply("a", &json!(["x", "y"]), &serialize);
    pair.pass(1_000);
    let b = pair.apply("b", &json!(["y", "x"]), &serialize);
    pair.pass(5_000);
    (pair, b)
}

#[test]
fn an_item_that_another_task_computes_waits_and_runs_if_the_other_fails() {
    let (mut pair, b) = waiting();
    assert_eq!(pair.created(), ["a-0-1", "a-1-1"], "both are being computed");
    let waiting = pair.statuses[&b].waiting.clone().unwrap();
    assert_eq!(waiting.reason.as_str(), "Serialized");
    assert!(waiting.message.unwrap().contains("of MapTask a computes the same"));
    pair.ends("a", 0, 0);
    assert_eq!((pair.counts(&b), pair.created().len()), ((0, 1), 2));
    pair.ends("a", 1, 1);
    assert_eq!(pair.created()[2..], ["a-1-2"], "it is tried again");
    pair.ends("a", 1, 1);
    assert_eq!(pair.created()[3..], ["b-0-1"], "and has failed");
    pair.ends("b", 0, 0);
    assert_eq!((pair.counts(&b), pair.statuses[&b].phase), ((1, 1), Some(TaskPhase::Succeeded)));
}

#[test]
fn an_item_that_runs_is_waited_for_also_after_a_restart() {
    let mut pair = Pair::new();
    let (items, serialize) = (json!(["w", "x"]), json!({ "serialize": true }));
    let a = pair.apply("a", &items, &serialize);
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    let recorded = TaskSeen { status: pair.statuses[&a].clone(), ..pair.task("a", &items, &serialize) };
    let running = pod_of(&pair.created[1], "a", serde_json::from_value(json!({ "phase": "Running" })).unwrap());
    pair.fleet = Fleet::new(LIMITS, 2);
    pair.fleet.handle_tasks_listing();
    pair.fleet.handle_task(pair.now, recorded);
    pair.fleet.handle_tasks_listed(pair.now);
    pair.fleet.handle_pods_listing();
    pair.fleet.handle_pod(pair.now, running);
    pair.fleet.handle_pods_listed(pair.now);
    let b = pair.apply("b", &json!(["x"]), &serialize);
    pair.pass(5_000);
    assert_eq!(pair.created(), ["a-0-1", "a-1-1"], "it is being computed");
    pair.ends("a", 1, 0);
    assert_eq!((pair.counts(&b), pair.created().len()), ((0, 1), 2));
}

#[test]
fn an_item_that_is_twice_in_a_list_is_computed_once() {
    let mut pair = Pair::new();
    let a = pair.apply("a", &json!(["x", "x", "x"]), &json!({ "serialize": true }));
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    assert_eq!((pair.created(), pair.counts(&a)), (vec!["a-0-1".to_owned()], (1, 2)));
}

#[test]
fn an_item_whose_equal_of_the_same_list_was_stored_takes_its_result() {
    let mut pair = Pair::new();
    let a = pair.apply("a", &json!(["x", "y", "x"]), &json!({ "serialize": true, "concurrency": 1 }));
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    pair.ends("a", 1, 0);
    assert_eq!((pair.created(), pair.counts(&a)), (vec!["a-0-1".to_owned(), "a-1-1".to_owned()], (2, 1)));
}

#[test]
fn what_another_task_has_stored_since_the_look_up_is_looked_up_again() {
    let mut pair = Pair::new();
    let one = json!({ "serialize": true, "concurrency": 1 });
    pair.apply("a", &json!(["x", "y"]), &one);
    pair.pass(1_000);
    let b = pair.apply("b", &json!(["z", "x", "y"]), &one);
    pair.pass(1_000);
    pair.ends("a", 0, 0);
    pair.ends("a", 1, 0);
    pair.ends("b", 0, 0);
    pair.pass(5_000);
    assert_eq!((pair.created(), pair.counts(&b)), (vec!["a-0-1".into(), "b-0-1".into(), "a-1-1".into()], (1, 2)));
}

#[test]
fn an_item_that_is_freed_during_a_look_up_is_in_the_next_one() {
    let (mut pair, b) = waiting();
    pair.answers_lookups = false;
    pair.ends("a", 0, 0);
    let first = pair.lookups.pop().unwrap();
    pair.ends("a", 1, 0);
    pair.answers_lookups = true;
    pair.carry_out(first);
    pair.pass(5_000);
    assert_eq!((pair.created().len(), pair.counts(&b)), (2, (0, 2)));
}
