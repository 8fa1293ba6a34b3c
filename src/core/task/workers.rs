//! The exchange of a task with its workers.

use maptask_exchange::{Answer, Request};

use crate::api::status::{WaitingReason, WorkersStatus};
use crate::core::cache::claims::Claims;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::pod::{EventType, pod_name};
use crate::core::pods::Pods;
use crate::core::port::{Exchange, ExchangeRefusal, Reply};
use crate::core::run::{Claim, Context, Notice, Run, Trouble, Workers};
use crate::core::spec::AcceptedSpec;
use crate::core::task::{PollContext, Stage, Task};

/// The reason that workers get once the task does not need them any more.
const ENDED: &str = "the task has ended";
/// How long workers have to end by themselves once the task needs them no more, in milliseconds.
pub(super) const RETIRE_MILLIS: u64 = 10_000;

impl Task {
    /// A worker of this task speaks.
    pub fn handle_exchange(&mut self, poll: &PollContext, role: PodRole, exchange: Exchange) {
        let Exchange { ticket, pod_uid, request, .. } = exchange;
        let farewell = farewell(&request);
        let (deleting, ended) = (self.deleting, matches!(self.stage, Stage::Ended { .. }));
        let result = match self.map_context(poll.now) {
            _ if deleting => Err(ExchangeRefusal::NotAWorker),
            (Some(run), _) if run.is_of_run_before(role) => {
                self.replies.push(Reply::to_worker(ticket, farewell));
                Ok(())
            }
            (Some(run), mut context) => run.hear(&mut context, role, &pod_uid, ticket, request),
            (None, _) if ended => {
                self.replies.push(Reply::to_worker(ticket, farewell));
                Ok(())
            }
            (None, _) => Err(ExchangeRefusal::NotReady),
        };
        if let Err(refusal) = result {
            self.replies.push(Reply::refused(ticket, refusal));
        }
    }

    /// The run of the items, whatever else is under way.
    fn map_context(&mut self, now: Time) -> (Option<&mut Run>, Context<'_>) {
        let run = match &mut self.stage {
            Stage::Running(run) => Some(&mut **run),
            Stage::Ended { run, .. } => run.as_deref_mut(),
            Stage::Listing(_) | Stage::Fetching(_) | Stage::Checking { .. } => None,
        };
        let Self { seed, writer, retention, outcomes, .. } = self;
        (run, Context { now, seed: *seed, writer, retention, outcomes })
    }

    /// Answers workers, and gives them what may start.
    pub(super) fn poll_workers(&mut self, now: Time, claims: &mut Claims) {
        let ended = matches!(self.stage, Stage::Ended { .. }) || self.reduction.is_some();
        let starts = self.may_start() && !ended;
        let concurrency = self.concurrency();
        let (key, first) = (self.key.clone(), self.first_attempt());
        let may_claim = self.waits_for_claims_of(claims).is_none();
        let mut claim = |spec: &AcceptedSpec, index, attempt| spec.claim(claims, (&key, index), attempt == first);
        let (Some(run), mut context) = self.map_context(now) else { return };
        if ended {
            run.retire_workers(&mut context, ENDED, now.plus_millis(RETIRE_MILLIS));
        }
        let claim: &mut Claim<'_> = &mut claim;
        run.poll_workers(&mut context, starts, concurrency, may_claim.then_some(claim));
        let (replies, notices) = (run.take_replies(), run.take_notices());
        self.replies.extend(replies);
        for Notice { reason, message } in notices {
            self.emit(reason, EventType::Normal, &message);
        }
    }

    /// Its place among tasks of its priority that have something to start: the fewer pods, the earlier.
    pub fn place_in_line(&self, now: Time) -> usize {
        self.in_flight() + usize::from(self.active().is_some_and(|run| run.lets_others_go_first(now)))
    }

    /// Drains a worker of at least this age for another task. Returns whether there is one.
    pub fn give_up_worker(&mut self, now: Time, min_age_millis: u64) -> bool {
        self.active_mut().is_some_and(|run| run.give_up_worker(now, min_age_millis))
    }

    /// What is to be sent to workers.
    pub fn take_replies(&mut self) -> Vec<Reply> {
        std::mem::take(&mut self.replies)
    }

    /// Answers all requests that are kept: the task is gone, or what becomes of it is not known.
    pub fn close_exchanges(&mut self, refusal: ExchangeRefusal) -> Vec<Reply> {
        if let Stage::Listing(listing) = &mut self.stage {
            self.replies.extend(listing.close(refusal));
        }
        let (Some(run), _) = self.map_context(Time(0)) else { return self.take_replies() };
        let mut replies = run.close_exchanges(refusal);
        replies.extend(self.take_replies());
        replies
    }

    /// Why workers do nothing, if that is so.
    pub(super) fn why_no_workers(&self, run: &Run, exchange: Option<&str>) -> Option<(WaitingReason, String)> {
        let listing = if let Stage::Listing(listing) = &self.stage { Some(listing) } else { None };
        if listing.is_none() {
            run.workers()?;
        }
        let Some(url) = exchange else {
            let message =
                "workers are disabled in this operator: enable them in its chart (workers.enabled), or see its log";
            return Some((WaitingReason::WorkersUnreachable, message.to_owned()));
        };
        let remedy = format!("that NetworkPolicies allow TCP from namespace {} to {url}", self.key.namespace);
        let unheard = |role| {
            let pod = pod_name(&self.key.name, role);
            format!("no request from running pod {pod}: check its log, and {remedy}")
        };
        if let Some(listing) = listing {
            if let Some(problem) = listing.problem() {
                return Some((WaitingReason::ResultsNotStored, format!("the list can't be stored: {problem}")));
            }
            return listing.silent().map(|role| (WaitingReason::WorkersUnreachable, unheard(role)));
        }
        let message = match run.workers()?.trouble()? {
            Trouble::Ended(words) => words.to_owned(),
            Trouble::Unheard(role) => unheard(role),
            Trouble::CutOff => format!("many workers are silent together: check {remedy}"),
        };
        Some((WaitingReason::WorkersUnreachable, message))
    }

    /// What of its workers is recorded.
    pub(super) fn workers_status(&self) -> Option<WorkersStatus> {
        self.map().and_then(Run::workers_status).or(self.summary.workers)
    }

    /// The workers of a run that is loaded: their leader has another epoch from now on.
    pub(super) fn load_workers(&mut self, run: &mut Run, recorded: Option<WorkersStatus>, pods: &Pods) {
        if run.spec().blueprint.workers().is_none() {
            return;
        }
        run.restore_workers(self.next_workers(recorded, pods.keys().copied()));
        // Nothing is granted before the epoch is recorded. The next write of an earlier leader then fails.
        let revision = self.writer.change_urgently();
        run.start_after(revision, Time(0));
        run.record_epoch_with(revision);
    }

    /// The workers of a run whose items start again: none of before works for it. The new epoch is recorded together
    /// with the rerun, before anything starts.
    pub(super) fn renew_workers(
        &mut self,
        run: &mut Run,
        recorded: Option<WorkersStatus>,
        taken: impl Iterator<Item = PodRole>,
    ) {
        if run.spec().blueprint.workers().is_some() {
            // They try again, and are told to end.
            self.replies.extend(run.close_exchanges(ExchangeRefusal::NotReady));
            run.begin_workers(self.next_workers(recorded, taken));
        }
    }

    /// Those of the next leader. Names of these pods are not given again.
    fn next_workers(&self, recorded: Option<WorkersStatus>, taken: impl Iterator<Item = PodRole>) -> Workers {
        let granted_below = recorded.and_then(|recorded| u32::try_from(recorded.granted_below).ok());
        let mark = Index(granted_below.unwrap_or(0));
        let mut workers = Workers::new(Workers::next_epoch(recorded), mark, self.first_attempt().0);
        workers.reserve(taken);
        workers
    }
}

/// To a worker of a run whose end is recorded, and with it all that the worker has to report.
fn farewell(request: &Request) -> Answer {
    let (number, epoch) = (request.number, request.epoch);
    Answer { number, epoch, acknowledged: u64::MAX, stop: Some(ENDED.to_owned()), ..Answer::default() }
}
