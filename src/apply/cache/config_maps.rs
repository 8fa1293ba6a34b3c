//! Entries in ConfigMaps of the tasks' own namespace: a ring of them for each cache, numbered from 0. The newest is
//! filled up; then the next is made, or the oldest written over. They are asked for by name, so that no right to list
//! is needed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::{BoxFuture, FutureExt, try_join_all};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Client;
use serde_json::json;

use super::{Page, Store, StoreError};
use crate::api::labels;
use crate::apply::answer::{Meaning, meaning};
use crate::apply::config_map;
use crate::apply::request::Failure;
use crate::core::cache::segment::{SEGMENT_BYTES, add, find};
use crate::core::cache::{CacheId, Entry, LookupKeys};

/// The key of the entries in each ConfigMap.
const KEY: &str = "entries";
/// How many ConfigMaps of the cache were begun before this one.
const SEQUENCE: &str = "maptask.dev/cache-sequence";
/// ConfigMaps read for one page, at the same time.
const PAGE: u32 = 8;
/// Tries at a ConfigMap that another writer changes at the same time.
const TRIES: usize = 5;
/// Caches whose newest ConfigMap is remembered.
const REMEMBERED: usize = 1_024;

/// Which ConfigMap of a cache is the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Newest {
    segment: u32,
    sequence: u64,
    /// ConfigMaps that there are.
    segments: u32,
}

type Remembered = Arc<tokio::sync::Mutex<Option<Newest>>>;

/// Caches in ConfigMaps.
pub struct ConfigMaps {
    client: Client,
    /// ConfigMaps of one cache at most.
    most: u32,
    newest: Mutex<BTreeMap<CacheId, Remembered>>,
}

impl Store for ConfigMaps {
    fn find<'a>(
        &'a self,
        cache: &'a CacheId,
        wanted: &'a LookupKeys,
        from: u64,
    ) -> BoxFuture<'a, Result<Page, StoreError>> {
        self.find_page(cache, wanted, from).boxed()
    }

    fn put<'a>(&'a self, cache: &'a CacheId, entries: &'a [Entry]) -> BoxFuture<'a, Result<u64, StoreError>> {
        self.put_all(cache, entries.to_vec()).boxed()
    }
}

impl ConfigMaps {
    /// Caches of at most this many bytes each.
    pub fn new(client: Client, bytes: u64) -> Self {
        let most = u32::try_from(bytes / SEGMENT_BYTES as u64).unwrap_or(u32::MAX).max(2);
        Self { client, most, newest: Mutex::default() }
    }

    async fn find_page(&self, cache: &CacheId, wanted: &LookupKeys, from: u64) -> Result<Page, StoreError> {
        let remembered = self.remembered(cache);
        // Not held while reading: what is written in the meantime is not of this look-up.
        let known = *remembered.lock().await;
        let newest = match known {
            Some(newest) if from > 0 || self.is_newest(cache, newest).await? => Some(newest),
            _ => self.survey(cache).await?,
        };
        let Some(newest) = newest else { return Ok(Page::default()) };
        let first = u32::try_from(from).unwrap_or(u32::MAX).min(newest.segments);
        let last = first.saturating_add(PAGE).min(newest.segments);
        let segments = (first..last).map(|back| (newest.segment + newest.segments - back) % newest.segments);
        let texts = try_join_all(segments.map(|segment| self.read(cache, segment))).await?;
        let mut page = Page { next: (last < newest.segments).then_some(u64::from(last)), ..Page::default() };
        let mut gone = false;
        for segment in texts {
            let found = segment.as_ref().map(|segment| find(&segment.text, wanted)).unwrap_or_default();
            gone |= segment.is_none();
            page.entries.extend(found.entries);
            page.damaged += found.damaged;
        }
        let mut known = remembered.lock().await;
        if gone && *known == Some(newest) {
            *known = None;
        } else if !gone && known.is_none_or(|known| known.sequence < newest.sequence) {
            *known = Some(newest);
        }
        Ok(page)
    }

    async fn put_all(&self, cache: &CacheId, mut entries: Vec<Entry>) -> Result<u64, StoreError> {
        let remembered = self.remembered(cache);
        let mut known = remembered.lock().await;
        let (mut tries, mut rewritten) = (0, 0);
        while !entries.is_empty() {
            if tries == TRIES {
                return Err(StoreError::Indeterminate(format!(
                    "the cache {cache} keeps being changed by somebody else"
                )));
            }
            let newest = match known.take() {
                Some(newest) => newest,
                None => self.survey(cache).await?.unwrap_or(Newest { segment: 0, sequence: 0, segments: 0 }),
            };
            *known = self.put_some(cache, newest, &mut entries, &mut rewritten).await?;
            tries += usize::from(known.is_none());
        }
        Ok(rewritten)
    }

    /// Fills up the newest ConfigMap, and begins the next if that was not enough; takes out of `entries` what is kept.
    /// Answers which is the newest then, or `None` if somebody else has changed something in the meantime.
    async fn put_some(
        &self,
        cache: &CacheId,
        newest: Newest,
        entries: &mut Vec<Entry>,
        rewritten: &mut u64,
    ) -> Result<Option<Newest>, StoreError> {
        let old = self.read(cache, newest.segment).await?;
        if old.is_none() && newest.segments > 0 {
            // The cache was cleared: it starts from empty.
            return Ok(None);
        }
        let (text, rest) = add(old.as_ref().map_or("", |old| &old.text), entries);
        let changes = old.as_ref().is_none_or(|old| old.text != text);
        let before = old.as_ref().map_or(0, |old| old.text.len() as u64);
        if changes && !self.write(cache, newest.segment, newest.sequence, old, &text).await? {
            return Ok(None);
        }
        *rewritten += if changes { before } else { 0 };
        *entries = rest;
        let segments = newest.segments.max(1);
        if entries.is_empty() {
            return Ok(Some(Newest { segments, ..newest }));
        }
        let next = Newest { segment: (newest.segment + 1) % self.most, sequence: newest.sequence + 1, segments };
        // What is oldest is written over, unless somebody else has gone on from here.
        let oldest = self.read(cache, next.segment).await?;
        if oldest.as_ref().is_some_and(|oldest| oldest.sequence >= next.sequence) {
            return Ok(None);
        }
        let (text, rest) = add("", entries);
        if !self.write(cache, next.segment, next.sequence, oldest, &text).await? {
            return Ok(None);
        }
        *entries = rest;
        Ok(Some(Newest { segments: segments.max(next.segment + 1), ..next }))
    }

    /// Whether nobody else has gone on from here.
    async fn is_newest(&self, cache: &CacheId, newest: Newest) -> Result<bool, StoreError> {
        let next = self.sequence(cache, (newest.segment + 1) % self.most).await?;
        Ok(next.is_none_or(|next| next <= newest.sequence))
    }

    fn remembered(&self, cache: &CacheId) -> Remembered {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= REMEMBERED {
            newest.retain(|_, remembered| Arc::strong_count(remembered) > 1);
        }
        Arc::clone(newest.entry(cache.clone()).or_default())
    }

    /// Which ConfigMap is the newest, as far as they follow each other without a gap.
    async fn survey(&self, cache: &CacheId) -> Result<Option<Newest>, StoreError> {
        let mut newest: Option<Newest> = None;
        for segment in 0..self.most {
            let Some(sequence) = self.sequence(cache, segment).await? else { break };
            let best = newest.filter(|newest| newest.sequence > sequence);
            newest =
                Some(Newest { segments: segment + 1, ..best.unwrap_or(Newest { segment, sequence, segments: 0 }) });
        }
        Ok(newest)
    }

    /// The sequence of a ConfigMap, if there is one.
    async fn sequence(&self, cache: &CacheId, segment: u32) -> Result<Option<u64>, StoreError> {
        let found = config_map::metadata(&self.client, &cache.namespace, &name(cache, segment)).await?;
        Ok(found.map(|found| sequence_of(&found.metadata)))
    }

    async fn read(&self, cache: &CacheId, segment: u32) -> Result<Option<Segment>, StoreError> {
        let name = name(cache, segment);
        let Some(found) = config_map::get(&self.client, &cache.namespace, &name).await? else { return Ok(None) };
        let label = found.metadata.labels.as_ref().and_then(|all| all.get(labels::CACHE));
        if label.is_none_or(|label| **label != *cache.name) {
            let wanted = format!("{}={}", labels::CACHE, cache.name);
            return Err(StoreError::Refused(format!(
                "ConfigMap {name} exists and has no label {wanted}: delete it, or give spec.cache.name"
            )));
        }
        let sequence = sequence_of(&found.metadata);
        let text = found.data.and_then(|mut data| data.remove(KEY)).unwrap_or_default();
        Ok(Some(Segment { text, sequence, version: found.metadata.resource_version }))
    }

    /// Writes a ConfigMap in place of what was read. Answers whether it still was that.
    async fn write(
        &self,
        cache: &CacheId,
        segment: u32,
        sequence: u64,
        old: Option<Segment>,
        text: &str,
    ) -> Result<bool, StoreError> {
        let (client, namespace, name) = (&self.client, &*cache.namespace, name(cache, segment));
        // The labels with every write: an older operator did not write all of them.
        let metadata = json!({
            "labels": { labels::CACHE: &*cache.name, labels::MANAGED_BY: labels::OPERATOR },
            "annotations": { SEQUENCE: sequence.to_string() },
        });
        let body = json!({ "data": { KEY: text } });
        let answer = if let Some(old) = old {
            config_map::change(client, namespace, &name, old.version.as_deref(), metadata, body).await
        } else {
            config_map::create(client, namespace, &name, metadata, body).await
        };
        match answer.map_err(|failure| (meaning(&failure), failure)) {
            Ok(()) => Ok(true),
            Err((Meaning::Conflict | Meaning::AlreadyExists | Meaning::NotFound, _)) => Ok(false),
            Err((_, failure)) => Err(failure.into()),
        }
    }
}

/// A ConfigMap as it was read.
struct Segment {
    text: String,
    sequence: u64,
    version: Option<String>,
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match meaning(&failure) {
            Meaning::Refused(message) | Meaning::Quota(message) => Self::Refused(message),
            _ => Self::Indeterminate(failure.to_string()),
        }
    }
}

fn sequence_of(metadata: &ObjectMeta) -> u64 {
    metadata.annotations.as_ref().and_then(|all| all.get(SEQUENCE)?.parse().ok()).unwrap_or(0)
}

fn name(cache: &CacheId, segment: u32) -> String {
    format!("maptask-cache-{}-{segment}", cache.name)
}

#[cfg(test)]
#[path = "config_maps_tests.rs"]
mod tests;
