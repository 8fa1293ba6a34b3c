//! From the bytes of a ConfigMap's key to text, as editors and exports of all systems write it.

use std::borrow::Cow;

/// The text; or what is wrong with it, and what to do.
///
/// UTF-8 with or without a byte order mark, and UTF-16 of either order with one. Without one, UTF-16 can't be told from
/// text that holds NUL characters, and encodings of one byte a character not from each other.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, String> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Err(format!("it is UTF-32: {SAVE}")),
        [0xff, 0xfe, rest @ ..] => utf_16(rest, u16::from_le_bytes).map(Cow::Owned),
        [0xfe, 0xff, rest @ ..] => utf_16(rest, u16::from_be_bytes).map(Cow::Owned),
        [0x1f, 0x8b, ..] => Err(format!("it is compressed with gzip twice: unpack it, and {SAVE}")),
        [b'P', b'K', 3, 4, ..] => Err(format!("it is a zip archive, or a spreadsheet file: export it as text, and {SAVE}")),
        _ => utf_8(bytes).map(Cow::Borrowed),
    }
    .and_then(|text| match text.find('\0') {
        None => Ok(text),
        Some(place) => {
            let line = 1 + text[..place].matches('\n').count();
            Err(format!(
                "line {line} contains a NUL character, which environment variables can't contain; if this is UTF-16 without a byte \
                 order mark, {SAVE}"
            ))
        }
    })
}

const SAVE: &str = "save it as UTF-8";

fn utf_8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        let line = bytes[..place].split(|byte| *byte == b'\n').count();
        let byte = bytes.get(place).copied().unwrap_or_default();
        format!(
            "line {line} contains the byte 0x{byte:02x}, which is not UTF-8 (offset {place} of the text): {SAVE}, for instance with \
             iconv -f WINDOWS-1252 -t UTF-8, if that is what it is"
        )
    })
}

fn utf_16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(format!("it starts as UTF-16 and has an odd number of bytes: {SAVE}"));
    }
    let units = pairs.iter().map(|pair| unit(*pair));
    char::decode_utf16(units).collect::<Result<_, _>>().map_err(|error| {
        format!("it starts as UTF-16 and contains half of a character, 0x{:04x}: {SAVE}", error.unpaired_surrogate())
    })
}
