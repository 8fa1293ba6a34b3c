//! The hash that identifies the templates of a spec, and a stand-in for templates that have changed.

use serde_json::{Value, json};

use crate::api::spec::MapTaskSpec;
use crate::core::items;
use crate::core::pod::canonical::canonical;

/// Identifies the templates of a spec, however a client writes them: `status.templateHash`.
pub fn hash(spec: &MapTaskSpec) -> String {
    let reduce = spec.reduce.as_ref().map(|reduce| canonical(&reduce.template));
    let digest = items::hash(json!([canonical(&spec.template), reduce]).to_string().as_bytes());
    format!("{RULES}{digest}")
}

/// The version of the rules about what a template may leave out, a prefix of each hash. A hash of another version is
/// never compared. Change this number with the rules in `core/pod/canonical`: without it, the templates of running
/// tasks would look changed.
const RULES: &str = "1-";

/// Whether the hash may be that of the spec's templates. A hash of another version of the rules always may.
pub fn is_of(accepted: &str, spec: &MapTaskSpec) -> bool {
    !accepted.starts_with(RULES) || accepted == hash(spec)
}

/// A template with containers of the same names, which is never refused.
pub fn stand_in(template: &Value, container: Option<&str>, volume: Option<&str>) -> Value {
    let containers = template.pointer("/spec/containers").and_then(Value::as_array).into_iter().flatten();
    let mut names: Vec<&str> = containers.filter_map(|container| container.get("name")?.as_str()).collect();
    names.extend(container.filter(|name| !names.contains(name)));
    if names.is_empty() {
        names.push("main");
    }
    // Memory that grows needs a limit to grow from.
    let limits = json!({ "limits": { "memory": "0" } });
    let containers: Vec<Value> = names.iter().map(|name| json!({ "name": name, "resources": limits })).collect();
    let volumes: Vec<Value> = volume.iter().map(|name| json!({ "name": name })).collect();
    json!({ "spec": { "containers": containers, "volumes": volumes } })
}
