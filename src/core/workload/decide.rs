//! What is to be done about a task's Workload now, and how many pods it allows? The rules are those of Kueue's own job
//! controllers (`pkg/controller/jobframework/reconciler.go`).

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};
use k8s_openapi::jiff::Timestamp;

use super::condition::{ADMITTED, EVICTED, FINISHED, PODS_READY, REQUEUED, RESERVED};
use super::{MAIN, REDUCE, StatusPatch, WorkloadSeen};
use crate::core::ids::Time;

/// Most characters of a message, as Kueue has it.
const MESSAGE_LIMIT: usize = 1_024;
/// Reasons of an eviction after which the Workload goes back to its queue at once. After others, Kueue says when.
const REQUEUED_AT_ONCE: [&str; 2] = ["Preempted", "NodeFailures"];

/// What a task wants of Kueue now.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// Its `LocalQueue`.
    pub queue: String,
    /// Its place among others of the queue.
    pub priority: i32,
    /// The id of the rerun that it is for, of a task that runs in another cluster.
    pub rerun: Option<String>,
    /// What it needs.
    pub need: Need,
    /// Its pods that exist, or may.
    pub alive: usize,
    /// Whether a container of one of them has run.
    pub started: bool,
}

/// What a task needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Need {
    /// Nothing for now: it is suspended, or has nothing to start.
    Nothing,
    /// Pods, of these sets.
    Pods(Vec<WantedSet>),
    /// Nothing any more: it has ended, with this result.
    Ended {
        /// Whether it was successful.
        success: bool,
        /// The end in words.
        message: String,
    },
}

/// Pods of one kind that a task needs.
#[derive(Clone, Debug, PartialEq)]
pub struct WantedSet {
    /// The name of the set.
    pub name: &'static str,
    /// The most that may run at the same time.
    pub most: u32,
    /// How many at most are left to run, whatever may run at the same time.
    pub left: u32,
    /// The fewest that it can begin with, if these are not all.
    pub least: Option<u32>,
}

impl WantedSet {
    /// Those of a task: pods for its items, and one for its reduce if it has one.
    pub fn of_task(most: u32, left: u32, least: Option<u32>, reduces: bool) -> Vec<Self> {
        let reduce = Self { name: REDUCE, most: 1, left: 1, least: None };
        [Self { name: MAIN, most, left, least }].into_iter().chain(reduces.then_some(reduce)).collect()
    }

    /// How many it asks for.
    pub fn count(&self) -> u32 {
        self.most.min(self.left)
    }
}

/// One request about a Workload.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// It is created.
    Create,
    /// It is deleted.
    Delete,
    /// Its status is patched, if it still has its version.
    Patch(StatusPatch),
}

/// The next request, if one is due.
pub fn next_step(now: Time, seen: Option<&WorkloadSeen>, wanted: &Wanted) -> Option<Step> {
    let idle = wanted.alive == 0;
    let Some(workload) = seen else {
        return (idle && matches!(wanted.need, Need::Pods(_))).then_some(Step::Create);
    };
    if workload.deleting {
        return None;
    }
    let finished = workload.is(FINISHED);
    let sets = match &wanted.need {
        Need::Ended { success, message } => return (!finished).then(|| finish(now, workload, *success, message)),
        Need::Nothing => return idle.then_some(Step::Delete),
        Need::Pods(_) if finished => return idle.then_some(Step::Delete),
        Need::Pods(sets) => sets,
    };
    let reserved = workload.is(RESERVED);
    if reserved && workload.is(EVICTED) {
        return idle.then(|| release(now, workload));
    }
    if reserved && idle && lacks_pods(workload, sets) {
        return Some(Step::Delete);
    }
    if !reserved && (workload.queue != wanted.queue || workload.priority != wanted.priority || outgrown(workload, sets))
    {
        return idle.then_some(Step::Delete);
    }
    reclaim(workload, sets, reserved).or_else(|| ready(now, workload, wanted))
}

/// How many pods of a set may exist at the same time.
pub fn granted(workload: &WorkloadSeen, set: &str) -> u32 {
    let assigned = workload.assignments.iter().find(|assignment| assignment.name == set);
    let Some(assigned) = assigned.filter(|_| workload.is_admitted()) else { return 0 };
    let asked = workload.asked(set);
    assigned.count.unwrap_or(asked).min(asked.saturating_sub(workload.reclaimed(set)))
}

/// Why the pods of a Workload may not run.
pub fn why_not(workload: &WorkloadSeen) -> String {
    let words = |type_: &str, status: &str| {
        let condition = workload.condition(type_).filter(|condition| condition.status == status);
        condition.map(|condition| condition.message.as_str()).filter(|message| !message.is_empty())
    };
    let why = if workload.is(EVICTED) { words(EVICTED, "True") } else { None };
    match why.or_else(|| words(RESERVED, "False")).or_else(|| words(ADMITTED, "False")) {
        _ if !workload.active => "its Workload is not active (spec.active is false)".to_owned(),
        Some(words) => format!("queue {}: {words}", workload.queue),
        None => format!("its Workload waits in queue {}", workload.queue),
    }
}

/// Whether more is wanted than was asked for, which can't be changed.
fn outgrown(workload: &WorkloadSeen, sets: &[WantedSet]) -> bool {
    sets.iter().any(|set| set.count() > workload.asked(set.name))
}

/// Whether it lacks what it needs after all, since it was given back or never asked for: its items run again, and it
/// was not finished in between.
fn lacks_pods(workload: &WorkloadSeen, sets: &[WantedSet]) -> bool {
    sets.iter().any(|set| {
        let asked = workload.asked(set.name);
        set.count().min(asked.max(1)) > asked.saturating_sub(workload.reclaimed(set.name))
    })
}

/// Gives back what is not needed any more. While quota is reserved that only grows, and what may run at the same time
/// does not count: a smaller `concurrency` may be raised again.
fn reclaim(workload: &WorkloadSeen, sets: &[WantedSet], reserved: bool) -> Option<Step> {
    let due = |set: &super::PodSet| {
        let wanted = sets.iter().find(|wanted| wanted.name == set.name);
        let needed = wanted.map_or(0, |wanted| if reserved { wanted.left } else { wanted.count() });
        let count = set.count.saturating_sub(needed);
        if reserved { count.max(workload.reclaimed(&set.name)) } else { count }
    };
    let counts: Vec<(String, u32)> = workload.pod_sets.iter().map(|set| (set.name.clone(), due(set))).collect();
    let is_news = counts.iter().any(|(name, count)| *count != workload.reclaimed(name));
    is_news.then_some(Step::Patch(StatusPatch::Reclaim(counts)))
}

/// Where Kueue waits for pods, it waits for the first one: a task needs no others to continue.
pub(super) fn ready(now: Time, workload: &WorkloadSeen, wanted: &Wanted) -> Option<Step> {
    let is_due = wanted.started && workload.is_admitted() && !workload.is(PODS_READY);
    let message = "a pod of the task has started";
    is_due.then(|| patch(set(now, workload, &[(PODS_READY, "True", "Started", message)])))
}

/// Nothing of it runs any more: its quota is free for others.
pub(super) fn release(now: Time, workload: &WorkloadSeen) -> Step {
    let evicted = workload.condition(EVICTED);
    let (reason, message) = evicted.map_or(("Pending", ""), |evicted| (&evicted.reason, &evicted.message));
    let at_once = if REQUEUED_AT_ONCE.contains(&reason) { "True" } else { "False" };
    let conditions = set(
        now,
        workload,
        &[
            (RESERVED, "False", "Pending", message),
            (ADMITTED, "False", "NoReservation", "The workload has no reservation"),
            (REQUEUED, at_once, reason, message),
        ],
    );
    Step::Patch(StatusPatch::Release(conditions))
}

fn finish(now: Time, workload: &WorkloadSeen, success: bool, message: &str) -> Step {
    let reason = if success { "Succeeded" } else { "Failed" };
    patch(set(now, workload, &[(FINISHED, "True", reason, message)]))
}

fn patch(conditions: Vec<Condition>) -> Step {
    Step::Patch(StatusPatch::Conditions(conditions))
}

/// All conditions, with these changed: type, status, reason and message.
fn set(now: Time, workload: &WorkloadSeen, changes: &[(&str, &str, &str, &str)]) -> Vec<Condition> {
    let mut conditions = workload.conditions.clone();
    for (type_, status, reason, message) in changes {
        let before = conditions.iter().position(|condition| condition.type_ == *type_);
        let since = before.map(|at| &conditions[at]).filter(|condition| condition.status == *status);
        let at = Timestamp::from_second(now.0.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH);
        let condition = Condition {
            type_: (*type_).to_owned(),
            status: (*status).to_owned(),
            reason: (*reason).to_owned(),
            message: crate::text::cut(message, MESSAGE_LIMIT),
            observed_generation: Some(workload.generation),
            last_transition_time: since.map_or(MetaTime(at), |condition| condition.last_transition_time.clone()),
        };
        match before {
            Some(at) => conditions[at] = condition,
            None => conditions.push(condition),
        }
    }
    conditions
}
