//! Pods that have not started for ten seconds and do not say why: which one is looked into next?

use std::collections::BTreeSet;

use crate::core::backoff::Backoff;
use crate::core::ids::{Attempt, Index, Time};
use crate::core::pod::StartBlocker;

/// A pod may take this many milliseconds to start before it is looked into.
pub const PATIENCE_MILLIS: u64 = 10_000;
/// The delay between two looks of a task in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`]: what is wrong with one pod is mostly
/// wrong with all, and each look has the API server read the Events of a namespace.
const AGAIN_MILLIS: u64 = 5_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;
/// The delay after the API server has said that we have no right to look.
const DENIED_MILLIS: u64 = 600_000;

/// Pods that have yet to start.
#[derive(Debug)]
pub struct Explaining {
    /// When the patience with each ends.
    patience: BTreeSet<(Time, Index)>,
    /// It has ended with these.
    silent: BTreeSet<Index>,
    /// The look that is on its way.
    asked: Option<(Index, Attempt)>,
    last: Option<Index>,
    /// Between two looks.
    pause: Backoff,
    /// What was last found to be wrong with the template of all pods.
    pub of_template: Option<StartBlocker>,
}

impl Default for Explaining {
    fn default() -> Self {
        Self {
            patience: BTreeSet::new(),
            silent: BTreeSet::new(),
            asked: None,
            last: None,
            pause: Backoff::new(AGAIN_MILLIS, MAX_AGAIN_MILLIS),
            of_template: None,
        }
    }
}

impl Explaining {
    /// The pod starts, is gone, or has said itself what holds it up.
    pub fn forget(&mut self, index: Index, patience: Option<Time>) {
        if let Some(time) = patience {
            self.patience.remove(&(time, index));
        }
        if self.silent.remove(&index) && self.silent.is_empty() {
            self.pause.reset();
        }
    }

    /// The pod has not started, and does not say why.
    pub fn watch(&mut self, index: Index, until: Time) {
        self.patience.insert((until, index));
    }

    /// The next pod with which the patience ends.
    pub fn next_silent(&mut self, now: Time) -> Option<Index> {
        let (time, index) = *self.patience.first().filter(|(time, _)| *time <= now)?;
        self.patience.remove(&(time, index));
        self.silent.insert(index);
        Some(index)
    }

    /// Whether the patience with this pod has ended.
    pub fn is_silent(&self, index: Index) -> bool {
        self.silent.contains(&index)
    }

    /// The pod to be looked into now: each in its turn, one at a time.
    pub fn next_look(&self, now: Time) -> Option<Index> {
        if self.asked.is_some() || !self.pause.is_due(now) {
            return None;
        }
        let after = self.last.map_or(Index(0), Index::next);
        self.silent.range(after..).next().or_else(|| self.silent.first()).copied()
    }

    /// The pod is looked into.
    pub fn asked(&mut self, now: Time, index: Index, attempt: Attempt) {
        self.last = Some(index);
        self.asked = Some((index, attempt));
        self.pause.failed(now);
    }

    /// The answer is there. Whether it is to the look that is on its way.
    pub fn answered(&mut self, index: Index, attempt: Attempt) -> bool {
        self.asked.take_if(|asked| *asked == (index, attempt)).is_some()
    }

    /// We have no right to look.
    pub fn denied(&mut self, now: Time) {
        self.pause.wait_until(now.plus_millis(DENIED_MILLIS));
    }

    /// When a pod has to be looked into though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        let patience = self.patience.first().map(|(time, _)| *time);
        let look = self.pause.until().filter(|_| self.asked.is_none() && !self.silent.is_empty());
        [patience, look].into_iter().flatten().min()
    }
}
