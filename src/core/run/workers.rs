//! The workers of a run: how they are made, found and retired.

use crate::api::status::WorkersStatus;
use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::StartAgain;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::phases::{ItemPhase, Raises};
use crate::core::pod::{Detail, PodSeen};
use crate::core::pods::retention::FinishedPod;
use crate::core::port::{ExchangeRefusal, Reply};
use crate::core::record::number;
use crate::core::revision::Revision;
use crate::core::run::elsewhere::Elsewhere;
use crate::core::run::reports::EndReason;
use crate::core::run::sizes::Sizes;
use crate::core::run::stragglers::Stragglers;
use crate::core::run::{Context, Notice, Run};
use crate::core::workers::{Creation, GrantMark, Holdings, ItemLimit, Numbers, Worker, WorkerTable};

/// The workers of a run, and what they may be granted.
#[derive(Debug)]
pub struct Workers {
    pub(super) table: WorkerTable,
    pub(super) numbers: Numbers,
    /// The epoch is recorded with this revision. Until then no worker hears it: another leader could have the same.
    pub(super) epoch_revision: Revision,
    /// When another worker may be created.
    pub(super) creation: Creation,
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
    /// Below which index items are granted.
    pub(super) mark: GrantMark,
    /// The items that not every worker can take.
    pub(super) sizes: Sizes,
    /// What another leader has granted is not known yet. What turns out to be nowhere has ended for this reason.
    pub(super) awaits: Option<EndReason>,
    /// Items at most at the same time.
    pub(super) limit: ItemLimit,
}

impl Workers {
    /// The epoch of the leader that follows.
    pub fn next_epoch(recorded: Option<WorkersStatus>) -> u64 {
        recorded.and_then(|recorded| u64::try_from(recorded.epoch).ok()).unwrap_or(0) + 1
    }

    /// No workers yet. Earlier leaders had lower epochs, and have granted nothing from `mark` on.
    pub fn new(epoch: u64, mark: Index, first: u32) -> Self {
        Self {
            table: WorkerTable::new(epoch),
            numbers: Numbers::new(first),
            epoch_revision: Revision::default(),
            creation: Creation::default(),
            elsewhere: Elsewhere::default(),
            gave_up: None,
            stragglers: Stragglers::default(),
            notices: Vec::new(),
            cut_off: false,
            mark: GrantMark::recorded_at(mark),
            sizes: Sizes::default(),
            awaits: None,
            limit: ItemLimit::default(),
        }
    }

    /// The epoch of this leader.
    pub fn epoch(&self) -> u64 {
        self.table.epoch()
    }

    /// Below which index grants are recorded.
    pub fn mark(&self) -> Index {
        self.mark.below()
    }

    /// Names of these pods are not given again.
    pub fn reserve(&mut self, taken: impl Iterator<Item = PodRole>) {
        taken.filter(|role| role.is_worker()).for_each(|role| self.numbers.take(role.attempt().0));
    }

    /// Whether the pod is a worker of a run before this one.
    pub(super) fn is_of_run_before(&self, role: PodRole) -> bool {
        role.is_worker() && self.numbers.is_of_run_before(role.attempt().0)
    }

    /// The memory of a worker.
    pub(super) fn memory_of(&self, role: PodRole) -> Raises {
        self.table.get(role).map_or(Raises::NONE, Worker::memory)
    }
}

impl Run {
    /// The workers, if pods take one item after another.
    pub fn workers(&self) -> Option<&Workers> {
        self.workers.as_ref()
    }

    /// Whether the pod is a worker of a run before this one.
    pub fn is_of_run_before(&self, role: PodRole) -> bool {
        self.workers.as_ref().is_some_and(|workers| workers.is_of_run_before(role))
    }

    /// Whether the pod is a worker of this run.
    pub(super) fn is_worker(&self, role: PodRole) -> bool {
        role.is_worker() && self.workers.is_some()
    }

    /// A worker's pod is about to be known. What another leader has granted is unknown only while the run is loaded.
    pub(super) fn add_worker(&mut self, now: Time, role: PodRole, holdings: Holdings) {
        let holdings = if self.is_loading { holdings } else { Holdings::None };
        if let (PodRole::Worker(number), Some(workers)) = (role, &mut self.workers) {
            workers.numbers.take(number);
            workers.table.add(now, role, holdings);
        }
    }

    /// The pod of a worker is shown.
    pub(super) fn show_worker(&mut self, now: Time, role: PodRole, pod: &PodSeen) {
        let running = self.spec.blueprint.template.main_container().runs(pod).then_some(now);
        if let Some(workers) = &mut self.workers {
            workers.table.show(role, pod, running);
        }
    }

    /// All pods were shown that there are. What another leader may have granted is not free until each worker has said
    /// what it holds; what was never granted is. `suspended`: workers may have been stopped for a suspension.
    pub(super) fn end_loading(&mut self, suspended: bool) {
        self.is_loading = false;
        if let Some(workers) = &mut self.workers {
            workers.awaits = Some(if suspended { EndReason::Stopped } else { EndReason::Other });
            self.items.begin_at(workers.mark.recorded());
        }
    }

    /// Once every worker has said what it holds, all else is free; and what ran, by the record, and is nowhere, is
    /// lost.
    pub(super) fn settle_announcements(&mut self, context: &mut Context<'_>) {
        let Some(workers) = &mut self.workers else { return };
        let Some(reason) = workers.awaits else { return };
        workers.table.presume_empty(context.now);
        if workers.table.awaits_announcements() {
            return;
        }
        workers.awaits = None;
        self.items.begin_at(Index(0));
        let running = self.items.phases().iter_in(ItemPhase::Running);
        let lost: Vec<Index> = running.filter(|index| !self.items.assignments().holds(*index)).collect();
        let end = || match reason {
            EndReason::Stopped => AttemptOutcome::Stopped,
            EndReason::Other => AttemptOutcome::NodeLost,
        };
        for index in lost {
            let end = AttemptEnd { outcome: end(), detail: Detail::default() };
            self.end_attempt(context, index, end, reason);
        }
    }

    /// Whether workers have yet to say what they hold.
    pub fn awaits_workers(&self) -> bool {
        self.workers.as_ref().is_some_and(|workers| workers.awaits.is_some())
    }

    /// Whether items may run in a place that is not known.
    pub(super) fn awaits_announcements(&self) -> bool {
        self.awaits_workers() && self.items.counts().running > 0
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
        workers.creation.failed(now, problem);
        workers.creation.until()
    }

    /// No pod was made for the worker: another one is created when its turn comes.
    pub(super) fn drop_worker(&mut self, now: Time, role: PodRole, again: StartAgain) {
        self.pods.remove(role);
        let Some(workers) = &mut self.workers else { return };
        workers.table.remove(role);
        if let StartAgain::NotBefore(time) = again {
            workers.creation.wait_until(now, time);
        }
    }

    /// The items need no workers any more: they are to end for this reason, and their pods are finished pods that may
    /// be deleted from that time on.
    pub fn retire_workers(&mut self, context: &mut Context<'_>, why: &'static str, not_before: Time) {
        let Some(workers) = &mut self.workers else { return };
        workers.table.stop_all(why);
        let roles: Vec<PodRole> = workers.table.iter().map(|(role, _)| role).collect();
        for role in roles {
            let seen = self.pods.remove(role).and_then(|pod| Some((pod.uid()?.to_owned(), pod.version()?)));
            if let Some((uid, version)) = seen {
                let pod = FinishedPod { role, uid, version, ended: false, failure: None, not_before };
                context.retention.delete_now(pod);
            }
        }
    }

    /// What of its workers is recorded.
    pub fn workers_status(&self) -> Option<WorkersStatus> {
        let workers = self.workers.as_ref()?;
        let epoch = i64::try_from(workers.epoch()).unwrap_or(i64::MAX);
        Some(WorkersStatus { epoch, granted_below: number(workers.mark().0) })
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
