//! How long does an item wait whose creates fail?

use std::collections::BTreeMap;

use crate::core::backoff::doubled;
use crate::core::ids::{Index, Time};
use crate::core::spec::retry::mix;

/// The delay before a create that failed is sent again, in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay: what makes creates fail is repaired by people.
const MAX_AGAIN_MILLIS: u64 = 60_000;

/// How often in a row the create of each item's pod has failed.
#[derive(Debug, Default)]
pub(super) struct CreateBackoff(BTreeMap<Index, u32>);

impl CreateBackoff {
    /// A create worked: the next failure is the first one again.
    pub(super) fn succeeded(&mut self, index: Index) {
        self.0.remove(&index);
    }

    /// A create failed. Returns when to send it again.
    pub(super) fn failed(&mut self, now: Time, seed: u64, index: Index) -> Time {
        let failures = self.0.entry(index).or_default();
        let time = now.plus_millis(delay_millis(seed, index, *failures));
        *failures += 1;
        time
    }
}

/// How long an item waits whose creates have failed so often in a row before: doubling, less up to half of it at
/// random.
fn delay_millis(seed: u64, index: Index, failures: u32) -> u64 {
    let delay = doubled(AGAIN_MILLIS, failures, MAX_AGAIN_MILLIS);
    delay - mix(seed ^ (u64::from(index.0) << 32) ^ u64::from(failures)) % (delay / 2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_delay_after_failed_creates_doubles_up_to_a_minute_less_up_to_half() {
        let longest = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000];
        for (failures, longest) in (0..).zip(longest) {
            let delays: Vec<u64> = (0..100).map(|index| delay_millis(mix(7), Index(index), failures)).collect();
            assert!(delays.iter().all(|delay| (longest / 2 + 1..=longest).contains(delay)), "{failures}: {delays:?}");
            let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
            assert!(most - least > longest * 2 / 5, "{failures}: {least} to {most}");
        }
    }

    #[test]
    fn every_item_every_task_and_every_try_has_a_delay_of_its_own() {
        let distinct = |delays: &mut dyn Iterator<Item = u64>| delays.collect::<BTreeSet<u64>>().len();
        // From seven failures in a row on the longest delay is the same.
        assert_eq!(distinct(&mut (0..40).map(|index| delay_millis(mix(7), Index(index), 7))), 40, "items");
        assert_eq!(distinct(&mut (0..40).map(|task| delay_millis(mix(task), Index(5), 7))), 40, "tasks");
        assert_eq!(distinct(&mut (8..48).map(|failures| delay_millis(mix(7), Index(5), failures))), 40, "tries");
    }
}
