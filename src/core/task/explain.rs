//! Pods that have not started for ten seconds and do not say why: looked into one at a time, by the Events about them.

use crate::core::ids::{PodRole, Time};
use crate::core::pod::BlockerKind;
use crate::core::pod::explain::explain;
use crate::core::port::ExplainOutcome;
use crate::core::task::Task;

impl Task {
    /// The Events about a pod were read, or could not be.
    pub fn handle_explained(&mut self, now: Time, role: PodRole, outcome: &ExplainOutcome) {
        let Some((index, attempt)) = self.attempt_of(role) else { return };
        let Some(run) = self.active_mut() else { return };
        if !run.explaining.answered(index, attempt) {
            return;
        }
        match outcome {
            ExplainOutcome::Said(said) => {
                let blocker = explain(said);
                let is_current = run.flights.get(index).is_some_and(|flight| flight.attempt == attempt);
                if is_current && blocker.is_some() && run.explaining.is_silent(index) {
                    run.explaining.of_template = blocker.clone().filter(|blocker| blocker.kind == BlockerKind::Config);
                    run.set_explained(index, blocker);
                }
            }
            ExplainOutcome::Denied => run.explaining.denied(now),
            ExplainOutcome::Indeterminate => {}
        }
    }
}
