//! What is to be done for one task now?

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::status::{Waiting, WaitingReason};
use crate::core::ids::{Attempt, Index, PodRole, Time};
use crate::core::pod::pod_name;
use crate::core::pods::flight::{Doubt, Flight, Stop, Unwanted};
use crate::core::port::{Action, Check, Create, Delete, EmitEvent, Expire, PodId, Write};
use crate::core::queue::Denial;
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::outcome::Remainder;
use crate::core::task::{Budget, PollContext, Stage, Task};

/// Most characters of a message in `status.waiting`.
const WAITING_LIMIT: usize = 512;

impl Task {
    /// The item to start next, if one may start as far as this task is concerned.
    pub fn peek_startable(&mut self) -> Option<Index> {
        if self.deleting || self.mutable.suspend || self.unstored.is_some() || self.templates.problem.is_some() {
            return None;
        }
        let limit = self.mutable.concurrency.unwrap_or(usize::MAX);
        let run = self.active_mut()?;
        if run.not_before.is_some()
            || run.awaits_lookup()
            || !run.remainder().starts()
            || !run.spec.blueprint.items.is_known()
        {
            return None;
        }
        let flights = &run.flights;
        let index = run.waitlist.peek(&run.phases, |index| flights.contains(index))?;
        let others = run.in_flight() - usize::from(run.waitlist.keeps_slot(index));
        (others < limit).then_some(index)
    }

    /// How many items more are in flight once this one has started, which [`Self::peek_startable`] named.
    pub fn slots_to_start(&self, index: Index) -> usize {
        usize::from(self.active().is_none_or(|run| !run.waitlist.keeps_slot(index)))
    }

    /// Starts an item that [`Self::peek_startable`] named.
    pub fn launch(&mut self, poll: &PollContext, index: Index) -> Option<Create> {
        let run = self.active_mut()?;
        let attempt = run.launch(poll.now, index);
        let memory_raises = run.tries.get(index).memory_raises;
        let blueprint = Arc::clone(&run.spec.blueprint);
        Some(Create { role: blueprint.role_of(index, attempt), blueprint, memory_raises })
    }

    /// Notes why nothing more starts; `denied` is what the queue said.
    /// Answers whether that is news.
    pub fn note_waiting(&mut self, now: Time, denied: Option<Denial>) -> bool {
        let waiting = self.why_waiting(denied);
        if waiting == self.summary.waiting {
            return false;
        }
        if let Some(waiting) = &waiting {
            self.emit_blocked(now, waiting);
        }
        self.summary.waiting = waiting;
        self.writer.change();
        true
    }

    fn why_waiting(&self, denied: Option<Denial>) -> Option<Waiting> {
        let Some(run) = self.active() else { return self.why_not_accepted() };
        let starts = !self.mutable.suspend && run.remainder().starts() && run.phases.counts().pending > 0;
        let (reason, message) = if let Some(problem) = self.templates.problem.as_ref().filter(|_| starts) {
            (WaitingReason::TemplateChanged, Some(problem.clone()))
        } else if let Some(Denial::Waiting(reason, message)) = denied.filter(|_| starts) {
            (reason, message)
        } else if let Some(message) =
            self.fetching.problem.as_ref().filter(|_| starts && !run.spec.blueprint.items.is_known())
        {
            (WaitingReason::ItemsChanged, Some(message.clone()))
        } else if let Some((_, message)) = self.name_taken.as_ref().filter(|_| starts) {
            (WaitingReason::NameTaken, Some(message.clone()))
        } else if let Some(stalled) = run.blockers.waiting() {
            (stalled.reason, stalled.message)
        } else if let Some((index, names)) = run.outlived.late() {
            let pod = pod_name(&self.key.name, run.spec.blueprint.role_of(index, run.tries.get(index).attempt));
            let own = run.spec.blueprint.template.container();
            let message = format!(
                "pod {pod}: container {own} has ended, but {names} runs on; with spec.completion: Container the pod ends then"
            );
            (WaitingReason::ContainersRunning, Some(message))
        } else if starts && self.mutable.concurrency.is_some_and(|limit| run.in_flight() >= limit) {
            (WaitingReason::Concurrency, None)
        } else if let Some((_, message)) = self.create_failed.as_ref().filter(|_| starts) {
            (WaitingReason::FailedCreate, Some(message.clone()))
        } else if let Some(behind) = run.blocked_on_duplicate.behind().filter(|_| starts && run.waits_for_others()) {
            (WaitingReason::Serialized, Some(behind.to_owned()))
        } else if starts && run.flights.is_empty() && run.waitlist.is_holding() {
            (WaitingReason::Backoff, None)
        } else {
            return None;
        };
        Some(Waiting { reason, message: message.map(|m| crate::text::cut(&m, WAITING_LIMIT)) })
    }

    /// What a task waits for that is not accepted yet.
    fn why_not_accepted(&self) -> Option<Waiting> {
        let (reason, message) = match &self.stage {
            Stage::Fetching(_) => (WaitingReason::ItemsMissing, self.fetching.problem.as_ref()?),
            Stage::Checking { problem, .. } => (WaitingReason::FailedCreate, problem.as_ref()?),
            Stage::Running(_) | Stage::Ended { .. } => return None,
        };
        Some(Waiting { reason, message: Some(crate::text::cut(message, WAITING_LIMIT)) })
    }

    /// Puts into `actions` what is to be done for this task now, creates and the status write apart.
    pub fn poll(&mut self, poll: &PollContext, budget: &mut Budget, actions: &mut Vec<Action>) {
        if !self.deleting {
            self.poll_life(poll, budget, actions);
        }
        let (due, later) = self.tells.drain(..).partition(|(revision, _)| self.writer.is_written(*revision));
        self.tells = later;
        let due: VecDeque<(Revision, EmitEvent)> = due;
        actions.extend(due.into_iter().map(|(_, tell)| Action::EmitEvent(tell)));
    }

    fn poll_life(&mut self, poll: &PollContext, budget: &mut Budget, actions: &mut Vec<Action>) {
        let now = poll.now;
        self.name_taken.take_if(|(until, _)| *until <= now);
        self.create_failed.take_if(|(until, _)| *until <= now);
        self.poll_fetch(now, actions);
        self.poll_recall(now, actions);
        self.poll_check(now, actions);
        self.poll_rerun(now);
        let stops = self.mutable.stops();
        let key = self.key.clone();
        if let (Some(run), context) = self.context(now) {
            run.not_before =
                run.not_before.filter(|(revision, time)| !context.writer.is_written(*revision) || *time > now);
            run.waitlist.release_due(now, context.writer.written());
            run.expire_starts(now);
            run.suspend(stops, context.writer.revision());
            run.poll_explain(now, &key, actions);
            run.outlived.expire(now);
        }
        self.decide(now);
        self.poll_flights(now, budget, actions);
        if self.writer.reread_due().is_some_and(|due| due <= now) {
            self.writer.reread_begun(now);
            actions.push(Action::Reread(self.key.clone()));
        }
        self.retention.sort(now, self.writer.written(), poll.keeping);
        while budget.deletes > 0 {
            let Some(pod) = self.retention.next_delete(now) else { break };
            budget.deletes -= 1;
            let id = self.pod_id(pod.role);
            let version = (!pod.ended).then_some(pod.version);
            let task_uid = self.uid.clone();
            actions.push(Action::Delete(Delete { id, uid: pod.uid, task_uid, version, ended: pod.ended }));
        }
        if self.expiry().is_some_and(|time| time <= now) {
            self.expiring = Some(now.plus_millis(EXPIRE_AGAIN_MILLIS));
            actions.push(Action::Expire(Expire {
                key: self.key.clone(),
                uid: self.uid.clone(),
                resource_version: self.writer.resource_version(),
            }));
        }
    }

    /// When this task must be polled again if nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        if self.deleting {
            return None;
        }
        let stage = match &self.stage {
            Stage::Checking { again, asked: false, .. } if self.may_check() => again.until(),
            Stage::Running(_) if !self.mutable.suspend => self.active().and_then(|run| run.waitlist.next_wake()),
            _ => None,
        };
        let times = [
            stage,
            self.active().and_then(Run::next_wake),
            // Until its revision is written, the answer to that write is what counts.
            self.active()
                .and_then(|run| run.not_before)
                .filter(|(revision, _)| self.writer.is_written(*revision))
                .map(|gate| gate.1),
            self.name_taken.as_ref().map(|(until, _)| *until),
            self.create_failed.as_ref().map(|(until, _)| *until),
            self.next_fetch(),
            self.next_recall(),
            self.deadline(),
            self.reduction.as_ref().and_then(|reduction| reduction.deadline()),
            self.expiry(),
            self.writer.due(),
            self.writer.reread_due(),
            self.retention.next_wake(),
        ];
        times.into_iter().flatten().min()
    }

    fn poll_check(&mut self, now: Time, actions: &mut Vec<Action>) {
        let may = self.may_check();
        if let Stage::Checking { spec, again, asked, .. } = &mut self.stage
            && may
            && !*asked
            && again.is_due(now)
        {
            *asked = true;
            let (key, uid) = (self.key.clone(), self.uid.clone());
            actions.push(Action::Check(Check { key, uid, blueprints: spec.blueprints() }));
        }
    }

    /// Stops what is not to run any more, and looks for pods that are doubtful.
    fn poll_flights(&mut self, now: Time, budget: &mut Budget, actions: &mut Vec<Action>) {
        let key = self.key.clone();
        let (Some(run), context) = self.context(now) else { return };
        let recorded = run.decided_at.is_none_or(|revision| context.writer.is_written(revision));
        let all = recorded && run.remainder() == Remainder::Cancel;
        let suspended = run.suspended_at.is_none_or(|revision| context.writer.is_written(revision));
        run.flights.stop_all(all);
        let Run { spec, flights, indeterminate, .. } = run;
        let id =
            |index: Index, attempt: Attempt| PodId { key: key.clone(), role: spec.blueprint.role_of(index, attempt) };
        let task_uid = || spec.blueprint.uid.clone();
        let is_unwanted = |unwanted: Unwanted| suspended || unwanted != Unwanted::Suspended;
        let is_to_stop =
            |flight: &Flight| (all || flight.unwanted.is_some_and(is_unwanted)) && matches!(flight.stop, Stop::No(_));
        let each = |index: Index, flight: &mut Flight| {
            let due = is_to_stop(flight) && matches!(flight.stop, Stop::No(time) if time <= now);
            if let Some(uid) = flight.pod_uid.clone().filter(|_| due && budget.deletes > 0) {
                // The end of a task does not wait for what an operator before this one may have sent.
                let free = if all { indeterminate.own_until(index) } else { indeterminate.until(index) };
                if free > now {
                    // A late create would bring back under its name what is to be over.
                    flight.stop = Stop::No(free);
                } else {
                    flight.stop = Stop::Asked;
                    // It may have started or ended in the meantime: then what it says counts.
                    let version = Some(flight.pod_version);
                    budget.deletes -= 1;
                    let id = id(index, flight.attempt);
                    actions.push(Action::Delete(Delete { id, uid, task_uid: task_uid(), version, ended: false }));
                }
            }
            if budget.gets > 0 && matches!(flight.doubt, Doubt::Since(time) if time <= now) {
                flight.doubt = Doubt::Asked;
                budget.gets -= 1;
                actions.push(Action::GetPod(id(index, flight.attempt), task_uid()));
            }
        };
        flights.look(each, is_to_stop);
    }

    /// Puts a status write into `actions`, if one is due among so many tasks that have items in flight.
    pub fn poll_write(&mut self, now: Time, busy: u32, actions: &mut Vec<Action>) {
        self.writer.share(busy);
        self.poll_note(actions);
        if self.deleting || self.writer.due().is_none_or(|due| due > now) {
            return;
        }
        let results = self.shards_to_store(now);
        let mut status = self.summary.status(self.phase());
        if let Some(run) = self.map() {
            run.describe(&mut status);
        }
        status.reduce = self.reduce_status();
        status.pending_rerun = self.rerun_ahead();
        let (storing, entries) = match self.map() {
            Some(run) => (run.results.clone(), run.new_entries()),
            None => (BTreeMap::new(), Vec::new()),
        };
        let cache = self.map().and_then(|run| run.spec.cache.as_ref()).filter(|_| !entries.is_empty());
        let cache = cache.map(|keys| (keys.id.clone(), entries));
        self.storing = storing;
        self.writer.begin(now, &status);
        actions.push(Action::Write(Box::new(Write {
            key: self.key.clone(),
            uid: self.uid.clone(),
            resource_version: self.writer.resource_version(),
            results,
            cache,
            status,
        })));
    }

    pub(super) fn pod_id(&self, role: PodRole) -> PodId {
        PodId { key: self.key.clone(), role }
    }
}

/// The deletion of a task whose time is over is sent again after so many milliseconds, if the task is still there.
const EXPIRE_AGAIN_MILLIS: u64 = 30_000;
