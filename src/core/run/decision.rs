//! Is the task decided by how its items ended?

use crate::core::run::Run;
use crate::core::spec::outcome::{FailReason, Outcome};

impl Run {
    /// How the items ended, in words.
    pub fn summary(&self) -> String {
        let counts = self.phases.counts();
        let good = counts.succeeded + counts.cached;
        let (all, required, failed) = (self.spec.count().get(), self.spec.required, counts.failed);
        format!("{good} of {all} items succeeded, {required} were required, {failed} failed")
    }

    /// Whether the task fails for what became of an item, and not since its time is over.
    fn is_spoiled(&self) -> bool {
        self.forced_failure.as_ref().is_some_and(|(reason, _)| *reason != FailReason::DeadlineExceeded)
    }

    /// Decides the task if it can be. Answers whether that is news.
    pub fn decide(&mut self) -> bool {
        let forced_failure = || self.forced_failure.clone().map(|(reason, message)| Outcome::Failed(reason, message));
        let decision = match &self.decided {
            // What is known counts as soon as all of it is found: more than was required is welcome.
            None if self.awaits_lookup() => forced_failure(),
            None => {
                let idle = !self.is_busy();
                // Where no success is required every end is one, so that what else fails the task would never do.
                let spoiled = self.spec.required == 0 && self.is_spoiled();
                match Outcome::of_counts(self.phases.counts(), &self.spec, idle) {
                    Some(Outcome::Successful) if !spoiled => Some(Outcome::Successful),
                    by_counts => forced_failure().or(by_counts),
                }
            }
            // It fails in any case; what it is doomed for also stops what would run on.
            Some(Outcome::Failed(FailReason::TooManyFailures, _)) => forced_failure(),
            Some(_) => None,
        };
        let news = decision.is_some() && decision != self.decided;
        if news {
            self.decided = decision;
        }
        news
    }
}
