//! Reads the ConfigMap of a task's items.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Client;

use crate::api::spec::ConfigMapItems;
use crate::apply::config_map;
use crate::core::port::FetchOutcome;

/// The text of the key.
pub(super) async fn fetch(client: &Client, namespace: &str, source: &ConfigMapItems) -> FetchOutcome {
    let ConfigMapItems { name, key, .. } = source;
    match config_map::get(client, namespace, name).await {
        Ok(Some(found)) => match text_of(found, key) {
            Some(text) => FetchOutcome::Found(text),
            None => FetchOutcome::Missing(format!("ConfigMap {name} has no key {key}")),
        },
        Ok(None) => FetchOutcome::Missing(format!("ConfigMap {name} does not exist")),
        Err(failure) => FetchOutcome::Indeterminate(failure.to_string()),
    }
}

/// The bytes of the key. What is not UTF-8, such as UTF-16, `kubectl create configmap --from-file` puts into
/// `binaryData`.
fn text_of(found: ConfigMap, key: &str) -> Option<Vec<u8>> {
    let text = found.data.and_then(|mut data| data.remove(key)).map(String::into_bytes);
    text.or_else(|| found.binary_data.and_then(|mut data| data.remove(key)).map(|bytes| bytes.0))
}
