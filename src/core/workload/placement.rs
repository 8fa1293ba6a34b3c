//! What Kueue says of where pods may run: the flavors of their resources, and what admission checks add.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::WorkloadSeen;

/// A `ResourceFlavor`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Flavor {
    /// Its name.
    pub name: String,
    /// Labels of its nodes.
    pub node_labels: BTreeMap<String, String>,
    /// Taints of its nodes that pods tolerate.
    pub tolerations: Vec<Value>,
}

/// What the pods of a set get on top of their template.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    node_selector: BTreeMap<String, String>,
    tolerations: Vec<Value>,
}

impl Placement {
    /// Of the pods of a set of an admitted Workload.
    pub fn of(workload: &WorkloadSeen, set: &str, flavors: &[Flavor]) -> Self {
        let mut placement = Self::default();
        let assigned = workload.assignments.iter().filter(|assignment| assignment.name == set);
        let names: Vec<&String> = assigned.flat_map(|assignment| &assignment.flavors).collect();
        for flavor in flavors.iter().filter(|flavor| names.contains(&&flavor.name)) {
            placement.node_selector.extend(flavor.node_labels.clone());
            placement.tolerate(&flavor.tolerations);
        }
        for update in workload.updates.iter().filter(|update| update.name == set) {
            placement.labels.extend(update.labels.clone());
            placement.annotations.extend(update.annotations.clone());
            placement.node_selector.extend(update.node_selector.clone());
            placement.tolerate(&update.tolerations);
        }
        placement
    }

    fn tolerate(&mut self, tolerations: &[Value]) {
        let new: Vec<Value> = tolerations.iter().filter(|one| !self.tolerations.contains(one)).cloned().collect();
        self.tolerations.extend(new);
    }

    /// Adds it to a pod. Where the template says something else, Kueue's word counts: the pod was admitted by it.
    pub fn apply(&self, pod: &mut Value) {
        let Some(pod) = pod.as_object_mut() else { return };
        for (field, values) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if let Some(metadata) = object(pod, "metadata") {
                put(metadata, field, values);
            }
        }
        let Some(spec) = object(pod, "spec") else { return };
        put(spec, "nodeSelector", &self.node_selector);
        if self.tolerations.is_empty() {
            return;
        }
        let own = spec.entry("tolerations").or_insert_with(|| json!([]));
        if own.is_null() {
            *own = json!([]);
        }
        if let Some(own) = own.as_array_mut() {
            let new: Vec<Value> = self.tolerations.iter().filter(|one| !own.contains(one)).cloned().collect();
            own.extend(new);
        }
    }
}

fn put(of: &mut Map<String, Value>, field: &str, values: &BTreeMap<String, String>) {
    if values.is_empty() {
        return;
    }
    if let Some(map) = object(of, field) {
        map.extend(values.iter().map(|(name, value)| (name.clone(), json!(value))));
    }
}

/// The object in this field, which is made if there is none.
fn object<'a>(of: &'a mut Map<String, Value>, field: &str) -> Option<&'a mut Map<String, Value>> {
    let value = of.entry(field).or_insert(Value::Null);
    if value.is_null() {
        *value = json!({});
    }
    value.as_object_mut()
}
