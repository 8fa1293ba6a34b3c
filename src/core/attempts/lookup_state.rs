//! How far have the items of a task been looked up in the cache?

use std::sync::Arc;

use crate::core::backoff::RetriedRequest;
use crate::core::cache::LookupKeys;
use crate::core::ids::Time;

/// The delay before a page without an answer is asked for again, in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`].
const AGAIN_MILLIS: u64 = 1_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;

/// Whether a look-up of a task has no answer yet. Only one is on its way: if the task was loaded again since, the
/// answer says nothing of the time after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LookupRequest {
    /// None is on its way.
    None,
    /// Its answer comes.
    Sent,
}

/// How far the items of a task have been looked up.
#[derive(Debug)]
pub struct LookupState {
    /// What is looked up; not said before the items are known.
    wanted: Option<Arc<LookupKeys>>,
    from: u64,
    request: RetriedRequest,
    damaged: u32,
}

impl Default for LookupState {
    fn default() -> Self {
        let request = RetriedRequest::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS);
        Self { wanted: None, from: 0, request, damaged: 0 }
    }
}

impl LookupState {
    /// One that begins a little later.
    pub fn later(now: Time) -> Self {
        let mut lookup = Self::default();
        lookup.request.wait_until(now.plus_millis(AGAIN_MILLIS));
        lookup
    }

    /// What is looked up, once that is said.
    pub fn wanted(&self) -> Option<&Arc<LookupKeys>> {
        self.wanted.as_ref()
    }

    /// Says what is looked up.
    pub fn want(&mut self, wanted: Arc<LookupKeys>) {
        self.wanted = Some(wanted);
    }

    /// Whether a page is to be asked for.
    pub fn is_due(&self, now: Time) -> bool {
        self.request.is_due(now)
    }

    /// A page is asked for. Answers which.
    pub fn ask(&mut self) -> u64 {
        self.request.send();
        self.from
    }

    /// Whether a page has been asked for, and it is this one if the answer names one.
    pub fn awaits(&self, page: Option<u64>) -> bool {
        self.request.is_pending() && page.is_none_or(|page| page == self.from)
    }

    /// A page was read.
    pub fn found(&mut self, damaged: u32, next: Option<u64>) {
        self.request.answered();
        self.request.succeeded();
        self.damaged += damaged;
        self.from = next.unwrap_or(self.from);
    }

    /// No answer: again later.
    pub fn failed(&mut self, now: Time) {
        self.request.answered();
        self.request.failed(now);
    }

    /// Entries that could not be read.
    pub fn damaged(&self) -> u32 {
        self.damaged
    }

    /// When a page is to be asked for again.
    pub fn next_wake(&self) -> Option<Time> {
        self.request.next_wake()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_about_the_page_that_was_asked_for_is_awaited() {
        let mut lookup = LookupState::default();
        assert!(!lookup.awaits(Some(0)) && !lookup.awaits(None), "nothing was asked for");
        assert_eq!(lookup.ask(), 0);
        assert!(lookup.awaits(Some(0)) && lookup.awaits(None) && !lookup.awaits(Some(1)));
        lookup.found(2, Some(7));
        assert!(!lookup.awaits(Some(7)), "it has been answered");
        assert_eq!((lookup.ask(), lookup.damaged()), (7, 2));
        lookup.failed(Time(0));
        assert!(!lookup.is_due(Time(999)) && lookup.is_due(Time(1_000)));
    }
}
