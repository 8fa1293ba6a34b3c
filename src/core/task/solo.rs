//! A run of one pod beside those of the items: of the reduce, or of the list.

use std::sync::Arc;

use crate::api::status::ReducePhase;
use crate::core::ids::{Attempt, ItemCount, Time};
use crate::core::phases::{Attempts, ItemPhase, Phases, Raises, Tries};
use crate::core::run::Run;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::reduce::SELF;

/// A run whose only item has come so far.
pub(super) fn run(spec: AcceptedSpec, tries: Tries, phase: ItemPhase, all_indeterminate: Option<Time>) -> Run {
    let (mut phases, mut attempts) = (Phases::new(ItemCount::ONE), Attempts::default());
    phases.set(SELF, phase);
    attempts.set(SELF, tries);
    Run::resume(Arc::new(spec), phases, attempts, all_indeterminate)
}

/// The first attempt after those of a run before this one.
pub(super) fn tries_after(attempts: u32) -> Tries {
    Tries { attempt: Attempt(attempts + 1), ..Tries::default() }
}

/// What the record says of its attempts. `groups`: how many groups of failures it has, in all of which its only item
/// has been.
pub(super) fn recorded_tries([attempt, application, infrastructure]: [i32; 3], groups: usize) -> Tries {
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    Tries {
        attempt: Attempt(count(attempt).max(1)),
        application: count(application),
        infrastructure: count(infrastructure),
        memory_raises: Raises::NONE,
        failure_groups: (1 << groups.min(31)) - 1,
    }
}

/// What the record says of its phase, if it has not ended.
pub(super) fn recorded_phase(phase: ReducePhase) -> Option<ItemPhase> {
    match phase {
        ReducePhase::Pending => Some(ItemPhase::Pending),
        ReducePhase::Running => Some(ItemPhase::Running),
        ReducePhase::Succeeded | ReducePhase::Failed | ReducePhase::Cancelled => None,
    }
}

/// Its phase, for the status.
pub(super) fn phase(run: &Run) -> ReducePhase {
    match run.items().phases().get(SELF) {
        Some(ItemPhase::Running) => ReducePhase::Running,
        Some(ItemPhase::Succeeded | ItemPhase::Cached) => ReducePhase::Succeeded,
        Some(ItemPhase::Failed) => ReducePhase::Failed,
        Some(ItemPhase::Cancelled) => ReducePhase::Cancelled,
        Some(ItemPhase::Pending) | None => ReducePhase::Pending,
    }
}
