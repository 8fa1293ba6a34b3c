//! Is the task decided, and what becomes of the items that are left?

use crate::api::conditions::{ConditionType, find_true};
use crate::api::reasons::ConditionReason;
use crate::api::remaining_items::{OnFailure, OnSuccess};
use crate::api::status::MapTaskStatus;
use crate::core::phases::Counts;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::success::{CriterionState, criterion_state};

/// How a task was decided. Never taken back, but by a rerun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Enough items have succeeded.
    Successful,
    /// It can't succeed any more, or is not allowed to.
    Failed(FailReason, String),
}

/// Why a task fails that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailReason {
    /// The success criterion can't be met any more.
    TooManyFailures,
    /// A rule of the retry policy says so.
    FailTaskRule,
    /// `spec.activeDeadlineSeconds` has passed.
    DeadlineExceeded,
    /// `spec.cancel` is true.
    Cancelled,
    /// Its pods can never fit the namespace's quota or limits.
    NeverFits,
}

impl FailReason {
    /// The reason of the conditions.
    pub fn condition(self) -> ConditionReason {
        match self {
            Self::TooManyFailures => ConditionReason::TooManyFailures,
            Self::FailTaskRule => ConditionReason::FailTaskRule,
            Self::DeadlineExceeded => ConditionReason::DeadlineExceeded,
            Self::Cancelled => ConditionReason::Cancelled,
            Self::NeverFits => ConditionReason::NeverFits,
        }
    }

    fn parse(reason: &str) -> Self {
        let all = [Self::FailTaskRule, Self::DeadlineExceeded, Self::Cancelled, Self::NeverFits];
        all.into_iter().find(|known| known.condition().as_str() == reason).unwrap_or(Self::TooManyFailures)
    }
}

/// What becomes of the items that are left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remainder {
    /// Nothing is decided: they run.
    Open,
    /// They run although the task is decided.
    Run,
    /// None starts any more.
    Drain,
    /// None starts any more, and those that run are stopped.
    Cancel,
}

impl Remainder {
    /// Whether items may start.
    pub fn starts(self) -> bool {
        matches!(self, Self::Open | Self::Run)
    }
}

impl Outcome {
    /// What a status has recorded.
    pub fn recorded(status: &MapTaskStatus) -> Option<Self> {
        if find_true(&status.conditions, ConditionType::SuccessCriteriaMet).is_some() {
            return Some(Self::Successful);
        }
        let target = find_true(&status.conditions, ConditionType::FailureTarget)?;
        Some(Self::Failed(FailReason::parse(&target.reason), target.message.clone()))
    }

    /// What the counts say; `idle` when nothing is left to run.
    ///
    /// Where no success is required, it is not enough that none is missing: a user who asks for that wants every item
    /// to run, however many fail, and not none of them.
    pub fn of_counts(counts: Counts, spec: &AcceptedSpec, idle: bool) -> Option<Self> {
        if spec.required == 0 {
            return idle.then_some(Self::Successful);
        }
        let good = counts.succeeded + counts.cached;
        let unreachable = match criterion_state(good, counts.failed, spec.required, spec.count()) {
            CriterionState::Met => return Some(Self::Successful),
            CriterionState::Unreachable => true,
            // After a rerun: what was cancelled before is not run again by itself.
            CriterionState::Open => idle,
        };
        unreachable.then(|| {
            let cancelled = match counts.cancelled {
                0 => String::new(),
                n => format!(", {n} were cancelled"),
            };
            let message = format!(
                "{} of {} items failed{cancelled}, {} must succeed",
                counts.failed,
                spec.count().get(),
                spec.required
            );
            Self::Failed(FailReason::TooManyFailures, message)
        })
    }

    /// Whether nothing but the counts of items decided.
    pub fn is_by_counts(&self) -> bool {
        matches!(self, Self::Successful | Self::Failed(FailReason::TooManyFailures, _))
    }

    /// What becomes of the items that are left.
    pub fn remainder(&self, spec: &AcceptedSpec) -> Remainder {
        match self {
            Self::Successful => match spec.remaining_items.on_success {
                OnSuccess::Cancel => Remainder::Cancel,
                OnSuccess::Drain => Remainder::Drain,
                OnSuccess::Run => Remainder::Run,
            },
            Self::Failed(FailReason::TooManyFailures, _) => match spec.remaining_items.on_failure {
                OnFailure::Cancel => Remainder::Cancel,
                OnFailure::Run => Remainder::Run,
            },
            Self::Failed(..) => Remainder::Cancel,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_decision_by_counts_lets_selected_items_of_a_rerun_run_on() {
        let failed = |reason| Outcome::Failed(reason, String::new()).is_by_counts();
        assert!(Outcome::Successful.is_by_counts() && failed(FailReason::TooManyFailures));
        for reason in
            [FailReason::FailTaskRule, FailReason::DeadlineExceeded, FailReason::Cancelled, FailReason::NeverFits]
        {
            assert!(!failed(reason), "{reason:?}");
        }
    }

    #[test]
    fn a_decision_is_read_from_the_record_as_it_was_made() {
        let recorded = |type_: &str, reason: &str| {
            let condition = json!({ "type": type_, "status": "True", "reason": reason, "message": "why",
                                    "lastTransitionTime": "1970-01-01T00:00:00Z" });
            Outcome::recorded(&serde_json::from_value(json!({ "conditions": [condition] })).unwrap())
        };
        assert_eq!(recorded("Accepted", "Accepted"), None);
        assert_eq!(recorded("SuccessCriteriaMet", "EnoughSuccesses"), Some(Outcome::Successful));
        let all = [
            FailReason::TooManyFailures,
            FailReason::FailTaskRule,
            FailReason::DeadlineExceeded,
            FailReason::NeverFits,
        ];
        for reason in all {
            let failed = Outcome::Failed(reason, "why".to_owned());
            assert_eq!(recorded("FailureTarget", reason.condition().as_str()), Some(failed));
        }
        let unknown = Outcome::Failed(FailReason::TooManyFailures, "why".to_owned());
        assert_eq!(recorded("FailureTarget", "OfAnotherVersion"), Some(unknown));
    }
}
