//! Pods of tasks with `completion: Container`, in which another container runs on once the item's has ended.

use crate::names::index_of;
use maptask::api::spec::Completion;
use maptask::core::pod::PodStatus;
use maptask::core::port::{Action, Create};

use crate::names::PodKey;
use crate::specs;
use crate::world::{Fate, Life, World};

impl World {
    /// How the pod will end once it runs.
    pub fn fate_of(&mut self, create: &Create) -> Fate {
        match self.faults.fate(&mut self.random) {
            // Nobody asks what becomes of other containers.
            Fate::SideOutOfMemory if create.blueprint.template.main_container().ends_attempt => Fate::Succeed,
            fate => fate,
        }
    }

    /// The item's container ends, and the pod with it or not.
    pub fn end_attempt(&mut self, key: &PodKey, status: PodStatus) {
        let outlived = self.tasks.get(&key.0).is_some_and(|task| task.spec.completion == Completion::Container);
        if outlived && self.random.chance(80) {
            self.change_pod(key, Life::Outlived, specs::outlived(status, self.now));
        } else {
            self.change_pod(key, Life::Ended, status);
        }
    }

    /// The other containers of a pod end when it is deleted, and seldom by themselves, well or not.
    pub fn outlived_pod_lives(&mut self, key: &PodKey) {
        let deleted = self.pods[key].seen.deleted.is_some();
        let status = specs::after_outlived(&self.pods[key].seen.status, self.random.chance(50));
        if deleted {
            if self.random.chance(50) {
                self.change_pod(key, Life::Ended, status);
            }
            self.remove_pod(key);
        } else if self.random.chance(5) {
            self.change_pod(key, Life::Ended, status);
        }
    }

    /// A pod is lost after its item's end.
    pub fn lose_outlived_pod(&mut self, key: &PodKey) {
        // What became of the attempt stays so, whatever becomes of the pod.
        if self.random.chance(50) {
            let status = specs::evicted_after(&self.pods[key].seen.status, self.now);
            self.change_pod(key, Life::Ended, status);
        }
        self.say(|| format!("{} is lost after its item's end", self.pods[key].seen.name));
        // Nobody promises anything of a pod that somebody takes away while a create of it may still be carried out.
        if self.random.chance(50) && !self.may_come_back(key) {
            // Where the watch was broken off, nobody has seen how it ended.
            self.truth.pod_lost(self.now, &self.pods[key], key, true, &self.tasks);
            self.remove_pod(key);
        }
    }

    fn may_come_back(&self, key: &PodKey) -> bool {
        let is_it = |create: &Create| {
            let id = create.id();
            (&id.key, index_of(&id), id.role.attempt()) == (&key.0, key.1, key.2)
        };
        let sent =
            self.operator.requests.iter().any(|request| matches!(request, Action::Create(create) if is_it(create)));
        // An operator that has yet to hear of it may create it under the same name.
        let is_unknown = !self.operator.known.counts(key);
        sent || is_unknown
            || self.faults.late.iter().any(|(_, create)| is_it(create))
            || self.operator.is_indeterminate(self.now, key)
    }
}
