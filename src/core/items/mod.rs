//! Where inputs come from: the list behind `spec.items`, computed on demand, so that it costs nothing per item.

mod encoding;
pub mod env;
mod fetching;
mod gathering;
mod hash;
mod inflate;
mod part;
pub mod source;
mod survey;
mod text;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::api::json::{Json, MAX_DEPTH};
use crate::api::reasons::ConditionReason;
use crate::api::spec::{Items, Range};
use crate::core::ids::{Index, ItemCount, MAX_ITEMS};

pub use env::item_env;
pub use fetching::Fetching;
pub use gathering::{Gathering, Next, list_prefix};
pub use hash::{Digest, digest, hash, hash_of_digests};
pub use part::Part;
pub use source::{ExternalSource, LIST_KEY, Location, ReadList};

/// Most bytes of `values` or `matrix` as JSON: the object must fit into etcd's 1.5 MB together with its status.
const MAX_LIST_BYTES: usize = 1_000_000;
/// Most keys of a matrix.
const MAX_KEYS: usize = 16;
/// Most bytes of an object's key that becomes part of a variable's name.
pub(super) const MAX_KEY_BYTES: usize = 253;
/// Most bytes of one item as JSON: Linux takes no environment variable over 128 KiB.
const MAX_ITEM_BYTES: usize = 100_000;

/// An accepted list.
#[derive(Clone, Debug, PartialEq)]
pub struct ItemList {
    count: ItemCount,
    source: Source,
}

#[derive(Clone, Debug, PartialEq)]
enum Source {
    Values(Arc<[Json]>),
    Count,
    Range(Range),
    /// Keys in alphabetical order, the last varying fastest.
    Matrix(Arc<BTreeMap<String, Vec<Json>>>),
    /// Lines of a text.
    Text(Arc<text::Lines>),
    /// Of a list elsewhere that has yet to be read again.
    Awaited,
}

/// Why a list is refused.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum ItemsError {
    /// No source, or more than one.
    #[error("spec.items has {0} sources: give exactly one of values, count, range, matrix, configMap, resultsOf, pod")]
    Sources(usize),
    /// More items than a task may have.
    #[error("spec.items.{source_name} has {size}; the limit is {MAX_ITEMS}: split it into several tasks")]
    TooMany {
        /// values, count, range, matrix, configMap, resultsOf or pod.
        source_name: &'static str,
        /// The number of items, and how it comes about.
        size: String,
    },
    /// A list too large for one object.
    #[error(
        "spec.items.{0} has {1} bytes of JSON; the limit is {MAX_LIST_BYTES}: pass references (names, URLs) \
         instead of contents, or split it into several tasks"
    )]
    ListTooLarge(&'static str, usize),
    /// A text too large to be kept while its task runs.
    #[error(
        "spec.items.{0} has more than {most} MiB of text; the limit is {most} MiB: pass references (names, URLs) instead of \
         contents, or split it into several tasks", most = text::MAX_TEXT_BYTES >> 20
    )]
    TextTooLarge(&'static str),
    /// A result of another task that is no JSON.
    #[error(
        "spec.items.resultsOf: {place}: {message}: somebody has changed the ConfigMaps of its results; run that task again"
    )]
    ResultUnreadable {
        /// Which result.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// A text that is not what its format says.
    #[error("spec.items.{field}: {place}: {message}: correct it, or set another spec.items.{field}.format")]
    Unreadable {
        /// configMap or pod.
        field: &'static str,
        /// ConfigMap, key and line.
        place: String,
        /// What is wrong.
        message: String,
    },
    /// An item too large for an environment variable.
    #[error(
        "spec.items: {0} has {1} bytes of JSON; the limit is {MAX_ITEM_BYTES}, since it becomes an \
         environment variable: pass a reference instead of contents"
    )]
    ItemTooLarge(String, usize),
    /// A range that never arrives, or a matrix of nothing.
    #[error("spec.items.{0}")]
    Bad(&'static str),
    /// An item that can't be an environment variable.
    #[error(
        "spec.items: {0} contains a NUL character, which environment variables can't contain: encode it, \
         for example as base64"
    )]
    Nul(String),
    /// An item of too many levels.
    #[error("spec.items: {0} has more than {MAX_DEPTH} nested lists and objects: pass a reference instead of contents")]
    TooDeep(String),
    /// Two keys of an object that become the same variable.
    #[error(
        "spec.items: {place} has the keys {first:?} and {second:?}, which both become the variable {name} that spec.template uses: \
         rename one, or use MAPTASK_ITEM"
    )]
    EnvNameCollision {
        /// Which item, or the matrix.
        place: String,
        /// One key.
        first: String,
        /// The other.
        second: String,
        /// The variable.
        name: String,
    },
    /// A variable of the template that no item has a key for.
    #[error(
        "spec.template uses $({0}), but no item has such a key: write the key of an item in upper case, with _ for all but letters \
         and digits"
    )]
    NoSuchKey(String),
}

impl ItemsError {
    /// The reason of the Accepted condition.
    pub fn reason(&self) -> ConditionReason {
        match self {
            Self::TooMany { .. } => ConditionReason::TooManyItems,
            Self::ListTooLarge(..) | Self::TextTooLarge(_) | Self::ItemTooLarge(..) => ConditionReason::ItemsTooLarge,
            Self::EnvNameCollision { .. } => ConditionReason::EnvNameCollision,
            Self::Sources(_)
            | Self::Bad(_)
            | Self::Unreadable { .. }
            | Self::ResultUnreadable { .. }
            | Self::Nul(_)
            | Self::TooDeep(_) => ConditionReason::InvalidItems,
            Self::NoSuchKey(_) => ConditionReason::NoSuchKey,
        }
    }
}

impl ItemList {
    /// Checks the list: its source, its sizes, and that every item can become environment variables.
    pub fn accept(items: &Items) -> Result<Self, ItemsError> {
        let Items { values, count, range, matrix, config_map, results_of, pod } = items;
        match (values, count, range, matrix) {
            _ if config_map.is_some() => Err(ItemsError::Bad("configMap has not been read")),
            _ if pod.is_some() => Err(ItemsError::Bad("pod has not been run")),
            _ if results_of.is_some() => Err(ItemsError::Bad("resultsOf has not been read")),
            (Some(values), None, None, None) => Self::from_values(values),
            (None, Some(count), None, None) => {
                let size = u64::try_from(*count)
                    .map_err(|_| ItemsError::Bad("count is negative: give the number of items"))?;
                let count = ItemCount::new(size).ok_or_else(|| too_many("count", format!("{size} items")))?;
                Ok(Self { count, source: Source::Count })
            }
            (None, None, Some(range), None) => Self::from_range(*range),
            (None, None, None, Some(matrix)) => Self::from_matrix(matrix),
            _ => {
                let sources = [values.is_some(), count.is_some(), range.is_some(), matrix.is_some()];
                Err(ItemsError::Sources(sources.into_iter().filter(|is_there| *is_there).count()))
            }
        }
    }

    fn from_lines(lines: text::Lines) -> Self {
        Self { count: lines.count(), source: Source::Text(Arc::new(lines)) }
    }

    /// A list with this number of items, whose values are not read yet.
    pub fn awaited(count: ItemCount) -> Self {
        Self { count, source: Source::Awaited }
    }

    /// Whether the items are known.
    pub fn is_known(&self) -> bool {
        !matches!(self.source, Source::Awaited)
    }

    /// The memory that it takes, where it is not in the spec.
    pub fn bytes(&self) -> u64 {
        match &self.source {
            Source::Text(lines) => lines.bytes(),
            Source::Values(_) | Source::Count | Source::Range(_) | Source::Matrix(_) | Source::Awaited => 0,
        }
    }

    /// Number of items.
    pub fn count(&self) -> ItemCount {
        self.count
    }

    /// The item; null beyond the list.
    pub fn get(&self, index: Index) -> Json {
        if index.0 >= self.count.get() {
            return Json::null();
        }
        match &self.source {
            Source::Values(values) => values[index.offset()].clone(),
            Source::Count => Json::integer(i64::from(index.0)),
            Source::Text(lines) => lines.get(index),
            Source::Awaited => Json::null(),
            Source::Range(range) => {
                let number = i128::from(range.start) + i128::from(range.step) * i128::from(index.0);
                i64::try_from(number).map_or_else(|_| Json::null(), Json::integer)
            }
            Source::Matrix(matrix) => {
                let mut rest = index.offset();
                let mut entries = Vec::with_capacity(matrix.len());
                for (key, axis) in matrix.iter().rev() {
                    entries.push((key.as_str(), &axis[rest % axis.len()]));
                    rest /= axis.len();
                }
                entries.reverse();
                Json::object(entries)
            }
        }
    }

    fn from_values(values: &[Json]) -> Result<Self, ItemsError> {
        let size = values.len() as u64;
        let count = ItemCount::new(size).ok_or_else(|| too_many("values", format!("{size} items")))?;
        let mut bytes = 0;
        for (index, value) in values.iter().enumerate() {
            bytes += check_value(&|| format!("item {index}"), value)? + 1;
        }
        if bytes > MAX_LIST_BYTES {
            return Err(ItemsError::ListTooLarge("values", bytes));
        }
        Ok(Self { count, source: Source::Values(values.into()) })
    }

    fn from_range(range: Range) -> Result<Self, ItemsError> {
        let Range { start, stop, step } = range;
        if step == 0 {
            return Err(ItemsError::Bad("range.step is 0: give the distance from one number to the next"));
        }
        let distance = (i128::from(stop) - i128::from(start)) * i128::from(step.signum());
        let size = u128::try_from(distance).unwrap_or(0).div_ceil(u128::from(step.unsigned_abs()));
        let count = u64::try_from(size).ok().and_then(ItemCount::new);
        let count = count.ok_or_else(|| too_many("range", format!("{size} items")))?;
        Ok(Self { count, source: Source::Range(range) })
    }

    fn from_matrix(matrix: &BTreeMap<String, Vec<Json>>) -> Result<Self, ItemsError> {
        if matrix.is_empty() {
            return Err(ItemsError::Bad("matrix has no keys: give at least one list"));
        }
        if matrix.len() > MAX_KEYS {
            return Err(ItemsError::Bad(
                "matrix has more than 16 keys: combine several into one, as a list of objects",
            ));
        }
        let is_empty = matrix.values().any(Vec::is_empty);
        let product = matrix.values().try_fold(1u64, |size, axis| size.checked_mul(axis.len() as u64));
        let size = if is_empty { Some(0) } else { product };
        let count = size.and_then(ItemCount::new).ok_or_else(|| {
            let factors: Vec<String> = matrix.values().map(|axis| axis.len().to_string()).collect();
            let product = size.map_or("more than 2^64".to_owned(), |size| size.to_string());
            too_many("matrix", format!("{product} items ({})", factors.join(" × ")))
        })?;
        let mut bytes = 0;
        let mut largest = 0;
        for (key, axis) in matrix {
            let mut largest_here = 0;
            for (place, value) in axis.iter().enumerate() {
                let size = check_value(&|| format!("matrix.{key}[{place}]"), value)?;
                bytes += size + 1;
                largest_here = largest_here.max(size);
            }
            largest += largest_here;
        }
        if bytes > MAX_LIST_BYTES {
            return Err(ItemsError::ListTooLarge("matrix", bytes));
        }
        if largest > MAX_ITEM_BYTES {
            return Err(ItemsError::ItemTooLarge("the largest item of the matrix".to_owned(), largest));
        }
        Ok(Self { count, source: Source::Matrix(Arc::new(matrix.clone())) })
    }
}

fn too_many(source_name: &'static str, size: String) -> ItemsError {
    ItemsError::TooMany { source_name, size }
}

/// The size of a value as JSON, if it can be an environment variable.
fn check_value(place: &dyn Fn() -> String, value: &Json) -> Result<usize, ItemsError> {
    let bytes = value.text().len();
    if bytes > MAX_ITEM_BYTES {
        return Err(ItemsError::ItemTooLarge(place(), bytes));
    }
    if value.depth() > MAX_DEPTH {
        return Err(ItemsError::TooDeep(place()));
    }
    if env::holds_nul(value) {
        return Err(ItemsError::Nul(place()));
    }
    Ok(bytes)
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
