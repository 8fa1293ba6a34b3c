//! The state of reading a list that is not in the spec.

use crate::api::status::WaitingReason;
use crate::core::backoff::RetriedRequest;
use crate::core::ids::Time;

/// The delay before a list is asked for again, in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;

/// The state of reading a list.
#[derive(Debug)]
pub struct Fetching {
    request: RetriedRequest,
    /// The source has changed since it was asked for.
    outdated: bool,
    problem: Option<(WaitingReason, String)>,
}

impl Default for Fetching {
    fn default() -> Self {
        Self { request: RetriedRequest::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS), outdated: false, problem: None }
    }
}

impl Fetching {
    /// Whether to ask for the list now.
    pub fn is_due(&self, now: Time) -> bool {
        self.request.is_due(now)
    }

    /// The list is asked for.
    pub fn send(&mut self) {
        self.request.send();
        self.outdated = false;
    }

    /// There is an answer.
    pub fn answered(&mut self) {
        self.request.answered();
    }

    /// The items are not known, and are asked for again later.
    pub fn failed(&mut self, now: Time, reason: WaitingReason, problem: String) {
        self.request.failed(now);
        if std::mem::take(&mut self.outdated) {
            self.request.clear_delay();
        }
        self.problem = Some((reason, problem));
    }

    /// The items are known.
    pub fn read(&mut self) {
        self.problem = None;
    }

    /// The source may have the list now: it is asked for at once, or again as soon as there is an answer.
    pub fn source_changed(&mut self) {
        self.outdated = self.request.is_pending();
        self.request.clear_delay();
    }

    /// Why the items are not known.
    pub fn problem(&self) -> Option<&(WaitingReason, String)> {
        self.problem.as_ref()
    }

    /// When to ask for the list again, unless an answer comes first.
    pub fn next_wake(&self) -> Option<Time> {
        self.request.next_wake()
    }
}
