//! How many pods may be created in a second?

use crate::core::ids::Time;

/// Limits creates to a number a second. After a quiet time, a second's worth of them may pass at once.
#[derive(Clone, Debug)]
pub struct Pace {
    per_second: u32,
    /// Microseconds that each create takes of the second.
    interval: i64,
    /// In microseconds since the epoch: when all creates so far would have passed one by one.
    spent_until: i64,
}

/// What may pass at once after a quiet time, in microseconds of the pace.
const BURST: i64 = 1_000_000;

impl Pace {
    /// A pace of this many a second, at least one.
    pub fn new(per_second: u32) -> Self {
        let per_second = per_second.clamp(1, 1_000_000);
        Self { per_second, interval: 1_000_000 / i64::from(per_second), spent_until: 0 }
    }

    /// Creates in a second.
    pub fn per_second(&self) -> u32 {
        self.per_second
    }

    /// Whether another create may pass.
    pub fn is_open(&self, now: Time) -> bool {
        self.open_at() <= now
    }

    /// From when on another create may pass.
    pub fn open_at(&self) -> Time {
        Time((self.spent_until + self.interval - BURST).div_euclid(1_000) + 1)
    }

    /// A create passes.
    pub fn begin(&mut self, now: Time) {
        self.spent_until = self.spent_until.max(now.0.saturating_mul(1_000)) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lets_as_many_pass_as_it_may_and_a_quiet_time_no_more_than_that_at_once() {
        let mut pace = Pace::new(5);
        assert_eq!(pace.per_second(), 5, "what the user is told");
        let mut now = Time(1_700_000_000_000);
        let mut passed = 0;
        for _ in 0..10_000 {
            while pace.is_open(now) {
                pace.begin(now);
                passed += 1;
            }
            now = now.plus_millis(1);
        }
        assert!((50..=55).contains(&passed), "{passed} in ten seconds");
        now = now.plus_millis(1_000_000);
        let burst = std::iter::from_fn(|| pace.is_open(now).then(|| pace.begin(now))).count();
        assert!((4..=5).contains(&burst), "{burst}");
    }

    #[test]
    fn no_create_passes_a_part_of_a_millisecond_too_early() {
        let (mut pace, now) = (Pace::new(3), Time(1_700_000_000_000));
        (0..3).for_each(|_| pace.begin(now));
        assert_eq!(pace.open_at(), now.plus_millis(334), "a third of a second, rounded up");
        assert!(!pace.is_open(now.plus_millis(333)) && pace.is_open(now.plus_millis(334)));
    }
}
