//! Pods that have not started for ten seconds and do not say why: looked into one at a time, by the Events about them.

use crate::core::ids::{PodRole, Time};
use crate::core::port::ExplainOutcome;
use crate::core::task::Task;

impl Task {
    /// The Events about a pod were read, or could not be.
    pub fn handle_explained(&mut self, now: Time, role: PodRole, outcome: &ExplainOutcome) {
        if let Some(run) = self.active_mut() {
            run.pods_mut().explained(now, role, outcome);
        }
    }
}
