//! Lists that are not in the spec: a `ConfigMap` that comes and goes, and the results of other tasks.

use maptask::api::ResultSource;
use maptask::api::WaitingReason;
use maptask::core::ids::TaskKey;
use maptask::core::items::source::results_of::{Readiness, readiness};
use maptask::core::items::{ExternalSource, Part};
use maptask::core::port::{Create, Fetch, FetchOutcome};

use crate::names::index_of;
use crate::world::World;

impl World {
    /// What the API server has of a list.
    pub fn fetch(&mut self, fetch: &Fetch) -> FetchOutcome {
        let parts = match &fetch.source {
            ExternalSource::ConfigMap(_) => match &self.inputs {
                Some(text) => vec![Part::new("inputs", text.as_str())],
                None => return FetchOutcome::Missing("it is not there".to_owned()),
            },
            ExternalSource::Pod(..) => unreachable!("lists of pods have a world of their own"),
            ExternalSource::ResultsOf(source) => {
                let key = TaskKey::new(fetch.task.namespace.clone(), source.name.as_str());
                let Some(other) = self.tasks.get(&key).filter(|other| !other.deleting) else {
                    return FetchOutcome::Waits(format!("{key} does not exist"));
                };
                let shards = match readiness(source, &other.status, other.spec.results.source != ResultSource::None) {
                    Readiness::Ready(shards) => shards,
                    Readiness::Waits(words) => return FetchOutcome::Waits(words),
                    Readiness::Failed(words) => return FetchOutcome::Failed(words),
                };
                let text =
                    |number| self.results.get(&(key.clone(), number)).map(|text| Part::new("results", text.as_str()));
                match (0..u32::try_from(shards.shards).unwrap()).map(text).collect::<Option<Vec<Part>>>() {
                    Some(parts) => parts,
                    None => return FetchOutcome::Missing("a result is not there".to_owned()),
                }
            }
        };
        match fetch.source.read(&parts) {
            Ok(list) => {
                self.truth.lists.insert((fetch.uid.clone(), list.hash.clone()), list.items.clone());
                FetchOutcome::Found(list)
            }
            Err(error) => FetchOutcome::Invalid(error),
        }
    }

    /// SAFETY: the pod of an item has its item, of the list that the task was accepted with.
    pub fn check_item(&mut self, create: &Create, pod: &serde_json::Value) {
        let id = create.id();
        let task = self.tasks.get(&id.key).filter(|task| task.uid == create.blueprint.uid);
        let external = task.filter(|task| ExternalSource::of(&task.spec.items).is_some() && !create.role.is_reduce());
        let Some(hash) = external.and_then(|task| task.status.items_hash.as_ref()) else { return };
        let env = pod["spec"]["containers"][0]["env"].as_array();
        let item = env.into_iter().flatten().find(|variable| variable["name"] == "MAPTASK_ITEM");
        let value = item.and_then(|variable| variable["value"].as_str());
        let list = &self.truth.lists[&(create.blueprint.uid.clone(), hash.clone())];
        let item = list.get(index_of(&id));
        let text = item.as_string().unwrap_or_else(|| item.text().to_owned());
        if value != Some(&text) {
            self.truth.problem = Some(format!("{id} has the item {value:?}, and not {text:?}"));
        }
    }

    /// Once nothing goes wrong any more, a user cancels what waits for a list that will never be there.
    pub fn give_up_waiting(&mut self) {
        let waits = |reason| {
            matches!(reason, WaitingReason::DependsOn | WaitingReason::ItemsMissing | WaitingReason::ItemsChanged)
        };
        let stuck = self.tasks.values().find(|task| {
            let reason = task.status.waiting.as_ref().map(|waiting| waiting.reason);
            task.spec.items.results_of.is_some() && !task.spec.cancel && reason.is_some_and(waits)
        });
        if let Some(key) = stuck.map(|task| task.key.clone()) {
            self.edit(&key, |spec| spec.cancel = true);
        }
    }
}
