//! ConfigMaps: read, made, and changed from the version that was read.

use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::answer::{Meaning, meaning};
use super::request::{Failure, Partial, get_metadata, send};
use crate::api::FIELD_MANAGER;

fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/configmaps")
}

fn object(namespace: &str, name: &str) -> String {
    format!("{}/{name}", collection(namespace))
}

/// What is not there is no failure.
fn if_there<T>(answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(failure) if meaning(&failure) == Meaning::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Why a ConfigMap is not changed that belongs to somebody else.
pub(super) fn foreign_owner(name: &str) -> String {
    format!("ConfigMap {name} exists and belongs to another owner: delete it, or rename the MapTask")
}

/// The ConfigMap, if there is one.
pub(super) async fn get(client: &Client, namespace: &str, name: &str) -> Result<Option<ConfigMap>, Failure> {
    if_there(send(client, Method::GET, &object(namespace, name), "application/json", None).await)
}

/// Its metadata, if there is one.
pub(super) async fn metadata(client: &Client, namespace: &str, name: &str) -> Result<Option<Partial>, Failure> {
    if_there(get_metadata(client, &object(namespace, name)).await)
}

/// Makes one. `body`: its `data` or `binaryData`.
pub(super) async fn create(
    client: &Client,
    namespace: &str,
    name: &str,
    mut metadata: Value,
    mut body: Value,
) -> Result<(), Failure> {
    metadata["name"] = json!(name);
    (body["apiVersion"], body["kind"], body["metadata"]) = (json!("v1"), json!("ConfigMap"), metadata);
    let path = format!("{}?fieldManager={FIELD_MANAGER}", collection(namespace));
    send::<IgnoredAny>(client, Method::POST, &path, "application/json", Some(&body)).await.map(drop)
}

/// Changes one, if it still has this version.
pub(super) async fn change(
    client: &Client,
    namespace: &str,
    name: &str,
    version: Option<&str>,
    mut metadata: Value,
    mut body: Value,
) -> Result<(), Failure> {
    metadata["resourceVersion"] = json!(version);
    body["metadata"] = metadata;
    let path = format!("{}?fieldManager={FIELD_MANAGER}", object(namespace, name));
    send::<IgnoredAny>(client, Method::PATCH, &path, "application/merge-patch+json", Some(&body)).await.map(drop)
}
