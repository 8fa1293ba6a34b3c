//! Who starts when: many tasks, one operator.

use std::collections::BTreeMap;

use serde_json::json;

use super::story::{empty_fleet, new_task, pod_of};
use super::{Fleet, Limits};
use crate::api::TaskPhase;
use crate::core::ids::{TaskKey, Time};
use crate::core::pod::{PodSeen, PodStatus};
use crate::core::port::{Action, CheckOutcome, CreateOutcome, DeleteOutcome, PodId, WriteOutcome};

/// A cluster in which every item takes a second and nothing goes wrong, but for creates in some namespaces.
pub(super) struct Cluster {
    pub(super) fleet: Fleet,
    pub(super) now: Time,
    version: u64,
    running: Vec<(Time, PodId, String)>,
    pub(super) created: BTreeMap<TaskKey, Vec<Time>>,
    pub(super) writes: usize,
    /// How creates in a namespace fail, and after how many milliseconds.
    pub(super) broken: BTreeMap<&'static str, (u64, CreateOutcome)>,
    failing: Vec<(Time, PodId, String, CreateOutcome)>,
    /// Creates that were asked for in each namespace, broken ones, too.
    pub(super) asked: BTreeMap<String, usize>,
}

impl Cluster {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            fleet: empty_fleet(limits),
            now: Time(0),
            version: 1,
            running: Vec::new(),
            created: BTreeMap::new(),
            writes: 0,
            broken: BTreeMap::new(),
            failing: Vec::new(),
            asked: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, namespace: &str, name: &str, count: u32, priority: i32) -> TaskKey {
        let key = TaskKey::new(namespace, name);
        self.version += 1;
        let spec = json!({ "items": { "count": count }, "priority": priority });
        let task = new_task(key.clone(), &format!("{namespace}-{name}"), self.version, &spec);
        self.fleet.handle_task(self.now, task);
        key
    }

    fn pod(id: &PodId, uid: &str, phase: &str) -> PodSeen {
        pod_of(id, uid, PodStatus { phase: Some(phase.to_owned()), ..PodStatus::default() })
    }

    /// A twentieth of a second passes.
    pub(super) fn tick(&mut self) {
        self.now = self.now.plus_millis(50);
        let now = self.now;
        let (due, failing) = std::mem::take(&mut self.failing).into_iter().partition(|(time, ..)| *time <= now);
        self.failing = failing;
        let due: Vec<(Time, PodId, String, CreateOutcome)> = due;
        for (_, id, uid, outcome) in due {
            self.fleet.handle_created(now, &id, &uid, outcome);
        }
        let (ended, running) = std::mem::take(&mut self.running).into_iter().partition(|(end, ..)| *end <= now);
        self.running = running;
        let ended: Vec<(Time, PodId, String)> = ended;
        for (_, id, uid) in ended {
            self.fleet.handle_pod(now, Self::pod(&id, &uid, "Succeeded"));
        }
        for action in self.fleet.poll_plan(now).actions {
            match action {
                Action::Create(create) => {
                    let (id, uid) = (create.id(), create.blueprint.uid.clone());
                    *self.asked.entry(id.key.namespace.to_string()).or_default() += 1;
                    if let Some((delay, outcome)) = self.broken.get(&*id.key.namespace) {
                        self.failing.push((now.plus_millis(*delay), id, uid, outcome.clone()));
                        continue;
                    }
                    self.fleet.handle_created(now, &id, &uid, CreateOutcome::Created);
                    self.fleet.handle_pod(now, Self::pod(&id, &uid, "Running"));
                    self.created.entry(id.key.clone()).or_default().push(now);
                    self.running.push((now.plus_millis(1_000), id, uid));
                }
                Action::Write(write) => {
                    self.version += 1;
                    self.writes += 1;
                    let written = WriteOutcome::Written { version: self.version, rewritten: 0, uncached: None };
                    self.fleet.handle_written(now, &write.key, &write.uid, &written);
                }
                Action::Delete(delete) => {
                    self.fleet.handle_deleted(now, &delete.id, &delete.task_uid, DeleteOutcome::Taken);
                    let uid = format!("{}-{}", delete.id.key.namespace, delete.id.key.name);
                    self.fleet.handle_pod_gone(now, &Self::pod(&delete.id, &uid, "Succeeded"));
                }
                Action::Check(check) => self.fleet.handle_checked(now, &check.key, &check.uid, CheckOutcome::Good),
                _ => {}
            }
        }
    }

    pub(super) fn in_flight(&self, key: &TaskKey) -> usize {
        self.fleet.task(key).map_or(0, crate::core::task::Task::in_flight)
    }

    pub(super) fn millis_to_end(&mut self, key: &TaskKey) -> u64 {
        let start = self.now;
        while self.fleet.task(key).is_some_and(|task| task.phase() != TaskPhase::Succeeded) {
            self.tick();
            assert!(self.now.millis_since(start) < 100_000, "{key} does not end");
        }
        self.now.millis_since(start)
    }
}

pub(super) fn limits(max_pods: usize) -> Limits {
    Limits { max_pods, finished_pods: 0, linger_millis: 0, lingering_pods: 0, ..Limits::DEFAULT }
}

#[test]
fn a_task_of_100k_items_does_not_delay_one_of_10() {
    let mut cluster = Cluster::new(limits(50));
    let large = cluster.add("ns", "large", 100_000, 0);
    (0..100).for_each(|_| cluster.tick());
    assert_eq!(cluster.in_flight(&large), 50);
    let small = cluster.add("ns", "small", 10, 0);
    let millis = cluster.millis_to_end(&small);
    assert!(millis <= 1_000 + 2_000, "10 items of a second took {millis} ms beside the large task");
}

#[test]
fn tasks_of_the_same_priority_share_the_operators_pods() {
    let mut cluster = Cluster::new(limits(30));
    let keys = ["a", "b", "c"].map(|name| cluster.add("ns", name, 10_000, 0));
    (0..200).for_each(|_| cluster.tick());
    for key in &keys {
        assert!((8..=12).contains(&cluster.in_flight(key)), "{key} has {}", cluster.in_flight(key));
    }
}

#[test]
fn a_task_of_higher_priority_starts_its_items_first() {
    let mut cluster = Cluster::new(limits(20));
    let low = cluster.add("ns", "low", 10_000, 0);
    (0..40).for_each(|_| cluster.tick());
    let high = cluster.add("ns", "high", 100, 5);
    (0..25).for_each(|_| cluster.tick());
    assert_eq!((cluster.in_flight(&high), cluster.in_flight(&low)), (20, 0));
    cluster.millis_to_end(&high);
    (0..40).for_each(|_| cluster.tick());
    assert_eq!(cluster.in_flight(&low), 20, "and then the others go on");
}

#[test]
fn a_namespace_has_no_more_pods_than_the_operator_allows() {
    let mut cluster = Cluster::new(Limits { max_pods_per_namespace: Some(7), ..limits(20) });
    let [a, b] = ["a", "b"].map(|name| cluster.add("one", name, 1_000, 0));
    let other = cluster.add("two", "c", 1_000, 0);
    for _ in 0..100 {
        cluster.tick();
        assert!(cluster.in_flight(&a) + cluster.in_flight(&b) <= 7);
    }
    assert_eq!((cluster.in_flight(&a) + cluster.in_flight(&b), cluster.in_flight(&other)), (7, 7));
    let waiting = cluster.fleet.task(&a).unwrap().waiting().unwrap();
    assert_eq!(waiting.message.as_deref(), Some("maxPodsPerNamespace of the operator is 7"));
}

#[test]
fn pods_are_created_no_faster_than_the_operator_allows() {
    let mut cluster = Cluster::new(Limits { pods_per_second: Some(5), ..limits(1_000) });
    let key = cluster.add("ns", "t", 1_000, 0);
    (0..200).for_each(|_| cluster.tick());
    let created = cluster.created[&key].len();
    assert!((45..=56).contains(&created), "{created} in ten seconds");
}

#[test]
fn fifty_tasks_together_write_ten_statuses_a_second() {
    let mut cluster = Cluster::new(limits(500));
    for number in 0..50 {
        cluster.add("ns", &format!("t{number}"), 1_000, 0);
    }
    (0..200).for_each(|_| cluster.tick());
    let before = cluster.writes;
    (0..400).for_each(|_| cluster.tick());
    let writes = cluster.writes - before;
    assert!((150..=210).contains(&writes), "{writes} in 20 s");
}
