//! What the end of a pod means for the attempts that it held: the only place where one becomes the other.

use crate::core::attempt_end::{AttemptEnd, AttemptOutcome};
use crate::core::ids::Index;
use crate::core::pod::{Detail, PodEnd, PodOutcome, StopReason};

/// How the attempts ended that a pod held. `suspending`: the task is suspended and stops its pods.
///
/// What a deletion brings about has the reason of the deletion; a pod may have ended by itself before.
pub fn blame(end: PodEnd, suspending: bool, held: &[Index]) -> impl Iterator<Item = (Index, AttemptEnd)> {
    let PodEnd { outcome, mut detail, started, stop, blocker } = end;
    let taken = matches!(outcome, PodOutcome::Deleted | PodOutcome::Lost);
    let is_late = outcome == PodOutcome::Deadline;
    let outcome = match (stop, outcome) {
        (Some(StopReason::NeverStarted(kind)), _) if taken => {
            // The last words before the deletion; after it the kubelet only says that there is no container.
            detail.reason = None;
            detail.message = blocker.map(|blocker| blocker.message);
            AttemptOutcome::NeverStarted { blocker: kind }
        }
        (Some(StopReason::Suspended), _) if taken => AttemptOutcome::Stopped,
        // Stopped by an operator that died before it could record that.
        (_, PodOutcome::Lost) if suspending => AttemptOutcome::Stopped,
        (_, outcome) => {
            if let Some(blocker) = blocker.filter(|_| is_late && !started) {
                let words = detail.message.take().unwrap_or_default();
                detail.message = Some(format!("{words}; it had not started: {}", blocker.message));
            }
            outcome_of(outcome, started)
        }
    };
    held.iter().copied().zip(std::iter::repeat_n(AttemptEnd { outcome, detail }, held.len()))
}

/// What had run in a worker before the attempts that it held at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// Nothing, as far as is known.
    Nothing,
    /// Others, which may have left memory in use.
    Others,
}

/// How the attempts ended that ran in a worker when its pod did. `None`: nobody knows whose fault it was, and each is
/// to run alone in a fresh worker. A worker that has ended by itself, or was stopped, blames nobody.
pub fn blame_worker(end: PodEnd, suspending: bool, running: &[Index], before: Before) -> Option<AttemptEnd> {
    let by_itself = matches!(end.outcome, PodOutcome::Failed { .. } | PodOutcome::OutOfMemory { .. });
    if end.outcome.is_success() {
        return Some(AttemptEnd { outcome: AttemptOutcome::Stopped, detail: end.detail });
    }
    let is_short = matches!(end.outcome, PodOutcome::OutOfMemory { .. });
    if by_itself && running.len() > 1 || is_short && before == Before::Others {
        return None;
    }
    // The message is the worker's record, and not for people.
    let end = PodEnd { detail: Detail { message: None, ..end.detail }, ..end };
    blame(end, suspending, running).next().map(|(_, end)| end)
}

/// A container may have run that the last state of the pod no longer shows.
fn outcome_of(outcome: PodOutcome, started: bool) -> AttemptOutcome {
    match outcome {
        PodOutcome::Evicted { ran } => PodOutcome::Evicted { ran: ran || started }.into(),
        PodOutcome::Preempted { ran } => PodOutcome::Preempted { ran: ran || started }.into(),
        outcome => outcome.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::pod::{BlockerKind, StartBlocker};

    fn pod(outcome: PodOutcome, stop: Option<StopReason>) -> PodEnd {
        let blocker = StartBlocker { kind: BlockerKind::Image, message: "no image".to_owned() };
        let detail = Detail { message: Some("words".to_owned()), ..Detail::default() };
        PodEnd { outcome, detail, started: false, stop, blocker: Some(blocker) }
    }

    fn one(end: PodEnd, suspending: bool) -> AttemptEnd {
        let ends: Vec<_> = blame(end, suspending, &[Index(7)]).collect();
        let [(Index(7), end)] = &ends[..] else { panic!("{ends:?}") };
        end.clone()
    }

    #[test]
    fn a_deletion_is_blamed_on_why_the_operator_asked_for_it() {
        let failed = || PodOutcome::Failed { exit_code: 3, container: "main".to_owned() };
        for (end, stop, suspending, outcome) in [
            (PodOutcome::Deleted, None, false, "Deleted"),
            (PodOutcome::Deleted, None, true, "Deleted"),
            (PodOutcome::Lost, None, false, "NodeLost"),
            (PodOutcome::Lost, None, true, "Stopped"),
            (PodOutcome::Deleted, Some(StopReason::Suspended), false, "Stopped"),
            (PodOutcome::Deleted, Some(StopReason::Decided), false, "Deleted"),
            (PodOutcome::Lost, Some(StopReason::NeverStarted(BlockerKind::Image)), false, "NeverStarted(Image)"),
            (failed(), Some(StopReason::NeverStarted(BlockerKind::Image)), false, "Failed(exit 3)"),
            (failed(), Some(StopReason::Suspended), true, "Failed(exit 3)"),
        ] {
            assert_eq!(one(pod(end.clone(), stop), suspending).outcome.to_string(), outcome, "{end:?} {stop:?}");
        }
    }

    #[test]
    fn a_pod_that_never_started_says_what_held_it_up() {
        let words = |end, stop| one(pod(end, stop), false).detail.message;
        assert_eq!(words(PodOutcome::Deadline, None).as_deref(), Some("words; it had not started: no image"));
        let never = Some(StopReason::NeverStarted(BlockerKind::Image));
        assert_eq!(words(PodOutcome::Deleted, never).as_deref(), Some("no image"));
        assert_eq!(words(PodOutcome::Rejected, None).as_deref(), Some("words"));
    }

    #[test]
    fn a_pod_that_was_seen_to_run_had_started_whatever_its_last_state_shows() {
        let started = |end| one(PodEnd { started: true, ..pod(end, None) }, false).outcome;
        assert_eq!(started(PodOutcome::Evicted { ran: false }), AttemptOutcome::Evicted { started: true });
        assert_eq!(started(PodOutcome::Preempted { ran: false }), AttemptOutcome::Preempted { started: true });
    }
}
