//! A list that is too long for the spec, in ConfigMaps: one as text, or several that are compressed.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// Most bytes of a ConfigMap's text, as the API server has it, with room for its metadata.
pub const CONFIG_MAP_BYTES: usize = 1_040_000;
/// Bytes of text in one of several. What can't be compressed becomes a little longer.
const PIECE_BYTES: usize = 1_000_000;
/// Most ConfigMaps that `spec.items.configMap.names` takes.
const MOST_PIECES: usize = 128;
/// Most bytes of a list's text: the operator takes no more.
pub const MOST_BYTES: usize = PIECE_BYTES * MOST_PIECES;

/// The content of a ConfigMap's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// As it is.
    Text(String),
    /// Compressed.
    Gzip(Vec<u8>),
}

impl Content {
    /// The text in as many pieces as it takes, each of whole lines.
    pub fn of(text: String) -> std::io::Result<Vec<Self>> {
        if text.len() <= CONFIG_MAP_BYTES {
            return Ok(vec![Self::Text(text)]);
        }
        pieces(&text).map(gzip).collect()
    }

    /// The bytes, as the operator reads them.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Gzip(bytes) => bytes,
        }
    }

    /// The field of a ConfigMap that holds it, and what is in it.
    pub fn field(&self, key: &str) -> (&'static str, Value) {
        match self {
            Self::Text(text) => ("data", json!({ key: text })),
            Self::Gzip(bytes) => ("binaryData", json!({ key: ByteString(bytes.clone()) })),
        }
    }
}

/// Pieces of whole lines. A line is never longer than a piece.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let window = rest.as_bytes().get(..PIECE_BYTES).unwrap_or(rest.as_bytes());
        let end = window.iter().rposition(|byte| *byte == b'\n').map_or(rest.len(), |place| place + 1);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

fn gzip(text: &str) -> std::io::Result<Content> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish().map(Content::Gzip)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_cut_at_the_ends_of_lines() {
        let text = "012345678\n".repeat(300_000);
        let pieces: Vec<&str> = pieces(&text).collect();
        assert_eq!(pieces.len(), 3);
        assert!(pieces.iter().all(|piece| piece.len() <= PIECE_BYTES && piece.ends_with('\n')));
        assert_eq!(pieces.concat(), text);
    }

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(Content::of("a\n".to_owned()).unwrap(), [Content::Text("a\n".to_owned())]);
        let long = Content::of("0123456789abcde\n".repeat(100_000)).unwrap();
        assert_eq!(long.len(), 2);
        assert!(
            long.iter().all(|content| content.bytes().starts_with(&[0x1f, 0x8b]) && content.bytes().len() < 10_000)
        );
        assert_eq!(long[0].field("items").0, "binaryData");
    }
}
