//! How a pod ended, and why the operator stopped one.

use super::message::Message;
use super::start_blocker::{BlockerKind, StartBlocker};

/// How a pod ended, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PodOutcome {
    /// It succeeded, even if it was being evicted; with the termination message of the item's container.
    Succeeded {
        /// The message, if there is one.
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
    /// The API server refused to create it.
    Refused {
        /// Its message.
        message: String,
    },
    /// The kubelet refused to run it.
    Rejected,
    /// The node's pressure, a taint, a drain or a shutdown ended it.
    Evicted {
        /// Whether a container had run.
        ran: bool,
    },
    /// A pod of higher priority took its place.
    Preempted {
        /// Whether a container had run.
        ran: bool,
    },
    /// A queueing system took it back: its workload was evicted.
    TakenBack,
    /// It vanished, or its node did, before it could say how it ended.
    Lost,
    /// It was deleted: by somebody else, or since the operator stopped it.
    Deleted,
}

impl PodOutcome {
    /// Whether it succeeded.
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded { .. })
    }
}

/// What a pod says about its end, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// The container's or pod's own word for it, such as Error.
    pub reason: Option<String>,
    /// The container's or pod's message, uncut: the cause may be anywhere in it.
    pub message: Option<String>,
    /// The node that the pod was on.
    pub node: Option<String>,
}

/// The end of a pod, with what its attempts need to know of it.
#[derive(Clone, Debug)]
pub struct PodEnd {
    /// How it ended.
    pub outcome: PodOutcome,
    /// The words about it.
    pub detail: Detail,
    /// Whether a container of it was seen to run.
    pub started: bool,
    /// Why the operator asked for its deletion, if it did.
    pub stop: Option<StopReason>,
    /// What held up its start when it was last seen.
    pub blocker: Option<StartBlocker>,
}

/// Why the operator stops a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// It did not start in time, or never can.
    NeverStarted(BlockerKind),
    /// The task is suspended.
    Suspended,
    /// The task is decided, and what still runs is not to run on.
    Decided,
    /// It is a worker that has said nothing for too long.
    Silent,
}
