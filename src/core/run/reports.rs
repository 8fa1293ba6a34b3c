//! What a worker's report does to its items.

use maptask_exchange::{Outcome, Request};

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::{Circumstances, Retry, reported};
use crate::core::ids::{Attempt, Index, PodRole};
use crate::core::phases::ItemPhase;
use crate::core::port::ExchangeRefusal;
use crate::core::run::{Context, Run};
use crate::core::workers::Worker;

/// Why an attempt has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndReason {
    /// The operator has stopped it.
    Stopped,
    /// By itself, or with its worker.
    Other,
}

impl Run {
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
        if !context.writer.is_written(workers.epoch_revision) {
            return Err(ExchangeRefusal::NotReady);
        }
        workers.table.admit(context.now, role, pod_uid)?;
        let report = workers.table.hear(context.now, role, ticket, request)?;
        workers.creation.worked();
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

    /// A worker reports an attempt that this operator did not know: it is the worker's, unless another one has it, or
    /// the attempt no longer counts.
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
            workers.sizes.clear(index);
        }
        self.assign_to_worker(index, role);
        let memory = self.items.tries(index).memory_raises;
        let reason = if is_stopped { EndReason::Stopped } else { EndReason::Other };
        let is_success = self.end_attempt(context, index, end, reason);
        let is_larger = self.items.tries(index).memory_raises != memory;
        let is_retried = self.items.phases().get(index) == Some(ItemPhase::Pending);
        let Some(workers) = &mut self.workers else { return };
        // More memory is what helps: that is no fault of the worker, and not each item of a list that lacks it is to
        // run by itself.
        if is_larger {
            return;
        }
        if is_success {
            workers.limit.succeeded();
            workers.table.succeeded_in(role);
        } else if !is_stopped {
            workers.limit.failed();
            workers.table.failed_in(role);
            if is_retried {
                workers.elsewhere.failed(index, role);
            }
        }
    }

    /// An attempt has ended, for this reason. Returns whether its item has succeeded.
    pub(super) fn end_attempt(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        end: AttemptEnd,
        reason: EndReason,
    ) -> bool {
        if let Some(workers) = &mut self.workers {
            workers.stragglers.ended(index);
        }
        let stopped = reason == EndReason::Stopped;
        let at = Circumstances { remainder: self.remainder(), stopped, retry: Retry::MayHelp, clear_at: context.now };
        self.end_item(context, index, end, &at);
        self.items.phases().get(index) == Some(ItemPhase::Succeeded)
    }
}
