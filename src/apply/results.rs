//! Results into ConfigMaps: read, lines put into their places, written back if that changed anything.

use kube::Client;
use serde_json::json;

use super::answer::{Meaning, meaning};
use super::config_map;
use super::request::Failure;
use crate::api::labels;
use crate::core::fleet::plan::Write;
use crate::core::pod::{results_prefix, template::owner_reference};
use crate::core::task::results::Shard;

/// The key of the results in each ConfigMap.
const KEY: &str = "results.jsonl";
/// Tries at a ConfigMap that another writer changes at the same time.
const TRIES: usize = 5;

/// Why lines are not stored.
pub(super) struct NotStored {
    pub(super) message: String,
    /// The API server has refused, and will as long as nothing changes.
    pub(super) refused: bool,
}

/// Stores the lines of one shard; the bytes that were there and had to be written again. Idempotent.
pub(super) async fn store(client: &Client, write: &Write, shard: &Shard) -> Result<u64, NotStored> {
    let name = format!("{}{}", results_prefix(&write.key.name), shard.number);
    for _ in 0..TRIES {
        match try_store(client, write, shard, &name).await {
            Ok(bytes) => return Ok(bytes),
            Err(Problem::Conflict) => {}
            Err(Problem::Foreign) => {
                let message =
                    format!("ConfigMap {name} exists and belongs to another owner: delete it, or rename the MapTask");
                return Err(NotStored { message, refused: true });
            }
            Err(Problem::Other { message, refused }) => {
                return Err(NotStored { message: format!("ConfigMap {name}: {message}"), refused });
            }
        }
    }
    Err(NotStored { message: format!("ConfigMap {name} keeps being changed by somebody else"), refused: false })
}

enum Problem {
    Conflict,
    Foreign,
    Other { message: String, refused: bool },
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        match meaning(&failure) {
            Meaning::Conflict | Meaning::AlreadyExists => Self::Conflict,
            _ => Self::Other { message: failure.to_string(), refused: failure.is_refusal() },
        }
    }
}

async fn try_store(client: &Client, write: &Write, shard: &Shard, name: &str) -> Result<u64, Problem> {
    let namespace = &*write.key.namespace;
    let Some(old) = config_map::get(client, namespace, name).await? else {
        let metadata = json!({
            "namespace": namespace,
            "labels": { labels::NAME: &*write.key.name },
            "ownerReferences": [owner_reference(&write.key.name, &write.uid)],
        });
        config_map::create(client, namespace, name, metadata, &json!({ KEY: shard.merge("") })).await?;
        return Ok(0);
    };
    let owners = old.metadata.owner_references.iter().flatten();
    if !owners.into_iter().any(|owner| owner.uid == write.uid) {
        return Err(Problem::Foreign);
    }
    let text = old.data.as_ref().and_then(|data| data.get(KEY)).map_or("", String::as_str);
    let merged = shard.merge(text);
    if merged == text {
        return Ok(0);
    }
    let version = old.metadata.resource_version.as_deref();
    config_map::change(client, namespace, name, version, json!({}), &json!({ KEY: merged })).await?;
    Ok(text.len() as u64)
}
