//! Items from the text of ConfigMaps.

use super::encoding::decode;
use super::inflate::{InflateError, inflate};
use super::part::Part;
use super::{ItemsError, check_value, too_many};
use crate::api::json::Json;
use crate::api::spec::ItemFormat;
use crate::core::ids::{Index, ItemCount, MAX_ITEMS};
use crate::text::cut;

/// Most characters of a line that are shown to say which one can't be read.
const SHOWN: usize = 60;
/// Most bytes of the text of a list. The operator keeps it while its task runs.
pub(super) const MAX_TEXT_BYTES: usize = 128 << 20;
/// What editors put at the beginning of a text, and what stays in its midst where texts were joined.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The items of a text: kept as they are written, and read when they are wanted.
#[derive(Debug, PartialEq)]
pub(crate) struct Lines {
    text: String,
    /// Where each item begins and ends.
    places: Vec<(u32, u32)>,
    /// Whether items are JSON, or else strings.
    json: bool,
    /// The field of `spec.items` that they come from.
    field: &'static str,
}

/// The memory that a text of this many bytes takes with this many items, each of which has its place.
pub(super) fn memory(text: u64, items: u64) -> u64 {
    text.saturating_add(items.saturating_mul(size_of::<(u32, u32)>() as u64))
}

impl Lines {
    /// An empty list of JSON.
    pub(super) fn of_json(field: &'static str) -> Self {
        Self { text: String::new(), places: Vec::new(), json: true, field }
    }

    /// The memory that they take.
    pub(super) fn bytes(&self) -> u64 {
        memory(self.text.len() as u64, self.places.len() as u64)
    }

    /// Cuts texts into items, and checks each.
    pub(super) fn read(field: &'static str, key: &str, format: ItemFormat, parts: &[Part]) -> Result<Self, ItemsError> {
        let mut lines = Self { json: format != ItemFormat::Lines, ..Self::of_json(field) };
        for part in parts {
            let place = |what: String| format!("{}/{key} {what}", part.name);
            let unreadable = |message: String| ItemsError::Unreadable {
                field,
                place: place("can't be read as text".to_owned()),
                message,
            };
            let room = MAX_TEXT_BYTES - lines.text.len();
            let text = inflate(&part.bytes, room).map_err(|error| match error {
                InflateError::TooLarge => ItemsError::TextTooLarge(lines.field),
                InflateError::Damaged => {
                    unreadable("it begins like gzip, but is not a whole gzip file: compress it again".to_owned())
                }
            })?;
            let text = decode(&text).map_err(unreadable)?;
            match format {
                ItemFormat::Lines | ItemFormat::JsonLines => lines.add_lines(&text, &place)?,
                ItemFormat::JsonArray => lines.add_array(&text, &place)?,
            }
        }
        Ok(lines)
    }

    fn add_lines(&mut self, text: &str, place: &dyn Fn(String) -> String) -> Result<(), ItemsError> {
        self.text.reserve(text.len());
        for (number, line) in lines_of(text) {
            if line.trim().is_empty() {
                continue;
            }
            let here = || place(format!("line {number}"));
            if self.json {
                let item = Json::parse(line).map_err(|error| ItemsError::Unreadable {
                    field: self.field,
                    place: here(),
                    message: format!("{}: {}", shown(line), reason(&error)),
                })?;
                check_value(&here, &item)?;
            } else {
                check_value(&here, &Json::string(line))?;
            }
            self.add(line)?;
        }
        Ok(())
    }

    fn add_array(&mut self, text: &str, place: &dyn Fn(String) -> String) -> Result<(), ItemsError> {
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let values: Vec<Json> = serde_json::from_str(text).map_err(|error| {
            let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            ItemsError::Unreadable {
                field: self.field,
                place: place("is no JSON list".to_owned()),
                message: format!("line {}: {}: {}", error.line(), shown(line), reason(&error)),
            }
        })?;
        for (index, value) in values.iter().enumerate() {
            check_value(&|| place(format!("item {index}")), value)?;
            self.add(value.text())?;
        }
        Ok(())
    }

    /// Adds an item as it is written.
    pub(super) fn add(&mut self, item: &str) -> Result<(), ItemsError> {
        if self.places.len() as u64 >= u64::from(MAX_ITEMS) {
            return Err(too_many(self.field, format!("more than {MAX_ITEMS} items")));
        }
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let start = self.text.len();
        self.text.push_str(item);
        self.places.push((place(start), place(self.text.len())));
        if self.text.len() > MAX_TEXT_BYTES { Err(ItemsError::TextTooLarge(self.field)) } else { Ok(()) }
    }

    /// Whether items are JSON, or else strings.
    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Number of items.
    pub(crate) fn count(&self) -> ItemCount {
        // Checked when it was read.
        ItemCount::new(self.places.len() as u64).unwrap_or(ItemCount::NONE)
    }

    /// The item; null beyond the list.
    pub(crate) fn get(&self, index: Index) -> Json {
        let Some((start, end)) = self.places.get(index.offset()) else { return Json::null() };
        let line = &self.text[*start as usize..*end as usize];
        if self.json { Json::parse(line).unwrap_or_else(|_| Json::null()) } else { Json::string(line) }
    }
}

/// The lines of a text: their numbers from 1, and what they say. A line ends with LF, CR LF or CR, as
/// the editors of all systems write it, and with nothing else: U+2028, U+2029 and NEL are characters like others.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let line = &rest[..length];
        // Where texts were joined, each has brought its own.
        let found = (number + 1, line.trim_start_matches(BYTE_ORDER_MARK));
        let end = if rest[length..].starts_with("\r\n") { 2 } else { 1 };
        start += (length + end).min(rest.len());
        number += 1;
        Some(found)
    })
}

/// The beginning of a line.
fn shown(line: &str) -> String {
    format!("{:?}", cut(line, SHOWN))
}

/// What is wrong with a text, and where in its line.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    format!("{message} at column {}", error.column())
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
