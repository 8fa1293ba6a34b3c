//! Reads the results of another task.

use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;

use super::{NotRead, missing};
use crate::api::ResultSource;
use crate::api::spec::ResultsOfItems;
use crate::apply::results::{Store, Stored, StoredShard};
use crate::apply::status;
use crate::core::ids::TaskKey;
use crate::core::items::Part;
use crate::core::items::source::results_of::{Readiness, readiness};
use crate::core::port::FetchOutcome;

/// Shards that are read at the same time.
const AT_ONCE: usize = 4;

/// The lines of its results, once it has succeeded.
pub(super) async fn read(
    client: &Client,
    results: &dyn Store,
    namespace: &str,
    source: &ResultsOfItems,
) -> Result<Vec<Part>, NotRead> {
    let name = &source.name;
    let key = TaskKey::new(namespace, name.as_str());
    let other = status::get(client, &key).await?;
    let Some(other) = other.filter(|other| !other.deleting) else {
        return Err(NotRead(FetchOutcome::Waits(format!("MapTask {name} does not exist"))));
    };
    let keeps_results = other.spec.results.source != ResultSource::None;
    let shards = match readiness(source, &other.status, keeps_results) {
        Readiness::Ready(shards) => shards,
        Readiness::Waits(words) => return Err(NotRead(FetchOutcome::Waits(words))),
        Readiness::Failed(words) => return Err(NotRead(FetchOutcome::Failed(words))),
    };
    let stored = Stored { key, uid: other.uid, shards: u32::try_from(shards.shards).unwrap_or(0) };
    let part = async |number| {
        let StoredShard { name, lines } = results.get(&stored, number).await?;
        let lines =
            lines.ok_or_else(|| missing(format!("{name} with results of MapTask {} does not exist", source.name)))?;
        Ok::<_, NotRead>(Part::new(name, lines))
    };
    stream::iter(0..stored.shards).map(part).buffered(AT_ONCE).try_collect().await
}
