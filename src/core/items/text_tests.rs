//! Texts as editors, exports and people write them.

use serde_json::json;

use super::*;
use crate::api::spec::ConfigMapItems;
use crate::core::items::{ExternalSource, ReadList, item_env};

fn read(format: &str, bytes: &[u8]) -> Result<Vec<String>, String> {
    let source = json!({ "name": "inputs", "key": "items", "format": format });
    let source: ConfigMapItems = serde_json::from_value(source).unwrap();
    let list =
        ExternalSource::ConfigMap(source).read(&[Part::new("inputs", bytes)]).map_err(|error| error.to_string())?.items;
    Ok(list.count().indexes().map(|index| item_env(&list.get(index)).remove(0).1).collect())
}

fn list(format: &str, text: &str) -> Vec<String> {
    read(format, text.as_bytes()).unwrap()
}

fn refusal(format: &str, bytes: &[u8]) -> String {
    read(format, bytes).unwrap_err()
}

fn utf_16(text: &str, bytes: impl Fn(u16) -> [u8; 2]) -> Vec<u8> {
    "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
}

#[test]
fn each_format_cuts_a_text_into_its_items() {
    assert_eq!(list("Lines", "a\r\n\n  \n b c\n"), ["a", " b c"]);
    assert_eq!(list("JsonLines", "{\"lr\": 0.10}\n\n7\n\"x\""), [r#"{"lr":0.10}"#, "7", "x"]);
    assert_eq!(list("JsonArray", "[1,\n{\"a\": [2]}, null]"), ["1", r#"{"a":[2]}"#, "null"]);
    for format in ["Lines", "JsonLines"] {
        for empty in ["", "\n", "\u{feff}", "\r\n\r\n", " \t\n"] {
            assert!(list(format, empty).is_empty(), "{format} {empty:?}");
        }
    }
}

#[test]
fn numbers_of_a_text_keep_their_text() {
    let numbers = ["12345678901234567890123", "1e3", "3.10", "1.0", "0.00001", "18446744073709551615", "1E400", "-0"];
    assert_eq!(list("JsonLines", &numbers.join("\n")), numbers);
    assert_eq!(list("JsonArray", &format!("[ {} ]", numbers.join(" , "))), numbers);
    assert_eq!(list("Lines", &numbers.join("\n")), numbers);
    let object = r#"{"id": 12345678901234567890123, "v": 3.10, "b": 1, "a": 2}"#;
    assert_eq!(list("JsonLines", object), [r#"{"id":12345678901234567890123,"v":3.10,"b":1,"a":2}"#]);
}

#[test]
fn the_line_ends_of_every_system_end_a_line() {
    for end in ["\n", "\r\n", "\r"] {
        let text = |items: [&str; 3]| items.join(end);
        let twice = format!("{end}{end}");
        for last in ["", end, &twice] {
            assert_eq!(list("Lines", &(text(["a", "", "b"]) + last)), ["a", "b"], "{end:?}");
            assert_eq!(list("JsonLines", &(text(["1 ", "\t", " \"x\""]) + last)), ["1", "x"], "{end:?}");
            assert_eq!(list("JsonArray", &(text(["[1,", "", "2]"]) + last)), ["1", "2"], "{end:?}");
        }
    }
}

#[test]
fn other_unicode_separators_are_part_of_a_line() {
    let line = "a\u{2028}b\u{2029}c\u{85}d\u{b}e\u{c}f";
    assert_eq!(list("Lines", line), [line]);
    assert_eq!(list("JsonLines", "\"a\u{2028}b\u{85}\""), ["a\u{2028}b\u{85}"]);
}

#[test]
fn white_space_is_part_of_a_line_but_not_of_json() {
    assert_eq!(list("Lines", "  a \t\nb;c,\"d\" \n"), ["  a \t", "b;c,\"d\" "]);
    assert_eq!(list("JsonLines", "  {\"a\" : 1} \t\n"), [r#"{"a":1}"#]);
}

#[test]
fn a_byte_order_mark_is_not_part_of_any_item() {
    assert_eq!(list("Lines", "\u{feff}a\nb\n\u{feff}c\n"), ["a", "b", "c"], "also where files were joined");
    assert_eq!(list("JsonLines", "\u{feff}{\"a\":1}\n\u{feff}2"), [r#"{"a":1}"#, "2"]);
    assert_eq!(list("JsonArray", "\u{feff}[1]"), ["1"]);
}

#[test]
fn utf_16_with_a_byte_order_mark_is_read() {
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        assert_eq!(read("Lines", &utf_16("ä\r\n𝄞\r\n", bytes)).unwrap(), ["ä", "𝄞"]);
        assert_eq!(read("JsonLines", &utf_16("{\"a\": 3.10}\r\n", bytes)).unwrap(), [r#"{"a":3.10}"#]);
        assert_eq!(read("JsonArray", &utf_16("[1]", bytes)).unwrap(), ["1"]);
    }
}

#[test]
fn content_that_is_not_text_is_refused_with_advice() {
    let latin = refusal("Lines", b"one\ncaf\xe9\n");
    assert!(latin.contains("inputs/items") && latin.contains("line 2") && latin.contains("0xe9"), "{latin}");
    assert!(latin.contains("save it as UTF-8") && latin.contains("iconv"), "{latin}");
    let nul = refusal("Lines", b"a\nb\0c\n");
    assert!(nul.contains("line 2 contains a NUL") && nul.contains("UTF-16"), "{nul}");
    for (bytes, word) in [
        (&b"\xff\xfe\0\0a\0\0\0"[..], "UTF-32"),
        (b"\xff\xfea", "odd number of bytes"),
        (b"\xff\xfe\x00\xd8a\0", "half of a character"),
        (b"PK\x03\x04", "zip"),
    ] {
        let error = refusal("JsonLines", bytes);
        assert!(error.contains(word) && error.contains("save it as UTF-8"), "{error}");
    }
}

#[test]
fn an_item_that_can_not_be_read_is_reported_with_its_position_and_its_text() {
    let error = refusal("JsonLines", b"1\r\n\r\n{oops\r\n");
    assert!(error.contains(r#"inputs/items line 3: "{oops": "#) && error.contains("configMap.format"), "{error}");
    assert!(error.contains("at column 2") && !error.contains("line 1"), "{error}");
    let error = refusal("JsonLines", format!("{{\"a\": {}", "x".repeat(5_000)).as_bytes());
    assert!(error.len() < 400, "{error}");
    let error = refusal("JsonArray", b"{}");
    assert!(error.contains("inputs/items is no JSON list"), "{error}");
    let error = refusal("JsonArray", b"[1,\n2,\nNaN]");
    assert!(error.contains(r#"line 3: "NaN]""#), "{error}");
    let error = refusal("JsonLines", b"[\n  1\n]\n");
    assert!(error.contains("line 1") && error.contains("configMap.format"), "{error}");
}

#[test]
fn gzip_content_is_read_and_broken_gzip_is_refused() {
    let error = refusal("Lines", b"\x1f\x8b\x08");
    assert!(error.contains("inputs/items") && error.contains("not a whole gzip file: compress it again"), "{error}");
}

#[test]
fn each_of_several_texts_begins_a_line_of_its_own_and_a_bad_line_is_reported_with_its_configmap() {
    let source = |format: &str| -> ExternalSource {
        let source = json!({ "names": ["b", "a"], "key": "items", "format": format });
        ExternalSource::ConfigMap(serde_json::from_value(source).unwrap())
    };
    let part = |name: &str, text: &str| Part::new(name, text);
    let texts = |list: ReadList| -> Vec<String> {
        list.items.count().indexes().map(|index| list.items.get(index).text().to_owned()).collect()
    };
    let lines = source("Lines").read(&[part("b", "1\n2"), part("a", "\n"), part("c", "3\n")]).unwrap();
    assert_eq!(texts(lines), ["\"1\"", "\"2\"", "\"3\""], "each begins a line of its own");
    let arrays = source("JsonArray").read(&[part("b", "[1]"), part("a", "[]"), part("c", "[[2]]")]).unwrap();
    assert_eq!(texts(arrays), ["1", "[2]"]);
    let error = source("JsonLines").read(&[part("b", "1\n2"), part("a", "3\n{")]).unwrap_err().to_string();
    assert!(error.contains("a/items line 2: "), "{error}");
}

#[test]
fn a_list_has_at_most_a_million_items() {
    let error = refusal("Lines", "x\n".repeat(1_000_001).as_bytes());
    assert!(error.starts_with("spec.items.configMap has more than 1000000 items; the limit is 1000000"), "{error}");
    assert_eq!(list("Lines", &"x\n".repeat(1_000_000)).len(), 1_000_000);
}
