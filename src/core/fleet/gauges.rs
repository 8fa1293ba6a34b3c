//! How many of what: numbers for metrics.

use std::collections::BTreeMap;

use super::Fleet;
use crate::api::status::TaskPhase;
use crate::core::phases::ItemPhase;

/// Numbers about the fleet, for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Tasks by phase.
    pub tasks: BTreeMap<&'static str, u64>,
    /// Items of the tasks that have not ended, by phase.
    pub items: BTreeMap<&'static str, u64>,
    /// Those of them that are Pending because their task is suspended, or waits for its admission by Kueue.
    pub suspended_items: u64,
    /// Namespaces whose quota is used up.
    pub blocked_namespaces: u64,
    /// Tasks that are probed with one pod at a time, since their creates fail.
    pub blocked_tasks: u64,
    /// Creates that may be on their way, and that are.
    pub window: (u32, u32),
    /// Items found in a cache, since the start.
    pub cached: u64,
    /// Attempts ended, by category, since the start.
    pub outcomes: BTreeMap<&'static str, u64>,
}

impl Fleet {
    /// Numbers about the fleet.
    pub fn gauges(&self) -> Gauges {
        let mut gauges = Gauges {
            blocked_namespaces: self.queue.held() as u64,
            blocked_tasks: self.queue.failing() as u64,
            window: self.queue.window.size_and_use(),
            cached: self.cached,
            outcomes: self.outcomes.clone(),
            ..Gauges::default()
        };
        for task in self.entries.values().filter_map(|entry| entry.task.as_ref()) {
            *gauges.tasks.entry(task.phase().as_str()).or_default() += 1;
            let Some(counts) = task.map().filter(|_| !task.phase().is_terminal()).map(|run| run.items().counts())
            else {
                continue;
            };
            for phase in ItemPhase::ALL {
                *gauges.items.entry(phase.as_str()).or_default() += u64::from(counts.get(phase));
            }
            if task.phase() == TaskPhase::Suspended || task.awaits_admission() {
                gauges.suspended_items += u64::from(counts.get(ItemPhase::Pending));
            }
        }
        gauges
    }
}
