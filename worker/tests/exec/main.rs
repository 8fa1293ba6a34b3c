//! Real workers run real programs for a leader of the test's own.

#![allow(clippy::unwrap_used, reason = "a failure of a helper fails its test")]
#![allow(clippy::needless_raw_string_hashes, clippy::naive_bytecount, reason = "scripts look alike; 20 MB once")]

#[path = "../fake/mod.rs"]
mod fake;

mod environment;
mod exchange;
mod leftovers;
mod list;
mod outcomes;
mod signals;
mod stream;
