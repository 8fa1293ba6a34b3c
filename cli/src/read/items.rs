//! The items of a task, one after another: index, phase, attempts, value, result, and why one has failed.

use futures::StreamExt;
use maptask::api::Json;
use maptask::apply::{fetch_items, result_store};
use maptask::core::ids::Index;
use maptask::core::items::{ExternalSource, ItemList};
use maptask::core::phases::{Attempts, ItemPhase, Phases};
use maptask::core::port::FetchOutcome;

use super::results::{Results, Shard};
use super::selection::Selection;
use super::task::Task;
use super::why::Why;
use crate::cluster::Session;
use crate::error::Failure;

/// What is known of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemRow {
    /// Its place in the list, from 0.
    pub index: u32,
    /// Where it stands.
    pub phase: ItemPhase,
    /// Attempts that have begun; those that ended, of an item that has yet to run or was cancelled.
    pub attempts: u32,
    /// The item, if the list can be read.
    pub value: Option<Json>,
    /// Its result as JSON, if it has one and results were asked for.
    pub result: Option<String>,
    /// Why it has failed, if that is known.
    pub why: Option<String>,
}

/// The items of a task. Of a million items this holds their phases in 375 KB, and a list of a megabyte at most.
pub struct Items {
    phases: Phases,
    attempts: Attempts,
    list: Option<ItemList>,
    why: Why,
    unknown: Option<String>,
}

/// Whether results are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithResults {
    /// From their ConfigMaps, one after another.
    Yes,
    /// Not asked for.
    No,
}

impl Items {
    /// Reads the list and decodes the phases.
    pub async fn read(session: &Session, task: &Task) -> Result<Self, Failure> {
        let (list, unknown) = match list_of(session, task).await {
            Ok(list) => (Some(list), None),
            Err(why) => (None, Some(why)),
        };
        let (phases, attempts) = match (task.decode()?, &list) {
            (Some(decoded), _) => decoded,
            (None, Some(list)) => (Phases::new(list.count()), Attempts::default()),
            (None, None) => (Phases::new(maptask::core::ids::ItemCount::NONE), Attempts::default()),
        };
        Ok(Self { phases, attempts, list, why: Why::of(&task.status.failures), unknown })
    }

    /// The phase of every item.
    pub fn phases(&self) -> &Phases {
        &self.phases
    }

    /// Why the values of the items are not known, if they are not.
    pub fn unknown(&self) -> Option<&str> {
        self.unknown.as_deref()
    }

    /// What is known of an item, with its result.
    pub fn row(&self, index: Index, phase: ItemPhase, result: Option<String>) -> ItemRow {
        let tries = self.attempts.get(index);
        let attempts = match phase {
            ItemPhase::Cached => 0,
            ItemPhase::Pending | ItemPhase::Cancelled => tries.attempt.0.saturating_sub(1),
            ItemPhase::Running | ItemPhase::Succeeded | ItemPhase::Failed => tries.attempt.0,
        };
        let why = (phase == ItemPhase::Failed).then(|| self.why.failed(index, tries)).flatten();
        let value = self.list.as_ref().map(|list| list.get(index));
        ItemRow { index: index.0, phase, attempts, value, result, why: why.map(str::to_owned) }
    }

    /// Gives the selected items to `each`, in order. At most a few ConfigMaps of results are in memory at a time.
    pub async fn for_each(
        &self,
        session: &Session,
        task: &Task,
        selection: &Selection,
        results: WithResults,
        each: &mut (dyn FnMut(ItemRow) -> Result<(), Failure> + Send),
    ) -> Result<(), Failure> {
        let results = Results::of(task).filter(|_| results == WithResults::Yes);
        let mut shards = results.as_ref().map(|results| {
            let needed = needed(results, selection.of(&self.phases));
            (results.shards(session, needed), None)
        });
        for (index, phase) in selection.of(&self.phases) {
            let mut line = None;
            if let (Some(results), Some((stream, current)), true) = (&results, &mut shards, has_result(phase)) {
                let number = results.shard_of(index);
                if current.as_ref().is_none_or(|shard: &Shard| shard.number != number) {
                    *current = stream.next().await.transpose()?;
                }
                line = current.as_ref().and_then(|shard| shard.line(results.place_of(index)));
            }
            each(self.row(index, phase, line.map(str::to_owned)))?;
        }
        Ok(())
    }
}

/// The ConfigMaps that hold results of these items, each once, in order.
fn needed(results: &Results, items: impl Iterator<Item = (Index, ItemPhase)>) -> Vec<u32> {
    let mut needed: Vec<u32> = items.filter(|(_, p)| has_result(*p)).map(|(i, _)| results.shard_of(i)).collect();
    needed.dedup();
    needed
}

/// Whether items of the phase have a line that was stored.
pub fn has_result(phase: ItemPhase) -> bool {
    matches!(phase, ItemPhase::Succeeded | ItemPhase::Cached)
}

/// The list of the items, or why it can't be known. It is read as the operator reads it.
async fn list_of(session: &Session, task: &Task) -> Result<ItemList, String> {
    let mut items = task.spec.items.clone();
    if let Some(pod) = &mut items.pod {
        pod.stored = task.status.listing.as_ref().and_then(|listing| listing.list.clone());
        if pod.stored.is_none() {
            return Err("the pod of spec.items.pod has not written its list yet".to_owned());
        }
    }
    let Some(source) = ExternalSource::of(&items) else {
        return ItemList::accept(&task.spec.items).map_err(|error| error.to_string());
    };
    let results = result_store(&session.client);
    match fetch_items(&session.client, &*results, &session.namespace, &source).await {
        FetchOutcome::Found(list) if task.status.items_hash.as_ref().is_some_and(|known| *known != list.hash) => {
            Err(format!("{source} changed since the task was accepted"))
        }
        FetchOutcome::Found(list) => Ok(list.items),
        FetchOutcome::Invalid(error) => Err(error.to_string()),
        FetchOutcome::Missing(message)
        | FetchOutcome::Waits(message)
        | FetchOutcome::Failed(message)
        | FetchOutcome::Indeterminate(message) => Err(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use maptask::core::ids::ItemCount;
    use maptask::core::phases::Tries;
    use serde_json::json;

    #[test]
    fn a_row_says_what_is_known_of_an_item() {
        let count = ItemCount::new(4).unwrap();
        let (mut phases, mut attempts) = (Phases::new(count), Attempts::default());
        phases.set(Index(1), ItemPhase::Failed);
        phases.set(Index(2), ItemPhase::Cached);
        let tries = Tries { attempt: Tries::default().attempt.next().next(), application: 2, ..Tries::default() };
        attempts.set(Index(1), tries);
        attempts.set(Index(3), tries);
        let task = task(&json!({ "items": { "matrix": { "lr": [0.10, 1], "seed": [1, 2] } } }), &json!({}));
        let list = ItemList::accept(&task.spec.items).unwrap();
        let why = Why::of(&[crate::read::why::tests::group("Failed", Some(1), 3, "1", "no")]);
        let items = Items { phases, attempts, list: Some(list), why, unknown: None };
        let row = |index| items.row(Index(index), items.phases().get(Index(index)).unwrap(), None);
        assert_eq!((row(0).attempts, row(1).attempts, row(2).attempts, row(3).attempts), (0, 3, 0, 2));
        assert_eq!(row(1).value.unwrap().text(), r#"{"lr":0.1,"seed":2}"#);
        assert_eq!((row(0).why, row(1).why.as_deref()), (None, Some("Failed exit 1")));
    }

    #[test]
    fn only_configmaps_with_results_of_what_is_selected_are_read() {
        let shards = json!({ "configMapPrefix": "t-results-", "shards": 12, "itemsPerShard": 10 });
        let results = Results::of(&task(&json!({}), &json!({ "results": shards }))).unwrap();
        let items =
            [(3, ItemPhase::Succeeded), (9, ItemPhase::Cached), (15, ItemPhase::Failed), (119, ItemPhase::Cached)];
        let items = items.into_iter().map(|(index, phase)| (Index(index), phase));
        assert_eq!(needed(&results, items), [0, 11]);
    }
}
