//! How an attempt ended: what retries, the digest of failures and results need to know, whatever ran it.

use std::fmt;

use crate::api::OutcomeCategory;
use crate::core::pod::{BlockerKind, Detail, Message, MessageLimit, PodOutcome};

/// How an attempt ended, and what its pod says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptEnd {
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// The words about it.
    pub detail: Detail,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The pod succeeded by its own word, even if it was being evicted; with its termination message.
    Succeeded {
        /// The termination message of the item's container.
        message: Option<Message>,
    },
    /// A container exited with an error.
    Failed {
        /// Its exit code.
        exit_code: i32,
        /// Its name.
        container: String,
    },
    /// A container used more memory than its limit, or a child of its program did.
    OutOfMemory {
        /// Its exit code: 137, or what its program made of the end of its child.
        exit_code: i32,
        /// Its name.
        container: String,
    },
    /// `activeDeadlineSeconds` of the template passed.
    Deadline,
    /// The result of a success is longer than may be kept.
    ResultTooLarge {
        /// Its size in bytes as a line of the results.
        size: usize,
        /// Where it may have been longer: how much of it the kubelet keeps.
        cut: Option<MessageLimit>,
    },
    /// No container ran in time, or none ever can.
    NeverStarted {
        /// What it was that held it up.
        blocker: BlockerKind,
    },
    /// The API server refused to create the pod.
    Refused {
        /// Its message.
        message: String,
    },
    /// The kubelet refused to run the pod.
    Rejected,
    /// The node's pressure, a taint, a drain or a shutdown ended the pod.
    Evicted {
        /// Whether a container had run.
        started: bool,
    },
    /// A pod of higher priority took its place.
    Preempted {
        /// Whether a container had run.
        started: bool,
    },
    /// A queueing system took the pod back, whether a container had run or not.
    TakenBack,
    /// The pod vanished, or its node did, before it reported how it ended.
    NodeLost,
    /// Somebody deleted the pod.
    Deleted,
    /// The operator stopped it, since the task is suspended.
    Stopped,
}

/// Which budget an outcome is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cost {
    /// The item's `retries`.
    Application,
    /// The budget for failures of the cluster.
    Infrastructure,
    /// None: the item never ran, or was stopped by us or by a queueing system.
    Free,
}

impl AttemptOutcome {
    /// What another attempt costs after this outcome; `None` for a success.
    pub fn cost(&self) -> Option<Cost> {
        Some(match self {
            Self::Succeeded { .. } => return None,
            Self::Failed { .. }
            | Self::OutOfMemory { .. }
            | Self::Deadline
            | Self::ResultTooLarge { .. }
            | Self::NeverStarted { blocker: BlockerKind::Image | BlockerKind::ImageName | BlockerKind::Config } => {
                Cost::Application
            }
            Self::Evicted { started: false } | Self::Preempted { started: false } | Self::TakenBack | Self::Stopped => {
                Cost::Free
            }
            Self::NeverStarted {
                blocker:
                    BlockerKind::NoCapacity
                    | BlockerKind::Gated
                    | BlockerKind::Volume
                    | BlockerKind::Node
                    | BlockerKind::Silent
                    | BlockerKind::Other,
            }
            | Self::Refused { .. }
            | Self::Rejected
            | Self::Evicted { started: true }
            | Self::Preempted { started: true }
            | Self::NodeLost
            | Self::Deleted => Cost::Infrastructure,
        })
    }

    /// The category by which rules and the failure digest know it; `None` for what is no failure.
    pub fn category(&self) -> Option<OutcomeCategory> {
        Some(match self {
            Self::Succeeded { .. } | Self::Stopped => return None,
            Self::Failed { .. } => OutcomeCategory::Failed,
            Self::OutOfMemory { .. } => OutcomeCategory::OutOfMemory,
            Self::Deadline => OutcomeCategory::Deadline,
            Self::ResultTooLarge { .. } => OutcomeCategory::ResultTooLarge,
            Self::NeverStarted { .. } => OutcomeCategory::NeverStarted,
            Self::Refused { .. } => OutcomeCategory::Refused,
            Self::Rejected => OutcomeCategory::Rejected,
            Self::Evicted { .. } => OutcomeCategory::Evicted,
            Self::Preempted { .. } | Self::TakenBack => OutcomeCategory::Preempted,
            Self::NodeLost => OutcomeCategory::NodeLost,
            Self::Deleted => OutcomeCategory::Deleted,
        })
    }

    /// One word, for the label `outcome` of metrics.
    pub fn as_str(&self) -> &'static str {
        match self.category() {
            Some(category) => category.as_str(),
            None if matches!(self, Self::Stopped) => "Stopped",
            None => "Succeeded",
        }
    }

    /// The exit code, where a container brought it about.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Failed { exit_code, .. } | Self::OutOfMemory { exit_code, .. } => Some(*exit_code),
            _ => None,
        }
    }

    /// The container that brought it about.
    pub fn container(&self) -> Option<&str> {
        match self {
            Self::Failed { container, .. } | Self::OutOfMemory { container, .. } => Some(container),
            _ => None,
        }
    }

    /// Whether the attempt succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded { .. })
    }
}

impl From<PodOutcome> for AttemptOutcome {
    /// How an attempt ended whose pod ended by itself, or was deleted by somebody else.
    fn from(outcome: PodOutcome) -> Self {
        match outcome {
            PodOutcome::Succeeded { message } => Self::Succeeded { message },
            PodOutcome::Failed { exit_code, container } => Self::Failed { exit_code, container },
            PodOutcome::OutOfMemory { exit_code, container } => Self::OutOfMemory { exit_code, container },
            PodOutcome::Deadline => Self::Deadline,
            PodOutcome::Refused { message } => Self::Refused { message },
            PodOutcome::Rejected => Self::Rejected,
            PodOutcome::Evicted { ran } => Self::Evicted { started: ran },
            PodOutcome::Preempted { ran } => Self::Preempted { started: ran },
            PodOutcome::TakenBack => Self::TakenBack,
            PodOutcome::Lost => Self::NodeLost,
            PodOutcome::Deleted => Self::Deleted,
        }
    }
}

impl OutcomeCategory {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Failed,
        Self::OutOfMemory,
        Self::Deadline,
        Self::ResultTooLarge,
        Self::NeverStarted,
        Self::Refused,
        Self::Rejected,
        Self::Evicted,
        Self::Preempted,
        Self::NodeLost,
        Self::Deleted,
    ];

    /// The word as it stands in spec and status.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "Failed",
            Self::OutOfMemory => "OutOfMemory",
            Self::Deadline => "Deadline",
            Self::ResultTooLarge => "ResultTooLarge",
            Self::NeverStarted => "NeverStarted",
            Self::Refused => "Refused",
            Self::Rejected => "Rejected",
            Self::Evicted => "Evicted",
            Self::Preempted => "Preempted",
            Self::NodeLost => "NodeLost",
            Self::Deleted => "Deleted",
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { exit_code, .. } => write!(f, "Failed(exit {exit_code})"),
            Self::ResultTooLarge { size, cut: None } => write!(f, "ResultTooLarge({size} bytes)"),
            Self::ResultTooLarge { size, cut: Some(_) } => write!(f, "ResultTooLarge({size} bytes or more)"),
            Self::NeverStarted { blocker } => write!(f, "NeverStarted({blocker:?})"),
            Self::Evicted { started: false } | Self::Preempted { started: false } => {
                write!(f, "{} before it started", self.as_str())
            }
            Self::TakenBack => write!(f, "{} by its queue", self.as_str()),
            _ => f.write_str(self.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_one_word_and_a_few_for_people() {
        let container = || "main".to_owned();
        let cut = Some(MessageLimit::of(1));
        for (outcome, word, words) in [
            (AttemptOutcome::Succeeded { message: None }, "Succeeded", "Succeeded"),
            (AttemptOutcome::Failed { exit_code: 3, container: container() }, "Failed", "Failed(exit 3)"),
            (AttemptOutcome::OutOfMemory { exit_code: 137, container: container() }, "OutOfMemory", "OutOfMemory"),
            (AttemptOutcome::Deadline, "Deadline", "Deadline"),
            (AttemptOutcome::ResultTooLarge { size: 9, cut: None }, "ResultTooLarge", "ResultTooLarge(9 bytes)"),
            (AttemptOutcome::ResultTooLarge { size: 9, cut }, "ResultTooLarge", "ResultTooLarge(9 bytes or more)"),
            (AttemptOutcome::NeverStarted { blocker: BlockerKind::Image }, "NeverStarted", "NeverStarted(Image)"),
            (AttemptOutcome::Refused { message: "no".to_owned() }, "Refused", "Refused"),
            (AttemptOutcome::Rejected, "Rejected", "Rejected"),
            (AttemptOutcome::Evicted { started: true }, "Evicted", "Evicted"),
            (AttemptOutcome::Evicted { started: false }, "Evicted", "Evicted before it started"),
            (AttemptOutcome::Preempted { started: false }, "Preempted", "Preempted before it started"),
            (AttemptOutcome::TakenBack, "Preempted", "Preempted by its queue"),
            (AttemptOutcome::NodeLost, "NodeLost", "NodeLost"),
            (AttemptOutcome::Deleted, "Deleted", "Deleted"),
            (AttemptOutcome::Stopped, "Stopped", "Stopped"),
        ] {
            assert_eq!((outcome.as_str(), outcome.to_string().as_str()), (word, words));
        }
    }
}
