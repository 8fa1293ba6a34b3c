//! After the map: one pod reduces the results.

use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::status::{ReducePhase, ReduceStatus, TaskPhase};
use crate::core::ids::Time;
use crate::core::phases::Counts;
use crate::core::pod::EventType;
use crate::core::results::shown::shown;
use crate::core::solo::{Former, Solo, why_reduce_failed};
use crate::core::spec::outcome::{FailReason, Outcome};
use crate::core::spec::reduce::{Reducer, SELF};
use crate::core::task::Task;

impl Task {
    /// The map is successful and idle: its results are reduced. Nothing of it starts before that is recorded, and with
    /// it every ConfigMap of the results.
    pub(super) fn begin_reduction(&mut self, now: Time, reducer: &Reducer, counts: Counts) {
        let former = Former::new(self.summary.reduce.as_ref().map(|record| record.attempt), self.all_indeterminate);
        let (spec, revision) = (reducer.spec_for(counts), self.writer.change_urgently());
        let reduction = Solo::begin(spec, reducer.deadline_millis, now, former, revision);
        (self.summary.result, self.summary.result_text) = (None, None);
        self.summary.waiting = None;
        self.reduction = Some(Box::new(reduction));
    }

    /// A reduce that the record says is under way.
    pub(super) fn load_reduction(&mut self, record: Option<&ReduceStatus>) {
        let Some(record) = record else { return };
        let Some(run) = self.map() else { return };
        let (Some(reducer), Some(Outcome::Successful)) = (&run.spec().reduce, run.outcome()) else { return };
        let (spec, deadline_millis) = (reducer.spec_for(run.items().counts()), reducer.deadline_millis);
        let reduction = Solo::resume(spec, deadline_millis, record, self.all_indeterminate, self.mutable.stops());
        if let Some(reduction) = reduction {
            self.reduction = Some(Box::new(reduction));
        }
    }

    /// By when the reduce must have ended. Time in suspension, or in a queue, does not count.
    pub(super) fn reduce_deadline(&self) -> Option<Time> {
        self.reduction.as_ref().filter(|_| self.is_clock_running())?.deadline()
    }

    /// Ends the task with its reduce. `stop`: why it may not go on.
    pub(super) fn decide_reduction(&mut self, now: Time, stop: Option<(FailReason, String)>) {
        let Some(run) = self.settle_solo(now, stop) else { return };
        let (reason, failed, why) = why_reduce_failed(run);
        let Some(reduction) = self.reduction.take() else { return };
        self.all_indeterminate = self.all_indeterminate.max(reduction.run().pods().indeterminate().until_all());
        let record = reduction.record();
        let succeeded = record.phase == ReducePhase::Succeeded;
        let attempt = record.attempt;
        self.summary.reduce = Some(record);
        if succeeded {
            let line = reduction.run().items().results().get(&SELF);
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

    /// The record of the reduce, current or past.
    pub(super) fn reduce_status(&self) -> Option<ReduceStatus> {
        self.reduction.as_ref().map(|reduction| reduction.record()).or_else(|| self.summary.reduce.clone())
    }
}
