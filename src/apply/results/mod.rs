//! Where results are kept. One narrow trait, so that they can be kept elsewhere than in `ConfigMaps`.

mod config_maps;

use futures::future::BoxFuture;

use crate::apply::request::Failure;
use crate::core::ids::TaskKey;
use crate::core::port::Write;
use crate::core::results::Shard;
use crate::core::results::keeping::Damage;

pub use config_maps::ConfigMaps;

/// The results of a task that are stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The task.
    pub key: TaskKey,
    /// Its UID: another task may have had the name.
    pub uid: String,
    /// In how many shards they are.
    pub shards: u32,
}

/// One shard of results as it is stored.
#[derive(Debug)]
pub struct StoredShard {
    /// What users find it under, in words: `ConfigMap t-results-0`.
    pub name: String,
    /// Its lines; `None` if there is none of this task.
    pub lines: Option<String>,
}

/// Keeps the lines of results.
pub trait Store: Send + Sync {
    /// Reads the lines of one shard, which counts from 0.
    fn get<'a>(&'a self, stored: &'a Stored, number: u32) -> BoxFuture<'a, Result<StoredShard, Failure>>;

    /// Puts the lines of one shard into their places. Returns the bytes that were there and had to be written again.
    /// Idempotent. What was stored before and has been changed or deleted by somebody else is damage, and nothing is
    /// stored.
    fn put<'a>(&'a self, write: &'a Write, shard: &'a Shard) -> BoxFuture<'a, Result<u64, NotStored>>;
}

/// Why lines are not stored.
#[derive(Debug)]
pub enum NotStored {
    /// Others that were stored before were changed or deleted.
    Damaged(Damage),
    /// The store does not take them.
    Failed {
        /// Why, in words.
        message: String,
        /// It will not take them as long as nothing changes.
        refused: bool,
    },
}
