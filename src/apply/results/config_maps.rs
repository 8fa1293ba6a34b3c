//! Results into ConfigMaps: read, lines put into their places, written back if that changed anything.

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde_json::{Map, json};

use super::{NotStored, Store, Stored, StoredShard};
use crate::api::annotations::{CHECKS, DAMAGED, LIST};
use crate::api::labels::{CONTROLLER_UID, SHARD};
use crate::apply::answer::{Meaning, meaning};
use crate::apply::config_map;
use crate::apply::request::Failure;
use crate::core::pod::ResultNames;
use crate::core::pod::parts::{owner_labels, owner_reference};
use crate::core::pod::results_view::KEY;
use crate::core::port::Write;
use crate::core::results::Shard;
use crate::core::results::keeping::{Damage, Kept};

/// Tries at a ConfigMap that another writer changes at the same time.
const TRIES: usize = 5;

/// Keeps results in `ConfigMaps` of the task's namespace, one for each shard.
pub struct ConfigMaps {
    client: Client,
}

impl ConfigMaps {
    /// `client` must not repeat requests by itself.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

impl Store for ConfigMaps {
    fn get<'a>(&'a self, stored: &'a Stored, number: u32) -> BoxFuture<'a, Result<StoredShard, Failure>> {
        read(&self.client, stored, number).boxed()
    }

    fn put<'a>(&'a self, write: &'a Write, shard: &'a Shard) -> BoxFuture<'a, Result<u64, NotStored>> {
        store(&self.client, write, shard).boxed()
    }
}

async fn read(client: &Client, stored: &Stored, number: u32) -> Result<StoredShard, Failure> {
    let name = ResultNames::new(&stored.key.name, stored.shards).name(number);
    let found = config_map::get(client, &stored.key.namespace, &name).await?;
    let is_its = |map: &ConfigMap| {
        let owner = map.metadata.labels.as_ref().and_then(|labels| labels.get(CONTROLLER_UID));
        owner.is_none_or(|owner| *owner == stored.uid)
    };
    let lines = |map: ConfigMap| map.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
    Ok(StoredShard { lines: found.filter(is_its).map(lines), name: format!("ConfigMap {name}") })
}

async fn store(client: &Client, write: &Write, shard: &Shard) -> Result<u64, NotStored> {
    let name = ResultNames::new(&write.key.name, shard.of).name(shard.number);
    let failed = |message, refused| Err(NotStored::Failed { message, refused });
    for _ in 0..TRIES {
        match try_store(client, write, shard, &name).await {
            Ok(bytes) => return Ok(bytes),
            Err(Problem::Conflict) => {}
            Err(Problem::Damaged(damage)) => return Err(NotStored::Damaged(damage)),
            Err(Problem::Foreign) => return failed(config_map::foreign_owner(&name), true),
            Err(Problem::Other { message, refused }) => return failed(format!("ConfigMap {name}: {message}"), refused),
        }
    }
    failed(format!("ConfigMap {name} keeps being changed by somebody else"), false)
}

enum Problem {
    Conflict,
    Foreign,
    Damaged(Damage),
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
    let old = config_map::get(client, namespace, name).await?;
    let owners = old.iter().flat_map(|old| old.metadata.owner_references.iter().flatten());
    if old.is_some() && !owners.into_iter().any(|owner| owner.uid == write.uid) {
        return Err(Problem::Foreign);
    }
    let text = |old: &ConfigMap| old.data.as_ref().and_then(|data| data.get(KEY)).cloned().unwrap_or_default();
    let note = |old: &ConfigMap, name: &str| old.metadata.annotations.as_ref().and_then(|all| all.get(name)).cloned();
    let found = old
        .as_ref()
        .map(|old| (text(old), note(old, CHECKS).unwrap_or_default(), note(old, DAMAGED).unwrap_or_default()));
    let list = old.as_ref().and_then(|old| note(old, LIST)?.parse().ok()).unwrap_or(0);
    let kept = found.as_ref().map(|(text, checks, damaged)| Kept { text, checks, damaged, list });
    let Some(keep) = shard.keep(kept).map_err(Problem::Damaged)? else { return Ok(0) };
    let mut notes = Map::new();
    notes.insert(CHECKS.to_owned(), json!(keep.checks));
    notes.insert(DAMAGED.to_owned(), json!(Some(&keep.damaged).filter(|damaged| !damaged.is_empty())));
    notes.insert(LIST.to_owned(), json!((shard.list > 0).then(|| shard.list.to_string())));
    let body = json!({ "data": { KEY: keep.text } });
    let mut labels = owner_labels(&write.key.name, &write.uid);
    labels.insert(SHARD.to_owned(), json!(shard.number.to_string()));
    let Some(old) = &old else {
        notes.retain(|_, value| !value.is_null());
        let metadata = json!({
            "namespace": namespace,
            "labels": labels,
            "annotations": notes,
            "ownerReferences": [owner_reference(&write.key.name, &write.uid)],
        });
        config_map::create(client, namespace, name, metadata, body).await?;
        return Ok(0);
    };
    let version = old.metadata.resource_version.as_deref();
    // The labels, too: an older operator did not write all of them.
    let metadata = json!({ "labels": labels, "annotations": notes });
    config_map::change(client, namespace, name, version, metadata, body).await?;
    Ok(found.map_or(0, |(text, ..)| text.len() as u64))
}
