//! A segment of a cache: the text that entries are kept as, a line each, with its key, a checksum and the result. A
//! cache is a ring of segments: the newest is filled up, then the oldest is written over.

use std::collections::BTreeMap;
use std::fmt::Write;

use flate2::Crc;

use super::key::{KEY_CHARACTERS, Key};
use super::{Entry, LookupKeys};

/// Most bytes of a text. The whole text is written again for each second of successes.
pub const SEGMENT_BYTES: usize = 256 * 1_024;
/// Characters before the result: the key, a space, the checksum, a space.
const HEAD: usize = KEY_CHARACTERS + 1 + 8 + 1;

/// What a text holds of what is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Entries of wanted keys.
    pub entries: Vec<Entry>,
    /// Lines that can't be read, or were changed since they were written.
    pub damaged: u32,
}

/// The wanted entries of a text. Damaged lines are not entries.
pub fn find(text: &str, wanted: &LookupKeys) -> Found {
    let mut found = Found::default();
    for line in text.lines() {
        match parse(line) {
            Some((key, line)) if wanted.has(&key) => found.entries.push(Entry { key, line: line.to_owned() }),
            Some(_) => {}
            None => found.damaged += 1,
        }
    }
    found
}

/// The text with these entries, and the entries that it has no room for. Entries of a key that is there already take
/// its place; damaged lines go.
pub fn add(text: &str, entries: &[Entry]) -> (String, Vec<Entry>) {
    let mut new: BTreeMap<Key, &str> = entries.iter().map(|entry| (entry.key, entry.line.as_str())).collect();
    let mut out = String::with_capacity(text.len() + entries.len() * 128);
    for line in text.lines() {
        let Some((key, old)) = parse(line) else { continue };
        push(&mut out, key, new.remove(&key).unwrap_or(old));
    }
    let mut rest = Vec::new();
    for entry in entries {
        let Some(line) = new.remove(&entry.key) else { continue };
        if rest.is_empty() && out.len() + HEAD + line.len() < SEGMENT_BYTES {
            push(&mut out, entry.key, line);
        } else {
            rest.push(Entry { key: entry.key, line: line.to_owned() });
        }
    }
    (out, rest)
}

fn push(out: &mut String, key: Key, line: &str) {
    let key = key.to_string();
    let checksum = checksum(&key, line);
    // Writing to a string can't fail.
    let _ = writeln!(out, "{key} {checksum:08x} {line}");
}

fn parse(line: &str) -> Option<(Key, &str)> {
    let (key, rest) = line.split_once(' ')?;
    let (written, line) = rest.split_once(' ')?;
    let is_whole = u32::from_str_radix(written, 16) == Ok(checksum(key, line));
    Some((Key::parse(key)?, line)).filter(|_| is_whole)
}

fn checksum(key: &str, line: &str) -> u32 {
    let mut crc = Crc::new();
    crc.update(key.as_bytes());
    crc.update(line.as_bytes());
    crc.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::cache::Keys;
    use crate::core::ids::{Index, TaskKey};
    use proptest::prelude::*;
    use serde_json::json;

    fn key(item: u32) -> Key {
        let spec = json!({ "items": {}, "template": {}, "cache": { "version": "1" } });
        let keys = Keys::of(&TaskKey::new("ns", "t"), &serde_json::from_value(spec).unwrap()).unwrap();
        keys.key(&crate::api::Json::integer(item.into()))
    }

    fn entry(item: u32, line: &str) -> Entry {
        Entry { key: key(item), line: line.to_owned() }
    }

    fn wanted(items: &[u32]) -> LookupKeys {
        items.iter().map(|item| (key(*item), Index(*item))).collect()
    }

    #[test]
    fn what_was_added_is_found_and_nothing_else() {
        let (text, rest) = add("", &[entry(1, "1"), entry(2, r#"{"a": "b c"}"#)]);
        assert!(rest.is_empty());
        assert_eq!(find(&text, &wanted(&[2, 3])).entries, [entry(2, r#"{"a": "b c"}"#)]);
        let (again, _) = add(&text, &[entry(2, "7")]);
        assert_eq!(find(&again, &wanted(&[1, 2])).entries.len(), 2);
        assert_eq!(find(&again, &wanted(&[2])).entries, [entry(2, "7")], "the newer one has taken its place");
        assert_eq!(add(&again, &[entry(2, "7")]).0, again, "adding is idempotent");
    }

    #[test]
    fn what_has_no_room_is_left_over() {
        let entries: Vec<Entry> = (0..200).map(|item| entry(item, &format!("\"{}\"", "x".repeat(4_000)))).collect();
        let (text, rest) = add("", &entries);
        assert!(text.len() <= SEGMENT_BYTES && text.len() > SEGMENT_BYTES - 5_000, "{}", text.len());
        assert_eq!(text.lines().count() + rest.len(), 200);
        // With its end of line the last one takes just what is left, or one byte too many.
        let room = SEGMENT_BYTES - text.len() - HEAD - 1;
        for (length, left_over) in [(room, 0), (room + 1, 1)] {
            let (full, rest) = add(&text, &[entry(777, &"7".repeat(length))]);
            assert_eq!((rest.len(), full.len() == SEGMENT_BYTES), (left_over, left_over == 0));
        }
    }

    proptest! {
        #[test]
        fn a_damaged_cache_entry_is_a_miss_and_never_a_wrong_result(place in 0usize..200, byte in 0x20u8..0x7f) {
            let entries = [entry(1, "\"one\""), entry(2, "\"two\""), entry(3, "[1,2,3]")];
            let (text, _) = add("", &entries);
            let mut bytes = text.into_bytes();
            let place = place % bytes.len();
            bytes[place] = byte;
            let found = find(&String::from_utf8(bytes).unwrap(), &wanted(&[1, 2, 3]));
            prop_assert!(found.entries.iter().all(|entry| entries.contains(entry)), "{found:?}");
            prop_assert!(found.entries.len() + found.damaged as usize >= 2);
        }
    }
}
