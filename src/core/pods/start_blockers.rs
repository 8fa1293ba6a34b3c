//! What holds up the start of pods that exist: how many, and in whose words?

use std::collections::BTreeMap;

use crate::api::status::{Waiting, WaitingReason};
use crate::core::pod::{BlockerKind, StartBlocker};

/// Most characters of a message: it goes into the status.
const MESSAGE_LIMIT: usize = 400;

/// Pods of one task that can't start, by what holds them up.
#[derive(Clone, Debug, Default)]
pub(super) struct StartBlockers(BTreeMap<BlockerKind, (u32, String)>);

impl StartBlockers {
    /// A pod is held up in another way than before.
    pub(super) fn change(&mut self, pod: &str, before: Option<BlockerKind>, now: Option<&StartBlocker>) {
        if let Some(kind) = before
            && let Some((count, _)) = self.0.get_mut(&kind)
        {
            *count -= 1;
            if *count == 0 && now.is_none_or(|blocker| blocker.kind != kind) {
                self.0.remove(&kind);
            }
        }
        if let Some(blocker) = now {
            let message = crate::text::cut(&blocker.message, MESSAGE_LIMIT);
            let (count, words) = self.0.entry(blocker.kind).or_default();
            *count += 1;
            // The scheduler says the same of every pod; what the kubelet says is of one.
            *words = match blocker.kind {
                BlockerKind::NoCapacity | BlockerKind::Gated => message,
                _ => format!("pod {pod}: {message}"),
            };
        }
    }

    /// What to tell the user. `Other` is what every pod goes through on its way.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        let told = self.0.iter().find(|(kind, _)| **kind != BlockerKind::Other);
        told.map(|(kind, (count, message))| {
            let reason = match kind {
                BlockerKind::NoCapacity => WaitingReason::NoCapacity,
                BlockerKind::Gated => WaitingReason::SchedulingGated,
                _ => WaitingReason::NotStarting,
            };
            let message = match (kind, count) {
                (BlockerKind::Gated, 1) => format!("1 pod is held back by the scheduling gates {message}"),
                (BlockerKind::Gated, count) => format!("{count} pods are held back by the scheduling gates {message}"),
                _ => message.clone(),
            };
            Waiting::new(reason, Some(message).filter(|m| !m.is_empty()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocker(kind: BlockerKind) -> StartBlocker {
        StartBlocker { kind, message: format!("{kind:?}") }
    }

    #[test]
    fn no_capacity_is_told_before_the_rest_and_only_while_it_lasts() {
        let mut blockers = StartBlockers::default();
        blockers.change("t-0-1", None, Some(&blocker(BlockerKind::Image)));
        blockers.change("t-1-1", None, Some(&blocker(BlockerKind::NoCapacity)));
        assert_eq!(blockers.waiting().map(|w| w.reason), Some(WaitingReason::NoCapacity));
        blockers.change("t-1-1", Some(BlockerKind::NoCapacity), None);
        let waiting = blockers.waiting().unwrap();
        assert_eq!(
            (waiting.reason, waiting.message.as_deref()),
            (WaitingReason::NotStarting, Some("pod t-0-1: Image"))
        );
        blockers.change("t-0-1", Some(BlockerKind::Image), Some(&blocker(BlockerKind::Image)));
        blockers.change("t-2-1", None, Some(&blocker(BlockerKind::Image)));
        blockers.change("t-2-1", Some(BlockerKind::Image), None);
        assert!(blockers.waiting().is_some(), "one of two is still held up");
        blockers.change("t-0-1", Some(BlockerKind::Image), None);
        assert_eq!(blockers.waiting(), None);
    }
}
