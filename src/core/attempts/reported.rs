//! What a worker says of an attempt, as the end of that attempt.

use maptask_exchange::Outcome;

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::pod::{BlockerKind, Detail, Message, MessageLimit};
use crate::core::results::Layout;

/// The end of an attempt in the container of this name, whose worker says so. A suspect has lost nothing.
pub fn reported(outcome: Outcome, container: &str, layout: Option<Layout>) -> AttemptEnd {
    let container = container.to_owned();
    let words = |message: String| Some(message).filter(|message| !message.is_empty());
    let whole = |text: String| Message { text, limit: MessageLimit::NONE };
    let (outcome, message) = match outcome {
        Outcome::Succeeded { result } => (AttemptOutcome::Succeeded { message: result.map(whole) }, None),
        Outcome::Failed { exit_code, message } => (AttemptOutcome::Failed { exit_code, container }, words(message)),
        Outcome::OutOfMemory { exit_code, message } => {
            (AttemptOutcome::OutOfMemory { exit_code, container }, words(message))
        }
        Outcome::Deadline { message } => (AttemptOutcome::Deadline, words(message)),
        Outcome::ResultTooLarge { bytes, end } => match layout {
            Some(layout) if layout.truncates() => (AttemptOutcome::Succeeded { message: Some(whole(end)) }, None),
            _ => {
                let size = usize::try_from(bytes).unwrap_or(usize::MAX);
                (AttemptOutcome::ResultTooLarge { size, cut: None }, None)
            }
        },
        Outcome::NotStarted { message } => {
            (AttemptOutcome::NeverStarted { blocker: BlockerKind::Config }, words(message))
        }
        Outcome::Stopped | Outcome::Suspect { .. } => (AttemptOutcome::Stopped, None),
    };
    AttemptEnd { outcome, detail: Detail { reason: None, message, node: None } }
}
