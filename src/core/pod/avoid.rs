//! Nodes that a pod would rather not run on.

use serde_json::{Map, Value, json};

/// The label of a node that a scheduler goes by.
const HOSTNAME: &str = "kubernetes.io/hostname";
/// The weight of the preference: more than any other that the template has, since items failed there.
const WEIGHT: u8 = 100;

/// Makes the scheduler prefer other nodes than these. Where there is no other, the pod runs all the same.
pub fn prefer_other_nodes(pod: &mut Value, nodes: &[String]) {
    let Some(spec) = pod.get_mut("spec").and_then(Value::as_object_mut).filter(|_| !nodes.is_empty()) else { return };
    let Some(of_node) = object(spec, "affinity").and_then(|affinity| object(affinity, "nodeAffinity")) else { return };
    let others = json!({ "key": HOSTNAME, "operator": "NotIn", "values": nodes });
    let preference = json!({ "weight": WEIGHT, "preference": { "matchExpressions": [others] } });
    let field = "preferredDuringSchedulingIgnoredDuringExecution";
    match of_node.get_mut(field).and_then(Value::as_array_mut) {
        Some(preferences) => preferences.push(preference),
        None => drop(of_node.insert(field.to_owned(), json!([preference]))),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_prefers_other_nodes_beside_what_its_template_prefers() {
        let field = "preferredDuringSchedulingIgnoredDuringExecution";
        let nodes = ["a".to_owned(), "b".to_owned()];
        let own = json!({ "weight": 1, "preference": {} });
        let template = json!({ "nodeAffinity": { field: [own] }, "podAffinity": {} });
        for (affinity, before) in [(Value::Null, 0), (json!({ "nodeAffinity": null }), 0), (template, 1)] {
            let mut pod = json!({ "spec": { "affinity": affinity } });
            prefer_other_nodes(&mut pod, &nodes);
            let preferences = pod["spec"]["affinity"]["nodeAffinity"][field].as_array().unwrap();
            assert_eq!(preferences.len(), before + 1);
            let expression = &preferences[before]["preference"]["matchExpressions"][0];
            assert_eq!((&expression["operator"], &expression["values"]), (&json!("NotIn"), &json!(nodes)));
        }
        let mut pod = json!({ "spec": {} });
        prefer_other_nodes(&mut pod, &[]);
        assert_eq!(pod, json!({ "spec": {} }));
    }
}
