//! Do two templates mean the same? A template without what may be left out: nulls, empty maps and lists, and defaults
//! that a client may write out or not.

use serde_json::{Map, Value, json};

use crate::core::quantity::Quantity;

/// Maps whose keys are the user's own: nothing in them is a default.
const OWN_KEYS: [&str; 9] = [
    "annotations",
    "labels",
    "limits",
    "matchLabels",
    "nodeSelector",
    "options",
    "overhead",
    "requests",
    "volumeAttributes",
];
/// Objects that mean something though they are empty: a selector of everything is not the lack of one, and in a volume
/// the key says which kind it is.
const MEANINGFUL: [&str; 7] =
    ["downwardAPI", "labelSelector", "namespaceSelector", "preference", "projected", "selector", "volumeClaimTemplate"];

/// What a field of a pod's spec is that is left out.
fn default_of_pod(field: &str) -> Option<Value> {
    Some(match field {
        "dnsPolicy" => json!("ClusterFirst"),
        "enableServiceLinks" | "hostUsers" => json!(true),
        "hostIPC" | "hostNetwork" | "hostPID" | "setHostnameAsFQDN" | "shareProcessNamespace" => json!(false),
        "hostname" | "nodeName" | "priorityClassName" | "subdomain" => json!(""),
        "preemptionPolicy" => json!("PreemptLowerPriority"),
        // Of an item's pods, though not of others.
        "restartPolicy" => json!("Never"),
        "schedulerName" => json!("default-scheduler"),
        "serviceAccountName" => json!("default"),
        "terminationGracePeriodSeconds" => json!(30),
        _ => return None,
    })
}

/// Defaults of fields that mean the same wherever they are in a pod's spec.
fn default_of(field: &str) -> Option<Value> {
    Some(match field {
        "apiVersion" => json!("v1"),
        "defaultMode" => json!(0o644),
        "expirationSeconds" => json!(3_600),
        "failureThreshold" => json!(3),
        "fsGroupChangePolicy" => json!("Always"),
        "hostPort" | "initialDelaySeconds" => json!(0),
        "mountPropagation" => json!("None"),
        "operator" => json!("Equal"),
        "optional" | "privileged" | "readOnly" | "readOnlyRootFilesystem" | "stdin" | "stdinOnce" | "tty" => {
            json!(false)
        }
        "periodSeconds" => json!(10),
        "procMount" => json!("Default"),
        "protocol" => json!("TCP"),
        "recursiveReadOnly" => json!("Disabled"),
        "scheme" => json!("HTTP"),
        "subPath" | "subPathExpr" | "value" | "workingDir" => json!(""),
        "successThreshold" | "timeoutSeconds" => json!(1),
        "supplementalGroupsPolicy" => json!("Merge"),
        "terminationMessagePath" => json!("/dev/termination-log"),
        // The operator's own, see `last_words`.
        "terminationMessagePolicy" => json!("FallbackToLogsOnError"),
        "volumeMode" => json!("Filesystem"),
        _ => return None,
    })
}

/// The template without what may be left out. Two whose pods are the same are equal; for two that are not, pods differ.
pub fn canonical(template: &Value) -> Value {
    let mut spec = template.get("spec").cloned().unwrap_or_default();
    if let Some(spec) = spec.as_object_mut() {
        one_account(spec);
        for list in ["containers", "initContainers"] {
            for container in objects(spec.get_mut(list)) {
                pull_policy(container, "image", "imagePullPolicy");
                amounts(container);
            }
        }
        for volume in objects(spec.get_mut("volumes")) {
            if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut) {
                pull_policy(image, "reference", "pullPolicy");
            }
            drop_if(volume.get_mut("hostPath"), "type", "");
        }
        spec.retain(|field, value| default_of_pod(field).is_none_or(|default| *value != default));
    }
    tidy(&mut spec);
    let mut metadata = Map::new();
    for field in ["annotations", "labels"] {
        let mut own = template.get("metadata").and_then(|metadata| metadata.get(field)).cloned().unwrap_or_default();
        if !is_nothing(field, &own) {
            metadata.insert(field.to_owned(), own.take());
        }
    }
    json!({ "metadata": metadata, "spec": spec })
}

/// Takes out what means nothing, from the inside.
fn tidy(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(tidy),
        Value::Object(object) => {
            drop_if_root(object);
            for (field, value) in object.iter_mut() {
                if !OWN_KEYS.contains(&field.as_str()) {
                    tidy(value);
                }
            }
            object.retain(|field, value| {
                !is_nothing(field, value) && default_of(field).is_none_or(|default| *value != default)
            });
        }
        _ => {}
    }
}

/// `httpGet` of a probe or a hook: it asks for the root unless it says otherwise.
fn drop_if_root(object: &mut Map<String, Value>) {
    drop_if(object.get_mut("httpGet"), "path", "/");
}

fn is_nothing(field: &str, value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty() && !MEANINGFUL.contains(&field),
        _ => false,
    }
}

fn drop_if(object: Option<&mut Value>, field: &str, default: &str) {
    if let Some(object) = object.and_then(Value::as_object_mut)
        && object.get(field).and_then(Value::as_str) == Some(default)
    {
        object.remove(field);
    }
}

fn objects(list: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    list.and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
}

/// `serviceAccount` is the old name of `serviceAccountName`.
fn one_account(spec: &mut Map<String, Value>) {
    if let Some(account) = spec.remove("serviceAccount").filter(|account| !account.is_null())
        && spec.get("serviceAccountName").is_none_or(Value::is_null)
    {
        spec.insert("serviceAccountName".to_owned(), account);
    }
}

/// An image without a tag, or with the tag latest, is pulled always, unless its digest is given; others once.
fn pull_policy(object: &mut Map<String, Value>, image: &str, policy: &str) {
    let Some(name) = object.get(image).and_then(Value::as_str) else { return };
    let last = name.rsplit('/').next().unwrap_or(name);
    let (tagged, digest) = last.split_once('@').map_or((last, false), |(tagged, _)| (tagged, true));
    let latest = match tagged.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest,
    };
    let default = if latest { "Always" } else { "IfNotPresent" };
    if object.get(policy).and_then(Value::as_str) == Some(default) {
        object.remove(policy);
    }
}

/// Amounts in one unit; a request that is as large as the limit is the default.
fn amounts(container: &mut Map<String, Value>) {
    let Some(resources) = container.get_mut("resources").and_then(Value::as_object_mut) else { return };
    for kind in ["limits", "requests"] {
        for amount in resources.get_mut(kind).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut) {
            let text = amount.as_str().map_or_else(|| amount.to_string(), str::to_owned);
            if let Some(quantity) = Quantity::parse(&text) {
                *amount = json!(quantity.to_string());
            }
        }
    }
    let limits = resources.get("limits").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(requests) = resources.get_mut("requests").and_then(Value::as_object_mut) {
        requests.retain(|resource, amount| limits.get(resource) != Some(amount));
    }
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
