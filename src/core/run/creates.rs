//! What comes of a create request: a pod, none, or nobody knows.

use crate::core::backoff::doubled;
use crate::core::ids::{Attempt, Index, Time};
use crate::core::phases::ItemPhase;
use crate::core::pod::{Detail, AttemptOutcome};
use crate::core::pods::flight::Doubt;
use crate::core::run::{Context, Run};
use crate::core::spec::retry::mix;

/// The delay before a create that failed is sent again, in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay: what makes creates fail is repaired by people.
const MAX_AGAIN_MILLIS: u64 = 60_000;
/// The delay before a pod is looked for whose create was refused after one without an answer, in milliseconds.
const LOOK_MILLIS: u64 = 1_000;

impl Run {
    /// The pod of an item's attempt is there.
    pub fn created(&mut self, context: &mut Context<'_>, index: Index, attempt: Attempt, epoch: u32) {
        let Some(flight) = self.flights.get_mut(index).filter(|f| f.attempt == attempt) else { return };
        flight.creating = false;
        flight.created = true;
        flight.epoch = epoch;
        self.failed_creates.remove(&index);
        self.set(context, index, ItemPhase::Running);
    }

    /// No pod came of a create request; the item waits again, from `start` on.
    pub fn not_created(&mut self, now: Time, index: Index, attempt: Attempt, start: Option<Time>) {
        let Some(flight) = self.flights.get_mut(index).filter(|f| f.attempt == attempt && f.creating) else { return };
        flight.creating = false;
        if flight.created {
            return;
        }
        self.wait_again(now, index, start);
    }

    /// The API server failed at a create: the item waits for a time that doubles with each failure. Answers until when,
    /// if it waits.
    pub fn create_failed(
        &mut self,
        context: &Context<'_>,
        index: Index,
        attempt: Attempt,
        may_exist: bool,
    ) -> Option<Time> {
        self.flights.get(index).filter(|f| f.attempt == attempt && f.creating && !f.created)?;
        if may_exist && !self.remainder().starts() {
            self.create_indeterminate(context.now, index, attempt);
            return None;
        }
        let failures = self.failed_creates.entry(index).or_default();
        let time = context.now.plus_millis(delay_millis(context.seed, index, *failures));
        *failures += 1;
        if may_exist {
            self.indeterminate.add(context.now, index);
        }
        self.wait_again(context.now, index, Some(time));
        Some(time)
    }

    fn wait_again(&mut self, now: Time, index: Index, start: Option<Time>) {
        self.take_flight(index);
        // A pod may yet come of a create before this one, which got no answer: until then it counts.
        let is_indeterminate = self.indeterminate.holds(now, index);
        if is_indeterminate {
            self.waitlist.keep_slot(index, self.indeterminate.own_until(index));
        }
        match start {
            Some(time) => self.waitlist.hold(index, time),
            None if is_indeterminate => {}
            None => self.waitlist.ready(index),
        }
    }

    /// A create request got no answer: the pod may be there, or come.
    pub fn create_indeterminate(&mut self, now: Time, index: Index, attempt: Attempt) {
        let stays = self.remainder().starts();
        let Some(flight) = self.flights.get_mut(index).filter(|f| f.attempt == attempt && f.creating) else { return };
        self.indeterminate.add(now, index);
        if stays {
            // Sent again under the same name, it finds the pod or makes it.
            self.not_created(now, index, attempt, None);
        } else {
            flight.creating = false;
            flight.doubt = Doubt::Since(now);
        }
    }

    /// The API server refused the pod. `never`: any attempt of this item, as far as can be known.
    pub fn create_refused(
        &mut self,
        context: &mut Context<'_>,
        index: Index,
        attempt: Attempt,
        message: String,
        never: bool,
    ) -> Option<AttemptOutcome> {
        let flight = self.flights.get_mut(index).filter(|f| f.attempt == attempt && f.creating)?;
        if flight.created {
            flight.creating = false;
            return None;
        }
        if self.indeterminate.holds(context.now, index) {
            // The pod may be there all the same, or come: of a create before this one, which got no answer.
            flight.creating = false;
            flight.doubt = Doubt::Since(context.now.plus_millis(LOOK_MILLIS));
            return None;
        }
        let detail = Detail { message: Some(message.clone()), ..Detail::default() };
        Some(self.finish(context, index, AttemptOutcome::Refused { message }, detail, false, never))
    }

    /// A pod that was asked for is not there.
    pub fn not_found(&mut self, context: &mut Context<'_>, index: Index, attempt: Attempt) -> Option<AttemptOutcome> {
        let flight = self.flights.get_mut(index).filter(|f| f.attempt == attempt)?;
        flight.doubt = Doubt::No;
        if flight.created {
            let last = self.vanished.remove(&index);
            return Some(self.finish_gone(context, index, last.as_ref()));
        }
        if !flight.creating {
            self.wait_again(context.now, index, None);
        }
        None
    }
}

/// How long an item waits whose creates have failed so often in a row before: doubling, less up to half of it at random.
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
