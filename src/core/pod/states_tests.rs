//! Every state of a real pod in `states/`, and what it means. states/README.md says how each was brought about.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::core::attempt_end::{AttemptOutcome, Cost};
use crate::watch::pods::LeanPod;

const EXPECTED: &str = include_str!("states/expected.txt");

fn meaning(pod: &PodSeen) -> String {
    match progress(pod, "main") {
        Progress::Pending(None) => "waits".to_owned(),
        Progress::Pending(Some(blocker)) => format!("waits ({:?})", blocker.kind),
        Progress::Started => "runs".to_owned(),
        Progress::Ended(end) => {
            let outcome = AttemptOutcome::from(end);
            match outcome.cost() {
                None => outcome.to_string(),
                Some(Cost::Application) => format!("{outcome}: retries"),
                Some(Cost::Infrastructure) => format!("{outcome}: infrastructureRetries"),
                Some(Cost::Free) => format!("{outcome}: nothing"),
            }
        }
    }
}

#[test]
fn every_recorded_state_of_a_real_pod_is_classified() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core/pod/states");
    let mut found = BTreeMap::new();
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(name) = name.strip_suffix(".json") else { continue };
        let mut json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for (field, value) in [("namespace", "ns"), ("uid", "u"), ("resourceVersion", "1")] {
            json["metadata"][field] = value.into();
        }
        json["metadata"]["labels"] = serde_json::json!({ "maptask.dev/name": "t" });
        let pod = serde_json::from_value::<LeanPod>(json).unwrap().seen().unwrap();
        found.insert(name.to_owned(), meaning(&pod));
    }
    let found: Vec<String> = found.iter().map(|(name, meaning)| format!("{name:40} {meaning}")).collect();
    assert!(found.iter().map(String::as_str).eq(EXPECTED.lines()), "found:\n{}", found.join("\n"));
}
