//! What an attempt's pod is called, and which attempt a pod's name means.

use crate::core::ids::PodRole;

/// `<task>-<index>-<attempt>`, or `<task>-reduce-<attempt>`: the same attempt always gets the same name, so that the
/// API server refuses to run it twice.
pub fn pod_name(task: &str, role: PodRole) -> String {
    format!("{task}-{role}")
}

/// What the pod of this name is to `task`, or `None` for a name that [`pod_name`] never makes.
pub fn parse_pod_name(task: &str, name: &str) -> Option<PodRole> {
    PodRole::parse(name.strip_prefix(task)?.strip_prefix('-')?)
}

/// The names of the ConfigMaps that hold a task's results: a prefix and the ConfigMap's number, with zeros before it so
/// that all have the same number of digits. Their order as text, in which the API server lists them, is then that of
/// the items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultNames {
    prefix: String,
    digits: usize,
}

impl ResultNames {
    /// Those of a task whose list takes `shards` ConfigMaps.
    pub fn new(task: &str, shards: u32) -> Self {
        Self { prefix: format!("{task}-results-"), digits: Self::digits(shards) }
    }

    /// Digits of the number in the names of this many ConfigMaps: those of the last one.
    pub fn digits(shards: u32) -> usize {
        shards.saturating_sub(1).to_string().len()
    }

    /// What comes before the number.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The name of the ConfigMap of this number, from 0.
    pub fn name(&self, number: u32) -> String {
        format!("{}{number:0digits$}", self.prefix, digits = self.digits)
    }
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
    fn names_of_results_sort_as_their_items_do() {
        for (shards, first, last) in [(0, "t-results-0", "t-results-0"), (10, "t-results-0", "t-results-9")] {
            let names = ResultNames::new("t", shards);
            assert_eq!((names.name(0).as_str(), names.name(shards.saturating_sub(1)).as_str()), (first, last));
        }
        for shards in [11, 1_000, 1_001, 4_567] {
            let names = ResultNames::new("t", shards);
            let all: Vec<String> = (0..shards).map(|number| names.name(number)).collect();
            assert!(all.is_sorted() && all.iter().all(|name| name.starts_with(names.prefix())), "{shards}");
        }
        assert_eq!(ResultNames::new("t", 11).name(7), "t-results-07");
    }

    #[test]
    fn a_name_of_another_shape_is_no_attempt() {
        for name in ["a-0", "a-0-0", "a-00-1", "a-0-+1", "a-0-1-1", "b-0-1", "a-0-1x", "a-4294967296-1", "a"] {
            assert_eq!(parse_pod_name("a", name), None, "{name}");
        }
    }
}
