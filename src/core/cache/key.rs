//! Which items count as the same? What an item computes is in its key; when, where and how often it runs is not.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::CacheId;
use crate::api::Json;
use crate::api::spec::{MapTaskSpec, OnTooLarge};
use crate::core::ids::TaskKey;
use crate::core::pod::canonical::canonical;

/// Characters of a key as text.
pub const KEY_CHARACTERS: usize = 22;

/// The first half of a SHA-256: no two of 2^48 items share one, but by a chance of 1 in 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// Half of it, where two that are the same by chance do no harm.
    pub fn short(self) -> u64 {
        self.0.first_chunk().map_or(0, |half| u64::from_le_bytes(*half))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Fields of a pod that say where, when and under which watch it runs, and not what it does. What is not in these lists
/// is part of the key: an item that runs once too often is better than a wrong result.
const SCHEDULING: [&str; 16] = [
    "activeDeadlineSeconds",
    "affinity",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "resources",
    "restartPolicy",
    "schedulerName",
    "schedulingGates",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
];
/// Fields of a container that do not change what an item computes.
const WATCHING: [&str; 6] =
    ["imagePullPolicy", "livenessProbe", "readinessProbe", "resizePolicy", "resources", "startupProbe"];

/// From items to keys, for one task.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The cache.
    pub id: CacheId,
    /// Whether an item that another task computes is waited for.
    pub serialize: bool,
    /// All that is the same for every item.
    prefix: Sha256,
}

impl Keys {
    /// As the spec asks for, if it asks for a cache.
    pub fn of(task: &TaskKey, spec: &MapTaskSpec) -> Option<Self> {
        let cache = spec.cache.as_ref()?;
        let name = cache.name.as_deref().map_or_else(|| task.name.clone(), Into::into);
        let id = CacheId { namespace: task.namespace.clone(), name };
        let mut prefix = Sha256::new();
        let mut add = |part: &str| {
            prefix.update((part.len() as u64).to_le_bytes());
            prefix.update(part.as_bytes());
        };
        add("maptask cache 2");
        add(&id.namespace);
        add(&id.name);
        add(&cache.version);
        // A result that was cut is another one than the whole.
        let cut = spec.results.on_too_large == OnTooLarge::Truncate;
        add(&if cut { spec.results.max_bytes_per_item.to_string() } else { String::new() });
        if !cache.ignore_template {
            add(&essence(&spec.template).to_string());
            add(spec.container.as_deref().unwrap_or_default());
            let artifacts = spec.artifacts.as_ref();
            add(artifacts.map_or("", |artifacts| &artifacts.volume));
            add(artifacts.map_or("", |artifacts| &artifacts.path));
        }
        Some(Self { id, serialize: cache.serialize, prefix })
    }

    /// The key of an item.
    ///
    /// Two that differ in the text of a number only, as 1 and 1.0 do, have two: a program sees the text, and an item
    /// that runs once too often is better than a wrong result. White space, the order of keys and escapes make no
    /// difference.
    pub fn key(&self, item: &Json) -> Key {
        let digest = self.prefix.clone().chain_update(item.canonical()).finalize();
        let mut key = [0; 16];
        key.copy_from_slice(&digest[..16]);
        Key(key)
    }
}

/// A template without its labels, annotations and scheduling, however it is written. Keys of objects are in order, as
/// `serde_json` keeps them.
fn essence(template: &Value) -> Value {
    let mut spec = canonical(template)["spec"].take();
    if let Value::Object(spec) = &mut spec {
        spec.retain(|field, _| !SCHEDULING.contains(&field.as_str()));
        for containers in ["containers", "initContainers"] {
            let containers = spec.get_mut(containers).and_then(Value::as_array_mut);
            for container in containers.into_iter().flatten().filter_map(Value::as_object_mut) {
                container.retain(|field, _| !WATCHING.contains(&field.as_str()));
            }
        }
    }
    spec
}

#[cfg(test)]
#[path = "key_tests.rs"]
mod tests;
