//! Kueue as it treats the Workloads of tasks: it admits them, in part or whole, and evicts them; users delete them.

use std::collections::{BTreeMap, VecDeque};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};
use k8s_openapi::jiff::Timestamp;
use maptask::api::TaskPhase;
use maptask::core::ids::{Index, TaskKey};
use maptask::core::port::{
    Answer, ChangeWorkload, Create, Event, FlavorsOutcome, ReadFlavors, TaskSeen, WorkloadChange, WorkloadOutcome,
};
use maptask::core::workload::{Assignment, Flavor, MAIN, PodSet, Queueing, REDUCE, WorkloadSeen, granted};
use serde_json::{Value, json};

use crate::names::{self, PodKey};
use crate::world::World;

/// The Workloads by the UID of their task, and what the watch has yet to show of them.
#[derive(Default)]
pub struct Kueue {
    workloads: BTreeMap<String, WorkloadSeen>,
    events: VecDeque<Event>,
    /// As the watch has shown them.
    known: BTreeMap<String, WorkloadSeen>,
}

fn set(workload: &mut WorkloadSeen, type_: &str, is_true: bool) {
    workload.conditions.retain(|condition| condition.type_ != type_);
    workload.conditions.push(Condition {
        type_: type_.to_owned(),
        status: if is_true { "True" } else { "False" }.to_owned(),
        reason: "Preempted".to_owned(),
        message: format!("{type_} by the simulation"),
        observed_generation: None,
        last_transition_time: MetaTime(Timestamp::UNIX_EPOCH),
    });
}

fn is(workload: &WorkloadSeen, type_: &str) -> bool {
    workload.conditions.iter().any(|condition| condition.type_ == type_ && condition.status == "True")
}

impl Kueue {
    fn show(&mut self, uid: &str) {
        if let Some(workload) = self.workloads.get(uid) {
            self.events.push_back(Event::Workload(Box::new(workload.clone())));
        }
    }

    fn remove(&mut self, uid: &str) {
        if let Some(workload) = self.workloads.remove(uid) {
            self.events.push_back(Event::WorkloadGone(Box::new(workload)));
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Workload(seen) => drop(self.known.insert(seen.task_uid.clone(), (**seen).clone())),
            Event::WorkloadGone(seen) => self.known.retain(|_, known| known.uid != seen.uid),
            _ => {}
        }
    }
}

impl World {
    /// Another operator watches Workloads from the beginning.
    pub fn list_workloads(&mut self) {
        self.operator.fleet.set_queueing(Queueing::Unknown);
        let Kueue { workloads, events, known } = &mut self.kueue;
        known.clear();
        events.clear();
        events.push_back(Event::WorkloadsListing);
        events.extend(workloads.values().map(|workload| Event::Workload(Box::new(workload.clone()))));
        events.push_back(Event::WorkloadsListed);
    }

    pub fn kueue_is_quiet(&self) -> bool {
        let has_ended = |uid: &str| {
            let task = self.tasks.values().find(|task| task.uid == uid);
            task.is_none_or(|task| task.status.phase.is_some_and(TaskPhase::is_terminal))
        };
        let settled = |(uid, workload): (&String, &WorkloadSeen)| is(workload, "Finished") || !has_ended(uid);
        self.kueue.events.is_empty() && self.kueue.workloads.iter().all(settled)
    }

    /// The watch shows something, or Kueue does.
    pub fn kueue_acts(&mut self) {
        if self.whims.chance(50)
            && let Some(event) = self.kueue.events.pop_front()
        {
            self.kueue.note(&event);
            self.operator.fleet.handle_event(self.now, event);
            return;
        }
        let uids: Vec<String> = self.kueue.workloads.keys().cloned().collect();
        if uids.is_empty() {
            return;
        }
        let uid = &uids[self.whims.below(uids.len())];
        if self.tasks.values().all(|task| task.uid != *uid) {
            return self.kueue.remove(uid);
        }
        let (luck, version) = (self.whims.below(100), self.next_version());
        let calm = self.calm;
        let used_up = |workload: &WorkloadSeen| {
            is(workload, "Finished") || is(workload, "Admitted") && granted(workload, MAIN) == 0
        };
        let made = self.tasks.values().any(|task| task.uid == *uid && task.prebuilt.is_some());
        if made && luck < 20 && self.kueue.workloads.get(uid).is_some_and(used_up) {
            self.say(|| format!("the Workload of {uid} is made again"));
            return self.kueue.remove(uid);
        }
        let Some(workload) = self.kueue.workloads.get_mut(uid).filter(|workload| !is(workload, "Finished")) else {
            return;
        };
        let what = if !is(workload, "QuotaReserved") {
            admit(workload, luck);
            "admitted"
        } else if luck < 10 && !calm && !is(workload, "Evicted") {
            set(workload, "Evicted", true);
            "evicted"
        } else if luck < 13 && !calm {
            self.say(|| format!("the Workload of {uid} is deleted"));
            return self.kueue.remove(uid);
        } else {
            return;
        };
        workload.version = version;
        let assigned = workload.assignments.clone();
        self.say(|| format!("the Workload of {uid} is {what}: {assigned:?}"));
        self.kueue.show(uid);
    }

    /// A request about a Workload is carried out.
    pub fn change_workload(&mut self, request: ChangeWorkload) -> Result<Answer, String> {
        let ChangeWorkload { key, uid, change, .. } = request;
        let task = self.tasks.get(&key).filter(|task| task.uid == uid);
        let (is_there, made) = (task.is_some(), task.is_some_and(|task| task.prebuilt.is_some()));
        let version = self.next_version();
        if made && matches!(change, WorkloadChange::Create(_) | WorkloadChange::Delete(_)) {
            return Err(format!("{key} creates or deletes a Workload that was made for it: {change:?}"));
        }
        let outcome = match change {
            WorkloadChange::Adopt(_) => {
                if is_there && !self.kueue.workloads.contains_key(&uid) {
                    let sets = json!([{ "name": MAIN, "count": 3 }, { "name": REDUCE, "count": 1 }]);
                    let object = json!({ "spec": { "queueName": "q", "priority": 0, "podSets": sets } });
                    self.kueue.workloads.insert(uid.clone(), created(&key, &uid, version, &object));
                    self.kueue.show(&uid);
                }
                WorkloadOutcome::Done
            }
            WorkloadChange::Create(object) => {
                if is_there && !self.kueue.workloads.contains_key(&uid) {
                    self.kueue.workloads.insert(uid.clone(), created(&key, &uid, version, &object));
                    self.kueue.show(&uid);
                }
                WorkloadOutcome::Done
            }
            WorkloadChange::Delete(of) => {
                if self.kueue.workloads.get(&uid).is_some_and(|workload| workload.uid == of) {
                    self.kueue.remove(&uid);
                }
                WorkloadOutcome::Done
            }
            WorkloadChange::Patch(of, change) => {
                let status = change.json();
                if self.kueue.workloads.get(&uid).is_none_or(|workload| workload.version != of) {
                    return Ok(Answer::WorkloadChanged(key, uid, WorkloadOutcome::Indeterminate));
                }
                self.check_given_back(&key, &uid, &status)?;
                if let Some(workload) = self.kueue.workloads.get_mut(&uid) {
                    workload.version = version;
                    patch(workload, &status);
                }
                self.kueue.show(&uid);
                WorkloadOutcome::Done
            }
        };
        Ok(Answer::WorkloadChanged(key, uid, outcome))
    }

    pub fn read_flavors(&mut self, read: ReadFlavors) -> Answer {
        let outcome = if self.random.chance(self.faults.broken) {
            FlavorsOutcome::Failed("no".to_owned())
        } else {
            let flavor = |name: String| Flavor { name, ..Flavor::default() };
            FlavorsOutcome::Found(read.names.into_iter().map(flavor).collect())
        };
        Answer::FlavorsRead(read.key, read.uid, outcome)
    }

    /// SAFETY: quota is given back only once nothing of it is used any more, as far as the operator can know.
    fn check_given_back(&self, key: &TaskKey, uid: &str, status: &Value) -> Result<(), String> {
        let Some(workload) = self.kueue.workloads.get(uid) else { return Ok(()) };
        let mut after = workload.clone();
        patch(&mut after, status);
        let main = self.living(uid, |pod| pod.1 != names::REDUCE);
        let reduce = self.living(uid, |pod| pod.1 == names::REDUCE);
        let released = workload.assignments.len() > after.assignments.len();
        let takes = |set: &str, living: usize| {
            let left = granted(&after, set);
            after.is_admitted() && left < granted(workload, set) && living > left as usize
        };
        if released && main + reduce > 0 || takes(MAIN, main) || takes(REDUCE, reduce) {
            return Err(format!("{key} gives back what its {main} and {reduce} pods use: {status}"));
        }
        Ok(())
    }

    /// Pods of a task that the operator knows, and that live.
    fn living(&self, uid: &str, which: impl Fn(&PodKey) -> bool) -> usize {
        let known = &self.operator.known.pods;
        let pods = self.pods.iter().filter(|(key, pod)| {
            which(key) && pod.life.is_open() && !pod.late && known.contains(*key) && !self.truth.is_back(pod, key)
        });
        let tasks = |key: &PodKey| self.tasks.get(&key.0).is_some_and(|task| crate::check::counts(task, key));
        pods.filter(|(key, pod)| pod.seen.owner_uid.as_deref() == Some(uid) && tasks(key)).count()
    }

    /// How many pods of a task may be in flight, as far as the operator can know.
    pub fn admitted(&self, task: &TaskSeen, index: Index) -> usize {
        let set = if index == names::REDUCE { REDUCE } else { MAIN };
        match (&task.queue, self.kueue.known.get(&task.uid)) {
            (None, _) => usize::MAX,
            (Some(_), workload) => workload.map_or(0, |workload| granted(workload, set) as usize),
        }
    }

    /// Whether Kueue wants the pods of a task stopped, as far as the operator can know.
    pub fn is_stopped_by_queue(&self, task: &TaskSeen) -> bool {
        task.queue.is_some() && !self.kueue.known.get(&task.uid).is_some_and(WorkloadSeen::is_admitted)
    }

    /// SAFETY: no pod is created that Kueue has not admitted.
    pub fn check_admitted(&self, task: &TaskSeen, create: &Create) -> Result<(), String> {
        if self.is_stopped_by_queue(task) {
            return Err(format!("{} is created and not admitted", create.id()));
        }
        Ok(())
    }
}

fn admit(workload: &mut WorkloadSeen, luck: usize) {
    let counts = workload.pod_sets.iter().map(|set| {
        let left = set.count - workload.reclaimable.get(&set.name).copied().unwrap_or(0).min(set.count);
        let part = if set.name == MAIN && luck < 30 { left.min(1 + luck as u32 % 3) } else { left };
        Assignment { name: set.name.clone(), count: Some(part), flavors: vec!["f".to_owned()] }
    });
    workload.assignments = counts.collect();
    for (type_, is_true) in [("QuotaReserved", true), ("Admitted", true), ("Evicted", false)] {
        set(workload, type_, is_true);
    }
}

fn created(key: &TaskKey, task_uid: &str, version: u64, object: &Value) -> WorkloadSeen {
    let sets = object["spec"]["podSets"].as_array().unwrap().iter();
    let set = |set: &Value| PodSet {
        name: set["name"].as_str().unwrap().to_owned(),
        count: set["count"].as_u64().unwrap() as u32,
    };
    WorkloadSeen {
        task: key.clone(),
        task_uid: task_uid.to_owned(),
        uid: format!("workload-{version}"),
        version,
        generation: 1,
        deleting: false,
        active: true,
        rerun: None,
        queue: object["spec"]["queueName"].as_str().unwrap().to_owned(),
        priority: object["spec"]["priority"].as_i64().unwrap() as i32,
        pod_sets: sets.map(set).collect(),
        assignments: Vec::new(),
        updates: Vec::new(),
        reclaimable: BTreeMap::new(),
        conditions: Vec::new(),
    }
}

fn patch(workload: &mut WorkloadSeen, status: &Value) {
    if let Some(conditions) = status.get("conditions") {
        workload.conditions = serde_json::from_value(conditions.clone()).unwrap();
    }
    if status.get("admission").is_some_and(Value::is_null) {
        workload.assignments.clear();
    }
    for set in status["reclaimablePods"].as_array().into_iter().flatten() {
        let (name, count) = (set["name"].as_str().unwrap(), set["count"].as_u64().unwrap() as u32);
        workload.reclaimable.insert(name.to_owned(), count);
    }
}
