//! Reads the ConfigMaps of a task's items.

use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use super::{NotRead, missing};
use crate::apply::config_map;
use crate::core::items::Part;

/// ConfigMaps that are read at the same time.
const AT_ONCE: usize = 4;

/// The content of the key of each.
pub(super) async fn read(
    client: &Client,
    namespace: &str,
    names: Vec<String>,
    key: &str,
) -> Result<Vec<Part>, NotRead> {
    let part = |name: String| async move { part(client, namespace, name, key).await };
    stream::iter(names).map(part).buffered(AT_ONCE).try_collect().await
}

async fn part(client: &Client, namespace: &str, name: String, key: &str) -> Result<Part, NotRead> {
    let found = config_map::get(client, namespace, &name).await?;
    let found = found.ok_or_else(|| missing(format!("ConfigMap {name} does not exist")))?;
    match content_of(found, key) {
        Some(bytes) => Ok(Part { name, bytes }),
        None => Err(missing(format!("ConfigMap {name} has no key {key}"))),
    }
}

/// The bytes of the key. What is not UTF-8, such as UTF-16 or gzip, `kubectl create configmap --from-file` puts into
/// `binaryData`.
fn content_of(found: ConfigMap, key: &str) -> Option<Vec<u8>> {
    let text = found.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
    text.or_else(|| found.binary_data.and_then(|mut data| data.remove(key)).map(|bytes| bytes.0))
}
