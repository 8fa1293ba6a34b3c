//! What should run elsewhere: retries in another worker, and workers on another node than one that fails everything.

use std::collections::{BTreeMap, VecDeque};

use crate::api::reasons::EventReason;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::pod::pod_name;
use crate::core::run::sizes::Need;
use crate::core::run::{Notice, Run};
use crate::core::workers::{Trust, Worker};

/// Nodes that are avoided at most. Of more, the oldest is forgotten: the pod would have nowhere to go.
const MOST_AVOIDED: usize = 5;
/// The most items for which the place of their failure is remembered; others are retried anywhere.
const MOST_REMEMBERED: usize = 10_000;
/// How long a retry waits for another worker, in milliseconds. Then it may run where it failed.
const PATIENCE_MILLIS: u64 = 10_000;

/// Where items failed, and which nodes are avoided.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    nodes: VecDeque<String>,
    /// The worker in which the last attempt of an item failed that is yet to be retried.
    failed_in: BTreeMap<Index, PodRole>,
    /// Those of them that were passed over by that worker, and when: the first first.
    passed: BTreeMap<PodRole, VecDeque<(Time, Index)>>,
}

impl Elsewhere {
    /// The nodes that new workers avoid.
    pub(super) fn nodes(&self) -> Vec<String> {
        self.nodes.iter().cloned().collect()
    }

    /// A worker on this node was drained.
    pub(super) fn avoid(&mut self, node: &str) {
        self.nodes.retain(|known| known != node);
        self.nodes.push_back(node.to_owned());
        if self.nodes.len() > MOST_AVOIDED {
            self.nodes.pop_front();
        }
    }

    /// The attempt of an item failed in this worker, and there will be another one.
    pub(super) fn failed(&mut self, index: Index, role: PodRole) {
        if self.failed_in.len() < MOST_REMEMBERED || self.failed_in.contains_key(&index) {
            self.failed_in.insert(index, role);
        }
    }

    /// The item gets its next attempt.
    pub(super) fn granted(&mut self, index: Index) {
        self.failed_in.remove(&index);
    }

    /// Whether the worker passes the item over, since it failed there.
    fn passes(&mut self, now: Time, index: Index, role: PodRole) -> bool {
        let failed_here = self.failed_in.get(&index) == Some(&role);
        if failed_here {
            self.passed.entry(role).or_default().push_back((now, index));
        }
        failed_here
    }

    /// Whether items wait for another worker.
    pub(super) fn is_waiting(&self) -> bool {
        !self.passed.is_empty()
    }

    /// An item that was passed over by a worker, at a time for which both `may` hold.
    fn take(&mut self, may: impl Fn(PodRole, Time) -> bool) -> Option<Index> {
        let first = |(role, items): (&PodRole, &VecDeque<(Time, Index)>)| Some((*role, items.front()?.0));
        let (role, _) = self.passed.iter().filter_map(first).find(|(role, time)| may(*role, *time))?;
        let items = self.passed.get_mut(&role)?;
        let (_, index) = items.pop_front()?;
        if items.is_empty() {
            self.passed.remove(&role);
        }
        Some(index)
    }
}

impl Run {
    /// The item to grant to this worker next. One that failed there waits a little for another worker, if there is one.
    pub(super) fn next_plain(&mut self, now: Time, role: PodRole) -> Option<Index> {
        let is_other =
            |(other, worker): (PodRole, &Worker)| other != role && worker.stays() && worker.memory().is_none();
        let has_others = self.workers.as_ref()?.table.iter().any(is_other);
        let is_patient = |since: Time| has_others && now.millis_since(since) < PATIENCE_MILLIS;
        if let Some(index) = self.take_passed(|other, since| other != role || !is_patient(since)) {
            return Some(index);
        }
        loop {
            let index = self.first_waiting(Need::NOTHING)?;
            if !(has_others && self.workers.as_mut()?.elsewhere.passes(now, index, role)) {
                return Some(index);
            }
            self.items.set_aside(index);
        }
    }

    fn take_passed(&mut self, may: impl Fn(PodRole, Time) -> bool) -> Option<Index> {
        let workers = self.workers.as_mut()?;
        let items = &self.items;
        std::iter::from_fn(|| workers.elsewhere.take(&may)).find(|index| items.still_waits(*index))
    }

    /// Takes the stock from workers that fail what succeeds elsewhere, and drains those that do not stop failing.
    pub(super) fn poll_trust(&mut self) {
        let Some(workers) = &mut self.workers else { return };
        let stays = workers.table.iter().filter(|(_, worker)| worker.stays());
        let trusts = stays.map(|(role, _)| (role, workers.table.trust(role)));
        let doubted: Vec<(PodRole, Trust)> = trusts.filter(|(_, trust)| *trust != Trust::Full).collect();
        for (role, trust) in doubted {
            workers.table.recall(role, usize::MAX);
            if trust == Trust::Doubtful {
                continue;
            }
            let node = workers.table.get(role).and_then(|worker| worker.node()).unwrap_or_default().to_owned();
            workers.table.stop(role, "attempts fail on this worker and succeed on others");
            if !node.is_empty() {
                workers.elsewhere.avoid(&node);
            }
            let pod = pod_name(&self.spec.blueprint.key.name, role);
            let message = format!(
                "every attempt in pod {pod} on node {node} fails while others succeed: the pod is drained, and its replacement \
                 prefers another node"
            );
            workers.notices.push(Notice { reason: EventReason::WorkerDrained, message });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handful_of_nodes_is_avoided_the_latest_ones() {
        let mut elsewhere = Elsewhere::default();
        for node in ["a", "b", "c", "a", "d", "e", "f"] {
            elsewhere.avoid(node);
        }
        assert_eq!(elsewhere.nodes(), ["c", "a", "d", "e", "f"]);
    }

    #[test]
    fn an_item_is_passed_over_by_the_worker_in_which_it_failed_and_taken_by_another() {
        let (a, b) = (PodRole::Worker(1), PodRole::Worker(2));
        let mut elsewhere = Elsewhere::default();
        elsewhere.failed(Index(7), a);
        assert!(!elsewhere.passes(Time(0), Index(7), b) && !elsewhere.passes(Time(0), Index(8), a));
        assert!(elsewhere.passes(Time(5), Index(7), a));
        assert_eq!(elsewhere.take(|role, _| role != a), None);
        assert_eq!(elsewhere.take(|_, time| time < Time(5)), None);
        assert_eq!(elsewhere.take(|role, _| role != b), Some(Index(7)));
        assert_eq!(elsewhere.take(|_, _| true), None);
        elsewhere.granted(Index(7));
        assert!(!elsewhere.passes(Time(6), Index(7), a), "it was retried");
    }
}
