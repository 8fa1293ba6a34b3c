//! The workers of a run and its items: what a worker says becomes of the items, and what becomes of both when its pod
//! ends.

use std::collections::BTreeSet;

use maptask_exchange::{Outcome, Request};

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::{Circumstances, Retry, StartAgain, reported};
use crate::core::backoff::Backoff;
use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::phases::{ItemPhase, Raises};
use crate::core::pod::{Detail, PodSeen};
use crate::core::port::{ExchangeRefusal, Reply};
use crate::core::revision::Revision;
use crate::core::run::elsewhere::Elsewhere;
use crate::core::run::sizes::Sizes;
use crate::core::run::stragglers::Stragglers;
use crate::core::run::{Context, Notice, Run};
use crate::core::workers::{Worker, WorkerTable};

/// The delay before a worker is created after one that has done nothing, in milliseconds, doubling up to
/// [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 60_000;
/// If this number of attempts have ended and all have failed, one item at a time runs until one succeeds: a typo must
/// not fail a whole list.
const ALL_FAILED: u32 = 20;

/// The workers of a run, and what they may be granted.
#[derive(Debug)]
pub struct Workers {
    pub(super) table: WorkerTable,
    /// The number of the next worker.
    pub(super) next: u32,
    /// When another worker may be created.
    pub(super) again: Backoff,
    /// Whether it may now.
    pub(super) may_create: bool,
    /// What the last worker said that has done nothing.
    pub(super) problem: Option<String>,
    /// What should run elsewhere.
    pub(super) elsewhere: Elsewhere,
    /// When it last gave up a worker for another task.
    pub(super) gave_up: Option<Time>,
    /// What takes long.
    pub(super) stragglers: Stragglers,
    /// Reports that are yet to be made.
    pub(super) notices: Vec<Notice>,
    /// So many workers are silent that the fault is not theirs.
    pub(super) cut_off: bool,
    /// Grants are recorded below this index, once this revision is.
    pub(super) mark: (Index, Revision),
    /// Grants are recorded below this index.
    pub(super) recorded: Index,
    /// Items that ran beside others when their worker died: each is to run alone in a fresh worker.
    pub(super) suspects: BTreeSet<Index>,
    /// The items that not every worker can take.
    pub(super) sizes: Sizes,
    /// What another leader has granted is not known yet.
    pub(super) awaits: bool,
    /// Items at most at the same time.
    pub(super) concurrency: Option<usize>,
    /// The number of attempts that have ended, up to the first success; `None` from then on.
    pub(super) failed_first: Option<u32>,
}

impl Workers {
    /// No workers yet. Earlier leaders had lower epochs, and have granted nothing from `mark` on.
    pub fn new(epoch: u64, mark: Index) -> Self {
        Self {
            table: WorkerTable::new(epoch),
            next: 1,
            again: Backoff::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS),
            may_create: true,
            problem: None,
            elsewhere: Elsewhere::default(),
            gave_up: None,
            stragglers: Stragglers::default(),
            notices: Vec::new(),
            cut_off: false,
            mark: (mark, Revision::default()),
            recorded: mark,
            suspects: BTreeSet::new(),
            sizes: Sizes::default(),
            awaits: false,
            concurrency: None,
            failed_first: Some(0),
        }
    }

    /// The epoch of this leader.
    pub fn epoch(&self) -> u64 {
        self.table.epoch()
    }

    /// Below which index grants are recorded.
    pub fn mark(&self) -> Index {
        self.mark.0
    }

    /// The memory of a worker.
    pub(super) fn memory_of(&self, role: PodRole) -> Raises {
        self.table.get(role).map_or(Raises::NONE, Worker::memory)
    }

    /// Whether nothing has succeeded, and enough has failed to suspect the template.
    pub(super) fn only_fails(&self) -> bool {
        self.failed_first.is_some_and(|failed| failed >= ALL_FAILED)
    }

    /// A worker was made in vain, or has done nothing.
    pub(super) fn failed(&mut self, now: Time, problem: Option<String>) {
        self.again.failed(now);
        self.may_create = false;
        self.problem = problem.or_else(|| self.problem.take());
    }
}

impl Run {
    /// The workers, if pods take one item after another.
    pub fn workers(&self) -> Option<&Workers> {
        self.workers.as_ref()
    }

    /// Whether the pod is a worker of this run.
    pub(super) fn is_worker(&self, role: PodRole) -> bool {
        role.is_worker() && self.workers.is_some()
    }

    /// A worker's pod is about to be known. It holds nothing, unless another leader may have granted something to it.
    pub(super) fn add_worker(&mut self, now: Time, role: PodRole, is_found: bool) {
        let is_loading = self.is_loading;
        if let (PodRole::Worker(number), Some(workers)) = (role, &mut self.workers) {
            workers.next = workers.next.max(number.saturating_add(1));
            workers.table.add(now, role, !(is_found && is_loading));
        }
    }

    /// The pod of a worker is shown.
    pub(super) fn show_worker(&mut self, now: Time, role: PodRole, pod: &PodSeen) {
        let running = self.spec.blueprint.template.role().runs(pod).then_some(now);
        if let Some(workers) = &mut self.workers {
            workers.table.show(role, pod, running);
        }
    }

    /// All pods were shown that there are. What another leader may have granted is not free until each worker has said
    /// what it holds; what was never granted is.
    pub(super) fn end_loading(&mut self) {
        self.is_loading = false;
        if let Some(workers) = &mut self.workers {
            workers.awaits = true;
            self.items.begin_at(workers.recorded);
        }
    }

    /// Once every worker has said what it holds, all else is free; and what ran, by the record, and is nowhere, is
    /// lost.
    pub(super) fn settle_announcements(&mut self, context: &mut Context<'_>) {
        let Some(workers) = self.workers.as_mut().filter(|workers| workers.awaits) else { return };
        if workers.table.awaits_announcements() {
            return;
        }
        workers.awaits = false;
        self.items.begin_at(Index(0));
        let running = self.items.phases().iter_in(ItemPhase::Running);
        let lost: Vec<Index> = running.filter(|index| !self.items.assignments().holds(*index)).collect();
        for index in lost {
            let end = AttemptEnd { outcome: AttemptOutcome::NodeLost, detail: Detail::default() };
            self.end_attempt(context, index, end, false);
        }
    }

    /// Whether workers have yet to say what they hold.
    pub fn awaits_workers(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| workers.awaits)
    }

    /// Whether items may run in a place that is not known.
    pub(super) fn awaits_announcements(&self) -> bool {
        self.awaits_workers() && self.items.counts().running > 0
    }

    /// A worker speaks. `pod_uid`: that of its pod, by its token.
    pub fn hear(
        &mut self,
        context: &mut Context<'_>,
        role: PodRole,
        pod_uid: &str,
        ticket: u64,
        request: Request,
    ) -> Result<(), ExchangeRefusal> {
        let workers = self.workers.as_mut().ok_or(ExchangeRefusal::NotAWorker)?;
        workers.table.admit(context.now, role, pod_uid)?;
        let report = workers.table.hear(context.now, role, ticket, request)?;
        workers.again.reset();
        workers.problem = None;
        for (index, attempt) in report.left {
            self.free(context, role, index, attempt);
        }
        for end in report.ended {
            self.end_reported(context, role, end);
        }
        for (index, attempt) in report.began {
            if self.holds(role, index, attempt) {
                self.run_in_worker(context, index);
            }
        }
        for (index, attempt) in report.freed {
            self.free(context, role, index, attempt);
        }
        for (index, attempt, runs) in report.unknown {
            self.claim(context, role, index, attempt, runs);
        }
        let revision = context.writer.revision();
        if let Some(workers) = &mut self.workers {
            workers.table.recorded_with(role, revision);
        }
        Ok(())
    }

    /// Whether nothing but the attempt that has just ended can have taken memory in this worker.
    fn ran_one(&self, role: PodRole) -> bool {
        self.workers.as_ref().and_then(|workers| workers.table.get(role)).is_none_or(Worker::ran_one)
    }

    pub(super) fn holds(&self, role: PodRole, index: Index, attempt: Attempt) -> bool {
        self.items.assignments().pod(index) == Some(role) && self.items.attempt(index) == attempt
    }

    /// An attempt that a worker was granted is not with it any more, and has not begun, or was stopped with it.
    pub(super) fn free(&mut self, context: &mut Context<'_>, role: PodRole, index: Index, attempt: Attempt) {
        if self.holds(role, index, attempt) {
            self.items.give_back(&mut context.step(), index);
            if let Some(workers) = &mut self.workers {
                workers.stragglers.ended(index);
            }
        }
    }

    /// A worker holds an attempt of which nothing was known here: it is the worker's, unless another has it, or it
    /// counts no more.
    fn claim(&mut self, context: &mut Context<'_>, role: PodRole, index: Index, attempt: Attempt, runs: bool) {
        // What has not begun may be another worker's by now, which has yet to speak.
        let may_be_anothers = !runs && self.workers.as_ref().is_some_and(|w| w.table.awaits_announcements());
        let is_open = self.is_open_attempt(role, index, attempt) && !may_be_anothers;
        // Its equal may have been granted since it was given up.
        let has_equals = self.spec.serialized().is_some();
        let Some(workers) = &mut self.workers else { return };
        // A suspect begins in a fresh worker, and not beside others.
        if !is_open || !runs && (has_equals || workers.sizes.waits_for_fresh(index)) {
            return workers.table.revoke(role, index, attempt);
        }
        workers.table.adopt(role, index, attempt, runs);
        self.assign_to_worker(index, role);
        if runs {
            self.run_in_worker(context, index);
        }
    }

    /// The program of an item runs.
    fn run_in_worker(&mut self, context: &mut Context<'_>, index: Index) {
        self.items.runs(&mut context.step(), index);
        if let Some(workers) = &mut self.workers {
            workers.stragglers.began(context.now, index);
        }
    }

    /// Whether the attempt is the one that counts, and no other worker has it.
    pub(super) fn is_open_attempt(&self, role: PodRole, index: Index, attempt: Attempt) -> bool {
        let phase = self.items.phases().get(index);
        let holder = self.items.assignments().pod(index);
        phase.is_some_and(|phase| !phase.is_terminal())
            && self.items.attempt(index) == attempt
            && holder.is_none_or(|holder| holder == role)
    }

    /// A worker says that an attempt has ended.
    fn end_reported(&mut self, context: &mut Context<'_>, role: PodRole, end: maptask_exchange::End) {
        let (index, attempt) = (Index(end.id.0), Attempt(end.id.1));
        // A worker that was silent may have lost the attempt to another, which may begin it at any time: this end is
        // forgotten.
        if !self.is_open_attempt(role, index, attempt) {
            return;
        }
        let is_short = matches!(end.outcome, Outcome::OutOfMemory { .. });
        let is_doubtful = is_short && !self.ran_one(role) || matches!(end.outcome, Outcome::Suspect { .. });
        if is_doubtful {
            self.assign_to_worker(index, role);
            return self.suspect(context, &[index]);
        }
        let micros = end.micros;
        let end = reported(end.outcome, self.spec.blueprint.template.container(), self.spec.results);
        let is_stopped = end.outcome == AttemptOutcome::Stopped;
        if let Some(workers) = &mut self.workers {
            if !is_stopped {
                workers.table.durations().add(micros);
            }
            workers.suspects.remove(&index);
        }
        self.assign_to_worker(index, role);
        let memory = self.items.tries(index).memory_raises;
        let is_success = self.end_attempt(context, index, end, is_stopped);
        let is_larger = self.items.tries(index).memory_raises != memory;
        let is_retried = self.items.phases().get(index) == Some(ItemPhase::Pending);
        let Some(workers) = &mut self.workers else { return };
        // More memory is what helps: that is no fault of the worker, and not each item of a list that lacks it is to
        // run by itself.
        if is_larger {
            return;
        }
        let first = workers.failed_first.filter(|_| !is_success);
        workers.failed_first = first.map(|count| count.saturating_add(1));
        if is_success {
            workers.table.succeeded_in(role);
        } else if !is_stopped {
            workers.table.failed_in(role);
            if is_retried {
                workers.elsewhere.failed(index, role);
            }
        }
    }

    /// An attempt has ended. Returns whether its item has succeeded.
    pub(super) fn end_attempt(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        end: AttemptEnd,
        stopped: bool,
    ) -> bool {
        if let Some(workers) = &mut self.workers {
            workers.stragglers.ended(index);
        }
        let at = Circumstances { remainder: self.remainder(), stopped, retry: Retry::MayHelp, clear_at: context.now };
        self.end_item(context, index, end, &at);
        self.items.phases().get(index) == Some(ItemPhase::Succeeded)
    }

    /// The API server failed at the create of a worker. Returns until when no other one is tried.
    pub(super) fn worker_create_failed(
        &mut self,
        context: &Context<'_>,
        role: PodRole,
        may_exist: bool,
    ) -> Option<Time> {
        if may_exist {
            self.create_indeterminate(context.now, role);
            return None;
        }
        self.lose_worker(context.now, role, None)
    }

    /// There is no pod for the worker, and another one is tried later. Returns when.
    pub(super) fn lose_worker(&mut self, now: Time, role: PodRole, problem: Option<String>) -> Option<Time> {
        self.pods.remove(role);
        let workers = self.workers.as_mut()?;
        workers.table.remove(role);
        workers.failed(now, problem);
        workers.again.until()
    }

    /// No pod was made for the worker: another one is created when its turn comes.
    pub(super) fn drop_worker(&mut self, now: Time, role: PodRole, again: StartAgain) {
        self.pods.remove(role);
        let Some(workers) = &mut self.workers else { return };
        workers.table.remove(role);
        if let StartAgain::NotBefore(time) = again {
            workers.again.wait_until(time);
            workers.may_create = workers.again.is_due(now);
        }
    }

    /// Takes out the pods of all workers, which are to end for this reason; those that were seen, with UID and version.
    pub fn take_workers(&mut self, why: &'static str) -> Vec<(PodRole, String, u64)> {
        let Some(workers) = &mut self.workers else { return Vec::new() };
        workers.table.stop_all(why);
        let roles: Vec<PodRole> = workers.table.iter().map(|(role, _)| role).collect();
        let seen = |role: PodRole| {
            let pod = self.pods.remove(role)?;
            Some((role, pod.uid()?.to_owned(), pod.version()?))
        };
        roles.into_iter().filter_map(seen).collect()
    }

    /// What is to be sent to workers.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        self.workers.as_mut().map(|workers| workers.table.take_replies()).unwrap_or_default()
    }

    /// Answers all requests that are kept.
    pub fn close_exchanges(&mut self, refusal: ExchangeRefusal) -> Vec<Reply> {
        self.workers.as_mut().map(|workers| workers.table.close(refusal)).unwrap_or_default()
    }
}
