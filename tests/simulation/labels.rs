//! Somebody removes a pod's label: the watch shows it as deleted, and it lives on.

use crate::names::REDUCE;
use maptask::core::phases::ItemPhase;
use maptask::core::port::Event;

use crate::check::recorded;
use crate::names::PodKey;
use crate::world::{Life, Pod, World};

impl World {
    /// Of an item that is recorded as running, so that also the next operator knows that it has a pod.
    pub fn lose_label(&mut self) {
        let keys: Vec<PodKey> =
            self.pods.iter().filter(|(key, pod)| self.may_lose_label(key, pod)).map(|(key, _)| key.clone()).collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[self.random.below(keys.len())].clone();
        let version = self.next_version();
        let Some(pod) = self.pods.get_mut(&key) else { return };
        let before = pod.seen.clone();
        (pod.seen.labelled, pod.seen.version) = (false, version);
        self.say(|| format!("{} loses its label", before.name));
        self.operator.pod_events.push_back(Event::PodGone(before));
    }

    /// Before another operator takes over. A pod without its label whose item is recorded as pending can be known to
    /// nobody: it was gated as it was last seen, and no write came after it had lost its label. Somebody puts that
    /// back.
    pub fn give_back_unknown_labels(&mut self) {
        let is_unknown = |(key, pod): &(&PodKey, &Pod)| {
            let status = self.tasks.get(&key.0).map(|task| &task.status);
            let phases = status.and_then(recorded).map(|(phases, _)| phases);
            !pod.seen.labelled
                && key.1 != REDUCE
                && phases.is_some_and(|phases| phases.get(key.1) == Some(ItemPhase::Pending))
        };
        let keys: Vec<PodKey> = self.pods.iter().filter(is_unknown).map(|(key, _)| key.clone()).collect();
        for key in keys {
            let version = self.next_version();
            if let Some(pod) = self.pods.get_mut(&key) {
                (pod.seen.labelled, pod.seen.version) = (true, version);
            }
            self.say(|| format!("{} gets its label back", self.pods[&key].seen.name));
        }
    }

    fn may_lose_label(&self, key: &PodKey, pod: &Pod) -> bool {
        let Some(task) = self.tasks.get(&key.0).filter(|task| Some(&task.uid) == pod.seen.owner_uid.as_ref()) else {
            return false;
        };
        let Some((phases, tries)) = recorded(&task.status) else { return false };
        pod.life != Life::Ended
            && pod.seen.labelled
            && pod.seen.deleted.is_none()
            && key.1 != REDUCE
            && phases.get(key.1) == Some(ItemPhase::Running)
            && tries.get(key.1).attempt == key.2
    }
}
