//! Reads the results of another task.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::{NotRead, missing};
use crate::api::ResultSource;
use crate::api::labels::CONTROLLER_UID;
use crate::api::spec::ResultsOfItems;
use crate::apply::results::KEY;
use crate::apply::{config_map, status};
use crate::core::ids::TaskKey;
use crate::core::items::Part;
use crate::core::items::results_of::{Readiness, readiness};
use crate::core::pod::ResultNames;
use crate::core::port::FetchOutcome;

/// ConfigMaps that are read at the same time.
const AT_ONCE: usize = 4;

/// The lines of its results, once it has succeeded.
pub(super) async fn read(client: &Client, namespace: &str, source: &ResultsOfItems) -> Result<Vec<Part>, NotRead> {
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
    let count = u32::try_from(shards.shards).unwrap_or(0);
    let all = ResultNames::new(name, count);
    let names = (0..count).map(|number| all.name(number));
    let uid = other.uid.as_str();
    let part = |name: String| async move {
        let found = config_map::get(client, namespace, &name).await?;
        let ours = |map: &ConfigMap| {
            map.metadata.labels.as_ref().and_then(|labels| labels.get(CONTROLLER_UID)).is_none_or(|owner| owner == uid)
        };
        let found = found.filter(ours);
        let found = found.ok_or_else(|| {
            missing(format!("ConfigMap {name} with results of MapTask {} does not exist", source.name))
        })?;
        let text = found.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
        Ok::<_, NotRead>(Part::new(name, text))
    };
    stream::iter(names).map(part).buffered(AT_ONCE).try_collect().await
}
