//! The book: its reference is what the code says, and everything that can be looked up in it is there.
//!
//! `make crds` writes the generated pages; without `BOOK=write`, a page that is not as generated fails a test.

#![allow(clippy::unwrap_used, missing_docs, unreachable_pub, reason = "a test that can't go on has failed")]

mod benchmarks;
#[allow(dead_code, reason = "the tests of the cluster use all of it")]
#[path = "../blocks/mod.rs"]
mod blocks;
mod fields;
mod metrics;
mod reasons;
mod shown;

use std::path::PathBuf;

/// A file of the repository.
fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)
}

/// Its text.
fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Compares a page with what is generated, or writes it.
fn generated(file: &str, text: &str) {
    if std::env::var("BOOK").is_ok_and(|word| word == "write") {
        std::fs::write(path(file), text).unwrap();
        return;
    }
    let page = read(file);
    let differs = page.lines().zip(text.lines()).find(|(old, new)| old != new);
    assert!(page == text, "{file} is not what the code says: run `make crds`. First difference: {differs:#?}");
}
