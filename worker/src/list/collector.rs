//! From what a program writes to a list in compressed pieces: is each line an item, and is it not too much?

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use maptask_exchange::{ListEnd, ListFormat, MAX_ITEM_BYTES, MAX_LIST_BYTES, MAX_LIST_ITEMS, MAX_PIECES};
use ring::digest::{SHA256, digest};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Compressed bytes after which a piece is closed. What the compressor still holds, and one more line, keep it below
/// what fits into a ConfigMap.
const PIECE_BYTES: usize = 700_000;
/// Bytes of text after which a piece is closed, however well it is compressed.
const PIECE_TEXT: usize = 16 << 20;
/// Most characters of a line that are shown.
const SHOWN: usize = 60;
/// What some programs put at the beginning of a text.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why there is no list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoList {
    /// There is more than a list may have: nothing that follows can change that.
    TooMuch(String),
    /// It is not what the format says.
    Bad(String),
}

impl NoList {
    /// Why, in words.
    pub fn words(&self) -> &str {
        match self {
            Self::TooMuch(words) | Self::Bad(words) => words,
        }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Whole lines, as gzip.
    pub data: Vec<u8>,
    digest: Vec<u8>,
}

/// A whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Its pieces, in their order.
    pub pieces: Vec<Piece>,
    /// What it is known by.
    pub end: ListEnd,
}

/// Makes a list of a text that arrives in chunks.
#[derive(Debug)]
pub struct Collector {
    format: ListFormat,
    /// The line that has no end yet; of an array all of it.
    partial: Vec<u8>,
    line: u64,
    items: u64,
    bytes: u64,
    pieces: Vec<Piece>,
    open: GzEncoder<Vec<u8>>,
    open_text: usize,
}

impl Collector {
    /// Of an empty text.
    pub fn new(format: ListFormat) -> Self {
        Self {
            format,
            partial: Vec::new(),
            line: 0,
            items: 0,
            bytes: 0,
            pieces: Vec::new(),
            open: encoder(),
            open_text: 0,
        }
    }

    /// Takes what follows.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), NoList> {
        self.bytes += chunk.len() as u64;
        if self.bytes > MAX_LIST_BYTES {
            return Err(NoList::TooMuch(format!(
                "the list has more than {} MiB of text; the limit is {} MiB: list references (names, URLs) instead of contents",
                MAX_LIST_BYTES >> 20,
                MAX_LIST_BYTES >> 20
            )));
        }
        if self.format == ListFormat::JsonArray {
            self.partial.extend_from_slice(chunk);
            return Ok(());
        }
        let mut rest = chunk;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let line = if self.partial.is_empty() {
                rest[..end].to_vec()
            } else {
                self.partial.extend_from_slice(&rest[..end]);
                std::mem::take(&mut self.partial)
            };
            self.end_line(&line)?;
            rest = &rest[end + 1..];
        }
        self.partial.extend_from_slice(rest);
        if self.partial.len() > MAX_ITEM_BYTES + 2 {
            return Err(self.too_long());
        }
        Ok(())
    }

    /// The text is over.
    pub fn finish(mut self) -> Result<List, NoList> {
        let rest = std::mem::take(&mut self.partial);
        if self.format == ListFormat::JsonArray {
            self.add_array(&rest)?;
        } else if !rest.is_empty() {
            self.end_line(&rest)?;
        }
        self.close_piece();
        if self.pieces.len() > MAX_PIECES as usize {
            return Err(NoList::TooMuch(format!("the list has more than {MAX_PIECES} pieces of {PIECE_BYTES} bytes")));
        }
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let items = u32::try_from(self.items).unwrap_or(u32::MAX);
        let hash = hash_of(&self.pieces);
        let end = ListEnd { pieces: number(self.pieces.len()), items, bytes: self.bytes, hash };
        Ok(List { pieces: self.pieces, end })
    }

    fn end_line(&mut self, line: &[u8]) -> Result<(), NoList> {
        self.line += 1;
        let text = std::str::from_utf8(line).map_err(|error| {
            let place = format!("line {}: byte {} is not UTF-8", self.line, error.valid_up_to() + 1);
            NoList::Bad(format!("{place}: {}: write UTF-8", shown(&String::from_utf8_lossy(line))))
        })?;
        // A line may also end with CR LF, or with CR alone.
        for part in text.split('\r') {
            let part = part.trim_start_matches(BYTE_ORDER_MARK);
            if !part.trim().is_empty() {
                self.check_line(part)?;
                self.add(part)?;
            }
        }
        Ok(())
    }

    fn check_line(&self, line: &str) -> Result<(), NoList> {
        if line.len() > MAX_ITEM_BYTES {
            return Err(self.too_long());
        }
        if line.contains('\0') {
            let words = "contains a NUL character, which environment variables can't contain: encode it";
            return Err(NoList::Bad(format!("line {} {words}", self.line)));
        }
        if self.format == ListFormat::JsonLines
            && let Err(error) = serde_json::from_str::<IgnoredAny>(line)
        {
            return Err(NoList::Bad(format!("line {}: {}: {}", self.line, shown(line), reason(&error))));
        }
        Ok(())
    }

    fn too_long(&self) -> NoList {
        let line = self.line.max(1);
        NoList::Bad(format!(
            "line {line} has more than {MAX_ITEM_BYTES} bytes, and an item becomes an environment variable: list references instead \
             of contents"
        ))
    }

    fn add_array(&mut self, text: &[u8]) -> Result<(), NoList> {
        let text = std::str::from_utf8(text)
            .map_err(|error| NoList::Bad(format!("byte {} is not UTF-8: write UTF-8", error.valid_up_to() + 1)))?;
        let text = text.trim_start_matches(BYTE_ORDER_MARK);
        let values: Vec<Box<RawValue>> = serde_json::from_str(text).map_err(|error| {
            let line = text.split('\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
            NoList::Bad(format!("no JSON list: line {}: {}: {}", error.line(), shown(line), reason(&error)))
        })?;
        for (index, value) in values.iter().enumerate() {
            let item = on_one_line(value.get());
            if item.len() > MAX_ITEM_BYTES {
                return Err(NoList::Bad(format!(
                    "item {index} has {} bytes; the limit is {MAX_ITEM_BYTES}, since it becomes an environment variable",
                    item.len()
                )));
            }
            self.add(&item)?;
        }
        Ok(())
    }

    fn add(&mut self, item: &str) -> Result<(), NoList> {
        self.items += 1;
        if self.items > MAX_LIST_ITEMS {
            let what = format!("the list has more than {MAX_LIST_ITEMS} items; the limit is {MAX_LIST_ITEMS}");
            return Err(NoList::TooMuch(format!("{what}: split it into several tasks")));
        }
        // Memory takes everything.
        _ = self.open.write_all(item.as_bytes()).and_then(|()| self.open.write_all(b"\n"));
        self.open_text += item.len() + 1;
        if self.open.get_ref().len() >= PIECE_BYTES || self.open_text >= PIECE_TEXT {
            self.close_piece();
        }
        Ok(())
    }

    fn close_piece(&mut self) {
        if std::mem::take(&mut self.open_text) == 0 {
            return;
        }
        let open = std::mem::replace(&mut self.open, encoder());
        let data = open.finish().unwrap_or_default();
        let digest = sha256(&data);
        self.pieces.push(Piece { data, digest });
    }
}

fn encoder() -> GzEncoder<Vec<u8>> {
    GzEncoder::new(Vec::new(), Compression::default())
}

/// As the operator computes it of what it has stored.
fn hash_of(pieces: &[Piece]) -> String {
    let digest = match pieces {
        [one] => one.digest.clone(),
        all => sha256(&all.iter().flat_map(|piece| piece.digest.iter().copied()).collect::<Vec<u8>>()),
    };
    digest.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// JSON without the white space between its parts.
fn on_one_line(json: &str) -> String {
    let (mut line, mut in_text, mut escaped) = (String::with_capacity(json.len()), false, false);
    for character in json.chars() {
        if in_text {
            in_text = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if character.is_ascii_whitespace() {
            continue;
        } else {
            in_text = character == '"';
        }
        line.push(character);
    }
    line
}

/// The beginning of a line.
fn shown(line: &str) -> String {
    let short: String = line.chars().take(SHOWN).collect();
    if short.len() < line.len() { format!("{short:?}…") } else { format!("{short:?}") }
}

fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    format!("{message} at column {}", error.column())
}

#[cfg(test)]
#[path = "collector_tests.rs"]
mod tests;
