//! Reads lists of items that are not in the spec: a file for each kind of location.

mod config_map;
mod piece;
mod results_of;

use kube::Client;
pub(super) use piece::store;
use tokio::sync::Semaphore;

use crate::apply::request::Failure;
use crate::apply::results::Store;
use crate::core::items::{ExternalSource, Location};
use crate::core::port::FetchOutcome;

/// Why there are no items.
struct NotRead(FetchOutcome);

impl From<Failure> for NotRead {
    fn from(failure: Failure) -> Self {
        Self(FetchOutcome::Indeterminate(failure.to_string()))
    }
}

fn missing(message: String) -> NotRead {
    NotRead(FetchOutcome::Missing(message))
}

/// Lists that are read at once: each may take a hundred megabytes before the core says whether there is room.
static READS: Semaphore = Semaphore::const_new(2);

/// Reads the list of a task in this namespace; `results` has those of other tasks.
pub async fn fetch_items(
    client: &Client,
    results: &dyn Store,
    namespace: &str,
    source: &ExternalSource,
) -> FetchOutcome {
    // An error would mean that it is closed, which nobody does.
    let _turn = READS.acquire().await.ok();
    let parts = match source.location() {
        Location::ConfigMaps { names, key } => config_map::read(client, namespace, names, key).await,
        Location::Results(of) => results_of::read(client, results, namespace, of).await,
    };
    let parts = match parts {
        Ok(parts) => parts,
        Err(NotRead(outcome)) => return outcome,
    };
    let source = source.clone();
    // A million lines take a second, in which the core has other tasks to care for.
    match tokio::task::spawn_blocking(move || source.read(&parts)).await {
        Ok(Ok(list)) => FetchOutcome::Found(list),
        Ok(Err(error)) => FetchOutcome::Invalid(error),
        Err(error) => FetchOutcome::Indeterminate(error.to_string()),
    }
}
