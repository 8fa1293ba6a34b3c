//! What must hold of `waiting`: that the reason is one.

use crate::names::REDUCE;
use std::collections::BTreeSet;

use maptask::api::status::{MapTaskStatus, WaitingReason};
use maptask::core::ids::Index;
use maptask::core::items::ExternalSource;
use maptask::core::limits::Limits;
use maptask::core::phases::ItemPhase;
use maptask::core::port::{TaskSeen, Write};

use crate::check::{number, recorded};
use crate::world::World;

/// Until a create without an answer can't be carried out any more, and its answer has come, in milliseconds.
const INDETERMINATE_MILLIS: u64 = 150_000;

impl World {
    /// SAFETY: why a task waits, as a status says that is about to be written, is so as far as the operator can know:
    /// the limit that it names is reached or is that of the operator, and what it says was answered has been.
    pub fn check_waiting(&self, write: &Write) -> Result<(), String> {
        let known = &self.operator.known;
        let Some(waiting) = &write.status.waiting else { return Ok(()) };
        let Some(task) = known.tasks.get(&write.key).filter(|task| task.uid == write.uid) else { return Ok(()) };
        let limits = &self.operator.limits;
        let message = waiting.message.as_deref().unwrap_or_default();
        let names = |limit: Option<u64>| limit.is_some_and(|limit| message.ends_with(&format!(" is {limit}")));
        let is_so = match waiting.reason {
            WaitingReason::Concurrency => {
                let most = task.spec.concurrency.map_or(usize::MAX, |most| number(most) as usize);
                let index = if write.status.reduce.is_some() { REDUCE } else { Index(0) };
                self.may_fly(task, &write.status).len() >= most.min(self.admitted(task, index))
            }
            WaitingReason::Quota => known.quota && !message.is_empty(),
            WaitingReason::OperatorLimit if message.contains("listMegabytes") => {
                let is_external = ExternalSource::of(&task.spec.items).is_some();
                is_external && limits.list_bytes < Limits::DEFAULT.list_bytes
            }
            WaitingReason::OperatorLimit => match message.split(' ').next() {
                Some("maxPods") => names(Some(limits.max_pods as u64)),
                Some("maxPodsPerNamespace") => names(limits.max_pods_per_namespace.map(|most| most as u64)),
                Some("podsPerSecond") => names(limits.pods_per_second.map(u64::from)),
                _ => false,
            },
            WaitingReason::Throttled => known.throttled,
            WaitingReason::NameTaken => known.name_taken,
            WaitingReason::Serialized => task.spec.cache.as_ref().is_some_and(|cache| cache.serialize),
            WaitingReason::ItemsMissing | WaitingReason::ItemsChanged => ExternalSource::of(&task.spec.items).is_some(),
            WaitingReason::DependsOn => task.spec.items.results_of.is_some(),
            // Of the items, or of the reduce.
            WaitingReason::Backoff => {
                write.status.reduce.is_some() || write.status.counts.as_ref().is_some_and(|counts| counts.pending > 0)
            }
            _ => true,
        };
        if is_so {
            return Ok(());
        }
        let (may_fly, most) = (self.may_fly(task, &write.status), task.spec.concurrency);
        Err(format!("{} is about to say {waiting:?}; {may_fly:?} may be in flight of {most:?}", write.key))
    }

    /// Items that may be in flight: they run, as the status says, or a create of theirs was sent lately: it may be on
    /// its way, or have no answer.
    fn may_fly(&self, task: &TaskSeen, status: &MapTaskStatus) -> BTreeSet<Index> {
        let running = recorded(status).map(|(phases, _)| phases.iter_in(ItemPhase::Running).collect::<BTreeSet<_>>());
        let mut items = running.unwrap_or_default();
        let planned = self.operator.known.planned.iter();
        let planned =
            planned.filter(|(pod, last)| pod.0 == task.key && self.now.millis_since(**last) <= INDETERMINATE_MILLIS);
        items.extend(planned.map(|(pod, _)| pod.1));
        // The reduce runs alone, and its phase is checked elsewhere.
        items.extend(status.reduce.as_ref().map(|_| REDUCE));
        items
    }
}
