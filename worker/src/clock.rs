//! What time is it, and what is different from the worker next door?

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since the machine was started, counting the time that it was suspended: a machine that wakes up must find that
/// what it holds has become too old to begin.
pub fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from).unwrap_or_default()
}

/// Random numbers for names and delays; not for secrets.
#[derive(Clone, Debug)]
pub struct Jitter(u64);

impl Jitter {
    /// From the system's randomness.
    pub fn new() -> Self {
        Self(RandomState::new().build_hasher().finish())
    }

    /// From a seed: an equal seed gives equal numbers.
    pub const fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A duration below the given one, in whole microseconds.
    pub fn below(&mut self, limit: Duration) -> Duration {
        let micros = u64::try_from(limit.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(self.next() % micros)
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::new()
    }
}
