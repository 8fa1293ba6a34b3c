//! The Workloads of Kueue that belong to tasks, each as the few fields that count.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta};
use kube::Resource;
use kube::core::NamespaceResourceScope;
use kube::runtime::watcher;
use serde::Deserialize;
use serde_json::Value;

use super::pods::is_map_task;
use crate::api::annotations;
use crate::core::ids::TaskKey;
use crate::core::port::Event;
use crate::core::workload::{Assignment, PodSet, PodSetUpdate, WorkloadSeen};

/// A Workload without the templates of its pod sets.
#[derive(Clone, Debug, Deserialize)]
pub struct LeanWorkload {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    active: Option<bool>,
    queue_name: String,
    priority: Option<i32>,
    pod_sets: Vec<Counted>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    admission: Option<Admission>,
    admission_checks: Vec<Check>,
    reclaimable_pods: Vec<Counted>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Counted {
    name: String,
    count: u32,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Admission {
    pod_set_assignments: Vec<Assigned>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Assigned {
    name: String,
    count: Option<u32>,
    flavors: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Check {
    pod_set_updates: Vec<Update>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Update {
    name: String,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    node_selector: BTreeMap<String, String>,
    tolerations: Vec<Value>,
}

impl Resource for LeanWorkload {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Workload".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "kueue.x-k8s.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1beta2".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "workloads".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl LeanWorkload {
    /// The Workload for the core; `None` if no task owns it.
    fn seen(self) -> Option<WorkloadSeen> {
        let Self { mut metadata, spec, status } = self;
        let owner = metadata.owner_references.into_iter().flatten().find(|owner| owner.controller == Some(true));
        let owner = owner.filter(is_map_task)?;
        let assigned = status.admission.into_iter().flat_map(|admission| admission.pod_set_assignments);
        let assignment = |assigned: Assigned| Assignment {
            name: assigned.name,
            count: assigned.count,
            flavors: assigned.flavors.into_values().collect(),
        };
        let updates = status.admission_checks.into_iter().flat_map(|check| check.pod_set_updates);
        let update = |update: Update| {
            let Update { name, labels, annotations, node_selector, tolerations } = update;
            PodSetUpdate { name, labels, annotations, node_selector, tolerations }
        };
        Some(WorkloadSeen {
            task: TaskKey::new(metadata.namespace?, owner.name),
            task_uid: owner.uid,
            uid: metadata.uid?,
            version: metadata.resource_version?.parse().ok()?,
            generation: metadata.generation.unwrap_or(0),
            deleting: metadata.deletion_timestamp.is_some(),
            active: spec.active.unwrap_or(true),
            rerun: metadata.annotations.as_mut().and_then(|all| all.remove(annotations::RERUN)),
            queue: spec.queue_name,
            priority: spec.priority.unwrap_or(0),
            pod_sets: spec.pod_sets.into_iter().map(|set| PodSet { name: set.name, count: set.count }).collect(),
            assignments: assigned.map(assignment).collect(),
            updates: updates.map(update).collect(),
            reclaimable: status.reclaimable_pods.into_iter().map(|set| (set.name, set.count)).collect(),
            conditions: status.conditions,
        })
    }
}

/// What the watch says, for the core.
pub(crate) fn translate(event: watcher::Event<LeanWorkload>) -> Option<Event> {
    match event {
        watcher::Event::Apply(workload) | watcher::Event::InitApply(workload) => {
            workload.seen().map(Box::new).map(Event::Workload)
        }
        watcher::Event::Delete(workload) => workload.seen().map(Box::new).map(Event::WorkloadGone),
        watcher::Event::Init => Some(Event::WorkloadsListing),
        watcher::Event::InitDone => Some(Event::WorkloadsListed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_workload_is_read_for_what_counts() {
        let json = r#"{"apiVersion":"kueue.x-k8s.io/v1beta2","kind":"Workload","metadata":{"name":"maptask-t-u","namespace":"ns",
            "uid":"w","resourceVersion":"7","generation":2,"ownerReferences":[{"apiVersion":"maptask.dev/v1alpha1",
            "kind":"MapTask","name":"t","uid":"u","controller":true}]},
            "spec":{"active":true,"queueName":"q","priority":3,"podSets":[{"name":"main","count":5,"minCount":2,"template":{}}]},
            "status":{"admission":{"clusterQueue":"c","podSetAssignments":[{"name":"main","count":3,"flavors":{"cpu":"spot"},
            "resourceUsage":{"cpu":"3"}}]},"reclaimablePods":[{"name":"main","count":1}],
            "admissionChecks":[{"name":"p","state":"Ready","podSetUpdates":[{"name":"main","nodeSelector":{"a":"b"}}]}],
            "conditions":[{"type":"Admitted","status":"True","reason":"Admitted","message":"m",
            "lastTransitionTime":"2026-09-21T14:13:20Z"}]}}"#;
        let seen = serde_json::from_str::<LeanWorkload>(json).unwrap().seen().unwrap();
        assert_eq!((seen.task, seen.task_uid.as_str(), seen.version), (TaskKey::new("ns", "t"), "u", 7));
        assert_eq!((seen.queue.as_str(), seen.priority, seen.active, seen.deleting), ("q", 3, true, false));
        assert_eq!(seen.pod_sets, [PodSet { name: "main".to_owned(), count: 5 }]);
        let flavors = vec!["spot".to_owned()];
        assert_eq!(seen.assignments, [Assignment { name: "main".to_owned(), count: Some(3), flavors }]);
        assert_eq!(seen.reclaimable["main"], 1);
        assert_eq!(seen.updates[0].node_selector["a"], "b");
        assert_eq!(seen.conditions[0].type_, "Admitted");
        let orphan = r#"{"metadata":{"name":"w","namespace":"ns","uid":"w","resourceVersion":"7"}}"#;
        assert!(serde_json::from_str::<LeanWorkload>(orphan).unwrap().seen().is_none());
    }
}
