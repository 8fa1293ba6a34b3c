//! What holds up the start of pods that exist: how many, and in whose words?

use std::collections::BTreeMap;

use crate::api::status::{Waiting, WaitingReason};
use crate::core::pod::{Stall, StallKind};

/// Most characters of a message: it goes into the status.
const MESSAGE_LIMIT: usize = 400;

/// Pods of one task that can't start, by what holds them up.
#[derive(Clone, Debug, Default)]
pub struct Stalls(BTreeMap<StallKind, (u32, String)>);

impl Stalls {
    /// A pod is held up in another way than before.
    pub fn change(&mut self, pod: &str, before: Option<StallKind>, now: Option<&Stall>) {
        if let Some(kind) = before
            && let Some((count, _)) = self.0.get_mut(&kind)
        {
            *count -= 1;
            if *count == 0 && now.is_none_or(|stall| stall.kind != kind) {
                self.0.remove(&kind);
            }
        }
        if let Some(stall) = now {
            let message = crate::text::cut(&stall.message, MESSAGE_LIMIT);
            let (count, words) = self.0.entry(stall.kind).or_default();
            *count += 1;
            // The scheduler says the same of every pod; what the kubelet says is of one.
            *words = if stall.kind == StallKind::NoCapacity { message } else { format!("pod {pod}: {message}") };
        }
    }

    /// What to tell the user. `Other` is what every pod goes through on its way.
    pub fn waiting(&self) -> Option<Waiting> {
        let told = self.0.iter().find(|(kind, _)| **kind != StallKind::Other);
        told.map(|(kind, (_, message))| {
            let reason = match kind {
                StallKind::NoCapacity => WaitingReason::NoCapacity,
                StallKind::Gated => WaitingReason::SchedulingGated,
                _ => WaitingReason::NotStarting,
            };
            Waiting { reason, message: Some(message.clone()).filter(|m| !m.is_empty()) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stall(kind: StallKind) -> Stall {
        Stall { kind, message: format!("{kind:?}") }
    }

    #[test]
    fn no_capacity_is_told_before_the_rest_and_only_while_it_lasts() {
        let mut stalls = Stalls::default();
        stalls.change("t-0-1", None, Some(&stall(StallKind::Image)));
        stalls.change("t-1-1", None, Some(&stall(StallKind::NoCapacity)));
        assert_eq!(stalls.waiting().map(|w| w.reason), Some(WaitingReason::NoCapacity));
        stalls.change("t-1-1", Some(StallKind::NoCapacity), None);
        let waiting = stalls.waiting().unwrap();
        assert_eq!(
            (waiting.reason, waiting.message.as_deref()),
            (WaitingReason::NotStarting, Some("pod t-0-1: Image"))
        );
        stalls.change("t-0-1", Some(StallKind::Image), Some(&stall(StallKind::Image)));
        stalls.change("t-2-1", None, Some(&stall(StallKind::Image)));
        stalls.change("t-2-1", Some(StallKind::Image), None);
        assert!(stalls.waiting().is_some(), "one of two is still held up");
        stalls.change("t-0-1", Some(StallKind::Image), None);
        assert_eq!(stalls.waiting(), None);
    }
}
