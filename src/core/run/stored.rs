//! Which results are stored, and which can be had again from pods that are still there?

use crate::core::ids::{Index, PodRole};
use crate::core::phases::ItemPhase;
use crate::core::pod::{Progress, progress};
use crate::core::pods::Pods;
use crate::core::results::Shard;
use crate::core::results::places::Places;
use crate::core::run::Run;

impl Run {
    /// Places of a shard whose lines were stored by a write before.
    pub fn stored_places(&self, shard: &Shard) -> Places {
        let is_stored = |place: &u32| {
            let index = Index(shard.first + place);
            let succeeded = matches!(self.phases.get(index), Some(ItemPhase::Succeeded | ItemPhase::Cached));
            succeeded && !self.results.contains_key(&index)
        };
        (0..shard.lines_in_all).filter(is_stored).collect()
    }

    /// Takes the line of an item that has succeeded from its pod, if that is still there.
    pub fn restore(&mut self, index: Index, pods: &Pods, uid: &str) -> bool {
        if self.results.contains_key(&index) {
            return true;
        }
        if self.phases.get(index) != Some(ItemPhase::Succeeded) {
            return false;
        }
        let attempt = self.tries.get(index).attempt;
        let Some(pod) = pods.get(&PodRole::Item(index, attempt)).filter(|pod| pod.owner_uid.as_deref() == Some(uid))
        else {
            return false;
        };
        match progress(pod, self.spec.blueprint.template.role()) {
            Progress::Ended(ending) => self.take_result(index, ending).is_success(),
            Progress::Pending(_) | Progress::Started => false,
        }
    }
}
