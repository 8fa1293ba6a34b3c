//! Lists that are not in the spec but elsewhere. Each source is a file beside this one, which implements `Source`;
//! [`ExternalSource`] is the list of them. `apply/items` reads what a source asks for.

mod config_map;
mod pod;
pub mod results_of;

use std::fmt;

use super::hash::hash_of;
use super::part::Part;
use super::text::Lines;
use crate::api::spec::{ConfigMapItems, Items, ResultsOfItems};
use crate::core::items::{ItemList, ItemsError};

pub use pod::{LIST_KEY, PodList};

/// Where a list is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalSource {
    /// A key of `ConfigMaps` in the task's namespace.
    ConfigMap(ConfigMapItems),
    /// The results of another task in the task's namespace.
    ResultsOf(ResultsOfItems),
    /// What a pod has written, as it is stored.
    Pod(PodList),
}

/// What has to be read for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location<'a> {
    /// A key of each of these `ConfigMaps`, in their order.
    ConfigMaps {
        /// Their names.
        names: Vec<String>,
        /// The key in each.
        key: &'a str,
    },
    /// The results of another task.
    Results(&'a ResultsOfItems),
}

/// What a source of items is. `Display` names it in words: `ConfigMap inputs`.
trait Source: fmt::Display {
    /// The field of the spec that names it.
    fn field(&self) -> &'static str;

    /// What has to be read.
    fn location(&self) -> Location<'_>;

    /// The items in these parts, in their order.
    fn lines(&self, parts: &[Part]) -> Result<Lines, ItemsError>;

    /// How to make the list again what it was, in words.
    fn to_restore(&self) -> String;

    /// The hash that the list must have, if that is known before it is read.
    fn known_hash(&self) -> Option<&str> {
        None
    }

    /// The memory that the list takes, if that is known before it is read.
    fn known_bytes(&self) -> Option<u64> {
        None
    }
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
        let pod = || pod.as_ref().and_then(PodList::of).map(Self::Pod);
        config_map.clone().map(Self::ConfigMap).or_else(results_of).or_else(pod)
    }

    fn source(&self) -> &dyn Source {
        match self {
            Self::ConfigMap(source) => source,
            Self::ResultsOf(source) => source,
            Self::Pod(source) => source,
        }
    }

    /// The task whose results are the items of this spec.
    pub fn task_of(items: &Items) -> Option<&str> {
        items.results_of.as_ref().map(|source| source.name.as_str())
    }

    /// The field of the spec that names it.
    pub fn field(&self) -> &'static str {
        self.source().field()
    }

    /// What has to be read.
    pub fn location(&self) -> Location<'_> {
        self.source().location()
    }

    /// The hash that the list must have, if that is known before it is read.
    pub fn known_hash(&self) -> Option<&str> {
        self.source().known_hash()
    }

    /// The memory that the list takes, if that is known before it is read.
    pub fn known_bytes(&self) -> Option<u64> {
        self.source().known_bytes()
    }

    /// How to make the list again what it was, in words.
    pub fn to_restore(&self) -> String {
        self.source().to_restore()
    }

    /// The list in these parts, in their order.
    pub fn read(&self, parts: &[Part]) -> Result<ReadList, ItemsError> {
        let lines = self.source().lines(parts)?;
        Ok(ReadList { items: ItemList::from_lines(lines), hash: hash_of(parts) })
    }
}

/// What it is, in words: `ConfigMap inputs`.
impl fmt::Display for ExternalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source().fmt(f)
    }
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
    fn a_source_names_its_field_and_only_a_list_of_a_pod_is_known_before_it_is_read() {
        let pod = PodList::example("sha256:ab");
        let config_map = source(json!({ "configMap": { "name": "inputs", "key": "k" } }));
        let results_of = source(json!({ "resultsOf": { "name": "first" } }));
        let sources = [config_map, results_of, ExternalSource::Pod(pod)];
        let fields = ["spec.items.configMap", "spec.items.resultsOf", "spec.items.pod"];
        assert_eq!(sources.each_ref().map(ExternalSource::field), fields);
        assert_eq!(sources.each_ref().map(ExternalSource::known_hash), [None, None, Some("sha256:ab")]);
        assert_eq!(sources.each_ref().map(|source| source.known_bytes().is_some()), [false, false, true]);
    }
}
