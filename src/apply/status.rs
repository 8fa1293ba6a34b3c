//! The one writer of a task's status: first the results it speaks of, then itself, under the version that it knows.

use futures::future::BoxFuture;
use futures::{StreamExt, stream};
use http::Method;
use kube::Client;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answer::{Meaning, meaning};
use super::cache::StoreError;
use super::request::{Failure, Partial, send};
use super::results::NotStored;
use super::stores::Stores;
use crate::api::FIELD_MANAGER;
use crate::api::MapTask;
use crate::core::ids::TaskKey;
use crate::core::port::{Expire, Note, TaskSeen, Write, WriteOutcome};

/// ConfigMaps of one task that are read and written at once: at its end all of them are looked at, each up to 900 KB.
const SHARDS_AT_ONCE: usize = 8;

/// Stores results and status.
///
/// Results first, then the cache, then what says that both are there. A cache that does not want what it is given stops
/// nothing; one that can't be reached is tried again with all the rest.
pub(super) async fn write(client: &Client, stores: &Stores, write: &Write) -> WriteOutcome {
    let mut rewritten = 0;
    let mut damaged = Vec::new();
    let shards: Vec<BoxFuture<'_, _>> = write.results.iter().map(|shard| stores.results.put(write, shard)).collect();
    let mut stored = stream::iter(shards).buffer_unordered(SHARDS_AT_ONCE);
    while let Some(answer) = stored.next().await {
        match answer {
            Ok(bytes) => rewritten += bytes,
            Err(NotStored::Damaged(damage)) => damaged.push(damage),
            Err(NotStored::Failed { message, refused }) => return WriteOutcome::NotStored { message, refused },
        }
    }
    if !damaged.is_empty() {
        return WriteOutcome::Damaged(damaged);
    }
    let mut uncached = None;
    if let Some((cache, entries)) = &write.cache {
        match stores.cache.put(cache, entries).await {
            Ok(bytes) => rewritten += bytes,
            Err(StoreError::Refused(message)) => uncached = Some(message),
            Err(StoreError::Indeterminate(message)) => {
                return WriteOutcome::NotStored { message: format!("cache {cache}: {message}"), refused: false };
            }
        }
    }
    match replace(client, write).await {
        Ok(version) => WriteOutcome::Written { version, rewritten, uncached },
        Err(outcome) => outcome,
    }
}

/// Writes why nothing else can be written.
pub(super) async fn note(client: &Client, note: &Note) -> WriteOutcome {
    let status = json!({ "waiting": note.waiting, "reason": note.waiting.reason.as_str() });
    let metadata = json!({ "uid": note.uid, "resourceVersion": note.resource_version.to_string() });
    let body = json!({ "metadata": metadata, "status": status });
    match patch(client, &note.key, "application/merge-patch+json", &body).await {
        Ok(version) => WriteOutcome::Written { version, rewritten: 0, uncached: None },
        Err(outcome) => outcome,
    }
}

/// Puts this status in the place of the one before, as a whole, in this version of a task. A merge would have to name
/// with `null` all that is no longer there.
async fn replace(client: &Client, write: &Write) -> Result<u64, WriteOutcome> {
    let body = json!([
        { "op": "replace", "path": "/metadata/uid", "value": write.uid },
        { "op": "replace", "path": "/metadata/resourceVersion", "value": write.resource_version.to_string() },
        { "op": "add", "path": "/status", "value": write.status },
    ]);
    patch(client, &write.key, "application/json-patch+json", &body).await
}

/// Changes the status of a task. The new version, or what it came to.
async fn patch(client: &Client, key: &TaskKey, content: &'static str, body: &Value) -> Result<u64, WriteOutcome> {
    let path = format!("{}/status?fieldManager={FIELD_MANAGER}", object(key));
    let answer = send::<Partial>(client, Method::PATCH, &path, content, Some(body)).await;
    answer.map(|task| task.version()).map_err(|failure| match meaning(&failure) {
        Meaning::Conflict => WriteOutcome::Conflict,
        Meaning::NotFound => WriteOutcome::Gone,
        _ if failure.is_refusal() => WriteOutcome::NotStored { message: format!("status: {failure}"), refused: true },
        _ => WriteOutcome::Failed(format!("status: {failure}")),
    })
}

/// Reads a task.
pub(super) async fn read(client: &Client, key: &TaskKey) -> Option<TaskSeen> {
    get(client, key).await.unwrap_or_else(|error| {
        tracing::debug!(task = %key, %error, "not read");
        None
    })
}

/// Reads a task; `None` where there is none.
pub(super) async fn get(client: &Client, key: &TaskKey) -> Result<Option<TaskSeen>, Failure> {
    match send::<MapTask>(client, Method::GET, &object(key), "application/json", None).await {
        Ok(task) => Ok(crate::watch::tasks::seen(task)),
        Err(failure) if meaning(&failure) == Meaning::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Deletes a task whose time is over, and with it all that it owns.
pub(super) async fn expire(client: &Client, expire: &Expire) {
    let Expire { key, uid, resource_version } = expire;
    let options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": { "uid": uid, "resourceVersion": resource_version.to_string() },
        "propagationPolicy": "Background",
    });
    let answer = send::<IgnoredAny>(client, Method::DELETE, &object(key), "application/json", Some(&options)).await;
    match answer.map_err(|failure| (meaning(&failure), failure)) {
        Ok(_) => tracing::info!(task = %key, "deleted: spec.ttlSecondsAfterFinished has passed"),
        Err((Meaning::NotFound | Meaning::Conflict, _)) => {}
        Err((_, failure)) => tracing::warn!(task = %key, %failure, "not deleted, will try again"),
    }
}

fn object(key: &TaskKey) -> String {
    format!("/apis/maptask.dev/v1alpha1/namespaces/{}/maptasks/{}", key.namespace, key.name)
}
