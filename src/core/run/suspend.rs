//! Which running items are stopped for a suspension, and which are not any more?

use crate::core::ids::Index;
use crate::core::pods::flight::{Stop, Unwanted};
use crate::core::revision::Revision;
use crate::core::run::Run;

impl Run {
    /// Whether running items are to be stopped since the task is suspended.
    pub fn suspend(&mut self, stop: bool, revision: Revision) {
        if !stop && !self.suspending {
            return;
        }
        if stop && !self.suspending {
            self.suspended_at = Some(revision);
        }
        self.suspending = stop;
        if stop {
            let wanted = self.flights.iter_mut().filter(|(_, flight)| flight.unwanted.is_none());
            for (_, flight) in wanted {
                flight.unwanted = Some(Unwanted::Suspended);
            }
            return;
        }
        let resumed: Vec<Index> = self.flights.iter_mut().map(|(index, _)| index).collect();
        for index in resumed {
            self.wanted_again(index);
        }
    }

    /// An item that was to be stopped for a suspension runs on, unless the suspension lasts or its stop is on its way.
    pub fn wanted_again(&mut self, index: Index) {
        let deadline = self.spec.start_deadline_millis;
        let Some(flight) = self.flights.get_mut(index).filter(|_| !self.suspending) else { return };
        if matches!((flight.unwanted, flight.stop), (Some(Unwanted::Suspended), Stop::No(_))) {
            flight.unwanted = None;
            // Its deadline may have passed in the meantime, and then had no effect.
            let due = flight.starting.zip(deadline).map(|(since, millis)| (since.plus_millis(millis), index));
            self.start_deadlines.extend(due);
        }
    }
}
