//! The hash that identifies the templates of a spec, what of them may change, and a stand-in for templates that have
//! changed.

use serde_json::{Map, Value, json};

use crate::api::spec::MapTaskSpec;
use crate::core::items;
use crate::core::pod::canonical::canonical;

/// Identifies the templates of a spec, however a client writes them: `status.templateHash`. It has two parts: of what
/// never changes, and of what may change before anything has started.
pub fn hash(spec: &MapTaskSpec) -> String {
    let (fixed, movable) = split(&spec.template);
    let reduce = spec.reduce.as_ref().map(|reduce| split(&reduce.template));
    let (fixed_reduce, movable_reduce) = reduce.unzip();
    let digest = |parts: Value| items::hash(parts.to_string().as_bytes());
    let mut all_fixed = vec![json!(fixed), json!(fixed_reduce)];
    // By the time that a template may change, the list may have been computed.
    all_fixed.extend(spec.items.pod.as_ref().map(|pod| json!(canonical(&pod.template))));
    format!("{RULES}{}{SEPARATOR}{}", digest(json!(all_fixed)), digest(json!([movable, movable_reduce])))
}

/// The version of the rules about what a template may leave out, a prefix of each hash. A hash of another version is
/// never compared. Change this number with the rules in `core/pod/canonical`: without it, the templates of running
/// tasks would look changed.
const RULES: &str = "2-";
/// Between the two parts.
const SEPARATOR: char = '/';

/// Fields of a pod's spec that a queueing system sets. With `affinity.nodeAffinity`, labels and annotations they are
/// what a suspended Job, too, lets change.
const MOVABLE: [&str; 3] = ["nodeSelector", "schedulingGates", "tolerations"];

/// What never changes in a template, and what may.
fn split(template: &Value) -> (Value, Value) {
    let mut fixed = canonical(template);
    let mut movable = Map::from_iter([("metadata".to_owned(), fixed["metadata"].take())]);
    let Some(spec) = fixed["spec"].as_object_mut() else { return (fixed, Value::Object(movable)) };
    movable.extend(MOVABLE.iter().filter_map(|field| spec.remove_entry(*field)));
    if let Some(affinity) = spec.get_mut("affinity").and_then(Value::as_object_mut) {
        movable.extend(affinity.remove_entry("nodeAffinity"));
        if affinity.is_empty() {
            spec.remove("affinity");
        }
    }
    (fixed, Value::Object(movable))
}

/// Whether the hash may be that of the spec's templates. A hash of another version of the rules always may.
pub fn is_of(accepted: &str, spec: &MapTaskSpec) -> bool {
    !accepted.starts_with(RULES) || accepted == hash(spec)
}

/// Whether the spec's templates differ at most in what may change before anything has started.
pub fn may_become(accepted: &str, spec: &MapTaskSpec) -> bool {
    let fixed = |hash: &str| hash.split(SEPARATOR).next().map(str::to_owned);
    fixed(accepted) == fixed(&hash(spec))
}

/// A template with containers of the same names, which is never refused.
fn stand_in(template: &Value, container: Option<&str>, volume: Option<&str>) -> Value {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<&str> = containers.filter_map(|container| container.get("name")?.as_str()).collect();
    names.extend(container.filter(|name| !names.contains(name)));
    if names.is_empty() {
        names.push("main");
    }
    // Memory that grows needs a limit to grow from, and a worker a command.
    let limits = json!({ "limits": { "memory": "0" } });
    let container = |name: &&str| json!({ "name": name, "command": ["-"], "resources": limits });
    let containers: Vec<Value> = names.iter().map(container).collect();
    let volumes: Vec<Value> = volume.iter().map(|name| json!({ "name": name })).collect();
    json!({ "spec": { "containers": containers, "volumes": volumes } })
}

/// The spec with stand-ins for its templates, for which it is never refused. No pod may be made from it.
pub fn with_stand_ins(spec: &MapTaskSpec) -> MapTaskSpec {
    let mut spec = spec.clone();
    // What is computed from another template has another key, and that of this one is not known.
    spec.cache = None;
    let volume = spec.artifacts.as_ref().map(|artifacts| artifacts.volume.clone());
    spec.template = stand_in(&spec.template, spec.container.as_deref(), volume.as_deref());
    if let Some(reduce) = &mut spec.reduce {
        reduce.template = stand_in(&reduce.template, reduce.container.as_deref(), None);
    }
    if let Some(pod) = &mut spec.items.pod {
        pod.template = stand_in(&pod.template, pod.container.as_deref(), None);
    }
    spec
}

/// What to do about templates that can't change any more.
pub const RESTORE: &str = "restore it,";
/// What to do about templates of a task that has started nothing yet.
pub const SUSPEND: &str = "set spec.suspend to true to let it change, restore it,";

/// Why nothing starts with templates that have changed.
pub fn changed(spec: &MapTaskSpec, way_out: &str) -> String {
    let reduce = if spec.reduce.is_some() { " or spec.reduce.template" } else { "" };
    let list = if spec.items.pod.is_some() { " or spec.items.pod.template" } else { "" };
    format!(
        "spec.template{reduce}{list} has changed since the task was accepted: running items finish, and nothing more starts; {way_out} \
         or create another MapTask"
    )
}
