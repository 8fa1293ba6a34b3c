//! Items from the text of a ConfigMap.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{ItemsError, check_item, too_many};
use crate::api::spec::{ConfigMapItems, ItemFormat};
use crate::core::ids::{Index, ItemCount};

/// The items of a text: kept as they are written, and read when they are wanted.
#[derive(Debug)]
pub struct Lines {
    text: String,
    /// Where each item begins and ends.
    places: Vec<(u32, u32)>,
    /// Whether items are JSON, or else strings.
    json: bool,
}

impl Lines {
    /// Cuts a text into items, and checks each.
    pub fn read(source: &ConfigMapItems, text: &str) -> Result<Self, ItemsError> {
        let place = |what: String| format!("{}/{} {what}", source.name, source.key);
        if source.format == ItemFormat::JsonArray {
            let values: Vec<Value> = serde_json::from_str(text).map_err(|error| ItemsError::Unreadable {
                place: place("is no JSON list".to_owned()),
                message: error.to_string(),
            })?;
            let mut lines = Self { text: String::new(), places: Vec::new(), json: true };
            for (index, value) in values.iter().enumerate() {
                check_item(&|| place(format!("item {index}")), value)?;
                let start = lines.text.len();
                lines.text.push_str(&value.to_string());
                lines.add(start, lines.text.len());
            }
            return lines.bounded();
        }
        let mut lines =
            Self { text: text.to_owned(), places: Vec::new(), json: source.format == ItemFormat::JsonLines };
        let mut start = 0;
        for (number, raw) in text.split_inclusive('\n').enumerate() {
            let line = raw.trim_end_matches(['\n', '\r']);
            if !line.trim().is_empty() {
                let here = || place(format!("line {}", number + 1));
                let value = lines
                    .value(line)
                    .map_err(|error| ItemsError::Unreadable { place: here(), message: error.to_string() })?;
                check_item(&here, &value)?;
                lines.add(start, start + line.len());
            }
            start += raw.len();
        }
        lines.bounded()
    }

    /// Number of items.
    pub fn count(&self) -> ItemCount {
        // Checked when it was read.
        ItemCount::new(self.places.len() as u64).unwrap_or(ItemCount::NONE)
    }

    /// The item; null beyond the list.
    pub fn get(&self, index: Index) -> Value {
        let Some((start, end)) = self.places.get(index.offset()) else { return Value::Null };
        self.value(&self.text[*start as usize..*end as usize]).unwrap_or(Value::Null)
    }

    fn value(&self, line: &str) -> serde_json::Result<Value> {
        if self.json { serde_json::from_str(line) } else { Ok(Value::from(line)) }
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

/// By what a text is known again.
pub fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::items::ItemList;
    use serde_json::json;

    fn list(format: &str, text: &str) -> Result<Vec<Value>, String> {
        let source = json!({ "name": "inputs", "key": "items", "format": format });
        let source: ConfigMapItems = serde_json::from_value(source).unwrap();
        let list = ItemList::from_text(&source, text).map_err(|error| error.to_string())?;
        Ok(list.count().indexes().map(|index| list.get(index)).collect())
    }

    #[test]
    fn each_format_cuts_a_text_into_its_items() {
        assert_eq!(list("Lines", "a\r\n\n  \n b c\n").unwrap(), [json!("a"), json!(" b c")]);
        assert_eq!(
            list("JsonLines", "{\"lr\": 0.10}\n\n7\n\"x\"").unwrap(),
            [json!({ "lr": 0.10 }), json!(7), json!("x")]
        );
        assert_eq!(
            list("JsonArray", "[1,\n{\"a\": [2]}, null]").unwrap(),
            [json!(1), json!({ "a": [2] }), json!(null)]
        );
        assert!(list("Lines", "\n").unwrap().is_empty());
    }

    #[test]
    fn what_can_not_be_read_is_told_with_its_place() {
        let error = list("JsonLines", "1\n\n{oops\n").unwrap_err();
        assert!(error.contains("inputs/items line 3: ") && error.contains("configMap.format"), "{error}");
        let error = list("JsonArray", "{}").unwrap_err();
        assert!(error.contains("inputs/items is no JSON list"), "{error}");
        let error = list("JsonLines", "{\"a-b\": 1, \"a_b\": 2}").unwrap_err();
        assert!(error.contains("line 1") && error.contains("MAPTASK_ITEM_A_B"), "{error}");
    }

    #[test]
    fn a_hash_tells_texts_apart() {
        assert_ne!(hash("a"), hash("b"));
        assert_eq!(hash("").len(), "sha256:".len() + 64);
    }
}
