//! A task as it is recorded, and its pods as they are, become a task again: at first sight, after a restart, or when
//! somebody else has written its status.

use std::sync::Arc;

use super::{PollContext, Stage, Task};
use crate::api::TaskPhase;
use crate::api::conditions::{ConditionType, is_true};
use crate::api::spec::{MapTaskSpec, SuspendPolicy};
use crate::core::admission::Admission;
use crate::core::attempts::Outcomes;
use crate::core::attempts::lookup_state::LookupRequest;
use crate::core::backoff::RetriedRequest;
use crate::core::failures::Failures;
use crate::core::ids::{ItemCount, Time};
use crate::core::items::{ExternalSource, Fetching};
use crate::core::phases::{self, Attempts, Phases};
use crate::core::pods::Pods;
use crate::core::pods::retention::Retention;
use crate::core::port::{ExchangeRefusal, INDETERMINATE_MILLIS, TaskSeen};
use crate::core::record::status_summary::StatusSummary;
use crate::core::record::status_writer::{Observed, StatusWriter};
use crate::core::results::KnownDamage;
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::main_containers::MainContainers;
use crate::core::spec::mutable::MutableSpec;
use crate::core::spec::outcome::Outcome;
use crate::core::spec::template_state::Templates;
use crate::core::spec::{AcceptedSpec, Given};

/// The delay before a dry run that found fault with the cluster is repeated, in milliseconds, doubling up to
/// [`MAX_CHECK_MILLIS`].
const CHECK_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_CHECK_MILLIS: u64 = 60_000;

impl Task {
    /// A task as first seen, new or from before a restart, with the pods that are there.
    pub fn new(poll: &PollContext, seen: &TaskSeen, seed: u64, pods: &Pods) -> Self {
        let mut task = Self {
            writer: StatusWriter::new(seen.resource_version, Some(&seen.status)).remembering(poll.attempted_writes),
            summary: StatusSummary::from_status(&seen.status, seen.generation),
            stage: Stage::Ended { phase: TaskPhase::Failed, run: None },
            reduction: None,
            key: seen.key.clone(),
            uid: seen.uid.clone(),
            seed,
            deleting: seen.deleting,
            mutable: MutableSpec::of(&seen.spec),
            retention: Retention::default(),
            events: std::collections::VecDeque::new(),
            unstored: None,
            unchecked: None,
            damage: KnownDamage::default(),
            check_after: Revision::default(),
            fetching: Fetching::default(),
            lookup_request: LookupRequest::None,
            templates: Templates::default(),
            expiring: None,
            last_blocked: None,
            name_taken: None,
            create_failed: None,
            all_indeterminate: poll.restart.then(|| poll.now.plus_millis(INDETERMINATE_MILLIS)),
            main_containers: MainContainers::of(&seen.spec),
            outcomes: Outcomes::default(),
            storing: std::collections::BTreeMap::new(),
            emptying: false,
            replies: Vec::new(),
            takes_workers: poll.takes_workers,
            admission: Admission::new(seen),
        };
        task.load(poll, seen, pods);
        task.compare_templates(poll.now, seen);
        if seen.status.observed_generation != Some(seen.generation) {
            task.warn_of_finished_pods(poll);
        }
        task
    }

    /// The watch, or an answer, shows the task's object.
    pub fn handle_seen(&mut self, poll: &PollContext, seen: &TaskSeen, pods: &Pods) {
        let news = self.writer.seen(seen.resource_version, &seen.status);
        if news == Observed::Stale {
            return;
        }
        self.deleting = seen.deleting;
        self.admission.set_queue(seen.queue.as_deref());
        let mutable = MutableSpec::of(&seen.spec);
        let resumed = self.mutable.suspend && !mutable.suspend;
        let keeps_others = self.mutable.finished_pods != mutable.finished_pods;
        self.mutable = mutable;
        if news == Observed::External || self.is_cancelled_before_rerun(seen) {
            self.reload(poll, seen, pods);
        }
        if resumed && matches!(self.stage, Stage::Running(_) | Stage::Listing(_)) {
            self.restart_clocks(poll.now);
            self.writer.change();
        }
        if self.summary.generation != seen.generation || news == Observed::External {
            self.compare_templates(poll.now, seen);
        }
        let is_new_spec = self.summary.generation != seen.generation;
        self.summary.generation = seen.generation;
        if keeps_others {
            self.warn_of_finished_pods(poll);
        }
        self.settle_record();
        self.load_for_rerun(seen, pods);
        if is_new_spec {
            self.record_generation(seen);
        }
    }

    /// Whether the task was cancelled before it was recorded that it runs again. A write that says so is refused for
    /// its version, and what was to be recorded with it is no more.
    fn is_cancelled_before_rerun(&self, seen: &TaskSeen) -> bool {
        let has_ended = seen.status.phase.is_some_and(TaskPhase::is_terminal);
        has_ended && seen.spec.cancel && !matches!(self.stage, Stage::Ended { .. })
    }

    /// The status says which spec it is about, for tools that wait until it is the newest, also if nothing else
    /// changes.
    fn record_generation(&mut self, seen: &TaskSeen) {
        if matches!(self.stage, Stage::Ended { .. }) && self.rerun_is_due() {
            return; // It is recorded with what it does.
        }
        if self.summary.has_items && matches!(self.stage, Stage::Ended { run: None, .. }) {
            // The items are not at hand; all else is written as it was.
            self.summary.unreadable = Some(Box::new(seen.status.clone()));
        }
        self.writer.change_urgently();
    }

    /// Rebuilds the stage from the recorded status and the pods.
    pub(super) fn load(&mut self, poll: &PollContext, seen: &TaskSeen, pods: &Pods) {
        self.fetching = Fetching::default();
        let (reduction, listing) = (self.reduction.take(), self.take_listing());
        if let Some(phase) = seen.status.phase.filter(|phase| phase.is_terminal()) {
            drop(self.take_running());
            self.stage = Stage::Ended { phase, run: None };
            // What was yet to be recorded is no more, and its items are not at hand.
            self.writer.forget_changes();
            // A wait that was noted before its end is taken back, and with that all else is written as it was.
            self.summary.unreadable = seen.status.waiting.is_some().then(|| Box::new(seen.status.clone()));
            self.load_for_rerun(seen, pods);
        } else if self.deleting {
            self.stage = Stage::Ended { phase: TaskPhase::Failed, run: None };
            return;
        } else if is_true(&seen.status.conditions, ConditionType::Accepted) {
            self.load_run(poll, seen, pods);
            self.load_reduction(seen.status.reduce.as_ref());
            if let (Some(new), Some(old)) = (&mut self.reduction, reduction) {
                new.take_over(poll.now, *old);
            }
        } else {
            let undone = self.take_running();
            self.accept_spec(poll.now, &seen.spec);
            self.continue_listing(poll, listing);
            if let Some(old) = undone {
                self.accept_again(poll.now, old);
            }
        }
        let resumed = seen.status.phase == Some(TaskPhase::Suspended) && !self.mutable.suspend;
        if resumed && matches!(self.stage, Stage::Running(_) | Stage::Listing(_)) {
            self.restart_clocks(poll.now);
        }
        for (role, pod) in pods {
            self.handle_pod(poll, *role, pod);
        }
        self.expect_missing(poll, seen, pods);
        // Changed while no operator ran. What no operator has seen before has another first write.
        let observed = seen.status.observed_generation.filter(|generation| *generation > 0);
        if observed.is_some_and(|generation| generation != seen.generation) {
            self.record_generation(seen);
        }
    }

    /// A task that is not yet accepted: its list is read, then its spec checked.
    pub(super) fn accept_spec(&mut self, now: Time, spec: &MapTaskSpec) {
        if spec.items.pod.is_some() {
            return self.accept_with_pod(now, spec);
        }
        if ExternalSource::of(&spec.items).is_some() {
            self.stage = Stage::Fetching(Box::new(spec.clone()));
            return;
        }
        match AcceptedSpec::accept(&self.key, &self.uid, spec, Given::Inline) {
            Err(refusal) => self.refuse(now, refusal.reason(), &refusal.to_string()),
            Ok(spec) => self.check_or_accept(now, Arc::new(spec)),
        }
    }

    /// A task that will make no pod is accepted as it is: there is no first pod to check.
    pub(super) fn check_or_accept(&mut self, now: Time, spec: Arc<AcceptedSpec>) {
        self.summary.listed = spec.lister.is_none().then_some(spec.count().get());
        if spec.count().get() == 0 && spec.reduce.is_none() {
            self.accept(now, spec);
        } else {
            let request = RetriedRequest::new(CHECK_MILLIS, MAX_CHECK_MILLIS);
            self.stage = Stage::Checking { spec, request, problem: None };
        }
    }

    /// Takes the run away, when the task is loaded again. Its workers repeat their requests to the current leader.
    fn take_running(&mut self) -> Option<Run> {
        match self.take_stage() {
            Stage::Running(mut run) => {
                self.replies.extend(run.take_replies());
                self.replies.extend(run.close_exchanges(ExchangeRefusal::NotReady));
                Some(*run)
            }
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// Takes the stage away. Another one must follow.
    pub(super) fn take_stage(&mut self) -> Stage {
        std::mem::replace(&mut self.stage, Stage::Ended { phase: TaskPhase::Failed, run: None })
    }

    /// Somebody else's write came before the record that the task was accepted. Its first creates may be on their way,
    /// so the same template is not checked once more.
    fn accept_again(&mut self, now: Time, old: Run) {
        let Stage::Checking { spec, .. } = &self.stage else { return };
        if spec.template_hash != old.spec().template_hash {
            return;
        }
        let spec = Arc::clone(spec);
        self.accept(now, spec);
        if let Stage::Running(run) = &mut self.stage {
            run.take_over(now, old);
        }
    }

    fn load_run(&mut self, poll: &PollContext, seen: &TaskSeen, pods: &Pods) {
        let run = match self.recorded_run(seen) {
            Ok(run) => run,
            Err(message) => {
                // What can't be read stays as it is, so that somebody can repair it.
                self.summary.unreadable = Some(Box::new(seen.status.clone()));
                return self.give_up(poll.now, &message);
            }
        };
        let mut run = Box::new(run);
        self.load_workers(&mut run, seen.status.workers, pods);
        if let Some(old) = self.take_running() {
            run.take_over(poll.now, old);
        }
        if let Some(until) = self.former_list_until().filter(|_| run.workers().is_none()) {
            run.start_after(Revision::default(), until);
        }
        run.restore_suspension(self.mutable.stops());
        self.stage = Stage::Running(run);
    }

    /// The items of an ended task, if they are to be started again and are not at hand.
    fn load_for_rerun(&mut self, seen: &TaskSeen, pods: &Pods) {
        self.keep_for_check(seen);
        let loaded = match &self.stage {
            Stage::Ended { run: None, .. } if self.rerun_is_due() && self.summary.has_items => self.recorded_run(seen),
            _ => return,
        };
        match loaded {
            Ok(mut loaded) => {
                self.renew_workers(&mut loaded, seen.status.workers, pods.keys().copied());
                if let Stage::Ended { run, .. } = &mut self.stage {
                    *run = Some(Box::new(loaded));
                }
            }
            Err(message) => {
                self.summary.unreadable = Some(Box::new(seen.status.clone()));
                self.summary.has_items = false;
                self.summary.message = Some(message);
            }
        }
    }

    fn recorded_run(&mut self, seen: &TaskSeen) -> Result<Run, String> {
        let status = &seen.status;
        let count = status.items.and_then(|n| ItemCount::new(u64::try_from(n).ok()?));
        let given = match count {
            Some(count) => Given::Awaited(count, status.items_hash.as_deref()),
            None => Given::Inline,
        };
        let spec = self.spec_to_load(seen);
        let spec = self.with_list(&spec);
        let spec = AcceptedSpec::accept(&self.key, &self.uid, &spec, given).map_err(|refusal| refusal.to_string())?;
        let (phases, tries) = match &status.phases {
            Some(text) => phases::decode(text, status.attempts.as_deref(), spec.count(), self.first_attempt())
                .map_err(|error| format!("status.phases or status.attempts can't be decoded: {error}"))?,
            None => (Phases::new(spec.count()), Attempts::beginning_at(self.first_attempt())),
        };
        let mut run = Run::resume(Arc::new(spec), phases, tries, self.all_indeterminate);
        run.items_mut().restore_failures(Failures::from_status(&status.failures));
        let explicit_selection = status.rerun.as_ref().is_some_and(|rerun| rerun.explicit_selection);
        run.restore_decision(Outcome::recorded(status), explicit_selection);
        Ok(run)
    }

    /// Items that the status calls running, whose pod was not among those shown: asked for before they count as lost.
    fn expect_missing(&mut self, poll: &PollContext, seen: &TaskSeen, pods: &Pods) {
        // Though it may have been resumed since.
        let suspended =
            seen.status.phase == Some(TaskPhase::Suspended) && self.mutable.suspend_policy == SuspendPolicy::Stop;
        let seed = self.seed;
        if let Some(run) = self.active_mut() {
            run.expect_missing(poll.now, suspended);
            run.hold_retries(poll.now, seed, pods);
        }
    }

    /// Once all is written, so are all results, whether that is known from an answer or from the watch. Others may
    /// wait.
    pub(super) fn settle_record(&mut self) {
        if self.writer.is_clean() {
            self.unstored = None;
            if self.map().is_some() {
                self.summary.former_results = None;
            }
            if let Stage::Running(run) | Stage::Ended { run: Some(run), .. } = &mut self.stage {
                run.items_mut().all_results_stored();
            }
        }
        self.forget_run();
    }

    /// Of a task whose end is written, nothing but its finished pods is of interest.
    fn forget_run(&mut self) {
        let kept = self.rerun_is_due();
        if self.is_settled()
            && let Stage::Ended { run, .. } = &mut self.stage
            && !kept
            && let Some(mut run) = run.take()
        {
            self.let_go(&mut run, ExchangeRefusal::NotReady);
        }
        if self.is_settled() && !kept && self.summary.has_items && self.summary.waiting.is_none() {
            self.summary.unreadable = None;
        }
    }
}
