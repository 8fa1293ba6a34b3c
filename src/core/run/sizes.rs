//! Which items need a particular worker, and how many workers of each size to run.
//!
//! The size of a worker is how often the memory of its containers was raised. An item runs in workers of exactly its
//! size: a larger one would be taken from those that need it. A worker of raised memory runs one item at a time, since
//! each of its items has used up the memory of a whole pod before.

use std::collections::{BTreeMap, BTreeSet};

use crate::core::cache::claims::Conflict;
use crate::core::ids::{Index, PodRole};
use crate::core::phases::Raises;
use crate::core::pod::WorkerSpec;
use crate::core::run::Run;
use crate::core::workers::Worker;

/// One worker in this number at most is fresh, or on its way, for items that have to run alone: the others work.
const FRESH_OF: usize = 4;

/// What an item needs of its worker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Need {
    /// How often its memory was raised.
    pub memory: Raises,
    /// Nothing has run in it before, and nothing runs beside the item.
    pub fresh: bool,
}

impl Need {
    /// Of most items: any worker that has the memory of the template.
    pub(super) const NOTHING: Self = Self { memory: Raises::NONE, fresh: false };
}

/// The items that not every worker can take.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// Number of items that are not over and whose memory was raised.
    raised: usize,
    /// Those that could start, and wait for a worker that can take them.
    aside: BTreeMap<Need, BTreeSet<Index>>,
    /// What each item in `aside` needs.
    needs: BTreeMap<Index, Need>,
    /// Items that ran beside others when their worker died: each is to run alone in a fresh worker.
    suspects: BTreeSet<Index>,
}

impl Sizes {
    fn put(&mut self, need: Need, index: Index) {
        self.remove(index);
        self.aside.entry(need).or_default().insert(index);
        self.needs.insert(index, need);
    }

    /// The item waits no more.
    fn remove(&mut self, index: Index) {
        let Some(need) = self.needs.remove(&index) else { return };
        let Some(items) = self.aside.get_mut(&need) else { return };
        items.remove(&index);
        if items.is_empty() {
            self.aside.remove(&need);
        }
    }

    /// The first that needs this.
    fn first(&self, need: Need) -> Option<Index> {
        self.aside.get(&need)?.first().copied()
    }

    /// Whether the item waits for a fresh worker.
    pub(super) fn waits_for_fresh(&self, index: Index) -> bool {
        self.needs.get(&index).is_some_and(|need| need.fresh)
    }

    /// Each of these is to run alone in a fresh worker.
    pub(super) fn suspect(&mut self, items: &[Index]) {
        self.suspects.extend(items);
    }

    /// The item is no suspect any more.
    pub(super) fn clear(&mut self, index: Index) {
        self.suspects.remove(&index);
    }

    /// Number of items that are not over and whose memory was raised.
    pub(super) fn raised(&self) -> usize {
        self.raised
    }
}

/// How many workers of one size there are, and are to be.
#[derive(Clone, Copy, Debug, Default)]
struct WorkerCounts {
    wanted: usize,
    /// Those that are not about to end.
    staying: usize,
    /// Those of them in which nothing has run.
    fresh: usize,
}

impl WorkerCounts {
    fn is_short(self) -> bool {
        self.staying < self.wanted
    }
}

impl Run {
    /// Counts the items whose memory was raised.
    pub(super) fn count_raised(&mut self) {
        let raised = self.items.all_tries().iter().filter(|(index, _)| self.counts_as_raised(*index)).count();
        if let Some(workers) = &mut self.workers {
            workers.sizes.raised = raised;
        }
    }

    /// Nothing waits for a worker of its own kind any more.
    pub(super) fn forget_sizes(&mut self) {
        if let Some(workers) = &mut self.workers {
            (workers.sizes.aside, workers.sizes.needs) = (BTreeMap::new(), BTreeMap::new());
        }
    }

    /// Whether the item counts among those whose memory was raised.
    pub(super) fn counts_as_raised(&self, index: Index) -> bool {
        let is_open = || self.items.phases().get(index).is_some_and(|phase| !phase.is_terminal());
        self.workers.is_some() && is_open() && !self.items.tries(index).memory_raises.is_none()
    }

    /// An attempt at an item has ended. `before`: whether it counted among those whose memory was raised.
    pub(super) fn recount_size(&mut self, index: Index, before: bool) {
        let after = self.counts_as_raised(index);
        let Some(workers) = &mut self.workers else { return };
        workers.sizes.raised = (workers.sizes.raised + usize::from(after)).saturating_sub(usize::from(before));
    }

    /// The item to start next in a worker that offers this.
    pub(super) fn first_waiting(&mut self, need: Need) -> Option<Index> {
        if need == Need::NOTHING {
            self.set_aside();
            let recorded = self.workers.as_ref()?.mark.recorded();
            return self.items.peek(usize::MAX).filter(|index| *index < recorded);
        }
        self.workers.as_ref()?.sizes.first(need)
    }

    /// The item may not start: another one computes the same, or has done so.
    pub fn block(&mut self, index: Index, conflict: &Conflict) {
        match conflict {
            Conflict::Computed(task, other) => {
                let behind = format!("item {other} of MapTask {} computes the same", task.name);
                self.items.block_on_duplicate(index, behind);
            }
            Conflict::Stored => self.items.look_up_again(index),
        }
        if let Some(workers) = &mut self.workers {
            workers.sizes.remove(index);
        }
    }

    /// The item is the worker's.
    pub(super) fn assign_to_worker(&mut self, index: Index, role: PodRole) {
        self.items.assign(index, role);
        if let Some(workers) = &mut self.workers {
            workers.sizes.remove(index);
        }
    }

    /// For which memory of a worker items could start.
    pub(super) fn ready_sizes(&mut self) -> BTreeSet<Raises> {
        let waits = self.workers.as_ref().is_some_and(|workers| workers.elsewhere.is_waiting());
        let plain = (waits || self.items.peek(usize::MAX).is_some()).then_some(Raises::NONE);
        let aside = self.workers.iter().flat_map(|workers| workers.sizes.aside.keys());
        aside.filter(|need| !need.fresh).map(|need| need.memory).chain(plain).collect()
    }

    /// Puts items aside that not every worker can take, each until one comes that can.
    pub(super) fn set_aside(&mut self) {
        while let (Some(index), Some(workers)) = (self.items.peek(usize::MAX), &mut self.workers) {
            let memory = self.items.tries(index).memory_raises;
            let need = Need { memory, fresh: workers.sizes.suspects.contains(&index) };
            if need == Need::NOTHING || index >= workers.mark.recorded() {
                return;
            }
            workers.sizes.put(need, index);
            self.items.set_aside(index);
        }
    }

    /// The memory of a worker.
    pub(super) fn memory_of(&self, role: PodRole) -> Raises {
        self.workers.as_ref().map_or(Raises::NONE, |workers| workers.memory_of(role))
    }

    /// The item that waits for a worker of raised memory that could not be had: what became of its pod is the item's,
    /// too.
    pub(super) fn take_waiting(&mut self, role: PodRole) -> Option<Index> {
        let memory = self.memory_of(role);
        let sizes = &self.workers.as_ref().filter(|_| !memory.is_none())?.sizes;
        let index = [false, true].into_iter().find_map(|fresh| sizes.first(Need { memory, fresh }))?;
        self.assign_to_worker(index, role);
        Some(index)
    }

    /// Programs that a worker of this memory may run at the same time.
    fn slots_of(&self, memory: Raises) -> usize {
        let slots = self.spec.blueprint.workers().map_or(1, WorkerSpec::slots);
        if memory.is_none() { slots } else { 1 }
    }

    /// Items that may run at the same time.
    fn most_items(&self) -> usize {
        self.workers.as_ref().map_or(0, |workers| workers.limit.most())
    }

    /// How many workers of the template's memory there are to be.
    fn wanted_plain(&self) -> usize {
        let counts = self.items.counts();
        let Some(workers) = &self.workers else { return 0 };
        let others = workers.sizes.raised + self.items.blocked();
        let open = ((counts.pending + counts.running) as usize).saturating_sub(others);
        let is_alone = |worker: &Worker| worker.memory().is_none() && worker.runs_alone();
        let alone = workers.table.iter().filter(|(_, worker)| is_alone(worker)).count();
        let suspects = alone + workers.sizes.aside.get(&Need { fresh: true, ..Need::NOTHING }).map_or(0, BTreeSet::len);
        let slots = self.slots_of(Raises::NONE);
        // A suspect has a worker to itself.
        let wanted = suspects + open.saturating_sub(suspects).div_ceil(slots);
        wanted.min(self.most_items().div_ceil(slots))
    }

    fn counts_by_size(&self) -> BTreeMap<Raises, WorkerCounts> {
        let plain = WorkerCounts { wanted: self.wanted_plain(), ..WorkerCounts::default() };
        let mut counts_by_size = BTreeMap::from([(Raises::NONE, plain)]);
        let Some(workers) = &self.workers else { return counts_by_size };
        for (need, items) in workers.sizes.aside.iter().filter(|(need, _)| !need.memory.is_none()) {
            counts_by_size.entry(need.memory).or_default().wanted += items.len();
        }
        for (_, worker) in workers.table.iter().filter(|(_, worker)| worker.stays()) {
            let counts = counts_by_size.entry(worker.memory()).or_default();
            counts.staying += 1;
            counts.fresh += usize::from(worker.is_fresh());
            if !worker.memory().is_none() {
                counts.wanted += worker.session().holds();
            }
        }
        let most = self.most_items();
        for counts in counts_by_size.values_mut() {
            counts.wanted = counts.wanted.min(most);
        }
        counts_by_size
    }

    /// How many workers are missing.
    pub(super) fn missing_workers(&self) -> usize {
        self.counts_by_size().values().map(|counts| counts.wanted.saturating_sub(counts.staying)).sum()
    }

    /// How many items could run beside those for which there are workers.
    fn room(&self, counts_by_size: &BTreeMap<Raises, WorkerCounts>) -> usize {
        let taken = counts_by_size.iter().map(|(memory, counts)| counts.staying * self.slots_of(*memory));
        self.most_items().saturating_sub(taken.sum())
    }

    /// What still runs in workers that are about to end.
    fn ending(&self) -> usize {
        let workers = self.workers.iter().flat_map(|workers| workers.table.iter());
        workers.filter(|(_, worker)| !worker.stays()).map(|(_, worker)| worker.session().holds()).sum()
    }

    /// The memory of the worker to create next, if there are too few: first of a size that has none, then of the size
    /// that lacks most.
    pub(super) fn missing_worker(&self) -> Option<Raises> {
        let workers = self.workers.as_ref().filter(|workers| workers.creation.is_due())?;
        let counts_by_size = self.counts_by_size();
        let wanted: usize = counts_by_size.values().map(|counts| counts.wanted).sum();
        // A worker that is on its way out may take long: as many again as there should be, and no more.
        let is_crowded = workers.table.iter().count() >= 2 * wanted;
        let room = self.room(&counts_by_size);
        if is_crowded || room == 0 {
            return None;
        }
        let short = counts_by_size.into_iter().filter(|(_, counts)| counts.is_short());
        let first = short.max_by_key(|(_, counts)| (counts.staying == 0, counts.wanted - counts.staying));
        // One of raised memory would have nothing to do before there is room for its item.
        let is_early = room <= self.ending();
        first.map(|(memory, _)| memory).filter(|memory| memory.is_none() || !is_early)
    }

    /// Ends workers that have nothing to do and stand in the way of others, and one that works where an item waits for
    /// another kind of worker and there is room for none. `ready`: for which memory items could start.
    pub(super) fn make_room(&mut self, ready: &BTreeSet<Raises>) {
        let counts_by_size = self.counts_by_size();
        let Some(workers) = &self.workers else { return };
        let has_room = self.room(&counts_by_size) > 0;
        let plain = Some(Need::NOTHING).filter(|need| ready.contains(&need.memory));
        let is_unserved = |need: &Need| {
            let is_coming = has_room && counts_by_size.get(&need.memory).is_some_and(|counts| counts.is_short());
            !is_coming && !is_served(*need, &workers.sizes, &counts_by_size)
        };
        let unserved = workers.sizes.aside.keys().copied().chain(plain).find(is_unserved);
        let is_short = counts_by_size.values().any(|counts| counts.is_short());
        // It runs a suspect, or is about to.
        let is_awaited = |worker: &Worker| {
            let waits = workers.sizes.first(Need { memory: worker.memory(), fresh: true }).is_some();
            worker.is_fresh() && waits || worker.runs_alone()
        };
        let is_useless = |worker: &Worker| worker.session().holds() == 0 && !ready.contains(&worker.memory());
        let stays = workers.table.iter().filter(|(_, worker)| worker.stays() && !is_awaited(worker));
        let stays: Vec<(PodRole, &Worker)> = stays.collect();
        let victim = match unserved {
            Some(need) => victim(&stays, need, is_useless),
            // The quota, or the operator, may allow no more pods.
            None if is_short => stays.iter().find(|(_, worker)| {
                let counts = counts_by_size.get(&worker.memory()).copied().unwrap_or_default();
                is_useless(worker) && counts.staying > counts.wanted
            }),
            None => None,
        };
        let victim = victim.map(|(role, _)| *role);
        if let (Some(role), Some(workers)) = (victim, &mut self.workers) {
            workers.table.stop(role, "items wait for another kind of worker");
        }
    }
}

/// Whether there are enough workers that can take items with this need.
fn is_served(need: Need, sizes: &Sizes, counts_by_size: &BTreeMap<Raises, WorkerCounts>) -> bool {
    let counts = counts_by_size.get(&need.memory).copied().unwrap_or_default();
    if !need.fresh {
        return counts.staying > 0;
    }
    let waiting = sizes.aside.get(&need).map_or(0, BTreeSet::len);
    let staying: usize = counts_by_size.values().map(|counts| counts.staying).sum();
    counts.fresh >= waiting.min((staying / FRESH_OF).max(1))
}

/// The worker to end for one that meets the need: one that has nothing to do, else one that any item can replace. Those
/// of raised memory run all that waits for them before they end for others.
fn victim<'a>(
    stays: &'a [(PodRole, &'a Worker)],
    need: Need,
    is_useless: impl Fn(&Worker) -> bool,
) -> Option<&'a (PodRole, &'a Worker)> {
    let least = |memory: Raises| {
        let of_size = stays.iter().filter(move |(_, worker)| worker.memory() == memory);
        of_size.min_by_key(|(_, worker)| worker.session().holds())
    };
    let useless = stays.iter().find(|(_, worker)| is_useless(worker));
    let plain = Some(Raises::NONE).filter(|_| need != Need::NOTHING).and_then(least);
    useless.or(plain).or_else(|| Some(need.memory).filter(|_| need.fresh).and_then(least))
}
