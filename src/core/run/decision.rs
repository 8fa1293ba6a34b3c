//! Is the task decided by how its items ended?

use crate::core::run::Run;
use crate::core::spec::course::{Decision, FailReason};

impl Run {
    /// How the items ended, in words.
    pub fn summary(&self) -> String {
        let counts = self.phases.counts();
        let good = counts.succeeded + counts.cached;
        let (all, required, failed) = (self.job.count().get(), self.job.required, counts.failed);
        format!("{good} of {all} items succeeded, {required} were required, {failed} failed")
    }

    /// Whether the task fails for what became of an item, and not since its time is over.
    fn is_spoiled(&self) -> bool {
        self.doom.as_ref().is_some_and(|(reason, _)| *reason != FailReason::DeadlineExceeded)
    }

    /// Decides the task if it can be. Answers whether that is news.
    pub fn decide(&mut self) -> bool {
        let doom = || self.doom.clone().map(|(reason, message)| Decision::Failed(reason, message));
        let decision = match &self.decided {
            // What is known counts as soon as all of it is found: more than was required is welcome.
            None if self.awaits_recall() => doom(),
            None => {
                let idle = !self.is_busy();
                // Where no success is required every end is one, so that what else fails the task would never do.
                let spoiled = self.job.required == 0 && self.is_spoiled();
                match Decision::of_counts(self.phases.counts(), &self.job, idle) {
                    Some(Decision::Successful) if !spoiled => Some(Decision::Successful),
                    by_counts => doom().or(by_counts),
                }
            }
            // It fails in any case; what it is doomed for also stops what would run on.
            Some(Decision::Failed(FailReason::TooManyFailures, _)) => doom(),
            Some(_) => None,
        };
        let news = decision.is_some() && decision != self.decided;
        if news {
            self.decided = decision;
        }
        news
    }
}
