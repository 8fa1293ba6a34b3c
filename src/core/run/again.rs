//! How a run continues from its recorded state, and how its items are run again.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::core::attempts::waitlist::Waitlist;
use crate::core::failures::Failures;
use crate::core::ids::{Index, Time};
use crate::core::phases::{ItemPhase, Tries};
use crate::core::pods::flight::{Doubt, Flight, Stop, Unwanted};
use crate::core::run::Run;

impl Run {
    /// Keeps the create requests in flight, and the items that were read, when the task is reloaded.
    pub fn take_over_creates(&mut self, old: &mut Self) {
        for (index, flight) in old.flights.take() {
            let waits = self.phases.get(index) == Some(ItemPhase::Pending);
            let is_known = flight.creating || flight.created && flight.pod_uid.is_none();
            if waits && is_known && self.tries.get(index).attempt == flight.attempt {
                self.flights.insert(index, flight);
            }
        }
        if old.spec.blueprint.items.is_known() {
            let items = old.spec.blueprint.items.clone();
            self.spec = Arc::new(self.spec.with_blueprint(|blueprint| blueprint.items = items));
        }
        self.indeterminate.merge(&old.indeterminate);
    }

    /// Marks pods as doubtful that the status calls running and that no list shows. `suspended`: a previous operator may have
    /// stopped them because the task is suspended.
    pub fn doubt_missing(&mut self, now: Time, suspended: bool) {
        let missing: Vec<Index> =
            self.phases.iter_in(ItemPhase::Running).filter(|index| !self.flights.contains(*index)).collect();
        let (stop, unwanted) =
            if suspended { (Stop::Asked, Some(Unwanted::Suspended)) } else { (Stop::No(Time(i64::MIN)), None) };
        for index in missing {
            let flight = Flight {
                created: true,
                doubt: Doubt::Since(now),
                stop,
                unwanted,
                ..Flight::new(self.tries.get(index).attempt, now)
            };
            self.flights.insert(index, flight);
        }
    }

    /// These items run again, with full budgets.
    pub fn start_again(&mut self, items: &BTreeSet<Index>) {
        for index in items {
            let tries = self.tries.get(*index);
            // A name is used once. Budgets are full again; memory that was raised stays.
            let again = Tries { attempt: tries.attempt.next(), application: 0, infrastructure: 0, ..tries };
            self.tries.set(*index, again);
            self.phases.set(*index, ItemPhase::Pending);
        }
        self.waitlist = Waitlist::default();
        // Who asks for an item to run wants it to run, whatever is known.
        self.lookup = None;
        self.failures = Failures::default();
        self.decided = None;
        self.forced_failure = None;
        self.cancel_all = false;
    }
}
