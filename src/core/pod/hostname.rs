//! Host names for pods whose name exceeds 63 characters.

use crate::core::ids::PodRole;

/// Most characters of a host's name: a DNS label.
const MAX: usize = 63;

/// The name of the host of an attempt's pod, where the pod's own does not do: a kubelet would cut it, so that all pods
/// of the task had the same. The UID keeps apart tasks whose names begin alike.
pub(super) fn hostname(task: &str, uid: &str, role: PodRole, pod: &str) -> Option<String> {
    if pod.len() <= MAX {
        return None;
    }
    let uid: String = uid.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    let end = format!("-{}-{role}", uid.to_ascii_lowercase());
    // A task's name may have dots, a label none.
    let start: String = task.replace('.', "-").chars().take(MAX - end.len()).collect();
    Some(format!("{}{end}", start.trim_end_matches('-')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index};
    use crate::core::pod::pod_name;

    #[test]
    fn pods_of_a_long_name_have_hosts_of_their_own() {
        let of = |task: &str, index, attempt| {
            let role = PodRole::Item(Index(index), Attempt(attempt));
            hostname(task, "0123ABCD-4567", role, &pod_name(task, role))
        };
        assert_eq!(of("short", 7, 1), None);
        assert_eq!(of(&"a".repeat(59), 7, 1), None, "63 characters");
        let long = "a".repeat(63);
        let names: Vec<String> = [(7, 1), (7, 2), (999_999, 1_001)].map(|(i, n)| of(&long, i, n).unwrap()).into();
        assert_eq!(names[0], format!("{}-0123abcd-7-1", "a".repeat(50)));
        assert!(names[0] != names[1] && names.iter().all(|name| name.len() <= 63), "{names:?}");
        let dots = of(&"a.".repeat(31), 7, 1).unwrap();
        assert!(!dots.contains('.') && !dots.contains("--"), "{dots}");
        let reduce = PodRole::Reduce(Attempt(1));
        let name = hostname(&long, "0123ABCD-4567", reduce, &pod_name(&long, reduce)).unwrap();
        assert!(name.ends_with("-reduce-1"), "{name}");
    }
}
