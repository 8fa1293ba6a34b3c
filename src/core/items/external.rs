//! Lists that are not in the spec but elsewhere. A new source is a variant here and a file in `apply/items`.

use std::fmt;

use crate::api::spec::{ConfigMapItems, Items};
use crate::core::items::{ItemList, ItemsError, text};

/// Where a list is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExternalSource {
    /// A key of a `ConfigMap` in the task's namespace.
    ConfigMap(ConfigMapItems),
}

impl ExternalSource {
    /// The source that the spec names, if its list is elsewhere.
    pub fn of(items: &Items) -> Option<Self> {
        items.config_map.clone().map(Self::ConfigMap)
    }

    /// The field of the spec that names it.
    pub fn field(&self) -> &'static str {
        match self {
            Self::ConfigMap(_) => "spec.items.configMap",
        }
    }

    /// The list in these bytes.
    pub fn list(&self, bytes: &[u8]) -> Result<ItemList, ItemsError> {
        match self {
            Self::ConfigMap(source) => Ok(ItemList::from_lines(text::Lines::read(source, bytes)?)),
        }
    }

    /// Which part of it holds the list, in words.
    pub fn part(&self) -> String {
        match self {
            Self::ConfigMap(source) => format!("key {}", source.key),
        }
    }
}

/// What it is, in words: `ConfigMap inputs`.
impl fmt::Display for ExternalSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConfigMap(source) => write!(f, "ConfigMap {}", source.name),
        }
    }
}
