//! Does an item get another attempt, and when?

use crate::core::ids::{Index, Time};
use crate::core::phases::Tries;
use crate::core::pod::Cost;

/// How many endings by the cluster's fault an item survives. A cluster that loses the same item this often is broken.
pub const INFRASTRUCTURE_RETRIES: u32 = 10;
/// The delay before the second attempt, in milliseconds.
const BACKOFF_MILLIS: u64 = 1_000;
/// The longest delay before an attempt, in milliseconds.
const MAX_BACKOFF_MILLIS: u64 = 60_000;

/// The tries that an item has left after an ending of this cost, or `None` when its budget is used up.
pub fn next_try(tries: Tries, cost: Cost, retries: u32) -> Option<Tries> {
    let Tries { attempt, mut own, mut infrastructure } = tries;
    match cost {
        Cost::Own => own += 1,
        Cost::Infrastructure => infrastructure += 1,
        Cost::Free => {}
    }
    (own <= retries && infrastructure <= INFRASTRUCTURE_RETRIES).then_some(Tries {
        attempt: attempt.next(),
        own,
        infrastructure,
    })
}

/// When the next attempt may start: a delay that doubles with each attempt up to a minute, and is spread over
/// its upper half so that items that failed together don't come back together.
pub fn not_before(now: Time, seed: u64, index: Index, tries: Tries) -> Time {
    let doublings = tries.attempt.0.saturating_sub(2).min(16);
    let delay = (BACKOFF_MILLIS << doublings).min(MAX_BACKOFF_MILLIS);
    let spread = mix(seed ^ (u64::from(index.0) << 32) ^ u64::from(tries.attempt.0)) % (delay / 2 + 1);
    now.plus_millis(delay - spread)
}

/// `splitmix64`: a fixed, well-spread function of its input.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Attempt;

    fn tries(attempt: u32, own: u32, infrastructure: u32) -> Tries {
        Tries { attempt: Attempt(attempt), own, infrastructure }
    }

    #[test]
    fn own_failures_cost_retries_and_the_clusters_do_not() {
        assert_eq!(next_try(tries(1, 0, 0), Cost::Own, 0), None);
        assert_eq!(next_try(tries(1, 0, 0), Cost::Own, 1), Some(tries(2, 1, 0)));
        assert_eq!(next_try(tries(2, 1, 0), Cost::Own, 1), None);
        assert_eq!(next_try(tries(1, 0, 0), Cost::Infrastructure, 0), Some(tries(2, 0, 1)));
        assert_eq!(next_try(tries(11, 0, 10), Cost::Infrastructure, 0), None);
        assert_eq!(next_try(tries(99, 0, 10), Cost::Free, 0), Some(tries(100, 0, 10)));
    }

    #[test]
    fn the_delay_doubles_up_to_a_minute_and_is_spread() {
        let delay = |attempt| not_before(Time(0), 1, Index(0), tries(attempt, 0, 0)).0;
        assert!((500..=1_000).contains(&delay(2)));
        assert!((1_000..=2_000).contains(&delay(3)));
        assert!((30_000..=60_000).contains(&delay(40)));
        let spread: std::collections::BTreeSet<_> =
            (0..100).map(|i| not_before(Time(0), 1, Index(i), tries(2, 1, 0)).0).collect();
        assert!(spread.len() > 50, "only {} different delays", spread.len());
    }
}
