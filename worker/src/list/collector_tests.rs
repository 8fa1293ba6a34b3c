//! What becomes of a text.

use std::io::Read;

use flate2::read::GzDecoder;
use maptask_exchange::MAX_PIECE_BYTES;

use super::*;

fn collect(format: ListFormat, chunks: &[&[u8]]) -> Result<List, NoList> {
    let mut collector = Collector::new(format);
    chunks.iter().try_for_each(|chunk| collector.push(chunk))?;
    collector.finish()
}

fn text(list: &List) -> String {
    let mut text = String::new();
    for piece in &list.pieces {
        GzDecoder::new(&piece.data[..]).read_to_string(&mut text).unwrap();
    }
    text
}

fn words(format: ListFormat, chunk: &[u8]) -> String {
    collect(format, &[chunk]).unwrap_err().words().to_owned()
}

#[test]
fn lines_are_items_however_they_arrive() {
    let list = collect(ListFormat::Lines, &[b"on", b"e\r\n\n  \ntw", b"o\rthree\n", b"four"]).unwrap();
    assert_eq!((text(&list).as_str(), list.end.items, list.end.pieces), ("one\ntwo\nthree\nfour\n", 4, 1));
    assert_eq!(list.end.bytes, 23);
    let list = collect(ListFormat::JsonLines, &["\u{feff}{\"a\": 3.10}\n[1,\t2]\n".as_bytes()]).unwrap();
    assert_eq!(text(&list), "{\"a\": 3.10}\n[1,\t2]\n");
    let list = collect(ListFormat::JsonArray, &[b"[{\"a b\":\n \"x \\\" y\"}, 1.10,\n", b"null]\n"]).unwrap();
    assert_eq!(text(&list), "{\"a b\":\"x \\\" y\"}\n1.10\nnull\n");
}

#[test]
fn an_empty_text_is_an_empty_list() {
    for (format, chunk) in
        [(ListFormat::Lines, &b""[..]), (ListFormat::JsonLines, b"\n\n"), (ListFormat::JsonArray, b" [ ] ")]
    {
        let list = collect(format, &[chunk]).unwrap();
        assert_eq!((list.pieces.len(), list.end.pieces, list.end.items), (0, 0, 0));
        assert_eq!(list.end.hash, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
    assert!(words(ListFormat::JsonArray, b"").starts_with("no JSON list: line 1: "));
}

#[test]
fn a_line_that_is_not_an_item_is_reported_with_its_number() {
    assert_eq!(words(ListFormat::JsonLines, b"1\n\n{oops}\n"), "line 3: \"{oops}\": key must be a string at column 2");
    assert_eq!(words(ListFormat::Lines, b"a\nb\xff\n"), "line 2: byte 2 is not UTF-8: \"b\u{fffd}\": write UTF-8");
    assert!(words(ListFormat::Lines, b"a\n\0\n").starts_with("line 2 contains a NUL"));
    assert!(words(ListFormat::Lines, &vec![b'x'; MAX_ITEM_BYTES + 1]).starts_with("line 1 has more than 100000 bytes"));
    assert!(words(ListFormat::JsonArray, b"[1,\n2 3]").starts_with("no JSON list: line 2: \"2 3]\": "));
}

#[test]
fn a_text_without_end_and_a_list_of_too_many_items_are_refused_while_they_are_written() {
    let mut collector = Collector::new(ListFormat::Lines);
    let lines = b"y\n".repeat(32 << 10);
    let pushes = (0..1_000).take_while(|_| collector.push(&lines).is_ok()).count();
    assert_eq!(pushes, 1_000_000 / (32 << 10));
    let mut collector = Collector::new(ListFormat::JsonArray);
    let chunk = vec![b' '; 1 << 20];
    let error = (0..200).find_map(|_| collector.push(&chunk).err()).unwrap();
    assert!(matches!(&error, NoList::TooMuch(words) if words.contains("128 MiB")), "{error:?}");
}

#[test]
fn a_long_list_has_pieces_that_each_fit_into_an_object_and_their_hash_is_that_of_their_hashes() {
    let mut state = 1_u64;
    let mut collector = Collector::new(ListFormat::Lines);
    let mut expected = String::new();
    for _ in 0..40 {
        // What can't be compressed well.
        let words: Vec<String> = (0..6_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{:08x}", state >> 32)
            })
            .collect();
        let line = words.concat() + "\n";
        collector.push(line.as_bytes()).unwrap();
        expected += &line;
    }
    let list = collector.finish().unwrap();
    assert!(list.pieces.len() >= 2, "{}", list.pieces.len());
    assert!(list.pieces.iter().all(|piece| piece.data.len() <= MAX_PIECE_BYTES));
    assert_eq!(text(&list), expected);
    let digests: Vec<u8> = list.pieces.iter().flat_map(|piece| sha256(&piece.data)).collect();
    let hex: Vec<String> = sha256(&digests).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(list.end.hash, format!("sha256:{}", hex.concat()));
}
