//! The results of a task as files for its reduce: one file for each ConfigMap, in the order of their names.

use serde_json::{Map, Value, json};

use crate::core::pod::{ResultNames, TemplateError};

/// Where the containers find them.
pub const PATH: &str = "/maptask/results";
/// The key of the results in each ConfigMap.
pub const KEY: &str = "results.jsonl";
/// The name of the volume.
const VOLUME: &str = "maptask-results";

/// Where the results are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultsView {
    /// What the ConfigMaps are called.
    pub names: ResultNames,
    /// How many there are.
    pub shards: u32,
}

/// Refuses a template that has a volume of this name.
pub(super) fn check(spec: &Map<String, Value>) -> Result<(), TemplateError> {
    let mut volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let taken = volumes.any(|volume| volume.get("name").and_then(Value::as_str) == Some(VOLUME));
    if taken { Err(TemplateError::VolumeTaken(VOLUME)) } else { Ok(()) }
}

/// Mounts the results into every container. Their owners are not to change them, and the kubelet does not follow.
pub(super) fn mount(view: &ResultsView, spec: &mut Map<String, Value>) {
    // Wide enough for any number of ConfigMaps, so that the order of names is that of numbers.
    let source = |number| {
        json!({ "configMap": {
            "name": view.names.name(number),
            "items": [{ "key": KEY, "path": format!("{number:06}.jsonl") }],
        } })
    };
    let sources: Vec<Value> = (0..view.shards).map(source).collect();
    push(spec, "volumes", json!({ "name": VOLUME, "projected": { "sources": sources } }));
    for list in ["initContainers", "containers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                push(container, "volumeMounts", json!({ "name": VOLUME, "mountPath": PATH, "readOnly": true }));
            }
        }
    }
}

fn push(object: &mut Map<String, Value>, list: &str, value: Value) {
    match object.get_mut(list).and_then(Value::as_array_mut) {
        Some(values) => values.push(value),
        None => drop(object.insert(list.to_owned(), json!([value]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, PodRole, TaskKey};
    use crate::core::phases::Raises;
    use crate::core::pod::PodTemplate;

    #[test]
    fn the_results_are_files_in_order_in_every_container() {
        let raw = json!({ "spec": { "initContainers": [{ "name": "a" }], "containers": [{ "name": "b" }] } });
        let mut template = PodTemplate::accept(&raw, None).unwrap();
        template.show_results(ResultsView { names: ResultNames::new("t", 11), shards: 11 }).unwrap();
        let pod = template.pod(&TaskKey::new("ns", "t"), "u", PodRole::Reduce(Attempt(1)), &[], Raises::NONE);
        assert_eq!(pod["metadata"]["name"], "t-reduce-1");
        assert_eq!(pod["metadata"]["labels"]["maptask.dev/index"], "reduce");
        let sources = pod["spec"]["volumes"][0]["projected"]["sources"].as_array().unwrap();
        assert_eq!(sources.len(), 11);
        assert_eq!(sources[10]["configMap"]["name"], "t-results-10");
        assert_eq!(sources[10]["configMap"]["items"][0]["path"], "000010.jsonl");
        for container in [&pod["spec"]["initContainers"][0], &pod["spec"]["containers"][0]] {
            assert_eq!(container["volumeMounts"][0]["mountPath"], PATH);
        }
    }

    #[test]
    fn a_volume_of_the_same_name_is_refused() {
        let raw = json!({ "spec": { "containers": [{ "name": "b" }], "volumes": [{ "name": VOLUME }] } });
        let mut template = PodTemplate::accept(&raw, None).unwrap();
        let error = template.show_results(ResultsView { names: ResultNames::new("t", 1), shards: 1 }).unwrap_err();
        assert!(error.to_string().contains(VOLUME), "{error}");
    }
}
