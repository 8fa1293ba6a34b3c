//! The part of a status that is not about the items: conditions, times, and words for people.

use crate::api::conditions::{self, ConditionStatus, ConditionType};
use crate::api::listing::ListingStatus;
use crate::api::reasons::ConditionReason;
use crate::api::status::{
    ItemCounts, MapTaskStatus, ReduceStatus, RerunDone, ResultShards, TaskPhase, Waiting, WorkersStatus,
};
use crate::core::ids::Time;
use crate::core::record::progress::Progress;
use crate::core::record::{meta_time, number};

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
    /// The attempts of former lists are up to this number, if there were any.
    pub attempt_base: Option<i32>,
    /// Where the results of a former list are, until those ConfigMaps are emptied.
    pub former_results: Option<ResultShards>,
    /// How the last listing ended, and where its list is.
    pub listing: Option<ListingStatus>,
    /// The workers of the last run, until there are others.
    pub workers: Option<WorkersStatus>,
    /// How the last reduce ended.
    pub reduce: Option<ReduceStatus>,
    /// What it said.
    pub result: Option<crate::api::Json>,
    /// Its text, where the result does not show it.
    pub result_text: Option<String>,
    /// By what the templates of the acceptance are known again.
    pub template_hash: Option<String>,
    /// How many items the list has, of a task that is not accepted, if that is known.
    pub listed: Option<u32>,
    /// How fast it goes.
    pub progress: Progress,
    /// Whether the recorded status tells of items.
    pub has_items: bool,
    /// A status whose items can't be read, and which therefore is left as it is.
    pub unreadable: Option<Box<MapTaskStatus>>,
}

/// What a wait says in words.
fn words_of(waiting: Option<&Waiting>) -> Option<&String> {
    waiting.and_then(|waiting| waiting.message.as_ref())
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
            // What the message repeats of a wait goes with the wait.
            message: status.message.clone().filter(|message| Some(message) != words_of(status.waiting.as_ref())),
            rerun: status.rerun.clone(),
            attempt_base: status.attempt_base,
            former_results: status.former_results.clone(),
            listing: status.listing.clone(),
            workers: status.workers,
            reduce: status.reduce.clone(),
            result: status.result.clone(),
            result_text: status.result_text.clone(),
            template_hash: status.template_hash.clone(),
            listed: status.items.and_then(|items| u32::try_from(items).ok()),
            progress: Progress::from_status(status.progress.as_ref()),
            has_items: status.phases.is_some(),
            unreadable: None,
        }
    }

    /// Sets a condition.
    pub fn set(
        &mut self,
        now: Time,
        type_: ConditionType,
        status: ConditionStatus,
        reason: ConditionReason,
        message: &str,
    ) {
        self.set_word(now, type_, status, reason.as_str(), message);
    }

    /// Sets a condition, with a reason that is not a condition's alone.
    fn set_word(&mut self, now: Time, type_: ConditionType, status: ConditionStatus, reason: &str, message: &str) {
        conditions::set(&mut self.conditions, type_, status, reason, message, Some(self.generation), meta_time(now));
    }

    /// Takes a condition back, if it was there.
    pub fn unset(&mut self, now: Time, type_: ConditionType, reason: ConditionReason, message: &str) {
        self.unset_word(now, type_, reason.as_str(), message);
    }

    fn unset_word(&mut self, now: Time, type_: ConditionType, reason: &str, message: &str) {
        if conditions::is_true(&self.conditions, type_) {
            self.set_word(now, type_, ConditionStatus::False, reason, message);
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
            duration: self.duration(),
            waiting: self.waiting.clone(),
            message: self.message.as_ref().or(words_of(self.waiting.as_ref())).cloned(),
            rerun: self.rerun.clone(),
            attempt_base: self.attempt_base,
            former_results: self.former_results.clone(),
            result: self.result.clone(),
            result_text: self.result_text.clone(),
            template_hash: self.template_hash.clone(),
            ..self.unreadable.as_deref().cloned().unwrap_or_default()
        }
    }

    /// Sets the conditions that follow from the phase, for tools that do not know phases: kstatus and what is built on
    /// it, and `kubectl wait` for a suspension.
    ///
    /// kstatus calls a task current that is neither Reconciling nor Stalled. So is one that is suspended and idle: it
    /// is as its spec wants it, and will be for as long as the spec says so.
    pub fn set_phase(&mut self, now: Time, phase: TaskPhase, is_idle: bool) {
        let suspended = phase == TaskPhase::Suspended;
        if suspended {
            self.set(
                now,
                ConditionType::Suspended,
                ConditionStatus::True,
                ConditionReason::Suspended,
                "spec.suspend is true",
            );
        } else {
            self.unset(now, ConditionType::Suspended, ConditionReason::Resumed, "the task is not suspended any more");
        }
        if phase.is_terminal() || suspended && is_idle {
            self.unset(now, ConditionType::Reconciling, ConditionReason::Idle, "nothing is in progress");
        } else {
            let (reason, message) = match &self.waiting {
                Some(waiting) => (waiting.reason.as_str(), waiting.message.clone().unwrap_or_default()),
                None => (phase.as_str(), "the task is in progress".to_owned()),
            };
            self.set_word(now, ConditionType::Reconciling, ConditionStatus::True, reason, &message);
        }
        match conditions::find_true(&self.conditions, ConditionType::Failed).cloned() {
            Some(why) if phase == TaskPhase::Failed => {
                self.set_word(now, ConditionType::Stalled, ConditionStatus::True, &why.reason, &why.message);
            }
            _ => self.unset_word(now, ConditionType::Stalled, phase.as_str(), "the task has not failed"),
        }
    }

    /// The columns of a task that is not accepted, or never was.
    pub fn describe_unaccepted(&self, status: &mut MapTaskStatus, phase: TaskPhase) {
        let listed = self.listed.unwrap_or(0);
        let (pending, cancelled) = if phase.is_terminal() { (0, listed) } else { (listed, 0) };
        status.items = self.listed.map(number);
        status.counts =
            Some(ItemCounts { pending: number(pending), cancelled: number(cancelled), ..ItemCounts::default() });
        status.done = Some(format!("0/{}", self.listed.map_or("?".to_owned(), |items| items.to_string())));
        status.ratio = Some("-".to_owned());
        status.pods = Some(0);
    }

    /// The time from the start to the end, in words; of a task that was refused none has passed.
    fn duration(&self) -> Option<String> {
        let end = self.completion_time.as_ref()?.0.as_second();
        let start = self.start_time.as_ref().map_or(end, |start| start.0.as_second());
        Some(crate::text::duration(u64::try_from(end - start).unwrap_or(0)))
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
        summary.waiting = Some(Waiting::new(crate::api::status::WaitingReason::Quota, None));
        assert_eq!(reason(&summary, TaskPhase::Running).as_deref(), Some("Quota"));
        summary.set(now, ConditionType::FailureTarget, ConditionStatus::True, ConditionReason::TooManyFailures, "");
        assert_eq!(
            reason(&summary, TaskPhase::Running).as_deref(),
            Some("TooManyFailures"),
            "what is decided counts more"
        );
        summary.set(now, ConditionType::Failed, ConditionStatus::True, ConditionReason::DeadlineExceeded, "");
        assert_eq!(reason(&summary, TaskPhase::Failed).as_deref(), Some("DeadlineExceeded"));
        assert_eq!(reason(&summary, TaskPhase::Succeeded), None);
    }

    #[test]
    fn kstatus_calls_a_running_task_in_progress_a_failed_one_failed_and_an_idle_suspended_one_current() {
        let mut summary = StatusSummary { generation: 3, ..StatusSummary::default() };
        let kstatus = |summary: &StatusSummary| {
            let is = |type_| conditions::is_true(&summary.conditions, type_);
            assert!(!is(ConditionType::Reconciling) || !is(ConditionType::Stalled));
            match (is(ConditionType::Reconciling), is(ConditionType::Stalled)) {
                (true, _) => "InProgress",
                (_, true) => "Failed",
                _ => "Current",
            }
        };
        let at = |summary: &mut StatusSummary, phase, is_idle| {
            summary.set_phase(Time(0), phase, is_idle);
            (kstatus(summary), conditions::is_true(&summary.conditions, ConditionType::Suspended))
        };
        assert_eq!(at(&mut summary, TaskPhase::Pending, true), ("InProgress", false));
        assert_eq!(at(&mut summary, TaskPhase::Suspended, false), ("InProgress", true));
        assert_eq!(at(&mut summary, TaskPhase::Suspended, true), ("Current", true));
        assert_eq!(at(&mut summary, TaskPhase::Running, false), ("InProgress", false));
        let mut failed = summary.clone();
        failed.set(Time(0), ConditionType::Failed, ConditionStatus::True, ConditionReason::TooManyFailures, "why");
        assert_eq!(at(&mut failed, TaskPhase::Failed, true), ("Failed", false));
        failed.unset(Time(0), ConditionType::Failed, ConditionReason::Rerun, "");
        assert_eq!(at(&mut failed, TaskPhase::Running, true), ("InProgress", false), "a rerun");
        assert_eq!(at(&mut summary, TaskPhase::Succeeded, true), ("Current", false));
    }

    #[test]
    fn a_task_that_was_refused_has_a_value_in_each_column() {
        let mut summary = StatusSummary { listed: Some(5), ..StatusSummary::default() };
        summary.completion_time = Some(meta_time(Time(0)));
        let mut status = summary.status(TaskPhase::Failed);
        summary.describe_unaccepted(&mut status, TaskPhase::Failed);
        let counts = status.counts.unwrap();
        assert_eq!((counts.running, counts.failed, counts.cached, counts.cancelled), (0, 0, 0, 5));
        assert_eq!((status.done.as_deref(), status.ratio.as_deref()), (Some("0/5"), Some("-")));
        assert_eq!((status.duration.as_deref(), status.pods), (Some("0s"), Some(0)));
    }
}
