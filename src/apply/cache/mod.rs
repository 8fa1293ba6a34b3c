//! Where entries of caches are kept. One narrow trait, so that they can be kept elsewhere than in ConfigMaps.

mod config_maps;

use futures::future::BoxFuture;

use crate::core::cache::{CacheId, Entry, LookupKeys};
use crate::core::port::{CacheLookup, CacheLookupOutcome};

pub use config_maps::ConfigMaps;

/// Keeps entries and finds them again. What it lost, or can't read, was never there.
pub trait Store: Send + Sync {
    /// The entries of the wanted keys, in pages: `from` is 0, or what the page before named as the next. Of several
    /// entries of one key the newest comes first.
    fn find<'a>(
        &'a self,
        cache: &'a CacheId,
        wanted: &'a LookupKeys,
        from: u64,
    ) -> BoxFuture<'a, Result<Page, StoreError>>;

    /// Keeps these entries, in place of older ones of the same keys; the oldest go where there is no room for all. The
    /// bytes that were there and had to be written again. Idempotent.
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
    Indeterminate(String),
}

/// Looks items up.
pub(super) async fn lookup(store: &dyn Store, lookup: &CacheLookup) -> CacheLookupOutcome {
    match store.find(&lookup.cache, &lookup.wanted, lookup.from).await {
        Ok(Page { entries, damaged, next }) => CacheLookupOutcome::Found { from: lookup.from, entries, damaged, next },
        Err(StoreError::Refused(message)) => CacheLookupOutcome::Refused(message),
        Err(StoreError::Indeterminate(message)) => CacheLookupOutcome::Indeterminate(message),
    }
}
