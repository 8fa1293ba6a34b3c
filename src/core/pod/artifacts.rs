//! Where an attempt puts its files: a directory of its own, on a volume of the template.

use serde_json::{Map, Value, json};

use crate::api::spec::Artifacts;
use crate::core::ids::{PodRole, TaskKey};
use crate::core::pod::TemplateError;

/// The directory on the volume. The UID keeps a task from the files of one that had its name before, the attempt an
/// attempt from what a failed one has left. One name, not a path: of nested directories the kubelet gives only the
/// first to the pod's fsGroup.
pub fn directory(task: &TaskKey, uid: &str, role: PodRole) -> String {
    let uid: String = uid.chars().take(8).collect();
    format!("{}-{uid}-{role}", task.name)
}

/// Where the attempts of a worker put their files: all have the volume as it is, and a directory each.
pub(super) fn of_worker(wanted: &Artifacts, task: &TaskKey, uid: &str) -> maptask_exchange::Artifacts {
    let uid: String = uid.chars().take(8).collect();
    maptask_exchange::Artifacts { path: wanted.path.clone(), prefix: format!("{}-{uid}", task.name) }
}

/// Mounts the volume as it is.
pub(super) fn mount_all(artifacts: &Artifacts, container: &mut Value) {
    push_mount(container, json!({ "name": artifacts.volume, "mountPath": artifacts.path }));
}

/// Whether the template has the volume, and the container room at the path.
pub(super) fn check(artifacts: &Artifacts, spec: &Map<String, Value>, container: &str) -> Result<(), TemplateError> {
    let volumes = spec.get("volumes").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<&str> = volumes.filter_map(|volume| volume.get("name")?.as_str()).collect();
    if !names.contains(&artifacts.volume.as_str()) {
        return Err(TemplateError::NoSuchVolume(artifacts.volume.clone(), names.join(", ")));
    }
    let mounts = spec.get("containers").and_then(Value::as_array).into_iter().flatten();
    let own = mounts.filter(|c| c.get("name").and_then(Value::as_str) == Some(container));
    let mut paths = own.filter_map(|c| c.get("volumeMounts")?.as_array()).flatten().filter_map(|m| m.get("mountPath"));
    if paths.any(|path| path.as_str().is_some_and(|path| same_path(path, &artifacts.path))) {
        return Err(TemplateError::PathTaken(artifacts.path.clone(), container.to_owned()));
    }
    Ok(())
}

/// Mounts the directory into the container.
pub(super) fn mount(artifacts: &Artifacts, container: &mut Value, directory: &str) {
    push_mount(container, json!({ "name": artifacts.volume, "mountPath": artifacts.path, "subPath": directory }));
}

fn push_mount(container: &mut Value, mount: Value) {
    match container.get_mut("volumeMounts").and_then(Value::as_array_mut) {
        Some(mounts) => mounts.push(mount),
        None => container["volumeMounts"] = json!([mount]),
    }
}

fn same_path(a: &str, b: &str) -> bool {
    a.trim_end_matches('/') == b.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{Attempt, Index};
    use crate::core::phases::Raises;
    use crate::core::pod::PodTemplate;

    fn template(path: &str) -> Result<PodTemplate, TemplateError> {
        let raw = json!({ "spec": {
            "containers": [
                { "name": "main", "volumeMounts": [{ "name": "data", "mountPath": "/data/" }] },
                { "name": "side" },
            ],
            "volumes": [{ "name": "data", "emptyDir": {} }],
        } });
        let volume = if path == "/other" { "other" } else { "data" };
        let mut template = PodTemplate::accept(&raw, None)?;
        template.keep_artifacts(&Artifacts { volume: volume.to_owned(), path: path.to_owned() })?;
        Ok(template)
    }

    #[test]
    fn each_attempt_has_its_own_directory_on_the_volume() {
        let template = template("/out").unwrap();
        let key = TaskKey::new("ns", "t");
        let pod = |index, attempt| {
            template.pod(&key, "0123456789", PodRole::Item(Index(index), Attempt(attempt)), &[], Raises::NONE)
        };
        let mount = |pod: Value| pod["spec"]["containers"][0]["volumeMounts"][1].clone();
        assert_eq!(mount(pod(3, 1)), json!({ "name": "data", "mountPath": "/out", "subPath": "t-01234567-3-1" }));
        assert_eq!(mount(pod(3, 2))["subPath"], "t-01234567-3-2");
        let variables = pod(3, 2)["spec"]["containers"][0]["env"].clone();
        assert_eq!(
            variables,
            json!([
                { "name": "MAPTASK_RESULT", "value": "/dev/termination-log" },
                { "name": "MAPTASK_ARTIFACTS", "value": "t-01234567-3-2" },
                { "name": "MAPTASK_ARTIFACTS_PATH", "value": "/out" },
            ])
        );
        assert_eq!(pod(3, 1)["spec"]["containers"][1]["volumeMounts"], Value::Null, "the item's container alone");
    }

    #[test]
    fn artifacts_without_a_volume_or_a_free_path_are_refused() {
        assert!(template("/other").unwrap_err().to_string().contains("\"other\""));
        assert!(template("/data").unwrap_err().to_string().contains("/data"));
    }
}
