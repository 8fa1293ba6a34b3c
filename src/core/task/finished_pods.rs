//! The Event for a task that asks for more finished pods than the operator keeps.

use super::{PollContext, Task};
use crate::api::reasons::EventReason;
use crate::core::pod::EventType;

impl Task {
    /// The spec is new, or asks for another number of finished pods. The spec itself is not refused: its schema can't
    /// know the limit, and a task does not fail for want of logs.
    pub(super) fn warn_of_finished_pods(&mut self, poll: &PollContext) {
        let most = poll.keeping.most;
        let Some(asked) = self.mutable.finished_pods.filter(|asked| *asked > most) else { return };
        let note = format!(
            "spec.finishedPods is {asked}, and {most} are kept: this is the most for a task of this operator \
             (--max-finished-pods, maxFinishedPods of its chart)"
        );
        self.emit(EventReason::FinishedPodsLimited, EventType::Warning, &note);
    }
}
