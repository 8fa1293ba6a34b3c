//! After the map: one pod reduces the results. It lives as an item does, in a run of its own with a list of one.

use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::status::{ReducePhase, ReduceStatus, TaskPhase};
use crate::core::blueprint::Purpose;
use crate::core::failures::{Failed, Failures};
use crate::core::ids::Time;
use crate::core::phases::{Counts, ItemPhase, Tries};
use crate::core::pod::EventType;
use crate::core::record::{meta_time, number};
use crate::core::results::shown::shown;
use crate::core::run::Run;
use crate::core::spec::outcome::{FailReason, Outcome};
use crate::core::spec::reduce::{Reducer, SELF};
use crate::core::task::{Task, solo};

/// A reduce that is under way.
#[derive(Debug)]
pub struct Reduction {
    /// Its only item.
    pub run: Run,
    start: Time,
    deadline_millis: Option<u64>,
}

impl Reduction {
    fn begin(
        reducer: &Reducer,
        counts: Counts,
        start: Time,
        tries: Tries,
        phase: ItemPhase,
        all_indeterminate: Option<Time>,
    ) -> Self {
        let spec = reducer.spec.with_blueprint(|blueprint| blueprint.purpose = Purpose::Reduce(counts));
        let run = solo::run(spec, tries, phase, all_indeterminate);
        Self { run, start, deadline_millis: reducer.deadline_millis }
    }

    /// Its deadline counts from here.
    pub(super) fn restart_clock(&mut self, now: Time) {
        self.start = now;
    }

    /// As the status shows it.
    pub fn record(&self) -> ReduceStatus {
        let tries = self.run.items().tries(SELF);
        ReduceStatus {
            phase: solo::phase(&self.run),
            attempt: number(tries.attempt.0),
            application_failures: number(tries.application),
            infrastructure_failures: number(tries.infrastructure),
            start_time: Some(meta_time(self.start)),
            failures: self.run.items().failures().to_status(),
        }
    }
}

impl Task {
    /// The map is successful and idle: its results are reduced. Nothing of it starts before that is recorded, and with
    /// it every ConfigMap of the results.
    pub(super) fn begin_reduction(&mut self, now: Time, reducer: &Reducer, counts: Counts) {
        let before = self.summary.reduce.as_ref().and_then(|record| u32::try_from(record.attempt).ok()).unwrap_or(0);
        let tries = solo::tries_after(before);
        let mut reduction = Reduction::begin(reducer, counts, now, tries, ItemPhase::Pending, self.all_indeterminate);
        let free = if before == 0 { now } else { self.all_indeterminate.map_or(now, |until| until.max(now)) };
        reduction.run.start_after(self.writer.change_urgently(), free);
        (self.summary.result, self.summary.result_text) = (None, None);
        self.summary.waiting = None;
        self.reduction = Some(Box::new(reduction));
    }

    /// A reduce that the record says is under way.
    pub(super) fn load_reduction(&mut self, record: Option<&ReduceStatus>) {
        let Some(record) = record else { return };
        let Some(phase) = solo::recorded_phase(record.phase) else { return };
        let Some(run) = self.map() else { return };
        let (Some(reducer), Some(Outcome::Successful)) = (&run.spec().reduce, run.outcome()) else { return };
        let counts = [record.attempt, record.application_failures, record.infrastructure_failures];
        let tries = solo::recorded_tries(counts, record.failures.len());
        let start = record.start_time.as_ref().map_or(0, |time| time.0.as_millisecond());
        let mut reduction =
            Reduction::begin(reducer, run.items().counts(), Time(start), tries, phase, self.all_indeterminate);
        reduction.run.items_mut().restore_failures(Failures::from_status(&record.failures));
        reduction.run.restore_suspension(self.mutable.stops());
        self.reduction = Some(Box::new(reduction));
    }

    /// By when the reduce must have ended. Time in suspension, or in a queue, does not count.
    pub(super) fn reduce_deadline(&self) -> Option<Time> {
        let reduction = self.reduction.as_ref().filter(|_| self.is_clock_running())?;
        reduction.deadline_millis.map(|millis| reduction.start.plus_millis(millis))
    }

    /// Ends the task with its reduce. `stop`: why it may not go on.
    pub(super) fn decide_reduction(&mut self, now: Time, stop: Option<(FailReason, String)>) {
        let (Some(run), mut context) = self.context(now) else { return };
        if let Some((reason, message)) = stop {
            run.force_end(reason, message);
        }
        run.decide();
        if !run.remainder().starts() {
            run.cancel_pending(&mut context);
        }
        if run.is_busy() {
            return;
        }
        let (reason, failed, why) = why_reduce_failed(run);
        let Some(reduction) = self.reduction.take() else { return };
        self.all_indeterminate = self.all_indeterminate.max(reduction.run.pods().indeterminate().until_all());
        let record = reduction.record();
        let succeeded = record.phase == ReducePhase::Succeeded;
        let attempt = record.attempt;
        self.summary.reduce = Some(record);
        if succeeded {
            let line = reduction.run.items().results().get(&SELF);
            (self.summary.result, self.summary.result_text) = line.map(|line| shown(line)).unwrap_or_default();
            let message = format!("{}; the reduce starts", self.summary());
            self.emit_recorded(EventReason::Succeeded, EventType::Normal, &message);
            self.end(now, TaskPhase::Succeeded, ConditionReason::EnoughSuccesses, &message);
        } else {
            let summary = self.summary();
            let message = format!("the reduce {failed} in attempt {attempt}{why}; {summary}");
            self.emit_recorded(EventReason::Failed, EventType::Warning, &message);
            self.end(now, TaskPhase::Failed, reason, &message);
        }
    }

    /// How it goes with the reduce, or went.
    pub(super) fn reduce_status(&self) -> Option<ReduceStatus> {
        self.reduction.as_ref().map(|reduction| reduction.record()).or_else(|| self.summary.reduce.clone())
    }
}

/// Of a reduce that did not succeed: the reason, what happened to it, and why, in words.
fn why_reduce_failed(run: &Run) -> (ConditionReason, &'static str, String) {
    let most_often = || run.items().failures().most_often(Failed::Reduce);
    let why = match run.outcome() {
        Some(Outcome::Failed(reason, message)) if *reason != FailReason::TooManyFailures => format!(": {message}"),
        _ => most_often().map_or(", which was stopped".to_owned(), |words| format!("; {words}")),
    };
    match run.outcome() {
        Some(Outcome::Failed(FailReason::Cancelled, _)) => (ConditionReason::Cancelled, "was stopped", why),
        _ => (ConditionReason::ReduceFailed, "failed", why),
    }
}
