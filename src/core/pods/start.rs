//! How far has the start of a pod come?

use crate::core::ids::Time;
use crate::core::pod::StartBlocker;

/// How far its start has come.
#[derive(Clone, Debug)]
pub(super) struct Start {
    /// Since when it waits for its start; `None` once a container has run.
    pub waiting_since: Option<Time>,
    /// Scheduling gates hold it back: its time has yet to begin.
    pub is_gated: bool,
    /// What its status says holds it up.
    pub reported: Option<StartBlocker>,
    /// What the Events about it say.
    pub explained: Option<StartBlocker>,
    /// What holds it up, as far as is known.
    pub blocker: Option<StartBlocker>,
}

impl Start {
    /// Nothing is known but since when it waits.
    pub(super) fn new(waiting_since: Option<Time>) -> Self {
        Self { waiting_since, is_gated: false, reported: None, explained: None, blocker: None }
    }

    /// Whether nothing holds it up, as far as anybody says.
    pub(super) fn is_clear(&self) -> bool {
        self.reported.is_none() && self.explained.is_none() && self.blocker.is_none()
    }
}
