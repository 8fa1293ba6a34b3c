//! Where entries of caches are kept. One narrow trait, so that they can be kept elsewhere than in ConfigMaps.

mod config_maps;

use futures::future::BoxFuture;

use crate::core::cache::{CacheId, Entry, Wanted};
use crate::core::port::{Recall, RecallOutcome};

pub use config_maps::ConfigMaps;

/// Keeps entries and finds them again. What it lost, or can't read, was never there.
pub trait Store: Send + Sync {
    /// The entries of the wanted keys, in pages: `from` is 0, or what the page before named as the next. Of several
    /// entries of one key the newest comes first.
    fn find<'a>(&'a self, cache: &'a CacheId, wanted: &'a Wanted, from: u64)
    -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Keeps these entries, in place of older ones of the same keys; the oldest go where there is no room for all. The bytes
    /// that were there and had to be written again. Idempotent.
    fn put<'a>(&'a self, cache: &'a CacheId, entries: &'a [Entry]) -> BoxFuture<'a, Result<u64, StoreError>>;
}

/// A page of entries.
#[derive(Debug, Default)]
pub struct Page {
    /// Those that were wanted.
    pub entries: Vec<Entry>,
    /// Entries that can't be read.
    pub damaged: u32,
    /// The next page, if there is one.
    pub next: Option<u64>,
}

/// Why something is not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It will not work the next time either.
    #[error("{0}")]
    Refused(String),
    /// It may.
    #[error("{0}")]
    Unclear(String),
}

/// Looks items up.
pub(super) async fn recall(store: &dyn Store, recall: &Recall) -> RecallOutcome {
    match store.find(&recall.cache, &recall.wanted, recall.from).await {
        Ok(Page { entries, damaged, next }) => RecallOutcome::Found { from: recall.from, entries, damaged, next },
        Err(StoreError::Refused(message)) => RecallOutcome::Refused(message),
        Err(StoreError::Unclear(message)) => RecallOutcome::Unclear(message),
    }
}
