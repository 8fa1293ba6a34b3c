//! After the map: one pod reduces the results. It lives as an item does, in a run of its own with a list of one.

use std::sync::Arc;

use crate::api::status::{ReducePhase, ReduceStatus, TaskPhase};
use crate::core::failures::Failures;
use crate::core::ids::{Attempt, ItemCount, Time};
use crate::core::phases::{Attempts, Counts, ItemPhase, Phases, Raises, Tries};
use crate::core::record::{meta_time, number};
use crate::core::results::shown::shown;
use crate::core::run::Run;
use crate::core::spec::Job;
use crate::core::spec::course::{Decision, FailReason};
use crate::core::spec::reduce::{Reducer, SELF};
use crate::core::task::Task;

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
        all_unclear: Time,
    ) -> Self {
        let job = Job { reduces: Some(counts), ..reducer.job.clone() };
        let (mut phases, mut attempts) = (Phases::new(ItemCount::ONE), Attempts::default());
        phases.set(SELF, phase);
        attempts.set(SELF, tries);
        let run = Run::resume(Arc::new(job), phases, attempts, all_unclear);
        Self { run, start, deadline_millis: reducer.deadline_millis }
    }

    /// By when it must have ended.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline_millis.map(|millis| self.start.plus_millis(millis))
    }

    /// As the status shows it.
    pub fn record(&self) -> ReduceStatus {
        let tries = self.run.tries.get(SELF);
        ReduceStatus {
            phase: match self.run.phases.get(SELF) {
                Some(ItemPhase::Running) => ReducePhase::Running,
                Some(ItemPhase::Succeeded | ItemPhase::Cached) => ReducePhase::Succeeded,
                Some(ItemPhase::Failed) => ReducePhase::Failed,
                Some(ItemPhase::Cancelled) => ReducePhase::Cancelled,
                Some(ItemPhase::Waiting) | None => ReducePhase::Waiting,
            },
            attempt: number(tries.attempt.0),
            own_failures: number(tries.own),
            infrastructure_failures: number(tries.infrastructure),
            start_time: Some(meta_time(self.start)),
            failures: self.run.failures.to_status(),
        }
    }
}

impl Task {
    /// The map is successful and idle: its results are reduced. Nothing of it starts before that is recorded, and with
    /// it every ConfigMap of the results.
    pub(super) fn begin_reduction(&mut self, now: Time, reducer: &Reducer, counts: Counts) {
        let before = self.headline.reduce.as_ref().and_then(|record| u32::try_from(record.attempt).ok()).unwrap_or(0);
        let tries = Tries { attempt: Attempt(before + 1), ..Tries::default() };
        let mut reduction = Reduction::begin(reducer, counts, now, tries, ItemPhase::Waiting, self.all_unclear);
        let free = if before == 0 { now } else { now.max(self.all_unclear) };
        reduction.run.gate = Some((self.ledger.change_urgently(), free));
        (self.headline.result, self.headline.result_text) = (None, None);
        self.headline.waiting = None;
        self.reduction = Some(Box::new(reduction));
    }

    /// A reduce that the record says is under way.
    pub(super) fn load_reduction(&mut self, record: Option<&ReduceStatus>) {
        let Some(record) = record.filter(|r| matches!(r.phase, ReducePhase::Waiting | ReducePhase::Running)) else {
            return;
        };
        let Some(run) = self.map() else { return };
        let (Some(reducer), Some(Decision::Successful)) = (&run.job.reduce, &run.decided) else { return };
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        let tries = Tries {
            attempt: Attempt(count(record.attempt).max(1)),
            own: count(record.own_failures),
            infrastructure: count(record.infrastructure_failures),
            memory_raises: Raises::NONE,
        };
        let phase = if record.phase == ReducePhase::Running { ItemPhase::Running } else { ItemPhase::Waiting };
        let start = record.start_time.as_ref().map_or(0, |time| time.0.as_millisecond());
        let mut reduction = Reduction::begin(reducer, run.phases.counts(), Time(start), tries, phase, self.all_unclear);
        reduction.run.failures = Failures::from_status(&record.failures);
        reduction.run.suspending = self.orders.stops();
        self.reduction = Some(Box::new(reduction));
    }

    /// Ends the task with its reduce. `late`: why it may not go on.
    pub(super) fn decide_reduction(&mut self, now: Time, late: Option<String>) {
        let (Some(run), mut scene) = self.scene(now) else { return };
        if let Some(message) = late {
            run.doom.get_or_insert((FailReason::DeadlineExceeded, message));
            run.halted = true;
        }
        run.decide();
        if !run.course().starts() {
            run.cancel_waiting(&mut scene);
        }
        if run.is_busy() {
            return;
        }
        let why = match &run.decided {
            Some(Decision::Failed(reason, message)) if *reason != FailReason::TooManyFailures => format!(": {message}"),
            _ => run.failures.most_often(false).map_or(", which was stopped".to_owned(), |words| format!("; {words}")),
        };
        let Some(reduction) = self.reduction.take() else { return };
        self.all_unclear = self.all_unclear.max(reduction.run.unclear.until_all());
        let record = reduction.record();
        let succeeded = record.phase == ReducePhase::Succeeded;
        let attempt = record.attempt;
        self.headline.reduce = Some(record);
        if succeeded {
            let line = reduction.run.results.get(&SELF);
            (self.headline.result, self.headline.result_text) = line.map(|line| shown(line)).unwrap_or_default();
            let message = format!("{}; the results are reduced", self.summary());
            self.tell_recorded("Succeeded", false, &message);
            self.end(now, TaskPhase::Succeeded, "EnoughSuccesses", &message);
        } else {
            let summary = self.summary();
            let message = format!("the reduce failed in attempt {attempt}{why}; {summary}");
            self.tell_recorded("Failed", true, &message);
            self.end(now, TaskPhase::Failed, "ReduceFailed", &message);
        }
    }

    /// How it goes with the reduce, or went.
    pub(super) fn reduce_status(&self) -> Option<ReduceStatus> {
        self.reduction.as_ref().map(|reduction| reduction.record()).or_else(|| self.headline.reduce.clone())
    }
}
