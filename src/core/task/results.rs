//! What an item's result looks like as a line, and which ConfigMap the line goes to.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::core::ids::{Index, ItemCount};

/// The line of an item that has no result.
pub const NO_RESULT: &str = "null";
/// Bytes of lines in one ConfigMap: an object may have about a megabyte, and this leaves room for its metadata.
const SHARD_BYTES: u32 = 900_000;

/// How the results of a task are cut into ConfigMaps by index range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    max_bytes_per_item: u32,
    count: ItemCount,
}

/// The lines to be put into one ConfigMap, by their place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the ConfigMap.
    pub number: u32,
    /// How many lines the whole shard has.
    pub lines_in_all: u32,
    /// Line number in the shard, from 0, and the line.
    pub lines: BTreeMap<u32, String>,
}

impl Layout {
    /// A layout for lines of at most `max_bytes_per_item` bytes.
    pub fn new(max_bytes_per_item: u32, count: ItemCount) -> Self {
        Self { max_bytes_per_item, count }
    }

    /// Most bytes of a line.
    pub fn max_bytes_per_item(self) -> u32 {
        self.max_bytes_per_item
    }

    /// Lines in one ConfigMap.
    pub fn items_per_shard(self) -> u32 {
        (SHARD_BYTES / (self.max_bytes_per_item + 1)).max(1)
    }

    /// ConfigMaps of the whole list.
    pub fn shards(self) -> u32 {
        self.count.get().div_ceil(self.items_per_shard())
    }

    /// The line of a termination message: itself if it is JSON, else a JSON string. Its size if that is too long.
    pub fn line(self, message: &str) -> Result<String, usize> {
        let line = line_of(message);
        if line.len() <= self.max_bytes_per_item as usize { Ok(line) } else { Err(line.len()) }
    }

    /// The lines by the ConfigMap they belong to.
    pub fn shard(self, lines: &BTreeMap<Index, String>) -> Vec<Shard> {
        let per_shard = self.items_per_shard();
        let mut shards: Vec<Shard> = Vec::new();
        for (index, line) in lines {
            let number = index.0 / per_shard;
            if shards.last().is_none_or(|s| s.number != number) {
                let lines_in_all = per_shard.min(self.count.get() - number * per_shard);
                shards.push(Shard { number, lines_in_all, lines: BTreeMap::new() });
            }
            if let Some(shard) = shards.last_mut() {
                shard.lines.insert(index.0 % per_shard, line.clone());
            }
        }
        shards
    }
}

impl Shard {
    /// The ConfigMap's text with these lines in their places; the others stay as `old` has them.
    pub fn merge(&self, old: &str) -> String {
        let mut lines: Vec<&str> = old.lines().collect();
        lines.resize(self.lines_in_all as usize, NO_RESULT);
        for (place, line) in &self.lines {
            if let Some(slot) = lines.get_mut(*place as usize) {
                *slot = line;
            }
        }
        let mut text = lines.join("\n");
        text.push('\n');
        text
    }
}

fn line_of(message: &str) -> String {
    let message = message.trim();
    if message.is_empty() {
        NO_RESULT.to_owned()
    } else if serde_json::from_str::<IgnoredAny>(message).is_ok() {
        // Raw line breaks can only be white space between the tokens of valid JSON.
        message.replace(['\n', '\r'], " ")
    } else {
        serde_json::Value::from(message).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(max_bytes: u32, count: u64) -> Layout {
        Layout::new(max_bytes, ItemCount::new(count).unwrap())
    }

    #[test]
    fn json_stays_as_it_is_and_other_text_becomes_a_string() {
        let layout = layout(100, 1);
        assert_eq!(layout.line(r#"{"b": 1,  "a": 1.50}"#).unwrap(), r#"{"b": 1,  "a": 1.50}"#);
        assert_eq!(layout.line("{\n\"a\":\n1}\n").unwrap(), "{ \"a\": 1}");
        assert_eq!(layout.line("done: \"3\"\nok").unwrap(), r#""done: \"3\"\nok""#);
        assert_eq!(layout.line(" \n").unwrap(), "null");
    }

    #[test]
    fn a_line_that_is_too_long_is_told_with_its_size() {
        assert_eq!(layout(5, 1).line("123456"), Err(6));
        assert_eq!(layout(5, 1).line("abcd"), Err(6), "the quotes count");
    }

    #[test]
    fn lines_go_to_the_shard_of_their_index_range() {
        let layout = layout(1024, 2_000);
        assert_eq!((layout.items_per_shard(), layout.shards()), (878, 3));
        let lines = [0, 877, 878, 1_999].map(|i| (Index(i), i.to_string())).into();
        let shards = layout.shard(&lines);
        let shape: Vec<_> = shards.iter().map(|s| (s.number, s.lines_in_all, s.lines.len())).collect();
        assert_eq!(shape, [(0, 878, 2), (1, 878, 1), (2, 244, 1)]);
        assert_eq!(shards[2].lines.keys().copied().collect::<Vec<_>>(), [243]);
    }

    #[test]
    fn merging_keeps_the_other_lines_and_is_idempotent() {
        let shard = Shard { number: 0, lines_in_all: 3, lines: [(1, "7".to_owned())].into() };
        let first = shard.merge("");
        assert_eq!(first, "null\n7\nnull\n");
        assert_eq!(shard.merge("1\nnull\n\"x\"\n"), "1\n7\n\"x\"\n");
        assert_eq!(shard.merge(&first), first);
    }

    #[test]
    fn a_shard_stays_below_the_size_of_an_object() {
        for max_bytes in [1, 100, 1024, 4096] {
            let layout = layout(max_bytes, 1_000_000);
            assert!(layout.items_per_shard() * (max_bytes + 1) <= SHARD_BYTES);
        }
    }
}
