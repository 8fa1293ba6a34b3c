//! The pod of a worker is over: what becomes of the attempts that it held.

use maptask_exchange::Record;

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::attempts::{Before, blame_worker};
use crate::core::ids::{Attempt, Index, PodRole};
use crate::core::pod::{Detail, PodEnd, StopReason};
use crate::core::run::reports::EndReason;
use crate::core::run::{Context, Run};
use crate::core::spec::outcome::Remainder;
use crate::core::workers::{Session, Worker};

impl Run {
    /// The pod of a worker is over: what it held runs again, or has failed with it.
    pub(super) fn finish_worker(&mut self, context: &mut Context<'_>, role: PodRole, end: PodEnd) {
        let record: Option<Record> = end.detail.message.as_deref().and_then(|text| serde_json::from_str(text).ok());
        let Some(workers) = &mut self.workers else { return };
        let before = before(workers.table.get(role), record.as_ref());
        // Of raised memory a worker is made for an item that waits for it.
        let never_started = matches!(end.stop, Some(StopReason::NeverStarted(_)));
        let waiting = if never_started { self.take_waiting(role) } else { None };
        let Some(workers) = &mut self.workers else { return };
        let session = workers.table.remove(role).unwrap_or_default();
        let mut running = self.release_held(context, role, session, record.as_ref(), &end);
        running.extend(waiting);
        let by_itself = end.outcome.is_success() || end.stop.is_some();
        let suspending = self.suspension.stops;
        if let Some(end) = blame_worker(end, suspending, &running, before) {
            for index in running {
                let is_stopped = end.outcome == AttemptOutcome::Stopped || self.is_stopping();
                let reason = if is_stopped { EndReason::Stopped } else { EndReason::Other };
                self.end_attempt(context, index, end.clone(), reason);
            }
        } else {
            self.suspect(context, &running);
        }
        let Some(workers) = &mut self.workers else { return };
        if !by_itself && record.as_ref().is_none_or(|record| record.begun == 0) {
            workers.creation.failed(context.now, record.and_then(|record| record.message));
        }
    }

    /// Whether pods are stopped since the task is decided.
    fn is_stopping(&self) -> bool {
        self.remainder() == Remainder::Cancel
    }

    /// Gives back what a worker had not begun. Returns what ran in it.
    fn release_held(
        &mut self,
        context: &mut Context<'_>,
        role: PodRole,
        mut session: Session,
        record: Option<&Record>,
        end: &PodEnd,
    ) -> Vec<Index> {
        let mut running = Vec::new();
        let noted = |index: Index| record.is_some_and(|record| record.running.iter().any(|id| id.0 == index.0));
        // A record tells what ran at the very end.
        let knows = record.is_some() || end.outcome.is_success();
        for (index, attempt, runs) in session.take_all() {
            if !self.holds(role, index, attempt) {
                continue;
            }
            if noted(index) || runs && !knows {
                running.push(index);
            } else {
                // What has ended and was not acknowledged runs again at no cost.
                self.items.give_back(&mut context.step(), index);
            }
        }
        for id in record.map(|record| record.running.as_slice()).unwrap_or_default() {
            let (index, attempt) = (Index(id.0), Attempt(id.1));
            if self.items.assignments().pod(index).is_none() && self.is_open_attempt(role, index, attempt) {
                self.assign_to_worker(index, role);
                running.push(index);
            }
        }
        running
    }

    /// Nobody knows whose fault the end of their worker was: none has lost anything, and each runs alone.
    pub(super) fn suspect(&mut self, context: &mut Context<'_>, running: &[Index]) {
        for index in running {
            let outcome = AttemptOutcome::Stopped;
            let detail = Detail::default();
            self.end_attempt(context, *index, AttemptEnd { outcome, detail }, EndReason::Other);
        }
        if let Some(workers) = &mut self.workers {
            workers.sizes.suspect(running);
        }
    }
}

/// What had run in a worker besides what its record says to run.
fn before(worker: Option<&Worker>, record: Option<&Record>) -> Before {
    let begun = record.map(|record| record.begun).or_else(|| Some(worker?.session().begun()));
    let is_alone = worker.is_some_and(Worker::is_alone);
    if !is_alone && begun.is_some_and(|begun| begun > 1) { Before::Others } else { Before::Nothing }
}
