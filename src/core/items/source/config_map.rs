//! Items from a key of ConfigMaps.

use std::fmt;

use super::{Location, Source};
use crate::api::spec::ConfigMapItems;
use crate::core::items::ItemsError;
use crate::core::items::part::Part;
use crate::core::items::text::Lines;

impl Source for ConfigMapItems {
    fn field(&self) -> &'static str {
        "spec.items.configMap"
    }

    fn location(&self) -> Location<'_> {
        Location::ConfigMaps { names: self.all_names().to_vec(), key: &self.key }
    }

    fn lines(&self, parts: &[Part]) -> Result<Lines, ItemsError> {
        Lines::read("configMap", &self.key, self.format, parts)
    }

    fn to_restore(&self) -> String {
        format!("restore the content of key {}", self.key)
    }
}

impl fmt::Display for ConfigMapItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.all_names() {
            [one] => write!(f, "ConfigMap {one}"),
            [] => write!(f, "ConfigMap"),
            [first, .., last] => write!(f, "{} ConfigMaps ({first} to {last})", self.all_names().len()),
        }
    }
}
