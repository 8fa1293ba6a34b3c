//! Items from the text of a ConfigMap.

use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::encoding::decode;
use super::{ItemsError, check_value, too_many};
use crate::api::json::Json;
use crate::api::spec::{ConfigMapItems, ItemFormat};
use crate::core::ids::{Index, ItemCount};
use crate::text::cut;

/// Most characters of a line that are shown to say which one can't be read.
const SHOWN: usize = 60;
/// What editors put at the beginning of a text, and what stays in its midst where texts were joined.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The items of a text: kept as they are written, and read when they are wanted.
#[derive(Debug)]
pub(crate) struct Lines {
    text: String,
    /// Where each item begins and ends.
    places: Vec<(u32, u32)>,
    /// Whether items are JSON, or else strings.
    json: bool,
}

impl Lines {
    /// Cuts a text into items, and checks each.
    pub(crate) fn read(source: &ConfigMapItems, bytes: &[u8]) -> Result<Self, ItemsError> {
        let place = |what: String| format!("{}/{} {what}", source.name, source.key);
        let text = decode(bytes)
            .map_err(|message| ItemsError::Unreadable { place: place("can't be read as text".to_owned()), message })?;
        if source.format == ItemFormat::JsonArray {
            return Self::of_array(&text, &place);
        }
        let json = source.format == ItemFormat::JsonLines;
        let mut lines = Self { text: String::new(), places: Vec::new(), json };
        let mut places = Vec::new();
        for (number, start, line) in lines_of(&text) {
            if line.trim().is_empty() {
                continue;
            }
            let here = || place(format!("line {number}"));
            let item = if json {
                Json::parse(line).map_err(|error| ItemsError::Unreadable {
                    place: here(),
                    message: format!("{}: {}", shown(line), reason(&error)),
                })?
            } else {
                Json::string(line)
            };
            check_value(&here, &item)?;
            places.push((start, start + line.len()));
        }
        lines.text = text.into_owned();
        for (start, end) in places {
            lines.add(start, end);
        }
        lines.bounded()
    }

    fn of_array(text: &str, place: &dyn Fn(String) -> String) -> Result<Self, ItemsError> {
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let values: Vec<Json> = serde_json::from_str(text).map_err(|error| {
            let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            ItemsError::Unreadable {
                place: place("is no JSON list".to_owned()),
                message: format!("line {}: {}: {}", error.line(), shown(line), reason(&error)),
            }
        })?;
        let mut lines = Self { text: String::new(), places: Vec::new(), json: true };
        for (index, value) in values.iter().enumerate() {
            check_value(&|| place(format!("item {index}")), value)?;
            let start = lines.text.len();
            lines.text.push_str(value.text());
            lines.add(start, lines.text.len());
        }
        lines.bounded()
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

    fn add(&mut self, start: usize, end: usize) {
        let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.places.push((place(start), place(end)));
    }

    fn bounded(self) -> Result<Self, ItemsError> {
        let size = self.places.len();
        match ItemCount::new(size as u64) {
            Some(_) => Ok(self),
            None => Err(too_many("configMap", format!("{size} items"))),
        }
    }
}

/// The lines of a text: their numbers from 1, where they begin, and what they say. A line ends with LF, CR LF or CR, as
/// the editors of all systems write it, and with nothing else: U+2028, U+2029 and NEL are characters like others.
fn lines_of(text: &str) -> impl Iterator<Item = (usize, usize, &str)> {
    let mut start = 0;
    let mut number = 0;
    std::iter::from_fn(move || {
        let rest = text.get(start..).filter(|rest| !rest.is_empty())?;
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len());
        let line = &rest[..length];
        // Where texts were joined, each has brought its own.
        let mark = line.len() - line.trim_start_matches(BYTE_ORDER_MARK).len();
        let found = (number + 1, start + mark, &line[mark..]);
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

/// By what a text is known again.
pub fn hash(text: &[u8]) -> String {
    let digest = Sha256::digest(text);
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
