//! Stores a piece of a list that a pod has computed, in a ConfigMap of its own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kube::Client;
use serde_json::{Value, json};

use crate::api::labels::SHARD;
use crate::apply::answer::{Meaning, meaning};
use crate::apply::config_map;
use crate::apply::request::Failure;
use crate::core::items::LIST_KEY;
use crate::core::items::list_prefix;
use crate::core::pod::parts::{owner_labels, owner_reference};
use crate::core::port::{PieceOutcome, StorePiece};

/// The pod that has sent it, for people.
const POD_UID: &str = "maptask.dev/pod-uid";

/// Stores it. Idempotent.
pub(crate) async fn store(client: &Client, piece: &StorePiece) -> PieceOutcome {
    let name = format!("{}{}", list_prefix(&piece.id.key.name, piece.id.attempt.0), piece.id.number);
    match try_store(client, piece, &name).await {
        Ok(outcome) => outcome,
        Err(failure) => PieceOutcome::Failed(format!("ConfigMap {name}: {failure}")),
    }
}

async fn try_store(client: &Client, piece: &StorePiece, name: &str) -> Result<PieceOutcome, Failure> {
    let namespace = &*piece.id.key.namespace;
    let body = || json!({ "binaryData": { LIST_KEY: &*piece.data } });
    match config_map::create(client, namespace, name, metadata(piece), body()).await {
        Ok(()) => return Ok(PieceOutcome::Stored),
        Err(failure) if meaning(&failure) == Meaning::AlreadyExists => {}
        Err(failure) => return Err(failure),
    }
    let Some(found) = config_map::get(client, namespace, name).await? else {
        return Ok(PieceOutcome::Failed(format!("ConfigMap {name} was deleted at the same time")));
    };
    if !found.metadata.owner_references.iter().flatten().any(|owner| owner.uid == piece.uid) {
        return Ok(PieceOutcome::Failed(config_map::foreign_owner(name)));
    }
    let bytes = found.binary_data.as_ref().and_then(|data| data.get(LIST_KEY));
    if bytes.is_some_and(|bytes| STANDARD.encode(&bytes.0) == *piece.data) {
        return Ok(PieceOutcome::Stored);
    }
    // Of another pod of this attempt, whose list was not recorded.
    let version = found.metadata.resource_version.as_deref();
    config_map::change(client, namespace, name, version, metadata(piece), body()).await?;
    Ok(PieceOutcome::Stored)
}

fn metadata(piece: &StorePiece) -> Value {
    let (task, number) = (&piece.id.key.name, piece.id.number);
    let mut labels = owner_labels(task, &piece.uid);
    labels.insert(SHARD.to_owned(), json!(number.to_string()));
    json!({
        "namespace": &*piece.id.key.namespace,
        "labels": labels,
        "annotations": { POD_UID: piece.pod_uid },
        "ownerReferences": [owner_reference(task, &piece.uid)],
    })
}
