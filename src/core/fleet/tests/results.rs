//! What becomes a line of the results.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::story::{LIMITS, Story};
use crate::core::port::Action;

/// The lines that are stored once these pods have ended with their messages, by item.
fn lines(spec: &Value, messages: &[&str]) -> BTreeMap<u32, String> {
    let mut spec = spec.clone();
    spec["items"] = json!({ "count": messages.len() });
    let mut story = Story::new(LIMITS, &spec);
    story.plan(0);
    story.plan(0);
    for (index, message) in (0..).zip(messages) {
        let terminated = json!({ "exitCode": 0, "message": message });
        let containers = json!([{ "name": "main", "state": { "terminated": terminated } }]);
        let status = json!({ "phase": "Succeeded", "containerStatuses": containers });
        story.fleet.handle_pod(story.now, Story::pod(index, 1, &status));
    }
    story.now = story.now.plus_millis(1_000);
    let plan = story.fleet.poll_plan(story.now);
    let writes = plan.actions.iter().filter_map(|a| if let Action::Write(write) = a { Some(write) } else { None });
    writes.flat_map(|write| write.results.iter().flat_map(|shard| shard.lines.clone())).collect()
}

#[test]
fn a_success_that_says_nothing_is_null_or_the_directory_of_its_artifacts() {
    let messages = ["7", "", " \n"];
    assert_eq!(lines(&json!({}), &messages).into_values().collect::<Vec<_>>(), ["7", "null", "null"]);
    let volumes = json!([{ "name": "data", "emptyDir": {} }]);
    let spec = json!({
        "artifacts": { "volume": "data", "path": "/out" },
        "template": { "spec": { "containers": [{ "name": "main", "image": "x" }], "volumes": volumes } },
    });
    assert_eq!(lines(&spec, &messages).into_values().collect::<Vec<_>>(), ["7", r#""t-u-1-1""#, r#""t-u-2-1""#]);
}
