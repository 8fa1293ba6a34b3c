//! What does the status of a task say now? Its parts, put together for one write.

use crate::api::status::MapTaskStatus;
use crate::core::ids::Time;
use crate::core::record::{describe, number};
use crate::core::task::Task;

impl Task {
    /// The status to be written now. What it shows of time is taken down with it, and is no reason to write.
    pub(super) fn compose_status(&mut self, now: Time) -> MapTaskStatus {
        let (phase, in_flight) = (self.phase(), self.in_flight());
        let counts = self.map().map(|run| run.items().counts());
        self.summary.set_phase(now, phase, in_flight == 0);
        if let Some(counts) = counts {
            self.summary.progress.note(now, counts);
            if phase.is_terminal() {
                self.summary.progress.close(now, counts);
            }
        }
        let mut status = self.summary.status(phase);
        if let (Some(run), Some(counts)) = (self.map(), counts) {
            describe(run.items(), run.spec(), &mut status);
            status.pods = Some(number(u32::try_from(in_flight).unwrap_or(u32::MAX)));
            status.progress = self.summary.progress.to_status(now, counts);
        } else if !self.summary.has_items && self.summary.unreadable.is_none() {
            self.summary.describe_unaccepted(&mut status, phase);
            status.pods = Some(number(u32::try_from(in_flight).unwrap_or(u32::MAX)));
        }
        status.workers = self.workers_status();
        status.listing = self.listing_status();
        status.reduce = self.reduce_status();
        status.pending_rerun = self.rerun_ahead();
        status
    }
}
