//! How many workers to run, and which items each is granted.

use std::collections::BTreeSet;
use std::sync::Arc;

use maptask_exchange::{AttemptId, Grant};

use crate::core::cache::claims::Conflict;
use crate::core::ids::{Attempt, Index, MAX_ITEMS, PodRole, Time};
use crate::core::items::item_env;
use crate::core::phases::Raises;
use crate::core::pod::{StopReason, WorkerSpec};
use crate::core::port::Create;
use crate::core::run::sizes::Need;
use crate::core::run::{Context, Run, Startable, Workers};
use crate::core::spec::AcceptedSpec;
use crate::core::workers::{Company, Holdings, Silence, Stock, Trust, Worker};

/// Takes the key of an item whose equals wait for it, or says why it may not start.
pub type Claim<'a> = dyn FnMut(&AcceptedSpec, Index, Attempt) -> Result<(), Conflict> + 'a;

/// Grants are recorded ahead in steps of at least this number of items.
const MIN_STEP: u32 = 1_000;
/// And by what the workers do in this time, in microseconds: a status is written once a second at best.
const AHEAD_MICROS: u64 = 20_000_000;

impl Run {
    /// The worker to create next, if there are too few.
    pub(super) fn peek_worker(&self) -> Option<Startable> {
        let memory = self.missing_worker()?;
        self.workers.as_ref().map(|workers| Startable::Worker(PodRole::Worker(workers.numbers.next()), memory))
    }

    /// Requests the worker that [`Self::peek_worker`] named.
    pub(super) fn launch_worker(&mut self, now: Time, role: PodRole, memory_raises: Raises) -> Create {
        self.add_worker(now, role, Holdings::None);
        if let Some(workers) = &mut self.workers {
            workers.table.make(role, memory_raises);
        }
        self.pods.request(now, role);
        let epoch = self.workers().map(Workers::epoch);
        let avoid = self.workers.as_ref().map(|workers| workers.elsewhere.nodes()).unwrap_or_default();
        Create { blueprint: Arc::clone(&self.spec.blueprint), role, memory_raises, epoch, avoid, placement: None }
    }

    /// Answers workers: takes from the silent, gives to the idle, and ends those for which nothing is left. `starts`:
    /// whether items may start, as far as the task is concerned. Without a `claim` nothing is granted for now.
    pub fn poll_workers(
        &mut self,
        context: &mut Context<'_>,
        starts: bool,
        concurrency: Option<usize>,
        claim: Option<&mut Claim<'_>>,
    ) {
        let Some(plan) = self.spec.blueprint.workers() else { return };
        let (slots, idle_millis) = (plan.slots(), plan.idle_millis());
        let now = context.now;
        let Some(workers) = &mut self.workers else { return };
        workers.limit.set_concurrency(concurrency);
        workers.creation.poll(now);
        workers.table.allot(slots, workers.limit.most());
        self.settle_announcements(context);
        self.poll_silent(context);
        self.poll_trust();
        self.note_stragglers(now);
        let is_open = starts && self.is_open();
        if is_open {
            self.extend_mark(context);
            self.set_aside();
        }
        if let Some(claim) = claim.filter(|_| is_open) {
            self.grant_all(now, claim);
        }
        self.recall(is_open);
        let ready = if is_open { self.ready_sizes() } else { BTreeSet::new() };
        self.stop_idle(now, idle_millis);
        // What a worker that has yet to speak is needed for is not known.
        if is_open && !self.awaits_workers() {
            self.make_room(&ready);
        }
        let written = context.writer.written();
        if let Some(workers) = &mut self.workers {
            workers.table.answer(now, written, &ready);
        }
    }

    /// What a silent worker has not begun is free, once it is clear that this operator leads; one that stays silent is
    /// given up, unless too many are.
    fn poll_silent(&mut self, context: &mut Context<'_>) {
        let Some(workers) = &mut self.workers else { return };
        workers.table.note_unheard(context.now);
        let is_cut_off = workers.table.is_cut_off(context.now);
        workers.cut_off = is_cut_off;
        let (now, written) = (context.now, context.writer.written());
        for (role, silence) in workers.table.silent(now, written, || context.writer.change()) {
            match silence {
                Silence::Stock => {
                    let stock = self.workers.as_mut().map(|workers| workers.table.take_stock(role)).unwrap_or_default();
                    for (index, attempt) in stock {
                        self.free(context, role, index, attempt);
                    }
                }
                Silence::Lost if is_cut_off => {}
                Silence::Lost => self.pods.stop(role, StopReason::Silent),
            }
        }
    }

    /// Records ahead below which index grants are made: an operator that takes over may grant everything from there on.
    fn extend_mark(&mut self, context: &mut Context<'_>) {
        if let Some(workers) = &mut self.workers {
            workers.mark.settle(context.writer.written());
        }
        let count = self.spec.count().get();
        let next = self.items.peek(usize::MAX);
        let lines = self.lines();
        let Some(workers) = &mut self.workers else { return };
        let slots = workers.table.slots();
        let micros = workers.table.durations().ninetieth_percentile().unwrap_or(AHEAD_MICROS);
        // Lines of a program wait for each other: in the time that one takes, all of them end.
        let at_once = slots.saturating_mul(lines) as u64;
        let by_speed = (AHEAD_MICROS / micros).saturating_mul(at_once);
        let step = u32::try_from(by_speed).unwrap_or(u32::MAX).clamp(MIN_STEP, MAX_ITEMS);
        let below = workers.mark.below();
        let Some(next) = next.filter(|next| next.0.saturating_add(step / 2) >= below.0) else { return };
        let mark = Index(next.0.saturating_add(step).min(count));
        if below.0 < count && mark > below {
            workers.mark.raise(mark, context.writer.change());
        }
    }

    /// Gives to each worker that listens what it has room for.
    fn grant_all(&mut self, now: Time, claim: &mut Claim<'_>) {
        let lines = self.lines();
        let Some(workers) = &mut self.workers else { return };
        let only_fails = workers.limit.only_fails();
        let micros = workers.table.durations().ninetieth_percentile().filter(|_| !only_fails);
        let slots = workers.table.slots();
        let raised = workers.sizes.raised();
        let open: Vec<PodRole> =
            workers.table.iter().filter(|(_, worker)| worker.is_open()).map(|(role, _)| role).collect();
        // First a slot for each, then stock.
        for with_stock in [false, true] {
            for role in &open {
                let unassigned = (self.items.counts().pending as usize - self.unbegun()).saturating_sub(raised);
                let stock = Stock { micros: micros.filter(|_| with_stock), open: unassigned, slots, lines };
                self.grant_to(now, *role, stock, claim);
            }
        }
    }

    /// Items that a slot runs at once.
    fn lines(&self) -> usize {
        self.spec.blueprint.workers().map_or(1, WorkerSpec::lines)
    }

    /// Items that workers hold and have not begun.
    fn unbegun(&self) -> usize {
        let counts = self.items.counts();
        self.items.assignments().len().saturating_sub(counts.running as usize).min(counts.pending as usize)
    }

    fn grant_to(&mut self, now: Time, role: PodRole, stock: Stock, claim: &mut Claim<'_>) {
        let Some(worker) = self.workers.as_ref().and_then(|workers| workers.table.get(role)) else { return };
        let (slots, holds, memory) = (worker.slots(), worker.session().holds(), worker.memory());
        let is_fresh = worker.is_fresh();
        if worker.runs_alone() || !worker.has_memory(memory) {
            return;
        }
        if is_fresh && let Some(index) = self.next_grant(now, role, Need { memory, fresh: true }, claim) {
            return self.grant(role, index, Company::Alone);
        }
        let is_trusted = self.workers.as_ref().is_some_and(|workers| workers.table.trust(role) == Trust::Full);
        let stock = if memory.is_none() { stock.of(slots) } else { 0 };
        let most = if is_trusted { slots + stock } else { slots.min(1) };
        for _ in holds..most {
            let Some(index) = self.next_grant(now, role, Need { memory, fresh: false }, claim) else { return };
            self.grant(role, index, Company::Shared);
        }
    }

    /// The item to grant next to a worker that offers this. Those whose equals are computed wait for them.
    fn next_grant(&mut self, now: Time, role: PodRole, need: Need, claim: &mut Claim<'_>) -> Option<Index> {
        loop {
            let next = if need == Need::NOTHING { self.next_plain(now, role) } else { self.first_waiting(need) };
            let index = next?;
            match claim(&self.spec, index, self.items.attempt(index)) {
                Ok(()) => return Some(index),
                Err(conflict) => self.block(index, &conflict),
            }
        }
    }

    fn grant(&mut self, role: PodRole, index: Index, company: Company) {
        let attempt = self.items.attempt(index);
        let item = self.spec.blueprint.items.get(index);
        // `MAPTASK_ITEM` is made by the worker.
        let env = item_env(&item).into_iter().skip(1).collect();
        let id = AttemptId(index.0, attempt.0);
        let grant = Grant { id, item: item.into_raw(), env };
        self.assign_to_worker(index, role);
        if let Some(workers) = &mut self.workers {
            workers.elsewhere.granted(index);
            workers.table.grant(role, index, attempt, grant, company);
        }
    }

    /// Asks for stock: of all, if nothing may start, else for as much as others could begin at once.
    fn recall(&mut self, is_open: bool) {
        let Some(workers) = &mut self.workers else { return };
        let idle: usize = {
            let open = workers.table.iter().filter(|(_, worker)| worker.is_open() && worker.memory().is_none());
            open.map(|(_, worker)| worker.free()).sum()
        };
        let mut wanted = if is_open { idle } else { usize::MAX };
        if wanted == 0 || is_open && self.items.peek(usize::MAX).is_some() {
            return;
        }
        // What it begins next stays with it.
        let excess =
            |worker: &Worker| worker.session().holds().saturating_sub(if is_open { worker.slots() } else { 0 });
        let full: Vec<(PodRole, usize)> = workers
            .table
            .iter()
            .map(|(role, worker)| (role, excess(worker)))
            .filter(|(_, excess)| *excess > 0)
            .collect();
        for (role, excess) in full {
            wanted -= workers.table.recall(role, wanted.min(excess)).min(wanted);
        }
    }

    /// Ends workers that have had nothing to do for long enough.
    fn stop_idle(&mut self, now: Time, idle_millis: u64) {
        let Some(workers) = &mut self.workers else { return };
        let is_idle = |since: Option<Time>| since.is_some_and(|since| now.millis_since(since) >= idle_millis);
        let idle: Vec<PodRole> = workers
            .table
            .iter()
            .filter(|(_, worker)| worker.is_open() && worker.session().holds() == 0 && is_idle(worker.idle_since()))
            .map(|(role, _)| role)
            .collect();
        for role in idle {
            workers.table.stop(role, "nothing is left for it");
        }
    }
}
