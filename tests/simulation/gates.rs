//! Somebody else decides when some pods may be scheduled: by scheduling gates, and by taking pods back.

use maptask::core::pod::Gating;
use maptask::core::port::{Create, Delete};

use crate::names::PodKey;
use crate::specs::{self, evicted, start_deadline};
use crate::world::{Life, World};

impl World {
    /// The gates that a pod is created with: a webhook may have set them.
    pub fn gates_of(&mut self, create: &Create) -> Gating {
        if self.whims.chance(self.faults.gated) {
            self.say(|| format!("{} is gated", create.id()));
            Gating::Held { names: "example.com/queue".to_owned() }
        } else {
            Gating::Never
        }
    }

    /// Whether gates keep this pod from its next step. At times they are removed.
    pub fn is_held_back(&mut self, key: &PodKey) -> bool {
        let held = self.pods[key].seen.is_gated();
        if !held || !self.calm && self.whims.chance(85) {
            return held;
        }
        let now = self.now;
        if let Some(pod) = self.pods.get_mut(key) {
            pod.seen.gating = Gating::Open;
            self.truth.opened.insert(pod.seen.uid.clone(), now);
        }
        let status = self.pods[key].seen.status.clone();
        self.change_pod(key, Life::Pending, status);
        true
    }

    /// A queueing system takes a pod back, whether it has run or not.
    pub fn is_taken_back(&mut self, key: &PodKey) -> bool {
        let taken = self.whims.chance(self.faults.gated);
        if taken {
            let pod = &self.pods[key];
            self.say(|| format!("{} is taken back by its queue", pod.seen.name));
            self.truth.taken_back(self.now, pod, key);
            let status = specs::of_queue(evicted(pod.life == Life::Running));
            self.change_pod(key, Life::Ended, status);
        }
        taken
    }

    /// SAFETY: no start deadline ends a pod that gates hold back, or have held back until just now. A request names the
    /// version that was seen, and does nothing if it is another one by now.
    pub fn may_be_late(&self, delete: &Delete, key: &PodKey) -> bool {
        let task = self.tasks.get(&key.0);
        let Some(seconds) = task.and_then(|task| start_deadline(&task.spec, key.1)) else { return false };
        let Some(pod) = self.pods.get(key).filter(|pod| delete.version == Some(pod.seen.version)) else { return true };
        let opened = self.truth.opened.get(&pod.seen.uid);
        let had_time = opened
            .is_none_or(|since| self.now.millis_since(*since) >= u64::from(crate::check::number(seconds)) * 1_000);
        pod.life != Life::Running && !pod.seen.is_gated() && had_time
    }
}
