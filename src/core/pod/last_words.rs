//! Fallback termination message of a failed container.

use serde_json::{Value, json};

/// Where a container that failed has said nothing, the end of its log is its message. Of one that succeeded it never
/// is, so that no log becomes a result.
pub(super) fn keep(container: &mut Value) {
    let Some(container) = container.as_object_mut() else { return };
    let policy = container.entry("terminationMessagePolicy").or_insert(Value::Null);
    if policy.is_null() {
        *policy = json!("FallbackToLogsOnError");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index, PodRole, TaskKey};
    use crate::core::phases::Raises;
    use crate::core::pod::PodTemplate;

    #[test]
    fn a_container_that_fails_without_a_message_leaves_the_end_of_its_log() {
        let mut raw = json!({ "spec": { "containers": [{ "name": "main" }, { "name": "side" }] } });
        raw["spec"]["initContainers"] = json!([{ "name": "i" }, { "name": "j", "terminationMessagePolicy": null }]);
        raw["spec"]["containers"][1]["terminationMessagePolicy"] = json!("File");
        let template = PodTemplate::accept(&raw, None).unwrap();
        let pod = template.pod(&TaskKey::new("ns", "t"), "u-1", PodRole::Item(Index(3), Attempt(2)), &[], Raises::NONE);
        let policy = |list: &str, at: usize| pod["spec"][list][at]["terminationMessagePolicy"].clone();
        let policies = [("initContainers", 0), ("initContainers", 1), ("containers", 0), ("containers", 1)];
        let fallback = "FallbackToLogsOnError";
        assert_eq!(policies.map(|(list, at)| policy(list, at)), [fallback, fallback, fallback, "File"]);
    }
}
