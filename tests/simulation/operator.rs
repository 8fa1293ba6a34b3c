//! The operator in the world: the core, its watches, its requests on their way and the answers coming back.

use crate::names::{PodKey, pod_key};
use std::collections::VecDeque;

use maptask::core::fleet::Fleet;
use maptask::core::ids::Time;
use maptask::core::limits::Limits;
use maptask::core::pod::Deletion;
use maptask::core::port::{
    Action, Answer, CacheLookupOutcome, CheckOutcome, CreateOutcome, DeleteOutcome, Event, Expire, Explain,
    ExplainOutcome, FetchOutcome, FlavorsOutcome, GetPodOutcome, TaskSeen, WorkloadOutcome, Write, WriteOutcome,
};

use crate::known::{Known, is_indeterminate};
use crate::random::Random;
use crate::specs;
use crate::world::{Fate, Life, World};

/// The longest time in milliseconds by which the watch of pods is behind.
const MOST_LAG_MILLIS: u64 = 10_000;

pub struct Operator {
    pub fleet: Fleet,
    pub task_events: VecDeque<Event>,
    pub pod_events: VecDeque<Event>,
    /// When the watch last had shown all pods.
    shown: Option<Time>,
    pub requests: Vec<Action>,
    pub limits: Limits,
    pub known: Known,
    answers: Vec<Answer>,
}

impl Operator {
    pub fn new(random: &mut Random) -> Self {
        // What binds a real operator with hundreds of pods binds with a few in a good part of the worlds.
        let mut bound = |usual: usize| if random.chance(60) { 1 + random.below(3) } else { usual };
        let usual = Limits::DEFAULT;
        let (creates_in_flight, deletes_in_flight) =
            (bound(usual.creates_in_flight as usize) as u32, bound(usual.deletes_in_flight));
        let (gets_in_flight, attempted_writes) = (bound(usual.gets_in_flight), bound(usual.attempted_writes));
        let max_pods = 1 + random.below(12);
        let limits = Limits {
            creates_in_flight,
            deletes_in_flight,
            gets_in_flight,
            attempted_writes,
            max_pods,
            max_pods_per_namespace: random.chance(20).then(|| 1 + random.below(6)),
            pods_per_second: random.chance(20).then(|| 1 + random.below(10) as u32),
            finished_pods: random.below(4),
            max_finished_pods: 2,
            linger_millis: if random.chance(50) { 0 } else { random.below(60_000) as u64 },
            lingering_pods: random.below(6),
            // Any list, but hardly two of them.
            list_bytes: if max_pods.is_multiple_of(3) { 400 } else { usual.list_bytes },
        };
        Self {
            fleet: Fleet::new(limits, random.next()),
            task_events: VecDeque::new(),
            pod_events: VecDeque::new(),
            shown: None,
            requests: Vec::new(),
            limits,
            known: Known::default(),
            answers: Vec::new(),
        }
    }

    pub fn send(&mut self, action: Action) {
        if !matches!(action, Action::EmitEvent(_)) {
            self.requests.push(action);
        }
    }

    fn hear(&mut self, now: Time, event: Event) {
        self.known.event(now, &event);
        self.fleet.handle_event(now, event);
    }

    pub fn is_quiet(&self) -> bool {
        self.task_events.is_empty() && self.pod_events.is_empty() && self.requests.is_empty() && self.answers.is_empty()
    }

    /// Whether a create of the pod has ended without saying what became of it, as this operator knows or is about to.
    pub fn is_indeterminate(&self, now: Time, pod: &PodKey) -> bool {
        let is_it = |answer: &Answer| match answer {
            Answer::Created(id, _, outcome) => is_indeterminate(outcome) && pod_key(id) == *pod,
            _ => false,
        };
        self.known.is_indeterminate(now, pod) || self.answers.iter().any(is_it)
    }

    pub fn describe(&self, now: Time) -> String {
        let requests: Vec<_> = self.requests.iter().map(ToString::to_string).collect();
        let wake = self.fleet.next_wake(now).map(|time| time.0 - now.0);
        format!("requests {requests:?}, {} answers, wake in {wake:?} ms, {:?}", self.answers.len(), self.fleet.gauges())
    }
}

impl World {
    pub fn start_operator(&mut self) {
        self.list_tasks();
        self.list_pods();
        self.list_workloads();
    }

    pub fn relist(&mut self) {
        self.say(|| "a watch breaks off".to_owned());
        if self.random.chance(50) {
            self.operator.task_events.clear();
            self.list_tasks();
        } else {
            self.operator.pod_events.clear();
            self.list_pods();
        }
    }

    fn list_tasks(&mut self) {
        let events = &mut self.operator.task_events;
        events.push_back(Event::TasksListing);
        events.extend(self.tasks.values().map(|task| Event::Task(Box::new(task.clone()))));
        events.push_back(Event::TasksListed);
    }

    fn list_pods(&mut self) {
        let events = &mut self.operator.pod_events;
        events.push_back(Event::PodsListing);
        let labelled = self.pods.values().filter(|pod| pod.seen.labelled);
        events.extend(labelled.map(|pod| Event::Pod(pod.seen.clone())));
        events.push_back(Event::PodsListed);
    }

    pub fn deliver_event(&mut self) {
        let tasks_first = self.random.chance(30);
        let operator = &mut self.operator;
        let queues = [&mut operator.task_events, &mut operator.pod_events];
        let [first, second] = if tasks_first {
            queues
        } else {
            let [a, b] = queues;
            [b, a]
        };
        let Some(event) = first.pop_front().or_else(|| second.pop_front()) else { return };
        operator.hear(self.now, event);
    }

    /// The watch of pods is behind by a few seconds, and no more: see the known gaps in docs/architecture/design.md.
    pub fn catch_up(&mut self) {
        let operator = &mut self.operator;
        if operator.shown.is_some_and(|shown| self.now.millis_since(shown) > MOST_LAG_MILLIS) {
            for event in std::mem::take(&mut operator.pod_events) {
                operator.hear(self.now, event);
            }
        }
        if operator.pod_events.is_empty() {
            operator.shown = Some(self.now);
        }
    }

    pub fn deliver_answer(&mut self) {
        if self.operator.answers.is_empty() {
            return;
        }
        let pick = self.random.below(self.operator.answers.len());
        let answer = self.operator.answers.swap_remove(pick);
        self.operator.known.answer(self.now, &answer);
        self.operator.fleet.handle_answer(self.now, answer);
    }

    pub fn carry_out_request(&mut self) -> Result<(), String> {
        if self.operator.requests.is_empty() {
            return Ok(());
        }
        let pick = self.random.below(self.operator.requests.len());
        let action = self.operator.requests.swap_remove(pick);
        if self.random.chance(self.faults.no_answer) {
            let answer = no_answer(&action);
            self.say(|| format!("no answer: {action}"));
            match action {
                // The API server gives up a request after a minute at the latest.
                Action::Create(create) if self.random.chance(40) => {
                    let late = self.now.plus_millis(self.random.below(60_000) as u64);
                    self.faults.late.push((late, create));
                }
                action if self.random.chance(60) => drop(self.carry_out(action)?),
                _ => {}
            }
            self.operator.answers.extend(answer);
            return Ok(());
        }
        let answer = self.carry_out(action)?;
        self.operator.answers.extend(answer);
        Ok(())
    }

    pub fn carry_out(&mut self, action: Action) -> Result<Option<Answer>, String> {
        Ok(Some(match action {
            Action::Check(spec) => {
                let outcome = if self.random.chance(self.faults.refused) {
                    CheckOutcome::Invalid("no such field".to_owned())
                } else if self.random.chance(self.faults.broken / 2) {
                    CheckOutcome::Refused("no such account".to_owned())
                } else {
                    CheckOutcome::Good
                };
                Answer::Checked(spec.key.clone(), spec.uid.clone(), outcome)
            }
            Action::Create(create) => {
                let outcome = if self.random.chance(self.faults.broken) {
                    self.fail_create(&create)
                } else if self.random.chance(self.faults.throttled) {
                    CreateOutcome::Throttled(Some(1_000))
                } else if self.random.chance(self.faults.refused) {
                    self.truth.refused(self.now, &create);
                    CreateOutcome::Refused("no".to_owned())
                } else {
                    self.create_pod(&create)
                };
                self.say(|| format!("create {}: {outcome:?}", create.id()));
                Answer::Created(create.id(), create.blueprint.uid.clone(), outcome)
            }
            Action::Delete(delete) => {
                let key = pod_key(&delete.id);
                let version = self.next_version();
                if let Some(pod) = self.pods.get_mut(&key).filter(|pod| pod.seen.uid == delete.uid) {
                    if delete.version.is_some_and(|version| version != pod.seen.version) {
                        return Ok(Some(Answer::Deleted(delete.id, delete.task_uid, DeleteOutcome::Changed)));
                    }
                    if pod.life == Life::Outlived && !pod.late {
                        self.truth.check_clean_up(&key, pod, &self.tasks)?;
                    }
                    if pod.life == Life::Ended {
                        // A pod that was to be stopped may have ended in the meantime.
                        if delete.ended {
                            self.truth.check_clean_up(&key, pod, &self.tasks)?;
                        }
                        self.remove_pod(&key);
                    } else {
                        pod.seen.deleted = Some(Deletion { asked: self.now, last: false });
                        pod.seen.version = version;
                        let seen = pod.seen.clone();
                        if seen.labelled {
                            self.operator.pod_events.push_back(Event::Pod(seen));
                        }
                    }
                }
                Answer::Deleted(delete.id, delete.task_uid, DeleteOutcome::Taken)
            }
            Action::GetPod(id, uid) => {
                let pod = self.pods.get(&pod_key(&id));
                let outcome =
                    pod.map_or(GetPodOutcome::NotFound, |pod| GetPodOutcome::Found(Box::new(pod.seen.clone())));
                Answer::GotPod(id, uid, outcome)
            }
            Action::Explain(explain) => {
                let outcome = self.explain(&explain);
                Answer::Explained(explain.id, explain.task_uid, outcome)
            }
            Action::Write(write) => return self.write(*write),
            Action::Note(note) => {
                let outcome = self.note(&note);
                Answer::Noted(note.key, note.uid, outcome)
            }
            // It may come ahead of the watch, or long after it.
            Action::Reread(key) => {
                return Ok(self.tasks.get(&key).map(|task| Answer::Reread(Box::new(task.clone()))));
            }
            Action::Fetch(fetch) => {
                let outcome = self.fetch(&fetch);
                Answer::Fetched(fetch.task, fetch.uid, outcome)
            }
            Action::CacheLookup(lookup) => {
                let outcome = if self.random.chance(self.faults.refused) {
                    CacheLookupOutcome::Refused("no".to_owned())
                } else {
                    self.caches.find(&lookup)
                };
                Answer::CacheLookedUp(lookup.task, lookup.uid, outcome)
            }
            Action::Expire(Expire { key, uid, resource_version }) => {
                let is_it = |task: &&TaskSeen| task.uid == uid && task.resource_version == resource_version;
                if let Some(task) = self.tasks.get(&key).filter(is_it) {
                    self.truth.check_expiry(task, self.now)?;
                    self.remove_task(&key);
                }
                return Ok(None);
            }
            Action::ChangeWorkload(change) => self.change_workload(*change)?,
            Action::ReadFlavors(read) => self.read_flavors(read),
            Action::StorePiece(_) => unreachable!("tasks with a pod for their list have a world of their own"),
            Action::EmitEvent(_) => return Ok(None),
        }))
    }

    fn write(&mut self, write: Write) -> Result<Option<Answer>, String> {
        if self.tasks.get(&write.key).is_none_or(|task| task.uid != write.uid) {
            return Ok(Some(Answer::Written(write.key, write.uid, WriteOutcome::Gone)));
        }
        if let Some(outcome) = self.unstored(&write) {
            return Ok(Some(Answer::Written(write.key, write.uid, outcome)));
        }
        let damaged = self.store(&write.key, &write.results);
        if !damaged.is_empty() {
            return Ok(Some(Answer::Written(write.key, write.uid, WriteOutcome::Damaged(damaged))));
        }
        let mut uncached = None;
        if let Some((cache, entries)) = &write.cache {
            if self.random.chance(self.faults.refused) {
                uncached = Some("no".to_owned());
            } else {
                let new = self.caches.put(cache, entries);
                let has_claims = |task: &TaskSeen| task.spec.cache.as_ref().is_some_and(|cache| cache.serialize);
                if self.tasks.get(&write.key).is_some_and(has_claims) {
                    self.operator.known.put(&write.uid, cache, new);
                }
            }
        }
        if self.random.chance(self.faults.throttled) && self.random.chance(20) {
            // A gateway's doing: there is no newer object.
            return Ok(Some(Answer::Written(write.key, write.uid, WriteOutcome::Conflict)));
        }
        let version = self.next_version();
        let Some(task) = self.tasks.get_mut(&write.key) else { return Ok(None) };
        let outcome = if task.resource_version == write.resource_version {
            self.truth.check_write(task, &write.status)?;
            task.status = write.status;
            task.resource_version = version;
            let task = task.clone();
            self.check_stored(&task)?;
            self.operator.task_events.push_back(Event::Task(Box::new(task)));
            let rewritten = if self.random.chance(10) { self.random.below(2_000_000) as u64 } else { 0 };
            WriteOutcome::Written { version, rewritten, uncached }
        } else {
            WriteOutcome::Conflict
        };
        Ok(Some(Answer::Written(write.key, write.uid, outcome)))
    }

    /// What the Events about a pod say; some of them come late, and some operators may not read them.
    fn explain(&mut self, explain: &Explain) -> ExplainOutcome {
        if self.random.chance(self.faults.refused) {
            return ExplainOutcome::Denied;
        }
        let pod = self.pods.get(&pod_key(&explain.id));
        let is_stuck = pod.is_some_and(|pod| pod.fate == Fate::Stuck && pod.seen.uid == explain.uid);
        let said = is_stuck && self.random.chance(70);
        ExplainOutcome::Said(if said { vec![specs::missing_volume(self.now)] } else { Vec::new() })
    }
}

fn no_answer(action: &Action) -> Option<Answer> {
    Some(match action {
        Action::Check(spec) => {
            Answer::Checked(spec.key.clone(), spec.uid.clone(), CheckOutcome::Indeterminate("timeout".to_owned()))
        }
        Action::Create(create) => {
            Answer::Created(create.id(), create.blueprint.uid.clone(), CreateOutcome::Indeterminate)
        }
        Action::Delete(delete) => Answer::Deleted(delete.id.clone(), delete.task_uid.clone(), DeleteOutcome::Failed),
        Action::GetPod(id, uid) => Answer::GotPod(id.clone(), uid.clone(), GetPodOutcome::Indeterminate),
        Action::Explain(explain) => {
            Answer::Explained(explain.id.clone(), explain.task_uid.clone(), ExplainOutcome::Indeterminate)
        }
        Action::Write(write) => {
            Answer::Written(write.key.clone(), write.uid.clone(), WriteOutcome::Failed("timeout".to_owned()))
        }
        Action::Note(note) => {
            let outcome = WriteOutcome::Failed("timeout".to_owned());
            Answer::Noted(note.key.clone(), note.uid.clone(), outcome)
        }
        Action::Fetch(fetch) => {
            let outcome = FetchOutcome::Indeterminate("timeout".to_owned());
            Answer::Fetched(fetch.task.clone(), fetch.uid.clone(), outcome)
        }
        Action::CacheLookup(lookup) => {
            let outcome = CacheLookupOutcome::Indeterminate("timeout".to_owned());
            Answer::CacheLookedUp(lookup.task.clone(), lookup.uid.clone(), outcome)
        }
        Action::ChangeWorkload(change) => {
            Answer::WorkloadChanged(change.key.clone(), change.uid.clone(), WorkloadOutcome::Indeterminate)
        }
        Action::ReadFlavors(read) => {
            let outcome = FlavorsOutcome::Failed("timeout".to_owned());
            Answer::FlavorsRead(read.key.clone(), read.uid.clone(), outcome)
        }
        Action::Reread(_) | Action::StorePiece(_) | Action::Expire(..) | Action::EmitEvent(_) => return None,
    })
}
