//! The pods of all tasks, each as the few fields that count.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};
use kube::Resource;
use kube::runtime::watcher;
use serde::{Deserialize, Deserializer};

use crate::api::labels;
use crate::core::ids;
use crate::core::phases::Raises;
use crate::core::pod::{Deletion, Gating, PodSeen, PodStatus};
use crate::core::port::Event;

/// A pod without its spec and without most of its metadata: a fraction of the real object.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = Pod)]
pub struct LeanPod {
    #[serde(deserialize_with = "lean_metadata")]
    metadata: ObjectMeta,
    #[serde(default)]
    spec: LeanSpec,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LeanSpec {
    node_name: Option<String>,
    scheduling_gates: Vec<Gate>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Gate {
    name: String,
}

/// A pod whose spec was never changed has the gates that it was created with. API servers before 1.33 do not count.
fn gating(gates: &[Gate], generation: Option<i64>) -> Gating {
    match (gates, generation) {
        ([], Some(1)) => Gating::Never,
        ([], _) => Gating::Open,
        (gates, _) => {
            let names: Vec<&str> = gates.iter().map(|gate| gate.name.as_str()).collect();
            Gating::Held { names: names.join(", ") }
        }
    }
}

/// The labels and nothing else: annotations and managed fields are most of a pod's metadata.
fn lean_metadata<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ObjectMeta, D::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Lean {
        name: Option<String>,
        namespace: Option<String>,
        uid: Option<String>,
        resource_version: Option<String>,
        generation: Option<i64>,
        creation_timestamp: Option<Time>,
        deletion_timestamp: Option<Time>,
        deletion_grace_period_seconds: Option<i64>,
        #[serde(default)]
        labels: Labels,
        owner_references: Option<Vec<OwnerReference>>,
    }
    #[derive(Default, Deserialize)]
    struct Labels {
        #[serde(rename = "maptask.dev/name")]
        name: Option<String>,
        #[serde(rename = "maptask.dev/memory-raises")]
        memory_raises: Option<String>,
    }
    let lean = Lean::deserialize(deserializer)?;
    let Lean { name, namespace, uid, resource_version, creation_timestamp, labels, owner_references, .. } = lean;
    Ok(ObjectMeta {
        name,
        namespace,
        uid,
        resource_version,
        generation: lean.generation,
        creation_timestamp,
        deletion_timestamp: lean.deletion_timestamp,
        deletion_grace_period_seconds: lean.deletion_grace_period_seconds,
        labels: Some(
            [(labels::NAME, labels.name), (labels::MEMORY_RAISES, labels.memory_raises)]
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?)))
                .collect(),
        ),
        owner_references,
        ..ObjectMeta::default()
    })
}

impl LeanPod {
    /// The pod for the core; `None` if neither its owner nor a label of it names a task. Its owner counts before its
    /// label, which anybody may change or remove.
    pub fn seen(self) -> Option<PodSeen> {
        let Self { metadata, spec, status } = self;
        let gating = gating(&spec.scheduling_gates, metadata.generation);
        let mut labels = metadata.labels.unwrap_or_default();
        let label = labels.remove(labels::NAME);
        let raises = labels.remove(labels::MEMORY_RAISES).and_then(|raises| raises.parse().ok());
        let owner = metadata.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
        let labelled = label.is_some();
        let task = owner.as_ref().filter(|owner| is_map_task(owner)).map(|owner| owner.name.clone()).or(label)?;
        Some(PodSeen {
            namespace: metadata.namespace?.into(),
            name: metadata.name?,
            uid: metadata.uid?,
            version: metadata.resource_version?.parse().ok()?,
            task: task.into(),
            labelled,
            owner_uid: owner.map(|owner| owner.uid),
            created: metadata.creation_timestamp.map(|time| ids::Time(time.0.as_millisecond())),
            deleted: metadata.deletion_timestamp.map(|time| {
                let grace = metadata.deletion_grace_period_seconds.unwrap_or(0);
                // The timestamp says when the grace will be over.
                let asked = ids::Time(time.0.as_millisecond() - grace * 1_000);
                Deletion { asked, last: grace == 0 }
            }),
            memory_raises: raises.map_or(Raises::NONE, Raises::from_bits),
            node: spec.node_name.map(Into::into),
            gating,
            status,
        })
    }
}

/// Whether this owner is a task.
pub(crate) fn is_map_task(owner: &OwnerReference) -> bool {
    owner.kind == "MapTask" && owner.api_version.starts_with("maptask.dev/")
}

/// What the watch says, for the core.
pub(crate) fn translate(event: watcher::Event<LeanPod>) -> Option<Event> {
    match event {
        watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) => pod.seen().map(Event::Pod),
        watcher::Event::Delete(pod) => pod.seen().map(Event::PodGone),
        watcher::Event::Init => Some(Event::PodsListing),
        watcher::Event::InitDone => Some(Event::PodsListed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_pod_is_read_for_what_counts() {
        let json = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"t-3-1","namespace":"ns","uid":"u","resourceVersion":"7",
            "creationTimestamp":"2026-09-21T14:13:20Z","deletionTimestamp":"2026-09-21T14:14:20Z","deletionGracePeriodSeconds":30,
            "labels":{"maptask.dev/name":"t","maptask.dev/index":"3","app":"x"},"annotations":{"a":"b"},
            "ownerReferences":[{"apiVersion":"maptask.dev/v1alpha1","kind":"MapTask","name":"t","uid":"o","controller":true}],
            "managedFields":[{"manager":"m"}]},
            "spec":{"containers":[],"nodeName":"n"},"status":{"phase":"Succeeded","podIP":"1.2.3.4","containerStatuses":[
            {"name":"main","ready":false,"restartCount":0,"state":{"terminated":{"exitCode":0,"message":"7","containerID":"c"}}}]}}"#;
        let seen = serde_json::from_str::<LeanPod>(json).unwrap().seen().unwrap();
        assert_eq!((seen.name.as_str(), &*seen.task, seen.owner_uid.as_deref()), ("t-3-1", "t", Some("o")));
        assert_eq!(
            (seen.created, seen.deleted),
            (Some(ids::Time(1_790_000_000_000)), Some(Deletion { asked: ids::Time(1_790_000_030_000), last: false }))
        );
        assert_eq!((seen.status.phase.as_deref(), seen.node.as_deref()), (Some("Succeeded"), Some("n")));
        let container = &seen.status.container_statuses.unwrap()[0];
        let terminated = container.state.as_ref().unwrap().terminated.as_ref().unwrap();
        assert_eq!(terminated.message.as_deref(), Some("7"));
    }

    #[test]
    fn a_pod_is_its_owners_whatever_becomes_of_its_label() {
        let seen = |labels: &str| {
            let owner =
                r#"{"apiVersion":"maptask.dev/v1alpha1","kind":"MapTask","name":"t","uid":"o","controller":true}"#;
            let json = format!(
                r#"{{"metadata":{{"name":"t-3-1","namespace":"ns","uid":"u","resourceVersion":"7","labels":{labels},
                "ownerReferences":[{owner}]}},"status":{{}}}}"#
            );
            let seen = serde_json::from_str::<LeanPod>(&json).unwrap().seen().unwrap();
            (seen.task.to_string(), seen.labelled)
        };
        assert_eq!(seen(r#"{"maptask.dev/name":"t"}"#), ("t".to_owned(), true));
        assert_eq!(seen(r#"{"maptask.dev/name":"other"}"#), ("t".to_owned(), true));
        assert_eq!(seen("{}"), ("t".to_owned(), false));
    }

    #[test]
    fn gates_are_named_and_a_pod_that_was_never_changed_never_had_any() {
        let gating = |gates: &str, generation: &str| {
            let json = format!(
                r#"{{"metadata":{{"name":"t-3-1","namespace":"ns","uid":"u","resourceVersion":"7"{generation},
                "labels":{{"maptask.dev/name":"t"}}}},"spec":{{{gates}}},"status":{{}}}}"#
            );
            serde_json::from_str::<LeanPod>(&json).unwrap().seen().unwrap().gating
        };
        let gates = r#""schedulingGates":[{"name":"a/b"},{"name":"c/d"}]"#;
        assert_eq!(gating(gates, r#","generation":1"#), Gating::Held { names: "a/b, c/d".to_owned() });
        assert_eq!(gating("", r#","generation":1"#), Gating::Never);
        assert_eq!(gating("", r#","generation":2"#), Gating::Open);
        assert_eq!(gating("", ""), Gating::Open, "an API server that does not count");
    }

    #[test]
    fn a_pod_of_nobody_is_no_event() {
        let json = r#"{"metadata":{"name":"x","namespace":"ns","uid":"u"},"status":{}}"#;
        assert_eq!(serde_json::from_str::<LeanPod>(json).unwrap().seen(), None);
    }
}
