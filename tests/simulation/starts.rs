//! What must hold when the operator starts an item: that it may, as far as it can know.

use crate::names::{REDUCE, index_of, pod_key};
use std::collections::BTreeSet;

use maptask::api::MapTaskSpec;
use maptask::core::cache::{CacheId, Key, Keys};
use maptask::core::ids::{Attempt, Index, TaskKey};
use maptask::core::phases::ItemPhase;
use maptask::core::port::{Action, Create, TaskSeen};

use crate::check::{counts, is_closed, number};
use crate::names::PodKey;
use crate::specs;
use crate::world::World;

/// UID of the task, and the item.
type Flying = BTreeSet<(String, Index)>;

impl World {
    /// SAFETY: a create that is planned keeps every limit and every wish of the user that the operator knows of.
    pub fn check_create(&mut self, create: &Create) -> Result<(), String> {
        let id = create.id();
        let known = &self.operator.known;
        let Some(task) = known.tasks.get(&id.key).filter(|task| task.uid == create.blueprint.uid) else {
            return Err(format!("{id} is created for a task that is not known"));
        };
        let MapTaskSpec { suspend, cancel, .. } = task.spec;
        if task.deleting || suspend || cancel {
            return Err(format!("{id} is created, deleting {}, suspend {suspend}, cancel {cancel}", task.deleting));
        }
        self.truth.check_backoff(self.now, task, index_of(&id), id.role.attempt())?;
        self.check_decided(create)?;
        self.check_admitted(task, create)?;
        self.check_limits(task, create)?;
        self.check_claim(task, create)?;
        self.check_pace()
    }

    /// Once it is recorded that the task is decided, nothing starts but what its spec, or a rerun of picked items,
    /// says. What is recorded is what the operator wrote itself, or has read when it started.
    fn check_decided(&self, create: &Create) -> Result<(), String> {
        let id = create.id();
        let Some(task) = self.tasks.get(&id.key).filter(|task| task.uid == create.blueprint.uid) else { return Ok(()) };
        let picked = task.status.rerun.as_ref().is_some_and(|rerun| rerun.explicit_selection);
        if index_of(&id) != REDUCE && !picked && is_closed(&task.spec, &task.status) {
            return Err(format!("{id} is created, but it is recorded that nothing more starts"));
        }
        Ok(())
    }

    /// Items that have a live pod of an attempt that counts and that the operator has started or seen, or a create on
    /// its way, of tasks that stay. What the operator counts is no less: it also counts what has ended or vanished
    /// without its having heard of it. What a late create brings back of the past is deleted on sight.
    fn flying(&self) -> Flying {
        let stays = |uid: &str| {
            let owner = self.tasks.values().find(|task| task.uid == uid && !task.deleting);
            owner.is_some_and(|task| self.operator.known.tasks.get(&task.key).is_some_and(|known| known.uid == uid))
        };
        let known = &self.operator.known;
        let pods = self.pods.iter().filter(|(key, pod)| pod.life.is_open() && known.counts(key));
        let pods = pods.filter(|(key, pod)| !self.truth.is_back(pod, key));
        let pods = pods.filter(|(key, _)| self.tasks.get(&key.0).is_some_and(|task| counts(task, key)));
        let pods = pods.filter(|(key, _)| !self.is_given_up(key));
        let pods = pods.filter_map(|((_, index, _), pod)| Some((pod.seen.owner_uid.clone()?, *index)));
        // A create that is repeated makes nothing where the pod of the attempt has ended in the meantime and is still
        // there, and nothing that counts where that has ended and is gone.
        let has_ended = |create: &Create| {
            let id = create.id();
            let item = (create.blueprint.uid.clone(), index_of(&id));
            let came = self.truth.ends.get(&item).is_some_and(|ends| ends.contains_key(&id.role.attempt()));
            came || self.pods.get(&pod_key(&id)).is_some_and(|pod| !pod.life.is_open())
        };
        let creates = self.operator.requests.iter().filter_map(|request| match request {
            Action::Create(create) if !has_ended(create) => {
                Some((create.blueprint.uid.clone(), index_of(&create.id())))
            }
            _ => None,
        });
        pods.chain(creates).filter(|(uid, _)| stays(uid)).collect()
    }

    /// Whether the operator has cancelled the item, found it in the cache, ended the reduce, or refused the task: a pod
    /// of it that a late create has made is deleted on sight, also where the status that says so is still on its way.
    fn is_given_up(&self, key: &PodKey) -> bool {
        let Some(task) = self.operator.fleet.task(&key.0) else { return false };
        let run = task.map();
        if task.phase().is_terminal() && (key.1 == REDUCE || run.is_none()) {
            return true;
        }
        let phase = run.and_then(|run| run.items().phases().get(key.1));
        matches!(phase, Some(ItemPhase::Cancelled | ItemPhase::Cached))
    }

    /// `concurrency`, `maxPods` and `maxPodsPerNamespace`: an item that is not in flight starts only if it is not one
    /// too many. One that is has its create repeated, whatever the limit has become since.
    fn check_limits(&self, task: &TaskSeen, create: &Create) -> Result<(), String> {
        let id = create.id();
        let mut flying = self.flying();
        let is_repeated = self.operator.known.is_indeterminate(self.now, &pod_key(&id));
        if !flying.insert((task.uid.clone(), index_of(&id))) || is_repeated {
            return Ok(());
        }
        let limits = &self.operator.limits;
        let of_task = flying.iter().filter(|(uid, _)| *uid == task.uid).count();
        let concurrency = task.spec.concurrency.map_or(usize::MAX, |most| number(most) as usize);
        let per_namespace = limits.max_pods_per_namespace.unwrap_or(usize::MAX);
        // All tasks of the world are in one namespace.
        for (name, number, most) in [
            ("concurrency", of_task, concurrency),
            ("admitted pods", of_task, self.admitted(task, index_of(&id))),
            ("maxPods", flying.len(), limits.max_pods),
            ("maxPodsPerNamespace", flying.len(), per_namespace),
        ] {
            if number > most {
                return Err(format!("{id} is created as one of {number} in flight, {name} is {most}: {flying:?}"));
            }
        }
        Ok(())
    }

    /// `podsPerSecond`: in any time no more creates than its seconds allow, and those of one second more.
    fn check_pace(&self) -> Result<(), String> {
        let Some(rate) = self.operator.limits.pods_per_second else { return Ok(()) };
        let creates = &self.operator.known.creates;
        for (before, since) in creates.iter().rev().enumerate() {
            let allowed = (self.now.millis_since(*since) + 1_000) * u64::from(rate) / 1_000 + 1;
            if before as u64 + 1 > allowed {
                return Err(format!("{} creates since {since:?}, podsPerSecond is {rate}", before + 1));
            }
        }
        Ok(())
    }

    /// `serialize`: no item starts while another computes the same, as far as this operator has started that, nor after
    /// this operator has stored its result.
    /// What ran before it started may be of items that it has yet to read.
    /// A task that is being deleted has nothing to wait for.
    fn check_claim(&self, task: &TaskSeen, create: &Create) -> Result<(), String> {
        let id = create.id();
        let Some(place) = place(task, index_of(&id)) else { return Ok(()) };
        let known = &self.operator.known;
        let pod = pod_key(&id);
        if known.planned.get(&pod).is_some_and(|first| *first < self.now) {
            // Its claim is older than what a create of an operator before this one has brought since.
            return Ok(());
        }
        let is_looked_up =
            id.role.attempt() == Attempt::first_after(task.status.attempt_base) && !known.unread.contains(&task.uid);
        if is_looked_up && known.cached.contains(&place) && self.caches.has(&place) {
            return Err(format!("{id} is created though its result is cached"));
        }
        for (uid, index) in self.flying() {
            let Some(other) = known.tasks.values().find(|other| other.uid == uid) else { continue };
            let is_known = |key: &TaskKey| known.planned.keys().any(|pod| pod.0 == *key && pod.1 == index);
            if (&uid, index) != (&task.uid, index_of(&id))
                && is_known(&other.key)
                && self::place(other, index).as_ref() == Some(&place)
            {
                return Err(format!("{id} is created while item {index} of {} computes the same", other.key));
            }
        }
        Ok(())
    }
}

/// The key that an item of a serialized cache claims.
fn place(task: &TaskSeen, index: Index) -> Option<(CacheId, Key)> {
    // After a restart nobody knows what the template was whose pods still run, so that nothing is promised of them.
    if !specs::has_its_templates(task) {
        return None;
    }
    let keys = Keys::of(&task.key, &task.spec).filter(|keys| keys.serialize && index != REDUCE)?;
    Some((keys.id.clone(), keys.key(&specs::items_of(&task.spec).ok()?.get(index))))
}
