//! By what a list is known again.

use std::fmt::Write;

use sha2::{Digest as _, Sha256};

use super::part::Part;

/// The SHA-256 of a part.
pub type Digest = [u8; 32];

/// The SHA-256 of these bytes.
pub fn digest(bytes: &[u8]) -> Digest {
    Sha256::digest(bytes).into()
}

pub(super) fn hash_of(parts: &[Part]) -> String {
    hash_of_digests(&parts.iter().map(|part| digest(&part.bytes)).collect::<Vec<_>>())
}

/// By what a list is known again. Of one part it is the hash of its bytes; of several, that of their hashes.
pub fn hash_of_digests(digests: &[Digest]) -> String {
    match digests {
        [one] => hex(one),
        all => hash(all.as_flattened()),
    }
}

/// By what bytes are known again.
pub fn hash(bytes: &[u8]) -> String {
    hex(&digest(bytes))
}

fn hex(digest: &Digest) -> String {
    digest.iter().fold("sha256:".to_owned(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_differ_by_their_bytes_and_by_where_they_are_divided() {
        let part = |text: &str| Part::new("x", text);
        assert_eq!(
            hash_of(&[part("abc")]),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "as sha256sum has it"
        );
        let all =
            [hash_of(&[]), hash_of(&[part("ab")]), hash_of(&[part("a"), part("b")]), hash_of(&[part("b"), part("a")])];
        let distinct: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
    }
}
