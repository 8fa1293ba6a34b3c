//! Is the task decided by how its items ended, or by anything else?

use crate::core::phases::Counts;
use crate::core::revision::Revision;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::{FailReason, Outcome, Remainder};

/// What ends a task whatever has become of its items.
const FROM_OUTSIDE: [FailReason; 2] = [FailReason::DeadlineExceeded, FailReason::Cancelled];

/// How a run was decided, and what happens to the rest of it.
#[derive(Debug, Default)]
pub(super) struct Decision {
    outcome: Option<Outcome>,
    /// No pod is stopped for the decision until this revision is recorded: an operator that takes over must know why
    /// pods go.
    revision: Option<Revision>,
    /// The task is to fail, whatever the counts say.
    forced_failure: Option<(FailReason, String)>,
    /// Nothing runs on, even of a task that was decided and would let it.
    cancel_all: bool,
    /// A rerun has selected the items: they run whatever the counts of the others say.
    explicit_selection: bool,
}

/// How the items stand.
pub(super) struct Standing {
    /// Number of items in each phase.
    pub counts: Counts,
    /// Nothing runs, or may yet start.
    pub idle: bool,
    /// Items may yet be found in the cache.
    pub awaits_lookup: bool,
}

impl Decision {
    /// As it is recorded.
    pub(super) fn recorded(outcome: Option<Outcome>, explicit_selection: bool) -> Self {
        Self { outcome, explicit_selection, ..Self::default() }
    }

    pub(super) fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    pub(super) fn revision(&self) -> Option<Revision> {
        self.revision
    }

    pub(super) fn recorded_with(&mut self, revision: Revision) {
        self.revision = Some(revision);
    }

    pub(super) fn force_failure(&mut self, reason: FailReason, message: String) {
        self.forced_failure.get_or_insert((reason, message));
    }

    pub(super) fn cancel_all(&mut self) {
        self.cancel_all = true;
    }

    pub(super) fn is_forced(&self) -> bool {
        self.cancel_all
    }

    /// What happens to the items that are left.
    pub(super) fn remainder(&self, spec: &AcceptedSpec) -> Remainder {
        match &self.outcome {
            None => Remainder::Open,
            Some(_) if self.cancel_all => Remainder::Cancel,
            Some(outcome) if self.explicit_selection && outcome.is_by_counts() => Remainder::Run,
            Some(outcome) => outcome.remainder(spec),
        }
    }

    /// Decides the task if it can be. Returns whether that is news.
    pub(super) fn decide(&mut self, spec: &AcceptedSpec, standing: &Standing) -> bool {
        let forced = || self.forced_failure.clone().map(|(reason, message)| Outcome::Failed(reason, message));
        let outcome = match &self.outcome {
            // What is known counts as soon as all of it is found: more than was required is welcome.
            None if standing.awaits_lookup => forced(),
            None => {
                // Where no success is required every end is one, so that what else fails the task would never do.
                let spoiled = spec.required == 0 && self.is_spoiled();
                match Outcome::of_counts(standing.counts, spec, standing.idle) {
                    Some(Outcome::Successful) if !spoiled => Some(Outcome::Successful),
                    by_counts => forced().or(by_counts),
                }
            }
            // It fails in any case; what else fails it also stops what would run on.
            Some(Outcome::Failed(FailReason::TooManyFailures, _)) => forced(),
            Some(_) => None,
        };
        let news = outcome.is_some() && outcome != self.outcome;
        if news {
            self.outcome = outcome;
        }
        news
    }

    /// Whether the task fails because of an item, and not because its time is over or it is cancelled.
    fn is_spoiled(&self) -> bool {
        self.forced_failure.as_ref().is_some_and(|(reason, _)| !FROM_OUTSIDE.contains(reason))
    }
}
