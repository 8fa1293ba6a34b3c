//! Pods whose item's container has ended while others run: for what does the task wait?

use std::collections::{BTreeMap, BTreeSet};

use crate::core::ids::PodRole;

/// Containers may take this many milliseconds to end after the item's before they are reported.
pub(super) const PATIENCE_MILLIS: u64 = 10_000;
/// Most characters of the names of containers.
const NAMES_LIMIT: usize = 200;

/// Pods of one run whose item's container has ended while others run.
#[derive(Debug, Default)]
pub(super) struct Outlived {
    /// The other containers of each.
    names: BTreeMap<PodRole, String>,
    /// The patience with these has ended.
    late: BTreeSet<PodRole>,
}

impl Outlived {
    /// These containers run in the pod though the item's has ended. Returns whether that is news.
    pub(super) fn note(&mut self, role: PodRole, containers: &[String]) -> bool {
        let names = crate::text::cut(&containers.join(", "), NAMES_LIMIT);
        self.names.insert(role, names).is_none()
    }

    /// The pod has ended, or the item's container runs. Returns whether it was noted.
    pub(super) fn forget(&mut self, role: PodRole) -> bool {
        self.late.remove(&role);
        self.names.remove(&role).is_some()
    }

    /// The patience with this pod has ended.
    pub(super) fn expire(&mut self, role: PodRole) {
        self.late.insert(role);
    }

    /// One of those that the task has waited for long enough, and what runs in it.
    pub(super) fn late(&self) -> Option<(PodRole, &str)> {
        let role = self.late.first()?;
        Some((*role, self.names.get(role)?.as_str()))
    }
}
