//! When is the operator asked again after a failure?

use std::time::Duration;

use crate::clock::Jitter;

/// The first delay is below this, and each next one may be twice as long.
const FIRST: Duration = Duration::from_millis(500);
/// No delay is longer: a thousand workers spread over this time.
const LONGEST: Duration = Duration::from_secs(30);
/// A parked request that was cut, as by a proxy, is sent again within this time, and is no failure.
const CUT: Duration = Duration::from_millis(300);
/// A request that was open for this long was parked.
pub const PARKED: Duration = Duration::from_secs(1);

/// Delays between failures, all of them random from zero on, so that workers that lost the operator together do not
/// come back together.
#[derive(Debug)]
pub struct Backoff {
    failures: u32,
    jitter: Jitter,
}

impl Backoff {
    /// No failure yet.
    pub const fn new(jitter: Jitter) -> Self {
        Self { failures: 0, jitter }
    }

    /// An answer has come.
    pub const fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// A request has failed: how long to wait.
    pub fn failed(&mut self) -> Duration {
        let limit = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures += 1;
        self.jitter.below(limit)
    }

    /// A parked request was cut: how long to wait.
    pub fn cut(&mut self) -> Duration {
        self.jitter.below(CUT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thousand_workers_reconnect_over_thirty_seconds() {
        // The operator is away for 20 s; each worker asks until it is answered.
        let away = Duration::from_secs(20);
        let mut arrivals = [0_u32; 64];
        for worker in 0..1_000_u64 {
            let mut backoff = Backoff::new(Jitter::seeded(worker << 32));
            let mut at = backoff.cut();
            while at < away {
                at += backoff.failed();
            }
            arrivals[usize::try_from(at.saturating_sub(away).as_secs()).unwrap()] += 1;
        }
        let (mean, peak) = (1_000 / 30, *arrivals.iter().max().unwrap());
        assert!(peak < 3 * mean, "peak of {peak} a second, {arrivals:?}");
        assert_eq!(arrivals[31..].iter().sum::<u32>(), 0, "{arrivals:?}");
    }

    #[test]
    fn the_first_retries_are_fast() {
        let mut backoff = Backoff::new(Jitter::seeded(1));
        assert!(backoff.failed() < Duration::from_millis(500));
        assert!(backoff.failed() < Duration::from_secs(1));
        for _ in 0..100 {
            assert!(backoff.failed() < LONGEST);
        }
        backoff.succeeded();
        assert!(backoff.failed() < Duration::from_millis(500));
    }

    #[test]
    fn a_parked_request_that_was_cut_is_no_failure() {
        let mut backoff = Backoff::new(Jitter::seeded(1));
        assert!((0..100).all(|_| backoff.cut() < CUT));
        assert!(backoff.failed() < FIRST);
    }
}
