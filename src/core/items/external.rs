//! Lists that are not in the spec but elsewhere. A new source is a variant here, a file beside this one that makes
//! items of what was read, and one in `apply/items` that reads it.

use std::fmt::{self, Write};

use sha2::{Digest as _, Sha256};

use super::part::Part;
use super::results_of;
use super::text::{self, Lines};
use crate::api::listing::StoredList;
use crate::api::spec::{ConfigMapItems, ItemFormat, Items, ResultsOfItems};
use crate::core::items::{ItemList, ItemsError};

/// Where a list is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalSource {
    /// A key of `ConfigMaps` in the task's namespace.
    ConfigMap(ConfigMapItems),
    /// The results of another task in the task's namespace.
    ResultsOf(ResultsOfItems),
    /// What a pod has written, as it is stored.
    Pod(StoredList, ItemFormat),
}

/// A list that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct ReadList {
    /// The items.
    pub items: ItemList,
    /// By what the list is known again.
    pub hash: String,
}

impl ExternalSource {
    /// The source that the spec names, if its list is elsewhere.
    pub fn of(items: &Items) -> Option<Self> {
        let Items { config_map, results_of, pod, values: _, count: _, range: _, matrix: _ } = items;
        let results_of = || results_of.clone().map(Self::ResultsOf);
        let pod = || pod.as_ref().and_then(|pod| Some(Self::Pod(pod.stored.clone()?, pod.format)));
        config_map.clone().map(Self::ConfigMap).or_else(results_of).or_else(pod)
    }

    /// The field of the spec that names it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::ConfigMap(_) => "spec.items.configMap",
            Self::ResultsOf(_) => "spec.items.resultsOf",
            Self::Pod(..) => "spec.items.pod",
        }
    }

    /// The task whose results are the items of this spec.
    pub fn task_of(items: &Items) -> Option<&str> {
        items.results_of.as_ref().map(|source| source.name.as_str())
    }

    /// The `ConfigMaps` that it is in, in their order, where their names are known, and the key in each.
    pub fn config_maps(&self) -> Option<(Vec<String>, &str)> {
        match self {
            Self::ConfigMap(source) => Some((source.all_names().to_vec(), &source.key)),
            Self::Pod(list, _) => {
                let name = |number: i32| format!("{}{number}", list.config_map_prefix);
                Some(((0..list.pieces).map(name).collect(), LIST_KEY))
            }
            Self::ResultsOf(_) => None,
        }
    }

    /// The hash that the list must have, if that is known before it is read.
    pub fn known_hash(&self) -> Option<&str> {
        match self {
            Self::Pod(list, _) => Some(&list.hash),
            Self::ConfigMap(_) | Self::ResultsOf(_) => None,
        }
    }

    /// The memory that the list takes, if that is known before it is read.
    pub fn known_bytes(&self) -> Option<u64> {
        match self {
            Self::Pod(list, _) => Some(text::memory(u64::try_from(list.bytes).ok()?, u64::try_from(list.items).ok()?)),
            Self::ConfigMap(_) | Self::ResultsOf(_) => None,
        }
    }

    /// The list in these parts, in their order.
    pub fn read(&self, parts: &[Part]) -> Result<ReadList, ItemsError> {
        let lines = match self {
            Self::ConfigMap(source) => Lines::read("configMap", &source.key, source.format, parts)?,
            Self::ResultsOf(source) => results_of::lines(source, parts)?,
            // However it was written, it is stored line by line.
            Self::Pod(_, ItemFormat::Lines) => Lines::read("pod", LIST_KEY, ItemFormat::Lines, parts)?,
            Self::Pod(..) => Lines::read("pod", LIST_KEY, ItemFormat::JsonLines, parts)?,
        };
        Ok(ReadList { items: ItemList::from_lines(lines), hash: hash_of(parts) })
    }

    /// How to make the list again what it was, in words.
    pub fn to_restore(&self) -> String {
        match self {
            Self::ConfigMap(source) => format!("restore the content of key {}", source.key),
            Self::ResultsOf(source) => format!("restore the results of MapTask {}", source.name),
            Self::Pod(list, _) => format!("restore the ConfigMaps {}0 and following", list.config_map_prefix),
        }
    }
}

/// What it is, in words: `ConfigMap inputs`.
impl fmt::Display for ExternalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(source) => match source.all_names() {
                [one] => write!(f, "ConfigMap {one}"),
                [] => write!(f, "ConfigMap"),
                [first, .., last] => write!(f, "{} ConfigMaps ({first} to {last})", source.all_names().len()),
            },
            Self::ResultsOf(source) => write!(f, "results of MapTask {}", source.name),
            Self::Pod(list, _) => write!(f, "list of attempt {} of spec.items.pod", list.attempt),
        }
    }
}

/// The key of each `ConfigMap` of a list that a pod has written.
pub const LIST_KEY: &str = "items.gz";

/// The SHA-256 of a part.
pub type Digest = [u8; 32];

/// The SHA-256 of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

fn hash_of(parts: &[Part]) -> String {
    hash_of_digests(&parts.iter().map(|part| digest(&part.bytes)).collect::<Vec<_>>())
}

/// By what a list is known again. Of one part it is the hash of its bytes; of several, that of their hashes.
pub fn hash_of_digests(digests: &[Digest]) -> String {
    match digests {
        [one] => hex(one),
        all => hash(all.as_flattened()),
    }
}

/// By what bytes are known again.
pub fn hash(bytes: &[u8]) -> String {
    hex(&digest(bytes))
}

fn hex(digest: &Digest) -> String {
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn source(items: serde_json::Value) -> ExternalSource {
        ExternalSource::of(&serde_json::from_value(items).unwrap()).unwrap()
    }

    #[test]
    fn a_source_is_named_in_words() {
        let of = |map: serde_json::Value| source(json!({ "configMap": map })).to_string();
        assert_eq!(of(json!({ "name": "inputs", "key": "k" })), "ConfigMap inputs");
        assert_eq!(of(json!({ "names": ["a"], "key": "k" })), "ConfigMap a");
        assert_eq!(of(json!({ "names": ["a", "c", "b"], "key": "k" })), "3 ConfigMaps (a to b)");
        let items: Items = serde_json::from_value(json!({ "resultsOf": { "name": "first" } })).unwrap();
        let words = ExternalSource::of(&items).unwrap().to_string();
        assert_eq!((words.as_str(), ExternalSource::task_of(&items)), ("results of MapTask first", Some("first")));
    }

    #[test]
    fn lists_differ_by_their_bytes_and_by_where_they_are_divided() {
        let part = |text: &str| Part::new("x", text);
        assert_eq!(
            hash_of(&[part("abc")]),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "as sha256sum has it"
        );
        let all =
            [hash_of(&[]), hash_of(&[part("ab")]), hash_of(&[part("a"), part("b")]), hash_of(&[part("b"), part("a")])];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
