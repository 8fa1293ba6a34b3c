//! What the operator can know: what it got from watches and answers since it started, and what it has asked for.
//! A check that speaks of the operator's limits counts what is in the world as far as this goes.

use crate::names::pod_key;
use std::collections::{BTreeMap, BTreeSet};

use maptask::core::cache::{CacheId, Key};
use maptask::core::ids::{TaskKey, Time};
use maptask::core::port::{
    Answer, CacheLookupOutcome, Create, CreateOutcome, Event, INDETERMINATE_MILLIS, PodId, TaskSeen, WriteOutcome,
};

use crate::names::PodKey;

#[derive(Default)]
pub struct Known {
    /// Tasks as they were last shown.
    pub tasks: BTreeMap<TaskKey, TaskSeen>,
    /// Pods that the watch or a look has shown.
    pub pods: BTreeSet<PodKey>,
    /// When each create was planned.
    pub creates: Vec<Time>,
    /// When the create of each pod was last planned.
    pub planned: BTreeMap<PodKey, Time>,
    /// Pods whose last create certainly made none.
    refused: BTreeSet<PodKey>,
    /// When a create last ended without anybody knowing whether it made a pod.
    indeterminate: BTreeMap<PodKey, Time>,
    /// A create met the quota, a complaint about load, the name of another's pod.
    pub quota: bool,
    pub throttled: bool,
    pub name_taken: bool,
    /// When the deletion of each task was last sent, by its UID.
    pub expires: BTreeMap<String, Time>,
    /// When each task was last seen to be resumed.
    pub resumed: BTreeMap<TaskKey, Time>,
    /// What a write of a task with `serialize` puts into a cache, by the UID of the task, until the operator hears of
    /// it.
    caching: BTreeMap<String, Vec<(CacheId, Key)>>,
    /// What this operator has put into caches.
    pub cached: BTreeSet<(CacheId, Key)>,
    /// UIDs of tasks whose cache could not be read.
    pub unread: BTreeSet<String>,
}

impl Known {
    pub fn event(&mut self, now: Time, event: &Event) {
        match event {
            Event::Task(task) => self.task(now, task),
            Event::TaskGone(key) => drop(self.tasks.remove(key)),
            Event::Pod(pod) => {
                if let Some(role) = maptask::core::pod::parse_pod_name(&pod.task, &pod.name) {
                    let key = TaskKey::new(&*pod.namespace, &*pod.task);
                    self.pods.insert(pod_key(&PodId { key, role }));
                }
            }
            _ => {}
        }
    }

    pub fn answer(&mut self, now: Time, answer: &Answer) {
        match answer {
            Answer::Reread(task) if self.tasks.get(&task.key).is_some_and(|known| known.uid == task.uid) => {
                self.task(now, task);
            }
            Answer::Created(id, _, outcome) => {
                if is_indeterminate(outcome) {
                    self.indeterminate.insert(pod_key(id), now);
                }
                if has_made_none(outcome) {
                    self.refused.insert(pod_key(id));
                }
                self.quota |= matches!(outcome, CreateOutcome::Quota(_));
                self.throttled |= matches!(outcome, CreateOutcome::Throttled(_) | CreateOutcome::Indeterminate);
                self.name_taken |= matches!(outcome, CreateOutcome::NameTaken(_));
            }
            Answer::Written(_, uid, outcome) => {
                let put = self.caching.remove(uid).unwrap_or_default();
                if matches!(outcome, WriteOutcome::Written { .. }) {
                    self.cached.extend(put);
                }
            }
            Answer::CacheLookedUp(_, uid, CacheLookupOutcome::Refused(_)) => drop(self.unread.insert(uid.clone())),
            _ => {}
        }
    }

    /// Whether a create of this operator may still be carried out, so that the item counts until then.
    pub fn is_indeterminate(&self, now: Time, pod: &PodKey) -> bool {
        self.indeterminate.get(pod).is_some_and(|since| now.millis_since(*since) < INDETERMINATE_MILLIS)
    }

    pub fn create(&mut self, now: Time, create: &Create) {
        let id = create.id();
        self.creates.push(now);
        self.planned.insert(pod_key(&id), now);
        self.refused.remove(&pod_key(&id));
    }

    /// Whether the operator counts the pod once it is there: it has been shown, or this operator's create may have made
    /// it. One of an operator before this one may come late.
    pub fn counts(&self, pod: &PodKey) -> bool {
        self.pods.contains(pod) || (self.planned.contains_key(pod) && !self.refused.contains(pod))
    }

    /// Entries are lost, and may come back without notice. What was put may have no answer yet.
    pub fn forget_cached(&mut self) {
        self.cached.clear();
        self.caching.clear();
    }

    /// A write of a task with `serialize` has put this into a cache.
    pub fn put(&mut self, uid: &str, cache: &CacheId, keys: Vec<Key>) {
        self.caching.insert(uid.to_owned(), keys.into_iter().map(|key| (cache.clone(), key)).collect());
    }

    fn task(&mut self, now: Time, task: &TaskSeen) {
        let before = self.tasks.get(&task.key).filter(|before| before.uid == task.uid);
        if before.is_some_and(|before| before.resource_version >= task.resource_version) {
            return;
        }
        if before.is_some_and(|before| before.spec.suspend && !task.spec.suspend) {
            self.resumed.insert(task.key.clone(), now);
        }
        self.tasks.insert(task.key.clone(), task.clone());
    }
}

/// Whether the pod may exist though its create has ended without one.
pub fn is_indeterminate(outcome: &CreateOutcome) -> bool {
    matches!(outcome, CreateOutcome::Failed { may_exist: true, .. } | CreateOutcome::Indeterminate)
}

/// Whether a create has ended for certain without a pod.
fn has_made_none(outcome: &CreateOutcome) -> bool {
    match outcome {
        CreateOutcome::Refused(_)
        | CreateOutcome::Invalid(_)
        | CreateOutcome::Quota(_)
        | CreateOutcome::Throttled(_)
        | CreateOutcome::Contended
        | CreateOutcome::Failed { may_exist: false, .. } => true,
        CreateOutcome::Created
        | CreateOutcome::NameTaken(_)
        | CreateOutcome::Failed { may_exist: true, .. }
        | CreateOutcome::Indeterminate => false,
    }
}
