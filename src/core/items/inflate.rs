//! Content of a ConfigMap as it is, or decompressed if it is gzip.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::MultiGzDecoder;

/// What every gzip file begins with, and no text.
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Why content can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InflateError {
    /// More bytes than there is room for.
    TooLarge,
    /// It begins like gzip, but is none, or not all of it.
    Damaged,
}

/// The content, of at most this many bytes.
pub(super) fn inflate(bytes: &[u8], most: usize) -> Result<Cow<'_, [u8]>, InflateError> {
    if !bytes.starts_with(&MAGIC) {
        return if bytes.len() <= most { Ok(Cow::Borrowed(bytes)) } else { Err(InflateError::TooLarge) };
    }
    let mut text = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut text).map_err(|_| InflateError::Damaged)?;
    if text.len() <= most { Ok(Cow::Owned(text)) } else { Err(InflateError::TooLarge) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn gzip_is_decompressed_also_where_files_were_joined_and_text_stays() {
        assert_eq!(inflate(b"a\n", 2).unwrap(), Cow::Borrowed(b"a\n"));
        assert_eq!(inflate(b"", 0).unwrap(), Cow::Borrowed(b""));
        let joined = [gzip(b"a\n"), gzip(b"b\n")].concat();
        assert_eq!(&*inflate(&joined, 4).unwrap(), b"a\nb\n");
    }

    #[test]
    fn what_is_too_large_or_damaged_is_refused_however_small_it_is_compressed() {
        let zeros = gzip(&vec![b'0'; 1_000_000]);
        assert!(zeros.len() < 2_000);
        assert_eq!(inflate(&zeros, 999_999), Err(InflateError::TooLarge));
        assert_eq!(inflate(&zeros, 1_000_000).unwrap().len(), 1_000_000);
        assert_eq!(inflate(&zeros[..100], 1_000_000), Err(InflateError::Damaged));
        assert_eq!(inflate(&[0x1f, 0x8b], 10), Err(InflateError::Damaged));
        assert_eq!(inflate(b"abc", 2), Err(InflateError::TooLarge));
    }
}
