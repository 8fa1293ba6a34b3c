//! Which pod holds which items?

use std::collections::BTreeMap;

use crate::core::ids::{Index, PodRole};

/// The items that are assigned to a pod, which exists or is to be created. Each is assigned to one pod at most.
#[derive(Debug, Default)]
pub struct Assignments(BTreeMap<Index, PodRole>);

impl Assignments {
    /// Assigns the item to the pod. Returns the pod that it was assigned to before, if that is another one.
    pub fn assign(&mut self, index: Index, role: PodRole) -> Option<PodRole> {
        self.0.insert(index, role).filter(|before| *before != role)
    }

    /// The item is no longer assigned to a pod.
    pub fn release(&mut self, index: Index) -> Option<PodRole> {
        self.0.remove(&index)
    }

    /// The pod that the item is assigned to.
    pub fn pod(&self, index: Index) -> Option<PodRole> {
        self.0.get(&index).copied()
    }

    /// Whether the item is assigned to a pod.
    pub fn holds(&self, index: Index) -> bool {
        self.0.contains_key(&index)
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The items, in order.
    pub fn indexes(&self) -> impl Iterator<Item = Index> + '_ {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::Attempt;

    #[test]
    fn an_item_is_assigned_to_one_pod_at_a_time() {
        let pod = |attempt| PodRole::Item(Index(3), Attempt(attempt));
        let mut assignments = Assignments::default();
        assert_eq!((assignments.assign(Index(3), pod(1)), assignments.assign(Index(3), pod(1))), (None, None));
        assert_eq!(assignments.assign(Index(3), pod(2)), Some(pod(1)));
        assert_eq!(assignments.len(), 1);
        assert_eq!((assignments.release(Index(3)), assignments.release(Index(3))), (Some(pod(2)), None));
        assert!(assignments.is_empty() && !assignments.holds(Index(3)));
    }
}
