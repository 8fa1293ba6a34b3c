//! Pods that have not started for ten seconds and do not say why: which one is looked into next?

use std::collections::BTreeSet;
use std::ops::Bound;

use crate::core::backoff::Backoff;
use crate::core::ids::{PodRole, Time};
use crate::core::pod::StartBlocker;

/// A pod may take this many milliseconds to start before it is looked into.
pub(super) const PATIENCE_MILLIS: u64 = 10_000;
/// The delay between two looks of a task in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`]: what is wrong with one
/// pod is mostly wrong with all, and each look has the API server read the Events of a namespace.
const AGAIN_MILLIS: u64 = 5_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;
/// The delay after the API server has said that we have no right to look.
const DENIED_MILLIS: u64 = 600_000;

/// Pods that have yet to start.
#[derive(Debug)]
pub(super) struct Explaining {
    /// The patience with these has ended.
    silent: BTreeSet<PodRole>,
    /// The look that is on its way.
    asked: Option<PodRole>,
    last: Option<PodRole>,
    /// Between two looks.
    pause: Backoff,
    /// What was last found to be wrong with the template of all pods.
    pub of_template: Option<StartBlocker>,
}

impl Default for Explaining {
    fn default() -> Self {
        Self {
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
    pub(super) fn forget(&mut self, role: PodRole) {
        if self.silent.remove(&role) && self.silent.is_empty() {
            self.pause.reset();
        }
    }

    /// The patience with this pod has ended: it has not started, and does not say why.
    pub(super) fn note_silent(&mut self, role: PodRole) {
        self.silent.insert(role);
    }

    /// Whether the patience with this pod has ended.
    pub(super) fn is_silent(&self, role: PodRole) -> bool {
        self.silent.contains(&role)
    }

    /// The pod to be looked into now: each in its turn, one at a time.
    pub(super) fn next_explain(&self, now: Time) -> Option<PodRole> {
        if self.asked.is_some() || !self.pause.is_due(now) {
            return None;
        }
        let after = |last| self.silent.range((Bound::Excluded(last), Bound::Unbounded)).next();
        self.last.and_then(after).or_else(|| self.silent.first()).copied()
    }

    /// The pod is looked into.
    pub(super) fn asked(&mut self, now: Time, role: PodRole) {
        self.last = Some(role);
        self.asked = Some(role);
        self.pause.failed(now);
    }

    /// The answer is there. Whether it is to the look that is on its way.
    pub(super) fn answered(&mut self, role: PodRole) -> bool {
        self.asked.take_if(|asked| *asked == role).is_some()
    }

    /// We have no right to look.
    pub(super) fn denied(&mut self, now: Time) {
        self.pause.wait_until(now.plus_millis(DENIED_MILLIS));
    }

    /// When a pod has to be looked into though nothing happens.
    pub(super) fn next_wake(&self) -> Option<Time> {
        self.pause.until().filter(|_| self.asked.is_none() && !self.silent.is_empty())
    }
}
