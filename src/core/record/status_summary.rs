//! The part of a status that is not about the items: conditions, times, and words for people.

use crate::api::conditions::{self, ConditionType};
use crate::api::status::{MapTaskStatus, ReduceStatus, RerunDone, TaskPhase, Waiting};
use crate::core::ids::Time;
use crate::core::record::meta_time;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time as MetaTime};

/// The part of a status that is not about the items.
#[derive(Clone, Debug, Default)]
pub struct StatusSummary {
    /// The generation of the spec that was acted on.
    pub generation: i64,
    /// When the task was accepted.
    pub start_time: Option<MetaTime>,
    /// When the task ended.
    pub completion_time: Option<MetaTime>,
    /// The conditions.
    pub conditions: Vec<Condition>,
    /// Why nothing more starts now.
    pub waiting: Option<Waiting>,
    /// One sentence.
    pub message: Option<String>,
    /// The last rerun that was done.
    pub rerun: Option<RerunDone>,
    /// How the last reduce ended.
    pub reduce: Option<ReduceStatus>,
    /// What it said.
    pub result: Option<crate::api::Json>,
    /// Its text, where the result does not show it.
    pub result_text: Option<String>,
    /// By what the templates of the acceptance are known again.
    pub template_hash: Option<String>,
    /// Whether the recorded status tells of items.
    pub has_items: bool,
    /// A status whose items can't be read, and which therefore is left as it is.
    pub unreadable: Option<Box<MapTaskStatus>>,
}

impl StatusSummary {
    /// What an earlier operator, or this one before, had written.
    pub fn from_status(status: &MapTaskStatus, generation: i64) -> Self {
        Self {
            generation,
            start_time: status.start_time.clone(),
            completion_time: status.completion_time.clone(),
            conditions: status.conditions.clone(),
            waiting: status.waiting.clone(),
            message: status.message.clone(),
            rerun: status.rerun.clone(),
            reduce: status.reduce.clone(),
            result: status.result.clone(),
            result_text: status.result_text.clone(),
            template_hash: status.template_hash.clone(),
            has_items: status.phases.is_some(),
            unreadable: None,
        }
    }

    /// Sets a condition.
    pub fn set(&mut self, now: Time, type_: ConditionType, status: bool, reason: &str, message: &str) {
        conditions::set(&mut self.conditions, type_, status, reason, message, Some(self.generation), meta_time(now));
    }

    /// Takes a condition back, if it was there.
    pub fn unset(&mut self, now: Time, type_: ConditionType, reason: &str, message: &str) {
        if conditions::is_true(&self.conditions, type_) {
            self.set(now, type_, false, reason, message);
        }
    }

    /// The status of a task in `phase`, without its items and its reduce.
    pub fn status(&self, phase: TaskPhase) -> MapTaskStatus {
        MapTaskStatus {
            phase: Some(phase),
            observed_generation: Some(self.generation),
            start_time: self.start_time.clone(),
            completion_time: self.completion_time.clone(),
            conditions: self.conditions.clone(),
            reason: self.reason(phase),
            waiting: self.waiting.clone(),
            message: self.message.clone(),
            rerun: self.rerun.clone(),
            result: self.result.clone(),
            result_text: self.result_text.clone(),
            template_hash: self.template_hash.clone(),
            ..self.unreadable.as_deref().cloned().unwrap_or_default()
        }
    }

    /// One word for why the task waits or failed.
    fn reason(&self, phase: TaskPhase) -> Option<String> {
        let of = |type_| conditions::find_true(&self.conditions, type_).map(|condition| condition.reason.clone());
        let waits = || self.waiting.as_ref().map(|waiting| waiting.reason.as_str().to_owned());
        match phase {
            TaskPhase::Succeeded => None,
            TaskPhase::Failed => of(ConditionType::Failed),
            _ => of(ConditionType::FailureTarget).or_else(waits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_says_in_one_word_why_it_waits_or_failed_and_none_once_it_has_succeeded() {
        let now = Time(0);
        let mut summary = StatusSummary::default();
        let reason = |summary: &StatusSummary, phase| summary.status(phase).reason;
        assert_eq!(reason(&summary, TaskPhase::Running), None);
        summary.waiting = Some(Waiting { reason: crate::api::status::WaitingReason::Quota, message: None });
        assert_eq!(reason(&summary, TaskPhase::Running).as_deref(), Some("Quota"));
        summary.set(now, ConditionType::FailureTarget, true, "TooManyFailures", "");
        assert_eq!(
            reason(&summary, TaskPhase::Running).as_deref(),
            Some("TooManyFailures"),
            "what is decided counts more"
        );
        summary.set(now, ConditionType::Failed, true, "DeadlineExceeded", "");
        assert_eq!(reason(&summary, TaskPhase::Failed).as_deref(), Some("DeadlineExceeded"));
        assert_eq!(reason(&summary, TaskPhase::Succeeded), None);
    }
}
