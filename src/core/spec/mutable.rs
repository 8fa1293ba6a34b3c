//! The part of a spec that may change while the task lives.

use crate::api::spec::{MapTaskSpec, Rerun, SuspendPolicy};
use crate::api::status::RerunDone;
use crate::core::spec::seconds;

/// The part of a spec that may change while the task lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutableSpec {
    /// Whether items may start.
    pub suspend: bool,
    /// What becomes of running items in the meantime.
    pub suspend_policy: SuspendPolicy,
    /// Whether the task is to end with what it has.
    pub cancel: bool,
    /// Items in flight at most.
    pub concurrency: Option<usize>,
    /// The fewest of them with which it can begin, where Kueue has no room for more.
    pub min_concurrency: Option<usize>,
    /// Before which tasks its items start.
    pub priority: i32,
    /// How long the task may run.
    pub active_deadline_millis: Option<u64>,
    /// How long it stays once it has ended.
    pub ttl_millis: Option<u64>,
    /// Finished pods that stay as long as it, if it says how many.
    pub finished_pods: Option<usize>,
    /// The items to be started again.
    pub rerun: Option<Rerun>,
}

impl MutableSpec {
    /// Those of a spec. A new field of it does not compile before it is said here whether it may change.
    pub fn of(spec: &MapTaskSpec) -> Self {
        let MapTaskSpec {
            suspend,
            suspend_policy,
            cancel,
            concurrency,
            min_concurrency,
            priority,
            active_deadline_seconds,
            ttl_seconds_after_finished,
            finished_pods,
            rerun,
            items: _,
            template: _,
            container: _,
            min_success_ratio: _,
            min_successes: _,
            remaining_items: _,
            retries: _,
            retry_policy: _,
            start_deadline_seconds: _,
            results: _,
            artifacts: _,
            cache: _,
            reduce: _,
            completion: _,
            workers: _,
            managed_by: _,
        } = spec;
        Self {
            suspend: *suspend,
            suspend_policy: *suspend_policy,
            cancel: *cancel,
            concurrency: concurrency.and_then(|n| usize::try_from(n).ok()),
            min_concurrency: min_concurrency.and_then(|n| usize::try_from(n).ok()),
            priority: *priority,
            active_deadline_millis: seconds(*active_deadline_seconds),
            ttl_millis: seconds(*ttl_seconds_after_finished),
            finished_pods: finished_pods.and_then(|n| usize::try_from(n).ok()),
            rerun: rerun.clone(),
        }
    }

    /// Whether running items are to be stopped.
    pub fn stops(&self) -> bool {
        self.suspend && self.suspend_policy == SuspendPolicy::Stop
    }

    /// For messages.
    pub fn active_deadline_seconds(&self) -> u64 {
        self.active_deadline_millis.unwrap_or(0) / 1_000
    }

    /// What was asked for before there was anything to start again counts as done.
    pub fn rerun_at_acceptance(&self) -> Option<RerunDone> {
        self.rerun.as_ref().map(|rerun| RerunDone {
            id: rerun.id.clone(),
            items: 0,
            explicit_selection: false,
            message: None,
        })
    }
}

#[cfg(test)]
#[path = "mutable_tests.rs"]
mod tests;
