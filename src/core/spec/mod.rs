//! Is this spec valid, as far as is known without the API server? From it comes everything that pods are made from.

mod given;
pub mod lister;
pub mod main_containers;
pub mod mutable;
pub mod outcome;
pub mod reduce;
pub mod retry;
pub mod selection;
mod solo;
pub mod success;
pub mod template_state;
pub mod templates;

use std::sync::Arc;

use crate::api::reasons::ConditionReason;
use crate::api::remaining_items::RemainingItems;
use crate::api::spec::{MapTaskSpec, Results};
use crate::core::blueprint::{Blueprint, Purpose};
use crate::core::cache::Keys;
use crate::core::cache::claims::{Claims, Conflict};
use crate::core::ids::{Index, ItemCount, TaskKey};
use crate::core::items::{ExternalSource, ItemsError};
use crate::core::pod::{MessageLimit, PodTemplate, TemplateError, WorkerSpec};
use crate::core::results::{Layout, MAX_TOTAL_BYTES};
pub use crate::core::spec::given::Given;
use crate::core::spec::given::accept_items;
use crate::core::spec::lister::Lister;
use crate::core::spec::reduce::Reducer;
use crate::core::spec::retry::Policy;
use crate::core::spec::success::{Criterion, Ratio, SuccessError};

/// The part of an accepted task that never changes.
#[derive(Clone, Debug)]
pub struct AcceptedSpec {
    /// What its pods are made from.
    pub blueprint: Arc<Blueprint>,
    /// Successes needed.
    pub required: u32,
    /// The share needed in percent, as written, for people.
    pub required_percent: String,
    /// What happens to the remaining items once the outcome is certain.
    pub remaining_items: RemainingItems,
    /// What an item gets beyond its first attempt.
    pub policy: Policy,
    /// Milliseconds from the creation of a pod until it must have started.
    pub start_deadline_millis: Option<u64>,
    /// Where the items are read from, if they are not in the spec, and the hash of what was read.
    pub source: Option<(ExternalSource, Option<String>)>,
    /// Where results go; `None` when none are kept.
    pub results: Option<Layout>,
    /// Keys of the items that have no variable, in words, if there are any.
    pub nameless_keys: Option<String>,
    /// By what the templates are known again.
    pub template_hash: String,
    /// By which keys the items are known in a cache, if they are.
    pub cache: Option<Arc<Keys>>,
    /// What reduces the results, if anything does.
    pub reduce: Option<Arc<Reducer>>,
    /// What computes the list, of a task whose list is yet to be computed.
    pub lister: Option<Arc<Lister>>,
}

/// Why a task is refused.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The list.
    #[error(transparent)]
    Items(#[from] ItemsError),
    /// The template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The template of the reduce.
    #[error("{}", .0.to_string().replace("spec.template", "spec.reduce.template").replace("spec.container is", "spec.reduce.container is"))]
    Reduce(TemplateError),
    /// The template of the list.
    #[error("{}", of_list(.0))]
    List(TemplateError),
    /// More bytes for a result than a kubelet keeps.
    #[error(
        "spec.results.maxBytesPerItem is {wanted}, but for pods of spec.template {limit}; lower it, or put what is longer on a \
         volume (spec.artifacts)"
    )]
    ResultRoom {
        /// Bytes asked for.
        wanted: u32,
        /// What there is.
        limit: MessageLimit,
    },
    /// More bytes for all results than a task may have.
    #[error(
        "spec.results.maxBytesPerItem is {wanted}: the results of {items} items could take {total} bytes, and those of a task may \
         take {MAX_TOTAL_BYTES}; give at most {}, or write what is longer to files (spec.artifacts)",
        MAX_TOTAL_BYTES / u64::from((*items).max(1)) - 1
    )]
    ResultTotal {
        /// Bytes asked for.
        wanted: u32,
        /// Number of items.
        items: u32,
        /// The bytes that all could take.
        total: u64,
    },
    /// The success criterion.
    #[error(transparent)]
    Success(#[from] SuccessError),
}

impl Refusal {
    /// The reason of the Accepted condition.
    pub fn reason(&self) -> ConditionReason {
        match self {
            Self::Items(error) => error.reason(),
            Self::Template(_) | Self::Reduce(_) | Self::List(_) => ConditionReason::InvalidTemplate,
            Self::ResultRoom { .. } | Self::ResultTotal { .. } => ConditionReason::InvalidResults,
            Self::Success(_) => ConditionReason::InvalidSuccessCriterion,
        }
    }
}

impl AcceptedSpec {
    /// Checks the spec and expands what pods are made from.
    pub fn accept(key: &TaskKey, uid: &str, spec: &MapTaskSpec, given: Given<'_>) -> Result<Self, Refusal> {
        let template = accept_template(spec)?;
        let source = ExternalSource::of(&spec.items);
        let (items, hash) = accept_items(spec, source.is_some(), given)?;
        let criterion = criterion(spec)?;
        let lister = if let Given::Listed(lister) = given { Some(Arc::clone(lister)) } else { None };
        let required = if lister.is_some() { 1 } else { criterion.required(items.count())? };
        let results = Layout::of(&spec.results, items.count());
        check_total(results, items.count())?;
        let nameless_keys = items.survey(&template.uses())?;
        let purpose = accept_purpose(spec, &template, results)?;
        let reduce = match (&spec.reduce, results) {
            (Some(reduce), Some(layout)) => Some(Arc::new(Reducer::accept(key, uid, spec, reduce, layout)?)),
            _ => None,
        };
        let required_percent = criterion.percent(items.count());
        let policy = Policy { growth: template.growth().clone(), ..Policy::of(spec) };
        let (key, uid) = (key.clone(), uid.to_owned());
        let cache = Keys::of(&key, spec).filter(|_| results.is_some()).map(Arc::new);
        let blueprint = Blueprint { key, uid, items, template, purpose };
        Ok(Self {
            required,
            required_percent,
            remaining_items: spec.remaining_items,
            policy,
            start_deadline_millis: seconds(spec.start_deadline_seconds),
            source: source.map(|source| (source, hash)),
            results,
            nameless_keys,
            template_hash: templates::hash(spec),
            cache,
            reduce,
            lister,
            blueprint: Arc::new(blueprint),
        })
    }

    /// Number of items.
    pub fn count(&self) -> ItemCount {
        self.blueprint.items.count()
    }

    /// By which keys the items are known in a cache, if equal ones wait for each other.
    pub fn serialized(&self) -> Option<&Keys> {
        self.cache.as_deref().filter(|keys| keys.serialize)
    }

    /// Takes the key of an item that is to start, if it is one that others with the same cache wait for. Only first
    /// attempts are looked up.
    pub fn claim(&self, claims: &mut Claims, item: (&TaskKey, Index), is_first: bool) -> Result<(), Conflict> {
        let items = &self.blueprint.items;
        let Some(keys) = self.serialized().filter(|_| items.is_known()) else { return Ok(()) };
        let key = keys.key(&items.get(item.1));
        if is_first { claims.take_if_unknown(&keys.id, key, item) } else { claims.take(&keys.id, key, item) }
    }

    /// What pods are made from, of the list, of items and of the reduce, as far as there will be such pods.
    pub fn blueprints(&self) -> Vec<Arc<Blueprint>> {
        let item = (self.count() != ItemCount::NONE).then(|| Arc::clone(&self.blueprint));
        let reduce = self.reduce.as_ref().map(|reducer| Arc::clone(&reducer.spec.blueprint));
        let list = self.lister.as_ref().map(|lister| Arc::clone(&lister.spec.blueprint));
        list.into_iter().chain(item).chain(reduce).collect()
    }

    /// A copy of the spec with a changed blueprint.
    #[must_use]
    pub fn with_blueprint(&self, change: impl FnOnce(&mut Blueprint)) -> Self {
        let mut blueprint = (*self.blueprint).clone();
        change(&mut blueprint);
        Self { blueprint: Arc::new(blueprint), ..self.clone() }
    }
}

/// The words about the template of the items, of that of the list.
fn of_list(error: &TemplateError) -> String {
    let words = error.to_string();
    let words = words.replace("spec.template", "spec.items.pod.template");
    let words = words.replace("spec.container is", "spec.items.pod.container is");
    words
        .replace("spec.workers runs it once for each item", "it is run by the worker program")
        .replace("spec.workers adds", "the operator adds")
}

/// Seconds of a spec in milliseconds.
pub fn seconds(seconds: Option<i32>) -> Option<u64> {
    seconds.map(|seconds| u64::try_from(seconds).unwrap_or(0) * 1_000)
}

/// What the pods of items are made from.
fn accept_template(spec: &MapTaskSpec) -> Result<PodTemplate, TemplateError> {
    let mut template = PodTemplate::accept(&spec.template, spec.container.as_deref())?;
    template.complete_with(spec.completion);
    if let Some(growth) = &spec.retry_policy.out_of_memory {
        template.grow_memory(growth)?;
    }
    if let Some(artifacts) = &spec.artifacts {
        template.keep_artifacts(artifacts)?;
    }
    Ok(template)
}

/// Whether pods take one item each, or one after another.
fn accept_purpose(spec: &MapTaskSpec, template: &PodTemplate, results: Option<Layout>) -> Result<Purpose, Refusal> {
    let Some(workers) = &spec.workers else {
        check_room(results, template.message_limit())?;
        return Ok(Purpose::Items);
    };
    template.check_workers()?;
    let line_bytes = results.map_or(0, |layout| layout.max_bytes_per_item() as usize);
    let start_deadline_seconds = spec.start_deadline_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    Ok(Purpose::Workers(WorkerSpec { workers: workers.clone(), line_bytes, start_deadline_seconds }))
}

/// Refuses room for results that no kubelet gives. The default may be more than there is: nobody has asked for it, and
/// a result that is cut is reported when it comes.
fn check_room(results: Option<Layout>, limit: MessageLimit) -> Result<(), Refusal> {
    let wanted = results.map_or(0, Layout::max_bytes_per_item);
    let is_default = i32::try_from(wanted) == Ok(Results::default().max_bytes_per_item);
    if wanted as usize > limit.bytes() && !is_default {
        return Err(Refusal::ResultRoom { wanted, limit });
    }
    Ok(())
}

/// Refuses more than etcd could hold. It is known before anything runs, so that no result is lost for it.
fn check_total(results: Option<Layout>, count: ItemCount) -> Result<(), Refusal> {
    match results.map(|layout| (layout.max_bytes_per_item(), layout.total_bytes())) {
        Some((wanted, total)) if total > MAX_TOTAL_BYTES => {
            Err(Refusal::ResultTotal { wanted, items: count.get(), total })
        }
        _ => Ok(()),
    }
}

fn criterion(spec: &MapTaskSpec) -> Result<Criterion, SuccessError> {
    Ok(match (spec.min_successes, spec.min_success_ratio) {
        (Some(count), _) => Criterion::Count(u32::try_from(count).unwrap_or(0)),
        (None, Some(ratio)) => Criterion::Ratio(Ratio::from_f64(ratio)?),
        (None, None) => Criterion::Ratio(Ratio::ONE),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::items::Part;

    fn accepted(spec: &Value, given: Given<'_>) -> Result<AcceptedSpec, Refusal> {
        let mut spec = spec.clone();
        if spec.get("template").is_none() {
            spec["template"] = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
        }
        AcceptedSpec::accept(&TaskKey::new("ns", "t"), "u", &serde_json::from_value(spec).unwrap(), given)
    }

    #[test]
    fn no_more_bytes_of_a_result_are_promised_than_a_kubelet_keeps_of_all_containers() {
        let most = |containers: usize, bytes: u32| {
            let containers: Vec<Value> = (0..containers).map(|n| json!({ "name": format!("c{n}") })).collect();
            let spec = json!({ "items": { "count": 1 }, "results": { "maxBytesPerItem": bytes },
                               "template": { "spec": { "containers": containers } } });
            accepted(&spec, Given::Inline).map(drop)
        };
        for (containers, bytes) in [(1, 4_096), (3, 4_096), (4, 3_072), (4, 100), (12, 1_024), (13, 945)] {
            assert!(most(containers, bytes).is_ok(), "{bytes} of {containers}");
        }
        assert!(most(13, 1_024).is_ok(), "the default, which nobody has asked for");
        for (containers, bytes) in [(3, 4_097), (4, 3_073), (12, 1_025), (13, 946), (13, 1_025)] {
            let refusal = most(containers, bytes).unwrap_err();
            let words = refusal.to_string();
            assert!(words.starts_with(&format!("spec.results.maxBytesPerItem is {bytes}, but")), "{words}");
            assert_eq!(refusal.reason(), ConditionReason::InvalidResults);
        }
    }

    #[test]
    fn the_results_of_a_task_may_take_a_gibibyte_which_is_known_before_anything_runs() {
        let spec = |items: u32, bytes: u32| {
            let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x", "command": ["run"] }] } });
            let results = json!({ "maxBytesPerItem": bytes });
            json!({ "items": { "count": items }, "results": results, "workers": {}, "template": template })
        };
        for (items, bytes) in [(1_000_000, 1_024), (1_000_000, 1_072), (16_383, 65_536), (0, 65_536)] {
            assert!(accepted(&spec(items, bytes), Given::Inline).is_ok(), "{items} of {bytes}");
        }
        for (items, bytes, most) in [(1_000_000, 1_073, 1_072), (16_384, 65_536, 65_535)] {
            let refusal = accepted(&spec(items, bytes), Given::Inline).unwrap_err();
            let words = refusal.to_string();
            assert!(words.starts_with(&format!("spec.results.maxBytesPerItem is {bytes}: ")), "{words}");
            assert!(words.contains("may take 1073741824") && words.contains(&format!("at most {most},")), "{words}");
            assert_eq!(refusal.reason(), ConditionReason::InvalidResults);
            assert!(accepted(&spec(items, most), Given::Inline).is_ok());
        }
        let mut unkept = spec(1_000_000, 65_536);
        unkept["results"]["source"] = json!("None");
        assert!(accepted(&unkept, Given::Inline).is_ok());
    }

    #[test]
    fn items_of_a_configmap_are_those_of_its_text_and_then_known_by_their_number_and_hash() {
        let spec = json!({ "items": { "configMap": { "name": "inputs", "key": "items" } } });
        let source = ExternalSource::of(&serde_json::from_value(spec["items"].clone()).unwrap()).unwrap();
        let list = source.read(&[Part::new("inputs", "x\ny\nz\n")]).unwrap();
        let read = accepted(&spec, Given::Read(&list)).unwrap();
        assert_eq!((read.count().get(), read.blueprint.items.is_known()), (3, true));
        let hash = read.source.unwrap().1.expect("the hash of the text");
        let awaited = accepted(&spec, Given::Awaited(ItemCount::new(3).unwrap(), Some(&hash))).unwrap();
        assert_eq!((awaited.count().get(), awaited.blueprint.items.is_known()), (3, false));
        assert_eq!(awaited.source.unwrap().1, Some(hash));
    }
}
