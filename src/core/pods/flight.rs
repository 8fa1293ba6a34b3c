//! An item with a pod, or with one on its way.

use crate::core::ids::{Attempt, Time};
use crate::core::pod::{BlockerKind, StartBlocker};

/// An item with a pod, or with one on its way.
#[derive(Clone, Debug)]
pub struct Flight {
    /// The attempt that it is.
    pub attempt: Attempt,
    /// A create request is on its way.
    pub creating: bool,
    /// The pod is known to exist, or to have existed.
    pub created: bool,
    /// The pod's UID, once the watch has shown it.
    pub pod_uid: Option<String>,
    /// The version of the pod that was last seen.
    pub pod_version: u64,
    /// The resync in which the pod was last known to exist.
    pub epoch: u32,
    /// How far its deletion has come.
    pub stop: Stop,
    /// Whether the pod exists must be asked for.
    pub doubt: Doubt,
    /// Since when it waits for its start; `None` once it has started.
    pub starting: Option<Time>,
    /// What holds up its start, as far as is known.
    pub blocker: Option<StartBlocker>,
    /// What its status says of that.
    pub told: Option<StartBlocker>,
    /// What the Events about it say.
    pub explained: Option<StartBlocker>,
    /// Until when it may take to start before it is looked into.
    pub patience: Option<Time>,
    /// Why it is to be stopped though the task goes on.
    pub unwanted: Option<Unwanted>,
}

/// Why a flight is stopped though its task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwanted {
    /// It did not start in time, or never can.
    NeverStarted(BlockerKind),
    /// The task is suspended.
    Suspended,
}

impl Flight {
    /// Of which nothing is known yet.
    pub fn new(attempt: Attempt, now: Time) -> Self {
        Self {
            attempt,
            creating: false,
            created: false,
            pod_uid: None,
            pod_version: 0,
            epoch: 0,
            stop: Stop::No(Time(i64::MIN)),
            doubt: Doubt::No,
            starting: Some(now),
            blocker: None,
            told: None,
            explained: None,
            patience: None,
            unwanted: None,
        }
    }

    /// When this flight needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        match (self.doubt, self.stop) {
            (Doubt::Since(time), _) => Some(time),
            (Doubt::No, Stop::No(time)) if time > Time(i64::MIN) => Some(time),
            _ => None,
        }
    }
}

/// How far the deletion of a pod in flight has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Not wanted, or not sent before the time.
    No(Time),
    /// The request is on its way or was taken.
    Asked,
}

/// Whether a pod exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// Known as far as it can be.
    No,
    /// To be asked for, not before the time.
    Since(Time),
    /// Asked for.
    Asked,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flight_needs_attention_when_it_is_in_doubt_or_its_stop_may_be_sent() {
        let new = Flight::new(Attempt::FIRST, Time(5));
        assert_eq!(new.next_wake(), None);
        let no = Stop::No(Time(i64::MIN));
        for (doubt, stop, wake) in [
            (Doubt::No, Stop::No(Time(9)), Some(Time(9))),
            (Doubt::No, Stop::Asked, None),
            (Doubt::Since(Time(7)), no, Some(Time(7))),
            (Doubt::Since(Time(7)), Stop::Asked, Some(Time(7))),
            (Doubt::Asked, Stop::No(Time(9)), None),
        ] {
            assert_eq!(Flight { stop, doubt, ..new.clone() }.next_wake(), wake, "{doubt:?} {stop:?}");
        }
    }
}
