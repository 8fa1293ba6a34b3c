//! Reads the ConfigMap of a task's items.

use http::Method;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::answer::{Meaning, meaning};
use super::request::send;
use crate::core::fleet::plan::{Fetch, FetchOutcome};

/// The text of the key.
pub(super) async fn fetch(client: &Client, fetch: &Fetch) -> FetchOutcome {
    let Fetch { task, name, key, .. } = fetch;
    let path = format!("/api/v1/namespaces/{}/configmaps/{name}", task.namespace);
    match send::<ConfigMap>(client, Method::GET, &path, "application/json", None).await {
        Ok(found) => match found.data.and_then(|mut data| data.remove(key)) {
            Some(text) => FetchOutcome::Found(text),
            None if found.binary_data.is_some_and(|data| data.contains_key(key)) => {
                FetchOutcome::Missing(format!("key {key} of ConfigMap {name} is binary: items are text"))
            }
            None => FetchOutcome::Missing(format!("ConfigMap {name} has no key {key}")),
        },
        Err(failure) => match meaning(&failure) {
            Meaning::NotFound => FetchOutcome::Missing(format!("ConfigMap {name} is not there")),
            _ => FetchOutcome::Unclear(failure.to_string()),
        },
    }
}
