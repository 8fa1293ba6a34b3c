//! What survives when somebody else has written the status of a task?

use super::{PollContext, Task};
use crate::core::pods::Pods;
use crate::core::port::{INDETERMINATE_MILLIS, TaskSeen};
use crate::core::record::status_summary::StatusSummary;

impl Task {
    /// The status that another operator has written is the truth now; all that was known beyond it is in the pods.
    /// Each field is named, so that a new one has to say here what becomes of it.
    pub(super) fn reload(&mut self, poll: &PollContext, seen: &TaskSeen, pods: &Pods) {
        let Self {
            writer,
            summary,
            events,
            retention,
            damage,
            all_indeterminate,
            // Built by `load`.
            stage: _,
            reduction: _,
            fetching: _,
            // From the object, not from its status.
            key: _,
            uid: _,
            seed: _,
            deleting: _,
            mutable: _,
            main_containers: _,
            templates: _,
            unchecked: _,
            check_after: _,
            admission: _,
            // On its way, or yet to be sent: its answer comes.
            storing: _,
            emptying: _,
            expiring: _,
            lookup_request: _,
            replies: _,
            outcomes: _,
            // Ends by itself.
            unstored: _,
            name_taken: _,
            create_failed: _,
            last_blocked: _,
            takes_workers: _,
        } = self;
        // What was yet to be recorded here is not what is recorded.
        events.retain(|(revision, _)| writer.is_written(*revision));
        retention.forget_unrecorded();
        // Nor is the condition that reports damage, so it has to be found once more.
        damage.clear();
        *summary = StatusSummary::from_status(&seen.status, seen.generation);
        *all_indeterminate = Some(poll.now.plus_millis(INDETERMINATE_MILLIS));
        self.load(poll, seen, pods);
    }
}
