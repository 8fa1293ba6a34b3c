//! Reads the ConfigMap of a task's items.

use kube::Client;

use super::config_map;
use crate::core::fleet::plan::{Fetch, FetchOutcome};

/// The text of the key.
pub(super) async fn fetch(client: &Client, fetch: &Fetch) -> FetchOutcome {
    let Fetch { task, name, key, .. } = fetch;
    match config_map::get(client, &task.namespace, name).await {
        Ok(Some(found)) => match found.data.and_then(|mut data| data.remove(key)) {
            Some(text) => FetchOutcome::Found(text),
            None if found.binary_data.is_some_and(|data| data.contains_key(key)) => {
                FetchOutcome::Missing(format!("key {key} of ConfigMap {name} is binary: items are text"))
            }
            None => FetchOutcome::Missing(format!("ConfigMap {name} has no key {key}")),
        },
        Ok(None) => FetchOutcome::Missing(format!("ConfigMap {name} is not there")),
        Err(failure) => FetchOutcome::Unclear(failure.to_string()),
    }
}
