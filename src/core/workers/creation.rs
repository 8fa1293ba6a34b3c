//! When another worker may be created: one after the other fails, each time a little later.

use crate::core::backoff::Backoff;
use crate::core::ids::Time;

/// The delay before a worker is created after one that has done nothing, in milliseconds, doubling up to
/// [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 60_000;

/// When another worker may be created.
#[derive(Debug)]
pub struct Creation {
    again: Backoff,
    /// Whether it may be, as of the last round.
    is_due: bool,
    /// What the last worker said that has done nothing.
    problem: Option<String>,
}

impl Default for Creation {
    fn default() -> Self {
        Self { again: Backoff::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS), is_due: true, problem: None }
    }
}

impl Creation {
    /// A round begins.
    pub fn poll(&mut self, now: Time) {
        self.is_due = self.again.is_due(now);
    }

    /// Whether one may be created in this round.
    pub fn is_due(&self) -> bool {
        self.is_due
    }

    /// A worker was created in vain, or has done nothing, and has said this.
    pub fn failed(&mut self, now: Time, problem: Option<String>) {
        self.again.failed(now);
        self.is_due = false;
        self.problem = problem.or_else(|| self.problem.take());
    }

    /// None is created before this time.
    pub fn wait_until(&mut self, now: Time, time: Time) {
        self.again.wait_until(time);
        self.is_due = self.again.is_due(now);
    }

    /// A worker was heard: the next failure is the first one again.
    pub fn worked(&mut self) {
        self.again.reset();
        self.problem = None;
    }

    /// When one may be created, if something stood in the way.
    pub fn until(&self) -> Option<Time> {
        self.again.until()
    }

    /// When to look again, if none may be created now.
    pub fn next_wake(&self) -> Option<Time> {
        self.until().filter(|_| !self.is_due)
    }

    /// What the last worker said that has done nothing.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_doubles_the_delay_and_the_last_words_stay() {
        let mut creation = Creation::default();
        creation.failed(Time(0), Some("no such file".to_owned()));
        assert_eq!((creation.is_due(), creation.next_wake()), (false, Some(Time(1_000))));
        creation.poll(Time(1_000));
        assert_eq!((creation.is_due(), creation.next_wake(), creation.until()), (true, None, Some(Time(1_000))));
        creation.failed(Time(1_000), None);
        assert_eq!((creation.until(), creation.problem()), (Some(Time(3_000)), Some("no such file")));
        creation.worked();
        assert_eq!((creation.until(), creation.problem()), (None, None));
    }
}
