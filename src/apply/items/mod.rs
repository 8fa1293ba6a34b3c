//! Reads lists of items that are not in the spec: a file for each kind of source.

mod config_map;

use kube::Client;

use crate::core::items::ExternalSource;
use crate::core::port::{Fetch, FetchOutcome};

/// Reads the list.
pub(super) async fn fetch(client: &Client, fetch: &Fetch) -> FetchOutcome {
    match &fetch.source {
        ExternalSource::ConfigMap(source) => config_map::fetch(client, &fetch.task.namespace, source).await,
    }
}
