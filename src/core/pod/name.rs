//! What an attempt's pod is called, and which attempt a pod's name means.

use crate::core::ids::{Attempt, Index, REDUCE_WORD};

/// `<task>-<index>-<attempt>`, or `<task>-reduce-<attempt>`: the same attempt always gets the same name, so that the API server
/// refuses to run it twice.
pub fn pod_name(task: &str, index: Index, attempt: Attempt) -> String {
    format!("{task}-{index}-{attempt}")
}

/// The attempt that a pod of `task` stands for, or `None` for a name that [`pod_name`] never makes.
pub fn parse_pod_name(task: &str, name: &str) -> Option<(Index, Attempt)> {
    let (index, attempt) = name.strip_prefix(task)?.strip_prefix('-')?.split_once('-')?;
    let index = if index == REDUCE_WORD { Index::REDUCE } else { Index(canonical(index)?) };
    let id = (index, Attempt(canonical(attempt)?));
    (id.1 >= Attempt::FIRST).then_some(id)
}

/// The number, if these are just its digits.
fn canonical(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits && Index(number) != Index::REDUCE).then_some(number)
}

/// The ConfigMap that holds shard `k` of a task's results is called this and `k`.
pub fn results_prefix(task: &str) -> String {
    format!("{task}-results-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_back_to_its_attempt() {
        assert_eq!(pod_name("a-1", Index::REDUCE, Attempt(2)), "a-1-reduce-2");
        for (index, attempt) in [(0, 1), (7, 12), (999_999, 1001), (Index::REDUCE.0, 3)] {
            let id = (Index(index), Attempt(attempt));
            assert_eq!(parse_pod_name("a-1", &pod_name("a-1", id.0, id.1)), Some(id));
        }
    }

    #[test]
    fn a_name_of_another_shape_is_no_attempt() {
        for name in ["a-0", "a-0-0", "a-00-1", "a-0-+1", "a-0-1-1", "b-0-1", "a-0-1x", "a-4294967295-1", "a"] {
            assert_eq!(parse_pod_name("a", name), None, "{name}");
        }
    }
}
