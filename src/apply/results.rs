//! Results into ConfigMaps: read, lines put into their places, written back if that changed anything.

use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde_json::json;

use super::FIELD_MANAGER;
use super::answer::{Meaning, meaning};
use super::request::{Failure, Partial, send};
use crate::api::labels;
use crate::core::fleet::plan::Write;
use crate::core::pod::{results_prefix, template::owner_reference};
use crate::core::task::results::Shard;

/// The key of the results in each ConfigMap.
const KEY: &str = "results.jsonl";
/// Tries at a ConfigMap that another writer changes at the same time.
const TRIES: usize = 5;

/// Stores the lines of one shard. Idempotent.
pub(super) async fn store(client: &Client, write: &Write, shard: &Shard) -> Result<(), String> {
    let name = format!("{}{}", results_prefix(&write.key.name), shard.number);
    for _ in 0..TRIES {
        match try_store(client, write, shard, &name).await {
            Ok(()) => return Ok(()),
            Err(Problem::Conflict) => {}
            Err(Problem::Foreign) => {
                return Err(format!(
                    "ConfigMap {name} exists and belongs to another owner: delete it, or rename the MapTask"
                ));
            }
            Err(Problem::Other(message)) => return Err(format!("ConfigMap {name}: {message}")),
        }
    }
    Err(format!("ConfigMap {name} keeps being changed by somebody else"))
}

enum Problem {
    Conflict,
    Foreign,
    Other(String),
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match meaning(&failure) {
            Meaning::Conflict | Meaning::AlreadyExists => Self::Conflict,
            _ => Self::Other(failure.to_string()),
        }
    }
}

async fn try_store(client: &Client, write: &Write, shard: &Shard, name: &str) -> Result<(), Problem> {
    let collection = format!("/api/v1/namespaces/{}/configmaps", write.key.namespace);
    let object = format!("{collection}/{name}");
    let query = format!("?fieldManager={FIELD_MANAGER}");
    let old: ConfigMap = match send(client, Method::GET, &object, "application/json", None).await {
        Ok(old) => old,
        Err(failure) if meaning(&failure) == Meaning::NotFound => {
            let body = json!({
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {
                    "name": name,
                    "namespace": &*write.key.namespace,
                    "labels": { labels::NAME: &*write.key.name },
                    "ownerReferences": [owner_reference(&write.key.name, &write.uid)],
                },
                "data": { KEY: shard.merge("") },
            });
            send::<Partial>(client, Method::POST, &format!("{collection}{query}"), "application/json", Some(&body))
                .await?;
            return Ok(());
        }
        Err(failure) => return Err(failure.into()),
    };
    let owners = old.metadata.owner_references.iter().flatten();
    if !owners.into_iter().any(|owner| owner.uid == write.uid) {
        return Err(Problem::Foreign);
    }
    let text = old.data.as_ref().and_then(|data| data.get(KEY)).map_or("", String::as_str);
    let merged = shard.merge(text);
    if merged == text {
        return Ok(());
    }
    let patch = json!({
        "metadata": { "resourceVersion": old.metadata.resource_version },
        "data": { KEY: merged },
    });
    let path = format!("{object}{query}");
    send::<Partial>(client, Method::PATCH, &path, "application/merge-patch+json", Some(&patch)).await?;
    Ok(())
}
