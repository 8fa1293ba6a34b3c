//! Requests about the Workload of a task, and about the flavors that Kueue has assigned to it.

use std::collections::BTreeMap;

use http::Method;
use kube::Client;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answer::{Meaning, meaning};
use super::request::{Failure, get_metadata, send};
use crate::api::FIELD_MANAGER;
use crate::core::port::{ChangeWorkload, FlavorsOutcome, ReadFlavors, WorkloadChange, WorkloadOutcome};
use crate::core::workload::{Flavor, PREBUILT_WORKLOAD};

const GROUP: &str = "/apis/kueue.x-k8s.io/v1beta2";
const JSON: &str = "application/json";
const MERGE_PATCH: &str = "application/merge-patch+json";

#[derive(Deserialize)]
struct ResourceFlavor {
    #[serde(default)]
    spec: FlavorSpec,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct FlavorSpec {
    node_labels: BTreeMap<String, String>,
    tolerations: Vec<Value>,
}

/// Creates, changes or deletes the Workload of a task.
pub(super) async fn change(client: &Client, workload: &ChangeWorkload) -> WorkloadOutcome {
    let all = format!("{GROUP}/namespaces/{}/workloads", workload.key.namespace);
    let one = format!("{all}/{}", workload.name);
    let answer = match &workload.change {
        WorkloadChange::Create(object) => {
            let path = format!("{all}?fieldManager={FIELD_MANAGER}");
            send::<IgnoredAny>(client, Method::POST, &path, JSON, Some(object)).await
        }
        WorkloadChange::Adopt(metadata) => match adopt(client, &one, &workload.uid, metadata).await {
            Ok(None) => Ok(IgnoredAny),
            Ok(Some(problem)) => {
                return WorkloadOutcome::Refused(format!(
                    "the label {PREBUILT_WORKLOAD} names the Workload {}: {problem}",
                    workload.name
                ));
            }
            Err(failure) => Err(failure),
        },
        WorkloadChange::Delete(uid) => {
            let options = json!({ "apiVersion": "v1", "kind": "DeleteOptions", "preconditions": { "uid": uid } });
            send::<IgnoredAny>(client, Method::DELETE, &one, JSON, Some(&options)).await
        }
        WorkloadChange::Patch(version, patch) => {
            let path = format!("{one}/status?fieldManager={FIELD_MANAGER}");
            let patch = json!({ "metadata": { "resourceVersion": version.to_string() }, "status": patch.json() });
            send::<IgnoredAny>(client, Method::PATCH, &path, MERGE_PATCH, Some(&patch)).await
        }
    };
    match answer.map_err(|failure| meaning(&failure)) {
        // A create is not found if the API is not there.
        Err(Meaning::NotFound) if matches!(workload.change, WorkloadChange::Create(_)) => {
            WorkloadOutcome::Refused("the API server has no Workloads of kueue.x-k8s.io/v1beta2".to_owned())
        }
        Ok(_) | Err(Meaning::AlreadyExists | Meaning::NotFound) => WorkloadOutcome::Done,
        Err(Meaning::Conflict) => WorkloadOutcome::Indeterminate,
        Err(other) => {
            let message = other.words();
            tracing::warn!(task = %workload.key, message, "Workload not changed, will try again");
            WorkloadOutcome::Refused(format!("its Workload can't be changed: {message}"))
        }
    }
}

/// Makes the task the owner of a Workload that has no other one. Returns why that can't be.
async fn adopt(client: &Client, path: &str, uid: &str, metadata: &Value) -> Result<Option<String>, Failure> {
    let found = match get_metadata(client, path).await {
        Ok(found) => found,
        Err(failure) if meaning(&failure) == Meaning::NotFound => return Ok(Some("there is none".to_owned())),
        Err(failure) => return Err(failure),
    };
    match found.owner_uid() {
        Some(owner) if owner == uid => return Ok(None),
        Some(_) => return Ok(Some("it belongs to another object".to_owned())),
        None => {}
    }
    let mut metadata = metadata.clone();
    metadata["resourceVersion"] = json!(found.version().to_string());
    let path = format!("{path}?fieldManager={FIELD_MANAGER}");
    let patch = json!({ "metadata": metadata });
    send::<IgnoredAny>(client, Method::PATCH, &path, MERGE_PATCH, Some(&patch)).await.map(|_| None)
}

/// Reads flavors.
pub(super) async fn flavors(client: &Client, read: &ReadFlavors) -> FlavorsOutcome {
    let mut flavors = Vec::new();
    for name in &read.names {
        let path = format!("{GROUP}/resourceflavors/{name}");
        match send::<ResourceFlavor>(client, Method::GET, &path, JSON, None).await {
            Ok(ResourceFlavor { spec: FlavorSpec { node_labels, tolerations } }) => {
                flavors.push(Flavor { name: name.clone(), node_labels, tolerations });
            }
            Err(failure) => {
                return FlavorsOutcome::Failed(format!(
                    "its ResourceFlavor {name} can't be read: {}",
                    meaning(&failure).words()
                ));
            }
        }
    }
    FlavorsOutcome::Found(flavors)
}

#[cfg(test)]
#[path = "workloads_tests.rs"]
mod tests;
