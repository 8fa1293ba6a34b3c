//! The results of a task: ConfigMaps of lines, read one after another.

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::ConfigMap;
use maptask::api::labels;
use maptask::core::ids::Index;
use maptask::core::pod::ResultNames;

use super::task::Task;
use crate::cluster::Session;
use crate::error::Failure;

/// The key of the lines in each ConfigMap.
const KEY: &str = "results.jsonl";
/// ConfigMaps that are asked for at the same time; each has at most a megabyte.
const AHEAD: usize = 4;

/// Where the results of a task are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    prefix: String,
    shards: u32,
    per_shard: u32,
    uid: String,
}

/// The lines of one ConfigMap; none if it does not exist.
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
        Some(Self {
            prefix: shown.config_map_prefix.clone(),
            shards: number(shown.shards),
            per_shard: number(shown.items_per_shard).max(1),
            uid: task.uid().to_owned(),
        })
    }

    /// The number of the ConfigMap that has this item's line.
    pub fn shard_of(&self, index: Index) -> u32 {
        index.0 / self.per_shard
    }

    /// Which line of it, from 0.
    pub fn place_of(&self, index: Index) -> usize {
        (index.0 % self.per_shard) as usize
    }

    /// The name of a ConfigMap: all numbers have the digits of the last one.
    pub fn name(&self, number: u32) -> String {
        let digits = ResultNames::digits(self.shards);
        format!("{}{number:0digits$}", self.prefix)
    }

    /// These ConfigMaps in this order, a few ahead of what is taken.
    pub fn shards(&self, session: &Session, numbers: Vec<u32>) -> BoxStream<'static, Result<Shard, Failure>> {
        let (session, results) = (session.clone(), self.clone());
        let read = move |number| {
            let (session, results) = (session.clone(), results.clone());
            async move { results.read(&session, number).await }
        };
        stream::iter(numbers).map(read).buffered(AHEAD).boxed()
    }

    async fn read(&self, session: &Session, number: u32) -> Result<Shard, Failure> {
        let found = session.api::<ConfigMap>().get_opt(&self.name(number)).await?;
        // Of another task of this name it is none of ours.
        let ours = found.filter(|map| {
            let uid = map.metadata.labels.as_ref().and_then(|all| all.get(labels::CONTROLLER_UID));
            uid.is_none_or(|uid| *uid == self.uid)
        });
        let lines = ours.and_then(|map| map.data).and_then(|mut data| data.remove(KEY)).unwrap_or_default();
        Ok(Shard::new(number, lines))
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
    fn configmaps_are_named_with_the_digits_of_the_last_one() {
        let of = |shards: u32| {
            let shown = json!({ "configMapPrefix": "t-results-", "shards": shards, "itemsPerShard": 249 });
            Results::of(&task(&json!({}), &json!({ "results": shown }))).unwrap()
        };
        assert_eq!(of(10).name(7), "t-results-7");
        assert_eq!(of(11).name(7), "t-results-07");
        assert_eq!((of(3).shard_of(Index(700)), of(3).place_of(Index(700))), (2, 202));
        assert_eq!(Results::of(&task(&json!({}), &json!({}))), None);
    }

    #[test]
    fn a_line_is_a_result_unless_it_is_null_or_missing() {
        let shard = Shard::new(0, "1\nnull\n{\"a\": \"null\"}\n".to_owned());
        let lines: Vec<Option<&str>> = (0..4).map(|place| shard.line(place)).collect();
        assert_eq!(lines, [Some("1"), None, Some("{\"a\": \"null\"}"), None]);
    }
}
