//! The exchange between a worker and the operator: one request does all. docs/architecture/exchange.md describes it for
//! people.
//!
//! A worker posts a [`Request`] as JSON to [`PATH`] and gets an [`Answer`]. A request says everything that the worker
//! holds and which attempts have ended; an answer says which ends are recorded, and grants, recalls and stops.

mod config;
mod listing;
pub mod variables;

pub use config::{Artifacts, Config, Mode};
pub use listing::{
    ITEMS_FILE, ITEMS_PATH, LIST_BEAT_SECONDS, ListAnswer, ListConfig, ListEnd, ListFormat, ListRequest,
    MAX_ITEM_BYTES, MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_PIECE_BYTES, MAX_PIECES,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Where a worker posts its requests.
pub const PATH: &str = "/v1/exchange";
/// The audience of a worker's token.
pub const AUDIENCE: &str = "maptask-operator";
/// The environment variable with the worker's [`Config`].
pub const CONFIG_VARIABLE: &str = "MAPTASK_WORKER";
/// Where the volume with the worker's program is mounted.
pub const PROGRAM_DIRECTORY: &str = "/.maptask";
/// The name of the program in it.
pub const PROGRAM: &str = "maptask-worker";
/// Where the worker's token is mounted.
pub const TOKEN_PATH: &str = "/var/run/secrets/maptask/token";
/// Where the worker keeps its [`Record`]; the kubelet reads its last 4 KiB when the container has ended.
pub const RECORD_PATH: &str = "/dev/termination-log";

/// Most bytes of a request's body. A worker sends what fits, and the rest with the next request.
pub const MAX_REQUEST_BYTES: usize = 4 << 20;
/// Most bytes of an answer's body.
pub const MAX_ANSWER_BYTES: usize = 16 << 20;
/// Most bytes of the text of a result.
pub const MAX_RESULT_BYTES: usize = 64 << 10;
/// Most bytes of what a failed attempt says.
pub const MAX_MESSAGE_BYTES: usize = 2 << 10;
/// Most programs that one worker runs at the same time.
pub const MAX_SLOTS: u32 = 256;
/// Most attempts that one worker runs at the same time: programs, or lines of programs that have no answer yet.
pub const MAX_RUNNING: u32 = 2 * MAX_SLOTS;
/// Most attempts that a worker holds without having begun them, for each slot.
pub const MAX_STOCK: u32 = 40;

/// How long the operator keeps a request when it has nothing to say, in milliseconds; varied by a fifth.
pub const HOLD_MILLIS: u64 = 10_000;
/// How long a worker waits for an answer longer than that, in milliseconds.
pub const PATIENCE_MILLIS: u64 = 10_000;
/// How long after it sent the last request that was answered a worker may begin what it holds, in milliseconds.
pub const BEGIN_WITHIN_MILLIS: u64 = 30_000;
/// How long after it sent the last request that was answered a worker lets programs run whose begin no answer has
/// confirmed, in milliseconds: the operator does not know that they run, and may grant their items elsewhere soon.
pub const CONFIRM_WITHIN_MILLIS: u64 = 33_000;
/// How long after a worker's last request the operator may grant elsewhere what had not begun, in milliseconds.
pub const REGRANT_AFTER_MILLIS: u64 = 45_000;
/// Most bytes of results and messages that are not acknowledged; above it a worker begins nothing more.
pub const MAX_UNACKNOWLEDGED_BYTES: usize = 8 << 20;

/// Which attempt at which item: `[17, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptId(
    /// The index of the item, from 0.
    pub u32,
    /// The number of the attempt, from 1.
    pub u32,
);

/// What a worker says. The number of a request renounces the answer to the one before, unless that has arrived: the
/// operator may grant elsewhere what only that answer has granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// A name that this process of the worker has made up: 16 hexadecimal digits.
    pub session: String,
    /// The number of this request in the session, from 1.
    pub number: u64,
    /// The highest epoch of an answer that has arrived; before the first that of the [`Config`]. An operator with a
    /// higher one ignores the rest of the request, and answers at once.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub epoch: u64,
    /// All attempts whose programs run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<AttemptId>,
    /// All attempts that are granted and have not begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<AttemptId>,
    /// Attempts that have ended, in order, and that an answer of this epoch has yet to receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ended: Vec<End>,
    /// Attempts that this process has begun so far.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub begun: u64,
    /// Whether it takes more.
    #[serde(default, skip_serializing_if = "State::is_working")]
    pub state: State,
}

/// Whether a worker takes more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum State {
    /// It does.
    #[default]
    Working,
    /// It asks to be replaced, and continues until an answer stops it.
    Recycle {
        /// Why, in words.
        message: String,
    },
    /// It takes nothing more, and exits when it holds nothing and all is acknowledged.
    Leaving {
        /// Why.
        reason: Leaving,
        /// Details, in words.
        message: String,
    },
}

impl State {
    fn is_working(&self) -> bool {
        *self == Self::Working
    }
}

/// Why a worker takes nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leaving {
    /// It got SIGTERM.
    Terminated,
    /// An answer said so.
    Stopped,
    /// It can't start programs: no process, memory, disk or descriptor is left.
    CannotStart,
}

/// The end of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// The number of this end in the session, from 1, without gaps.
    pub sequence: u64,
    /// Which attempt.
    pub id: AttemptId,
    /// How long its program ran, in microseconds.
    #[serde(default)]
    pub micros: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all_fields = "camelCase")]
pub enum Outcome {
    /// It succeeded.
    Succeeded {
        /// Its result, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        result: Option<String>,
    },
    /// Its program failed, or answered with an error, or with what is no answer.
    Failed {
        /// Its exit code; 128 and the signal's number if a signal ended it; 1 where a stream's answer said that it
        /// failed.
        exit_code: i32,
        /// The end of what it wrote to stderr, or the error in the answer.
        message: String,
    },
    /// The kernel killed a process of the container for its memory, and the program failed.
    OutOfMemory {
        /// Its exit code.
        exit_code: i32,
        /// The end of what it wrote to stderr.
        message: String,
    },
    /// It took longer than `activeDeadlineSeconds` of the template.
    Deadline {
        /// The end of what it wrote to stderr.
        message: String,
    },
    /// It succeeded with more bytes than may be kept. The result has only their end.
    ResultTooLarge {
        /// How many bytes it had.
        bytes: u64,
        /// The end of it, as much as may be kept.
        end: String,
    },
    /// No worker could start its program: it does not exist, or can't be executed.
    NotStarted {
        /// The system's words.
        message: String,
    },
    /// The program of a stream ended while several of its lines had no answer, this attempt's among them: any of them
    /// may have ended it. Alone, it would be `Failed` or `OutOfMemory`.
    Suspect {
        /// The program's exit code.
        exit_code: i32,
        /// The end of what it wrote to stderr.
        message: String,
    },
    /// It was stopped: the worker got SIGTERM, or the operator said so, and the program did not succeed.
    Stopped,
}

/// What the operator says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The number of the request.
    pub number: u64,
    /// The epoch of the operator that answers. A worker ignores answers of a lower epoch than it has seen.
    pub epoch: u64,
    /// Ends up to this one are recorded, and the worker may forget them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub acknowledged: u64,
    /// How many programs may run at the same time.
    pub slots: u32,
    /// What the worker holds from now on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Grant>,
    /// To be given back unless they have begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recall: Vec<AttemptId>,
    /// No longer this worker's: to be killed, and not to be reported again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub revoked: Vec<AttemptId>,
    /// Take nothing more, and exit when nothing is held and all is acknowledged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// An attempt for a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// Which attempt.
    pub id: AttemptId,
    /// The item, as JSON.
    pub item: Box<RawValue>,
    /// Variables of its own besides `MAPTASK_ITEM`, `MAPTASK_INDEX` and `MAPTASK_ATTEMPT`: those of the item's keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
}

/// What a worker leaves in its container's termination message: rewritten in place, so that it also tells of a worker
/// that was killed together with its programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The version of the exchange.
    pub version: u32,
    /// What ran; the first of them, where they are many.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<AttemptId>,
    /// Attempts that the process had begun.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub begun: u64,
    /// Processes of the container that the kernel had killed for their memory before the oldest of these attempts
    /// began.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub oom_kills: u64,
    /// Why it has ended, or can't work, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Whether it could not reach the operator, or was not let in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreachable: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_says_little_is_short() {
        let request = Request {
            session: "00c0ffee00c0ffee".to_owned(),
            number: 2,
            epoch: 1,
            running: vec![AttemptId(17, 1)],
            stock: Vec::new(),
            ended: vec![End {
                sequence: 1,
                id: AttemptId(3, 2),
                micros: 900,
                outcome: Outcome::Succeeded { result: None },
            }],
            begun: 0,
            state: State::Working,
        };
        let text = serde_json::to_string(&request).unwrap();
        let expected = r#"{"session":"00c0ffee00c0ffee","number":2,"epoch":1,"running":[[17,1]],"ended":[{"sequence":1,"id":[3,2],"micros":900,"outcome":{"kind":"Succeeded"}}]}"#;
        assert_eq!(text, expected);
        assert_eq!(serde_json::from_str::<Request>(&text).unwrap(), request);
    }
}
