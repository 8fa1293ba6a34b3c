//! What an item's result looks like as a line, and which ConfigMap the line goes to.

pub mod keeping;
mod known_damage;
pub mod places;
pub mod shown;

pub use known_damage::KnownDamage;

use std::collections::BTreeMap;

use serde::de::IgnoredAny;

use crate::api::spec::{OnTooLarge, ResultSource, Results};
use crate::core::ids::{Index, ItemCount};
use crate::core::pod::ResultNames;
use crate::core::results::places::Places;

/// The line of an item that has no result.
pub const NO_RESULT: &str = "null";
/// Bytes of lines in one ConfigMap. A round of results writes the whole ConfigMap, however few lines are new.
const SHARD_BYTES: u32 = 256_000;
/// Where that would make more ConfigMaps than this, they are larger.
const MANY_SHARDS: u32 = 1_000;
/// Bytes of lines in one of many ConfigMaps: an object may have about a megabyte, and this leaves room for its
/// metadata.
const LARGE_SHARD_BYTES: u32 = 900_000;

/// Most bytes that the results of a task may take: half of what etcd holds by default. A million items have
/// that with the default of `maxBytesPerItem`.
pub const MAX_TOTAL_BYTES: u64 = 1 << 30;

/// Most bytes of a reduce's result: less than 4096 arrive whole, and each takes up to six in a JSON string.
const REDUCE_BYTES: u32 = 6 * 4_096 + 2;

/// How the results of a task are cut into ConfigMaps by index range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    max_bytes_per_item: u32,
    truncate: bool,
    count: ItemCount,
}

/// The lines to be put into one ConfigMap, by their place in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shard {
    /// The number of the ConfigMap, from 0.
    pub number: u32,
    /// How many ConfigMaps the whole list takes.
    pub of: u32,
    /// How many lines the whole shard has.
    pub lines_in_all: u32,
    /// The item of its first line.
    pub first: u32,
    /// Line number in the shard, from 0, and the line.
    pub lines: BTreeMap<u32, String>,
    /// Places of lines that are stored, as the record says.
    pub stored: Places,
    /// Places of those that are known to have been changed or deleted since.
    pub damaged: Places,
    /// Which list the items are of: `status.attemptBase`, 0 for the first one. Lines of another list are replaced.
    pub list: u32,
    /// It is one of a former list, which is emptied if it is there.
    pub former: bool,
}

impl Layout {
    /// The layout that the spec asks for; `None` when nothing is kept.
    pub fn of(spec: &Results, count: ItemCount) -> Option<Self> {
        match spec.source {
            ResultSource::None => None,
            ResultSource::TerminationMessage => Some(Self {
                // A line says `null` where there is no result.
                max_bytes_per_item: u32::try_from(spec.max_bytes_per_item).unwrap_or(0).max(4),
                truncate: spec.on_too_large == OnTooLarge::Truncate,
                count,
            }),
        }
    }

    /// That of what a reduce says, which has the room that a kubelet gives a message.
    pub fn of_reduce() -> Self {
        Self { max_bytes_per_item: REDUCE_BYTES, truncate: false, count: ItemCount::ONE }
    }

    /// Most bytes of a line.
    pub fn max_bytes_per_item(self) -> u32 {
        self.max_bytes_per_item
    }

    /// The bytes that the results of all items may take, with the end of each line.
    pub fn total_bytes(self) -> u64 {
        u64::from(self.count.get()) * u64::from(self.max_bytes_per_item + 1)
    }

    /// Whether the end of what is too long is kept.
    pub fn truncates(self) -> bool {
        self.truncate
    }

    /// Lines in one ConfigMap.
    pub fn items_per_shard(self) -> u32 {
        let lines = |bytes: u32| (bytes / (self.max_bytes_per_item + 1)).max(1);
        let small = lines(SHARD_BYTES);
        if self.count.get().div_ceil(small) <= MANY_SHARDS { small } else { lines(LARGE_SHARD_BYTES) }
    }

    /// ConfigMaps of the whole list.
    pub fn shards(self) -> u32 {
        self.count.get().div_ceil(self.items_per_shard())
    }

    /// The line of a termination message: itself if it is JSON, else a JSON string; its end, if it is too long and may
    /// be cut, else its size.
    pub fn line(self, message: &str) -> Result<String, usize> {
        let line = line_of(message);
        if line.len() <= self.max_bytes_per_item as usize {
            return Ok(line);
        }
        self.end_of(message.trim(), line.len())
    }

    /// The line of a message that the kubelet cut to its end: it is too long, whatever is left of it.
    pub fn line_of_cut(self, message: &str) -> Result<String, usize> {
        // The halves of characters that this left are read as replacement characters.
        self.end_of(message.trim().trim_matches(char::REPLACEMENT_CHARACTER), line_of(message).len())
    }

    fn end_of(self, message: &str, size: usize) -> Result<String, usize> {
        if self.truncate { Ok(end_string(message, self.max_bytes_per_item as usize)) } else { Err(size) }
    }

    fn empty_shard(self, number: u32) -> Shard {
        let per_shard = self.items_per_shard();
        let first = number * per_shard;
        let lines_in_all = per_shard.min(self.count.get() - first);
        let (stored, damaged) = (Places::default(), Places::default());
        Shard {
            number,
            of: self.shards(),
            lines_in_all,
            first,
            lines: BTreeMap::new(),
            stored,
            damaged,
            list: 0,
            former: false,
        }
    }

    /// ConfigMaps of a former list that took `former` of them, and that this one does not use. Each is emptied.
    pub fn former_shards(self, former: u32, list: u32) -> Vec<Shard> {
        // With other digits in their names all are others.
        let same_names = ResultNames::digits(former) == ResultNames::digits(self.shards());
        let used = if same_names { self.shards() } else { 0 };
        let empty = Self { count: ItemCount::NONE, ..self }.empty_shard(0);
        let shard = |number| Shard { number, of: former, list, former: true, ..empty.clone() };
        (used..former).map(shard).collect()
    }

    /// The lines by the ConfigMap they belong to.
    pub fn shard(self, lines: &BTreeMap<Index, String>) -> Vec<Shard> {
        self.fill(BTreeMap::new(), lines)
    }

    /// All ConfigMaps, so that a missing one is made; an empty list has one, too.
    pub fn shard_all(self, lines: &BTreeMap<Index, String>) -> Vec<Shard> {
        self.fill((0..self.shards().max(1)).map(|number| (number, self.empty_shard(number))).collect(), lines)
    }

    fn fill(self, mut shards: BTreeMap<u32, Shard>, lines: &BTreeMap<Index, String>) -> Vec<Shard> {
        let per_shard = self.items_per_shard();
        for (index, line) in lines {
            let number = index.0 / per_shard;
            let shard = shards.entry(number).or_insert_with(|| self.empty_shard(number));
            shard.lines.insert(index.0 % per_shard, line.clone());
        }
        shards.into_values().collect()
    }
}

impl Shard {
    /// The ConfigMap's text with these lines in their places; the others stay as `old` has them.
    pub fn merge(&self, old: &str) -> String {
        let mut lines: Vec<&str> = old.lines().collect();
        lines.resize(self.lines_in_all as usize, NO_RESULT);
        for (place, line) in &self.lines {
            if let Some(old_line) = lines.get_mut(*place as usize) {
                *old_line = line;
            }
        }
        lines.iter().flat_map(|line| [*line, "\n"]).collect()
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

/// The longest end of the text that has at most `most` bytes as a JSON string. The end, since that is what a
/// kubelet keeps of what is too long for it.
fn end_string(text: &str, most: usize) -> String {
    let (mut start, mut bytes) = (text.len(), 2);
    for (place, character) in text.char_indices().rev() {
        bytes += serde_json::Value::from(character.to_string()).to_string().len() - 2;
        if bytes > most {
            break;
        }
        start = place;
    }
    serde_json::Value::from(&text[start..]).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configmaps_of_a_former_list_are_those_that_the_next_one_does_not_name() {
        let names = |count: u64, former: u32| -> Vec<u32> {
            let shards = layout(249, count).former_shards(former, 1);
            assert!(shards.iter().all(|shard| shard.of == former && shard.former && shard.lines_in_all == 0));
            shards.iter().map(|shard| shard.number).collect()
        };
        // 1,024 lines each.
        assert_eq!(names(2_000, 3), [2]);
        assert_eq!((names(2_000, 2).len(), names(0, 2), names(2_000, 0).len()), (0, vec![0, 1], 0));
        assert_eq!(names(2_000, 11).len(), 11, "00 to 10 are not 0 and 1");
        assert_eq!(names(20_000, 10).len(), 10, "nor the other way round");
    }

    fn layout(max_bytes: i32, count: u64) -> Layout {
        let spec = Results { max_bytes_per_item: max_bytes, ..Results::default() };
        Layout::of(&spec, ItemCount::new(count).unwrap()).unwrap()
    }

    #[test]
    fn a_result_that_is_too_long_can_be_truncated_to_a_string() {
        let spec = Results { max_bytes_per_item: 8, on_too_large: OnTooLarge::Truncate, ..Results::default() };
        let layout = Layout::of(&spec, ItemCount::new(1).unwrap()).unwrap();
        assert_eq!(layout.line("123456789").unwrap(), r#""456789""#, "a number that is cut is none");
        assert_eq!(layout.line("abcdefg\"hi\n").unwrap(), r#""fg\"hi""#);
        assert_eq!(layout.line("ääääää").unwrap(), r#""äää""#);
        assert_eq!(layout.line("€€€").unwrap(), r#""€€""#, "three bytes each");
        assert_eq!(layout.line("12345678").unwrap(), "12345678");
    }

    #[test]
    fn what_was_cut_is_a_string_or_too_large_however_short_it_is() {
        let spec = Results { max_bytes_per_item: 8, on_too_large: OnTooLarge::Truncate, ..Results::default() };
        let layout = Layout::of(&spec, ItemCount::new(1).unwrap()).unwrap();
        assert_eq!(layout.line_of_cut("7").unwrap(), r#""7""#);
        assert_eq!(
            layout.line_of_cut("\u{fffd}\u{fffd}äb\u{fffd}").unwrap(),
            r#""äb""#,
            "without halves of characters"
        );
        assert_eq!(layout.line("\u{fffd}b").unwrap(), "\"\u{fffd}b\"", "what it says itself stays");
        assert_eq!(Layout { truncate: false, ..layout }.line_of_cut("7"), Err(1));
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
    fn a_result_that_is_too_long_is_reported_with_its_size() {
        assert_eq!(layout(5, 1).line("123456"), Err(6));
        assert_eq!(layout(5, 1).line("abcd"), Err(6), "the quotes count");
    }

    #[test]
    fn a_reduce_has_the_room_that_a_kubelet_gives_a_message() {
        let message = "\u{1}".repeat(4_096);
        let line = Layout::of_reduce().line(&message).unwrap();
        assert_eq!(line.len(), 24_578, "six bytes for each, and the quotes");
        assert_eq!(Layout::of_reduce().line(&format!("{message}a")), Err(24_579));
    }

    #[test]
    fn lines_go_to_the_shard_of_their_index_range() {
        let layout = layout(1024, 700);
        assert_eq!((layout.items_per_shard(), layout.shards()), (249, 3));
        let lines = [0, 248, 249, 699].map(|i| (Index(i), i.to_string())).into();
        let shards = layout.shard(&lines);
        let shape: Vec<_> = shards.iter().map(|s| (s.number, s.lines_in_all, s.lines.len())).collect();
        assert_eq!(shape, [(0, 249, 2), (1, 249, 1), (2, 202, 1)]);
        assert_eq!(shards[2].lines.keys().copied().collect::<Vec<_>>(), [201]);
    }

    #[test]
    fn before_a_reduce_every_shard_is_made_and_one_of_an_empty_list() {
        let shards = layout(1024, 700).shard_all(&[(Index(249), "1".to_owned())].into());
        let shape: Vec<_> = shards.iter().map(|s| (s.number, s.lines_in_all, s.lines.len())).collect();
        assert_eq!(shape, [(0, 249, 0), (1, 249, 1), (2, 202, 0)]);
        let empty = layout(1024, 0).shard_all(&BTreeMap::new());
        assert_eq!(empty.iter().map(|s| s.merge("")).collect::<Vec<_>>(), [""]);
    }

    #[test]
    fn merging_keeps_the_other_lines_and_is_idempotent() {
        let shard = Shard { lines: [(1, "7".to_owned())].into(), ..layout(1024, 3).empty_shard(0) };
        let first = shard.merge("");
        assert_eq!(first, "null\n7\nnull\n");
        assert_eq!(shard.merge("1\nnull\n\"x\"\n"), "1\n7\n\"x\"\n");
        assert_eq!(shard.merge(&first), first);
    }

    #[test]
    fn a_shard_stays_below_the_size_of_an_object() {
        for (max_bytes, count, most, shards) in [
            (1, 1_000_000, SHARD_BYTES, 20),
            (100, 1_000_000, SHARD_BYTES, 395),
            (1024, 249_000, SHARD_BYTES, 1_000),
            (1024, 249_001, LARGE_SHARD_BYTES, 284),
            (4096, 1_000_000, LARGE_SHARD_BYTES, 4_567),
        ] {
            let layout = layout(max_bytes, count);
            assert_eq!(layout.shards(), shards);
            let longest = layout.max_bytes_per_item().max(u32::try_from(NO_RESULT.len()).unwrap());
            assert!(layout.items_per_shard() * (longest + 1) <= most);
        }
    }
}
