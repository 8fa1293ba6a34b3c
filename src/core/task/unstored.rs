//! What does a task say whose results, or whose status, can't be stored?
//!
//! A status that records an end comes after the end's result. So it can't be what tells that results are not stored:
//! that is a note, which changes `status.waiting` and nothing else.

use crate::api::reasons::EventReason;
use crate::core::ids::Time;
use crate::core::pod::EventType;
use crate::core::port::{Action, Note};
use crate::core::record::unstored::Unstored;
use crate::core::task::Task;

/// Failed writes in a row before they are reported, unless the API server refused the first: each may be the network's.
const FAILURES_TO_TELL: u32 = 3;

impl Task {
    /// A write did not work, and the API server has not refused it.
    pub(super) fn may_not_be_stored(&mut self, now: Time, message: &str) {
        if self.unstored.is_some() || self.writer.failures() >= FAILURES_TO_TELL {
            self.not_stored(now, message);
        }
    }

    /// A write was refused, and will be until something changes; or others have failed before it.
    pub(super) fn not_stored(&mut self, now: Time, message: &str) {
        let unstored = Unstored::after(self.unstored.as_ref(), now, message);
        if self.may_emit_blocked(now) {
            let note = format!("results or status can't be stored: {}", unstored.message());
            self.emit(EventReason::Blocked, EventType::Warning, &note);
        }
        self.unstored = Some(unstored);
    }

    /// Puts a note into `actions`, if there is one. One that fails comes again with the next write that does.
    pub(super) fn poll_note(&mut self, actions: &mut Vec<Action>) {
        if self.deleting || !self.writer.may_note() {
            return;
        }
        let Some(waiting) = self.unstored.as_mut().and_then(Unstored::note) else { return };
        self.writer.begin_note();
        actions.push(Action::Note(Box::new(Note {
            key: self.key.clone(),
            uid: self.uid.clone(),
            resource_version: self.writer.resource_version(),
            waiting,
        })));
    }
}
