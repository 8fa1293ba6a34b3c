//! The one writer of a task's status: first the results it speaks of, then itself, under the version that it knows.

use http::Method;
use kube::Client;
use serde::de::IgnoredAny;
use serde_json::json;

use super::FIELD_MANAGER;
use super::answer::{Meaning, meaning};
use super::cache::{Store, StoreError};
use super::request::{Partial, send};
use super::results;
use crate::api::MapTask;
use crate::core::fleet::plan::{Expire, Write, WriteOutcome};
use crate::core::ids::TaskKey;
use crate::core::task::TaskSeen;

/// Stores results and status.
///
/// Results first, then the cache, then what says that both are there. A cache that does not want what it is given stops
/// nothing; one that can't be reached is tried again with all the rest.
pub(super) async fn write(client: &Client, store: &dyn Store, write: &Write) -> WriteOutcome {
    let mut rewritten = 0;
    for shard in &write.results {
        match results::store(client, write, shard).await {
            Ok(bytes) => rewritten += bytes,
            Err(message) => return WriteOutcome::Failed(message),
        }
    }
    let mut uncached = None;
    if let Some((cache, entries)) = &write.cache {
        match store.put(cache, entries).await {
            Ok(bytes) => rewritten += bytes,
            Err(StoreError::Refused(message)) => uncached = Some(message),
            Err(StoreError::Unclear(message)) => return WriteOutcome::Failed(format!("cache {cache}: {message}")),
        }
    }
    let patch = json!({
        "metadata": { "uid": write.uid, "resourceVersion": write.resource_version.to_string() },
        "status": write.status,
    });
    let path = format!("{}/status?fieldManager={FIELD_MANAGER}", object(&write.key));
    let answer = send::<Partial>(client, Method::PATCH, &path, "application/merge-patch+json", Some(&patch)).await;
    match answer.map_err(|failure| (meaning(&failure), failure)) {
        Ok(task) => WriteOutcome::Written { version: task.version(), rewritten, uncached },
        Err((Meaning::Conflict, _)) => WriteOutcome::Conflict,
        Err((Meaning::NotFound, _)) => WriteOutcome::Gone,
        Err((_, failure)) => WriteOutcome::Failed(failure.to_string()),
    }
}

/// Reads a task.
pub(super) async fn read(client: &Client, key: &TaskKey) -> Option<TaskSeen> {
    match send::<MapTask>(client, Method::GET, &object(key), "application/json", None).await {
        Ok(task) => crate::watch::tasks::seen(task),
        Err(error) => {
            tracing::debug!(task = %key, %error, "not read");
            None
        }
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
        Ok(_) => tracing::info!(task = %key, "deleted: spec.ttlSecondsAfterFinished is over"),
        Err((Meaning::NotFound | Meaning::Conflict, _)) => {}
        Err((_, failure)) => tracing::warn!(task = %key, %failure, "not deleted, will try again"),
    }
}

fn object(key: &TaskKey) -> String {
    format!("/apis/maptask.dev/v1alpha1/namespaces/{}/maptasks/{}", key.namespace, key.name)
}
