//! The results of a task: shards of lines, read one after another from where the operator stores them.

use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use maptask::apply::result_store;
use maptask::apply::results::Stored;
use maptask::core::ids::Index;

use super::task::Task;
use crate::cluster::Session;
use crate::error::Failure;

/// Shards that are asked for at the same time; each has at most a megabyte.
const AHEAD: usize = 4;

/// Where the results of a task are.
#[derive(Clone, Debug)]
pub struct Results {
    stored: Stored,
    per_shard: u32,
}

/// The lines of one shard; none if it does not exist.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shard {
    /// Its number, from 0.
    pub number: u32,
    lines: String,
    /// Where each line begins.
    starts: Vec<u32>,
}

impl Results {
    /// Of a task that stores results, once it has been accepted.
    pub fn of(task: &Task) -> Option<Self> {
        let shown = task.status.results.as_ref()?;
        let number = |n: i32| u32::try_from(n).unwrap_or(0);
        let stored = Stored { key: task.key(), uid: task.uid().to_owned(), shards: number(shown.shards) };
        Some(Self { stored, per_shard: number(shown.items_per_shard).max(1) })
    }

    /// The number of the shard that has this item's line.
    pub fn shard_of(&self, index: Index) -> u32 {
        index.0 / self.per_shard
    }

    /// Which line of it, from 0.
    pub fn place_of(&self, index: Index) -> usize {
        (index.0 % self.per_shard) as usize
    }

    /// These shards in this order, a few ahead of what is taken.
    pub fn shards(&self, session: &Session, numbers: Vec<u32>) -> BoxStream<'static, Result<Shard, Failure>> {
        let (store, stored) = (result_store(&session.client), self.stored.clone());
        let read = move |number| {
            let (store, stored) = (Arc::clone(&store), stored.clone());
            async move {
                let shard = store.get(&stored, number).await?;
                Ok(Shard::new(number, shard.lines.unwrap_or_default()))
            }
        };
        stream::iter(numbers).map(read).buffered(AHEAD).boxed()
    }
}

impl Shard {
    fn new(number: u32, lines: String) -> Self {
        let mut starts = Vec::new();
        let mut start = 0;
        for line in lines.split_inclusive('\n') {
            starts.push(u32::try_from(start).unwrap_or(u32::MAX));
            start += line.len();
        }
        Self { number, lines, starts }
    }

    /// A line that is a result: `null` and what is missing are none.
    pub fn line(&self, place: usize) -> Option<&str> {
        let start = *self.starts.get(place)? as usize;
        let line = self.lines[start..].lines().next()?;
        (line != maptask::core::results::NO_RESULT).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use serde_json::json;

    #[test]
    fn an_item_has_a_place_in_a_shard() {
        let shown = json!({ "configMapPrefix": "t-results-", "shards": 3, "itemsPerShard": 249 });
        let results = Results::of(&task(&json!({}), &json!({ "results": shown }))).unwrap();
        assert_eq!((results.shard_of(Index(700)), results.place_of(Index(700))), (2, 202));
        assert!(Results::of(&task(&json!({}), &json!({}))).is_none());
    }

    #[test]
    fn a_line_is_a_result_unless_it_is_null_or_missing() {
        let shard = Shard::new(0, "1\nnull\n{\"a\": \"null\"}\n".to_owned());
        let lines: Vec<Option<&str>> = (0..4).map(|place| shard.line(place)).collect();
        assert_eq!(lines, [Some("1"), None, Some("{\"a\": \"null\"}"), None]);
    }
}
