//! Delays that double with each failure in a row, and requests that are repeated after them.

use crate::core::ids::Time;

/// When to try again, where each failure in a row doubles the delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first_millis: u64,
    longest_millis: u64,
    failures: u32,
    until: Option<Time>,
}

impl Backoff {
    /// Nothing has failed yet. The delay begins with `first_millis` and grows to `longest_millis`.
    pub const fn new(first_millis: u64, longest_millis: u64) -> Self {
        Self { first_millis, longest_millis, failures: 0, until: None }
    }

    /// It failed once more. Returns when to try again.
    pub fn failed(&mut self, now: Time) -> Time {
        let delay = doubled(self.first_millis, self.failures, self.longest_millis);
        self.failures = self.failures.saturating_add(1);
        *self.until.insert(now.plus_millis(delay))
    }

    /// It worked: the next failure is the first one again.
    pub fn reset(&mut self) {
        (self.failures, self.until) = (0, None);
    }

    /// Ends the delay. The next failure still counts as one more in a row.
    pub fn clear_delay(&mut self) {
        self.until = None;
    }

    /// Resets the count of failures and keeps the current delay.
    pub fn forget_failures(&mut self) {
        self.failures = 0;
    }

    /// Sets the delay, whatever has failed.
    pub fn wait_until(&mut self, time: Time) {
        self.until = Some(time);
    }

    /// Whether to try now.
    pub fn is_due(&self, now: Time) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When to try again; `None` if nothing stands in the way.
    pub fn until(&self) -> Option<Time> {
        self.until
    }

    /// Failures in a row.
    pub fn failures(&self) -> u32 {
        self.failures
    }
}

/// Requests for one thing: one at a time, and the next one later if it fails.
#[derive(Clone, Copy, Debug)]
pub struct RetriedRequest {
    is_pending: bool,
    again: Backoff,
}

impl RetriedRequest {
    /// Nothing was sent yet. Delays are those of [`Backoff::new`].
    pub const fn new(first_millis: u64, longest_millis: u64) -> Self {
        Self { is_pending: false, again: Backoff::new(first_millis, longest_millis) }
    }

    /// Whether to send one now.
    pub fn is_due(&self, now: Time) -> bool {
        !self.is_pending && self.again.is_due(now)
    }

    /// Whether one has no answer yet.
    pub fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// One is sent.
    pub fn send(&mut self) {
        self.is_pending = true;
    }

    /// It was answered, or no longer counts.
    pub fn answered(&mut self) {
        self.is_pending = false;
    }

    /// It worked: the next failure is the first one again.
    pub fn succeeded(&mut self) {
        self.again.reset();
    }

    /// It failed: the next one is sent after a delay.
    pub fn failed(&mut self, now: Time) {
        self.again.failed(now);
    }

    /// The next one is sent at this time, whatever has failed.
    pub fn wait_until(&mut self, time: Time) {
        self.again.wait_until(time);
    }

    /// The next one is sent at once.
    pub fn clear_delay(&mut self) {
        self.again.clear_delay();
    }

    /// Whether the delay is over, whether or not one has no answer yet.
    pub fn is_delay_over(&self, now: Time) -> bool {
        self.again.is_due(now)
    }

    /// When to send the next one, unless an answer comes first; `None` if nothing stands in the way.
    pub fn next_wake(&self) -> Option<Time> {
        self.again.until().filter(|_| !self.is_pending)
    }
}

/// A delay in milliseconds that doubles each time, up to the longest.
pub fn doubled(first: u64, times: u32, longest: u64) -> u64 {
    first.saturating_mul(1 << times.min(30)).min(longest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_with_each_failure_in_a_row_up_to_the_longest() {
        let mut backoff = Backoff::new(1_000, 3_000);
        assert!(backoff.is_due(Time(0)) && backoff.until().is_none());
        let times: Vec<i64> = (0..3).map(|_| backoff.failed(Time(0)).0).collect();
        assert_eq!((times, backoff.failures()), (vec![1_000, 2_000, 3_000], 3));
        assert_eq!((backoff.is_due(Time(2_999)), backoff.is_due(Time(3_000))), (false, true));
        backoff.clear_delay();
        assert!(backoff.is_due(Time(0)));
        assert_eq!(backoff.failed(Time(0)), Time(3_000), "it is still one more in a row");
        backoff.forget_failures();
        assert_eq!((backoff.failures(), backoff.is_due(Time(2_999))), (0, false), "the current delay stays");
        assert_eq!(backoff.failed(Time(0)), Time(1_000));
        backoff.reset();
        assert_eq!((backoff.failures(), backoff.failed(Time(5))), (0, Time(1_005)));
    }

    #[test]
    fn any_number_of_failures_has_a_delay() {
        assert_eq!(doubled(1, 29, u64::MAX), 1 << 29);
        assert_eq!(doubled(1, u32::MAX, u64::MAX), 1 << 30);
        assert_eq!(doubled(u64::MAX / 2, 5, u64::MAX), u64::MAX);
    }

    #[test]
    fn one_request_is_sent_at_a_time_and_the_next_one_later_after_a_failure() {
        let mut request = RetriedRequest::new(1_000, 3_000);
        assert!(request.is_due(Time(0)) && request.next_wake().is_none());
        request.send();
        assert!(request.is_pending() && !request.is_due(Time(0)));
        request.answered();
        request.failed(Time(0));
        assert!(!request.is_due(Time(999)) && request.is_due(Time(1_000)));
        assert_eq!(request.next_wake(), Some(Time(1_000)));
        request.send();
        assert_eq!((request.is_delay_over(Time(1_000)), request.next_wake()), (true, None), "the answer comes first");
        request.answered();
        request.failed(Time(1_000));
        assert_eq!(request.next_wake(), Some(Time(3_000)));
        request.clear_delay();
        assert!(request.is_due(Time(1_000)));
        request.succeeded();
        request.failed(Time(1_000));
        assert_eq!(request.next_wake(), Some(Time(2_000)), "the first failure again");
    }
}
