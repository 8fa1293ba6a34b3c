//! A namespace whose quota is used up, or a task whose creates fail: when is it worth asking again, and how carefully?

use crate::core::backoff::Backoff;
use crate::core::ids::Time;

/// The delay before a full namespace is probed though no pod of ours ended, in milliseconds, doubling up to the
/// longest.
const PROBE_MILLIS: u64 = 1_000;
/// The longest delay between probes of a full quota. Room can come from others' pods, which nobody tells us of.
pub const MAX_QUOTA_PROBE_MILLIS: u64 = 15_000;
/// The longest delay between probes of a task whose creates fail: what is broken is repaired by people.
pub const MAX_FAILURE_PROBE_MILLIS: u64 = 60_000;
/// A namespace in which no pod was refused for that long is no longer held. While pods wait, it is probed more often.
const QUIET_MILLIS: u64 = 60_000;
/// A namespace with this number of creates in flight has room again, and is no longer held.
const FREE_AGAIN: u32 = 64;

/// What a create that was not refused has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A pod.
    Created,
    /// Nothing, for another reason than the hold's.
    NotCreated,
}

/// The state of a namespace whose quota refused a pod, or of a task whose creates failed.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Creates that may be in flight: 1 is a probe.
    allowed: u32,
    in_flight: u32,
    /// No create before its time.
    closed: Backoff,
    message: String,
    /// When a create was last refused, or failed.
    refused_at: Time,
}

impl Hold {
    /// A pod has just been refused; probes are at most `longest` milliseconds apart.
    pub fn new(now: Time, message: String, longest: u64) -> Self {
        let closed = Backoff::new(PROBE_MILLIS, longest);
        let mut hold = Self { allowed: 1, in_flight: 0, closed, message: String::new(), refused_at: now };
        hold.close(now, message);
        hold
    }

    /// Whether another create may go out.
    pub fn is_open(&self, now: Time) -> bool {
        self.in_flight < self.allowed && self.closed.is_due(now)
    }

    /// When the next probe may go out.
    pub fn next_wake(&self) -> Option<Time> {
        self.closed.until().filter(|_| self.in_flight == 0)
    }

    /// What the API server said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// A create goes out.
    pub fn begin(&mut self) {
        self.in_flight += 1;
        self.closed.clear_delay();
    }

    /// A create was answered, and not with what the hold is for.
    pub fn answered(&mut self, answer: Answer) {
        // A create from before the hold says nothing about the room there is now.
        let Some(left) = self.in_flight.checked_sub(1) else { return };
        self.in_flight = left;
        if answer == Answer::Created {
            self.closed.forget_failures();
            self.allowed = (self.allowed * 2).min(FREE_AGAIN);
        }
    }

    /// A create was refused or failed once more.
    pub fn refused(&mut self, now: Time, message: String) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.close(now, message);
    }

    /// A pod of the namespace ended: there may be room.
    pub fn room(&mut self) {
        self.closed.reset();
    }

    /// Whether enough creates have succeeded since.
    pub fn is_over(&self) -> bool {
        self.allowed >= FREE_AGAIN
    }

    /// When the hold ends if nothing is refused until then, though too little was created to say so.
    pub fn ends_at(&self) -> Time {
        self.refused_at.plus_millis(QUIET_MILLIS)
    }

    fn close(&mut self, now: Time, message: String) {
        self.message = message;
        self.refused_at = now;
        // Creates that were on their way together are refused together.
        if !self.closed.is_due(now) {
            return;
        }
        self.allowed = 1;
        self.closed.failed(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hold() -> Hold {
        Hold::new(Time(0), "exceeded quota".to_owned(), MAX_QUOTA_PROBE_MILLIS)
    }

    #[test]
    fn one_probe_at_a_time_after_a_growing_delay() {
        let mut hold = hold();
        assert!(!hold.is_open(Time(999)));
        assert!(hold.is_open(Time(1_000)));
        hold.begin();
        assert!(!hold.is_open(Time(1_000)));
        hold.refused(Time(1_100), String::new());
        assert_eq!(hold.next_wake(), Some(Time(3_100)));
    }

    #[test]
    fn creates_that_were_on_their_way_together_are_refused_together() {
        for (refused, next) in [(500, 1_000), (999, 1_000), (1_000, 3_000), (1_001, 3_001)] {
            let mut hold = hold();
            hold.refused(Time(refused), String::new());
            assert_eq!(hold.next_wake(), Some(Time(next)), "refused once more at {refused}");
        }
    }

    #[test]
    fn a_hold_ends_a_minute_after_the_last_refusal() {
        let mut hold = hold();
        assert_eq!(hold.ends_at(), Time(60_000));
        hold.refused(Time(7_000), String::new());
        assert_eq!(hold.ends_at(), Time(67_000));
    }

    #[test]
    fn a_pod_that_ended_is_a_reason_to_probe_at_once() {
        let mut hold = hold();
        hold.room();
        assert!(hold.is_open(Time(1)));
    }

    #[test]
    fn room_is_taken_in_doubling_steps_until_the_hold_is_over() {
        let mut hold = hold();
        hold.room();
        for round in 0..6 {
            assert!(!hold.is_over(), "round {round}");
            hold.begin();
            hold.answered(Answer::Created);
        }
        assert!(hold.is_over());
    }
}
