//! Items from what a pod has written, as the operator has stored it.

use std::fmt;

use super::{Location, Source};
use crate::api::listing::StoredList;
use crate::api::spec::{ItemFormat, PodItems};
use crate::core::items::ItemsError;
use crate::core::items::part::Part;
use crate::core::items::text::{self, Lines};

/// The key of each `ConfigMap` of a list that a pod has written.
pub const LIST_KEY: &str = "items.gz";

/// A list that a pod has written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodList {
    /// How it is stored.
    stored: StoredList,
    /// How the pod has written it.
    format: ItemFormat,
}

impl PodList {
    /// The list, once it is stored.
    pub(super) fn of(pod: &PodItems) -> Option<Self> {
        Some(Self { stored: pod.stored.clone()?, format: pod.format })
    }
}

#[cfg(test)]
impl PodList {
    /// Two lines of seven bytes in one piece, with this hash.
    pub(super) fn example(hash: &str) -> Self {
        let (config_map_prefix, pod_uid) = ("t-items-1-".to_owned(), "u".to_owned());
        let stored =
            StoredList { config_map_prefix, pieces: 1, items: 2, bytes: 7, hash: hash.to_owned(), attempt: 1, pod_uid };
        Self { stored, format: ItemFormat::Lines }
    }
}

impl Source for PodList {
    fn field(&self) -> &'static str {
        "spec.items.pod"
    }

    fn location(&self) -> Location<'_> {
        let name = |number: i32| format!("{}{number}", self.stored.config_map_prefix);
        Location::ConfigMaps { names: (0..self.stored.pieces).map(name).collect(), key: LIST_KEY }
    }

    fn lines(&self, parts: &[Part]) -> Result<Lines, ItemsError> {
        // However it was written, it is stored line by line.
        let format = match self.format {
            ItemFormat::Lines => ItemFormat::Lines,
            ItemFormat::JsonLines | ItemFormat::JsonArray => ItemFormat::JsonLines,
        };
        Lines::read("pod", LIST_KEY, format, parts)
    }

    fn to_restore(&self) -> String {
        format!("restore the ConfigMaps {}0 and following", self.stored.config_map_prefix)
    }

    fn known_hash(&self) -> Option<&str> {
        Some(&self.stored.hash)
    }

    fn known_bytes(&self) -> Option<u64> {
        let StoredList { bytes, items, .. } = self.stored;
        Some(text::memory(u64::try_from(bytes).ok()?, u64::try_from(items).ok()?))
    }
}

impl fmt::Display for PodList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "list of attempt {} of spec.items.pod", self.stored.attempt)
    }
}
