//! A pod in flight that the watch calls gone: is it, or has it lost the label without which the watch does not show it?

use crate::core::ids::{Attempt, Index, Time};
use crate::core::pod::{Detail, AttemptOutcome, PodSeen, Progress, detail, ending_when_gone, progress};
use crate::core::pods::flight::Doubt;
use crate::core::run::{Context, Run};

/// The time between two looks at a pod that the watch does not show, in milliseconds: its end is seen within seconds, and costs
/// some GETs.
const FOLLOW_MILLIS: u64 = 10_000;

impl Run {
    /// A pod in flight is gone, as the watch says; its last state. Answers how its attempt ended, if it was the item's current
    /// one and was seen to end. Of any other it is asked by name whether it is there, before another pod of the item may start.
    pub fn gone(&mut self, context: &mut Context<'_>, index: Index, attempt: Attempt, pod: &PodSeen) -> Option<AttemptOutcome> {
        let flight = self.flights.get_mut(index).filter(|f| f.attempt == attempt && f.created)?;
        if !matches!(progress(pod, self.spec.blueprint.template.role()), Progress::Ended(_)) {
            flight.doubt = Doubt::Since(context.now);
            self.vanished.insert(index, pod.clone());
            return None;
        }
        Some(self.finish_gone(context, index, Some(pod)))
    }

    /// The pod of an item in flight is not there any more; as it was last seen, if it was.
    pub fn finish_gone(&mut self, context: &mut Context<'_>, index: Index, last: Option<&PodSeen>) -> AttemptOutcome {
        let role = self.spec.blueprint.template.role();
        let (ending, detail) = match last {
            Some(pod) => (ending_when_gone(pod, role), detail(pod, role)),
            None => (AttemptOutcome::NodeLost, Detail::default()),
        };
        self.finish(context, index, ending, detail, false, false)
    }

    /// A pod in flight that the watch does not show is looked at from time to time.
    pub fn follow(&mut self, now: Time, index: Index) {
        if let Some(flight) = self.flights.get_mut(index) {
            flight.doubt = Doubt::Since(now.plus_millis(FOLLOW_MILLIS));
        }
    }
}
