//! What an attempt's pod is called, and which attempt a pod's name means.

use crate::core::ids::PodRole;

/// `<task>-<index>-<attempt>`, or `<task>-reduce-<attempt>`: the same attempt always gets the same name, so that the API server
/// refuses to run it twice.
pub fn pod_name(task: &str, role: PodRole) -> String {
    format!("{task}-{role}")
}

/// What the pod of this name is to `task`, or `None` for a name that [`pod_name`] never makes.
pub fn parse_pod_name(task: &str, name: &str) -> Option<PodRole> {
    PodRole::parse(name.strip_prefix(task)?.strip_prefix('-')?)
}

/// The ConfigMap that holds shard `k` of a task's results is called this and `k`.
pub fn results_prefix(task: &str) -> String {
    format!("{task}-results-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index};

    #[test]
    fn a_name_leads_back_to_its_attempt() {
        assert_eq!(pod_name("a-1", PodRole::Reduce(Attempt(2))), "a-1-reduce-2");
        assert!(PodRole::Reduce(Attempt(2)).is_reduce() && !PodRole::Item(Index(2), Attempt(2)).is_reduce());
        let items = [(0, 1), (7, 12), (999_999, 1001)].map(|(index, n)| PodRole::Item(Index(index), Attempt(n)));
        for role in items.into_iter().chain([PodRole::Reduce(Attempt(3))]) {
            assert_eq!(parse_pod_name("a-1", &pod_name("a-1", role)), Some(role));
        }
    }

    #[test]
    fn a_name_of_another_shape_is_no_attempt() {
        for name in ["a-0", "a-0-0", "a-00-1", "a-0-+1", "a-0-1-1", "b-0-1", "a-0-1x", "a-4294967296-1", "a"] {
            assert_eq!(parse_pod_name("a", name), None, "{name}");
        }
    }
}
