//! Why results or the status of a task can't be stored, as its status tells it.

use crate::api::status::{Waiting, WaitingReason};
use crate::core::ids::Time;
use crate::core::record::meta_time;

/// Most characters of the message: as many as of others in `status.waiting`.
const MESSAGE_LIMIT: usize = 512;

/// Why results or status are not stored.
#[derive(Debug)]
pub struct Unstored {
    message: String,
    since: Time,
    /// The status says so, or a note is on its way.
    noted: bool,
}

impl Unstored {
    /// The state after another write that did not work.
    pub fn after(before: Option<&Self>, now: Time, message: &str) -> Self {
        let message = crate::text::cut(message, MESSAGE_LIMIT);
        let noted = before.is_some_and(|before| before.noted && before.message == message);
        Self { message, since: before.map_or(now, |before| before.since), noted }
    }

    /// The message.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What the status is to say, unless it does already. A note of it is on its way from now on.
    pub fn note(&mut self) -> Option<Waiting> {
        let is_new = !std::mem::replace(&mut self.noted, true);
        is_new.then(|| Waiting {
            reason: WaitingReason::ResultsNotStored,
            message: Some(self.message.clone()),
            since: Some(meta_time(self.since)),
        })
    }
}
