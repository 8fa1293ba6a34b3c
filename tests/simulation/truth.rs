//! What really happened, whatever the operator believes.

use crate::names::{REDUCE, index_of};
use std::collections::{BTreeMap, BTreeSet};

use maptask::core::ids::{Attempt, Index, TaskKey, Time};
use maptask::core::items::ItemList;
use maptask::core::port::{Create, TaskSeen};

use crate::charges::{End, Ends};
use crate::names::PodKey;
use crate::specs;
use crate::world::{Fate, Life, Pod};

/// UID of the task, and the item.
pub type Item = (String, Index);

/// What really happened to an item since its last rerun, whatever the operator believes.
#[derive(Clone, Copy, Default)]
pub struct Tally {
    pub succeeded: u32,
    /// Endings that cost retries.
    pub application: u32,
    /// Endings that cost infrastructure retries.
    pub lost: u32,
    /// Endings that a rule makes final.
    pub fatal: u32,
    pub out_of_memory: u32,
    pub side_out_of_memory: u32,
}

#[derive(Default)]
pub struct Truth {
    /// Tasks whose results somebody has changed while they ran.
    pub tampered: BTreeSet<String>,
    /// Tasks whose templates were changed before it was recorded with which ones they were accepted: creates that were
    /// sent before may be of those.
    pub turned_early: BTreeSet<String>,
    pub tallies: BTreeMap<Item, Tally>,
    pub ends: BTreeMap<Item, Ends>,
    /// The first attempt of a rerun: those before cost nothing any more.
    pub since: BTreeMap<Item, Attempt>,
    pub problem: Option<String>,
    /// The lists that operators have been given, by the UID of the task and their hashes: what is left out of the same
    /// results is for each task to say.
    pub lists: BTreeMap<(String, String), ItemList>,
    /// Attempts whose pod the operator has stopped while it lived: a late create can bring one back.
    stopped: BTreeSet<(Item, Attempt)>,
    /// When the last gate of each pod was removed, by its UID.
    pub opened: BTreeMap<String, Time>,
}

fn item(pod: &Pod, key: &PodKey) -> Item {
    (pod.seen.owner_uid.clone().unwrap_or_default(), key.1)
}

fn has_start_deadline(key: &PodKey, tasks: &BTreeMap<TaskKey, TaskSeen>) -> bool {
    tasks.get(&key.0).is_some_and(|task| specs::start_deadline(&task.spec, key.1).is_some())
}

impl Truth {
    fn tally(&mut self, item: Item) -> &mut Tally {
        self.tallies.entry(item).or_default()
    }

    pub fn of(&self, task: &TaskSeen, index: Index) -> Tally {
        self.tallies.get(&(task.uid.clone(), index)).copied().unwrap_or_default()
    }

    pub fn result_of(&self, key: &PodKey) -> String {
        if key.1 == REDUCE {
            return format!("{{\"reduced\":{}}}", key.2);
        }
        format!("{{\"index\":{},\"attempt\":{}}}", key.1, key.2)
    }

    /// Whether a pod of this attempt was there before, and has come to its end or vanished.
    pub fn is_back(&self, pod: &Pod, key: &PodKey) -> bool {
        self.ends.get(&item(pod, key)).is_some_and(|ends| ends.contains_key(&key.2))
    }

    /// Whether the operator has stopped a pod of this attempt while it lived.
    pub fn was_stopped(&self, pod: &Pod, key: &PodKey) -> bool {
        self.stopped.contains(&(item(pod, key), key.2))
    }

    /// A pod that vanished may be made again under its name, by a late create or by an operator that knew of none:
    /// which of the two ends was seen is then for the operator to know.
    fn end(&mut self, now: Time, item: Item, attempt: Attempt, end: End) {
        if self.since.get(&item).is_some_and(|since| attempt < *since) {
            return;
        }
        let (known, _) = self.ends.entry(item).or_default().entry(attempt).or_insert((end, now));
        if *known != end && *known != End::Succeeded {
            *known = if end == End::Succeeded { end } else { End::Unsure };
        }
    }

    pub fn pod_ended(&mut self, now: Time, pod: &Pod, key: &PodKey) {
        let end = match pod.fate {
            Fate::Succeed | Fate::Stuck => End::Succeeded,
            Fate::Fail(code) => End::Failed(code),
            Fate::OutOfMemory | Fate::SideOutOfMemory => End::Failed(137),
        };
        self.end(now, item(pod, key), key.2, end);
        let tally = self.tally(item(pod, key));
        match pod.fate {
            Fate::Succeed | Fate::Stuck => tally.succeeded += 1,
            // A rule may make it final, or free: which one is the task's to know.
            Fate::Fail(code) => {
                tally.application += 1;
                tally.fatal += u32::from(code == specs::FAIL_ITEM || code == specs::FAIL_TASK);
            }
            Fate::OutOfMemory => {
                tally.application += 1;
                tally.out_of_memory += 1;
            }
            Fate::SideOutOfMemory => {
                tally.application += 1;
                tally.side_out_of_memory += 1;
            }
        }
    }

    /// The operator asked for the end of a pod that had not ended.
    pub fn stopped(&mut self, now: Time, pod: &Pod, key: &PodKey, tasks: &BTreeMap<TaskKey, TaskSeen>) {
        self.stopped.insert((item(pod, key), key.2));
        self.end(now, item(pod, key), key.2, End::Unsure);
        let has_deadline = has_start_deadline(key, tasks);
        let tally = self.tally(item(pod, key));
        if has_deadline {
            // Too late: it costs one or the other, by what held it up.
            tally.application += 1;
            tally.lost += 1;
        }
    }

    /// `shows_start`: what is left of the pod says that it had started.
    pub fn pod_lost(
        &mut self,
        now: Time,
        pod: &Pod,
        key: &PodKey,
        shows_start: bool,
        tasks: &BTreeMap<TaskKey, TaskSeen>,
    ) {
        let has_deadline = has_start_deadline(key, tasks);
        let may_be_late = pod.life == Life::Pending || has_deadline && !shows_start;
        let ran = pod.life == Life::Running && pod.seen.deleted.is_none() && !may_be_late;
        self.end(now, item(pod, key), key.2, if ran { End::Lost } else { End::Unsure });
        let tally = self.tally(item(pod, key));
        tally.lost += 1;
        if may_be_late {
            // By then it may have been too late for its start anyway, as far as the operator had heard; one that says
            // nothing counts as held up like another one of its template.
            tally.application += 1;
        }
    }

    /// Its queue took the pod back, which costs nothing, unless it was on its way out already.
    pub fn taken_back(&mut self, now: Time, pod: &Pod, key: &PodKey) {
        self.end(now, item(pod, key), key.2, End::Unsure);
    }

    pub fn refused(&mut self, now: Time, create: &Create) {
        let item = (create.blueprint.uid.clone(), index_of(&create.id()));
        self.tally(item.clone()).lost += 1;
        self.end(now, item, create.role.attempt(), End::Unsure);
    }

    /// No attempt can do better: it may cost all that the item had left.
    pub fn invalid(&mut self, create: &Create) {
        self.tally((create.blueprint.uid.clone(), index_of(&create.id()))).lost += 10_000;
    }
}
