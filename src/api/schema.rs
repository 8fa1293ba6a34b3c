//! What the CRD's schema says beyond the types: the rules by which the API server itself refuses a MapTask.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// A list of any JSON.
pub(super) fn json_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 1_000_000,
        "items": any_json(),
    })
}

/// Named lists of any JSON.
pub(super) fn matrix(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "minProperties": 1,
        "maxProperties": 16,
        "additionalProperties": { "type": "array", "items": any_json() },
    })
}

fn any_json() -> Value {
    json!({ "x-kubernetes-preserve-unknown-fields": true, "nullable": true })
}

/// Any JSON, or null.
pub(super) fn any_value(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "x-kubernetes-preserve-unknown-fields": true, "nullable": true })
}

/// The name of a container or a volume: a DNS label.
pub(super) fn dns_label(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "minLength": 1,
        "maxLength": 63,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    })
}

/// Who runs a task: what a Job allows in its field of this name.
pub(super) fn managed_by(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": r"self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*/[A-Za-z0-9/._~%!$&()*+,;=:-]+$')",
            "message": "managedBy must be a domain, a slash and a name, such as acme.io/controller: correct it, or leave it out for this operator",
            "reason": "FieldValueInvalid",
        }],
    })
}

/// Exit codes of failures.
pub(super) fn exit_codes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 100,
        "x-kubernetes-list-type": "set",
        "items": { "type": "integer", "format": "int32", "minimum": 1 },
    })
}

/// An amount of memory.
pub(super) fn quantity(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string",
        "maxLength": 32,
        "pattern": r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|Pi|k|M|G|T|P)?$",
    })
}

/// A time in RFC 3339.
pub(super) fn timestamp(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "format": "date-time" })
}

/// Exactly one of the sources. The lists are of unknown type to CEL, which therefore can't even ask whether they are
/// there; `oneOf` can. (`maxProperties` could, too, but its message reads as if one item were the limit.)
pub(super) fn exactly_one_source(schema: &mut Schema) {
    let sources = schema.get("properties").and_then(Value::as_object).into_iter().flat_map(Map::keys);
    let branches: Vec<Value> = sources.map(|source| json!({ "required": [source] })).collect();
    schema.insert("oneOf".to_owned(), Value::Array(branches));
}

/// Requires exactly one way to say which ConfigMaps.
pub(super) fn exactly_one_config_map(schema: &mut Schema) {
    let rule = json!({
        "rule": "has(self.name) != has(self.names)",
        "message": "give either name or names",
    });
    schema.insert("x-kubernetes-validations".to_owned(), json!([rule]));
}

/// The rules over the whole spec: what excludes what, and what can't change after creation.
pub(super) fn immutable_spec(schema: &mut Schema) {
    let mut rules = vec![rule(
        "!(has(self.minSuccessRatio) && has(self.minSuccesses))",
        "set minSuccessRatio or minSuccesses, not both: remove one of them",
        ".minSuccesses",
    )];
    rules.push(rule(
        "!has(self.reduce) || self.results.source == 'TerminationMessage'",
        "reduce reads the results, but results.source is None: set it to TerminationMessage, or remove reduce",
        ".reduce",
    ));
    rules.push(rule(
        "!has(self.cache) || self.results.source == 'TerminationMessage'",
        "cache stores results, but results.source is None: set it to TerminationMessage, or remove cache",
        ".cache",
    ));
    rules.push(rule(
        "has(self.workers) || self.results.maxBytesPerItem <= 4096",
        "results.maxBytesPerItem is above 4096, the kubelet's limit for a termination message: lower it, or set workers",
        ".results.maxBytesPerItem",
    ));
    rules.push(rule(
        "!has(self.workers) || self.template.spec.containers.exists(c, has(c.command) && size(c.command) > 0 && \
         c.name == (has(self.container) ? self.container : self.template.spec.containers[0].name))",
        "workers run the command of the item's container once for each item, and it has none: give command (and args); what an \
         image runs by itself is in its configuration (Entrypoint and Cmd)",
        ".template.spec.containers",
    ));
    rules.push(rule(
        "!self.cancel || !has(self.rerun) || (has(oldSelf.rerun) && oldSelf.rerun.id == self.rerun.id)",
        "cancel is true, so that a rerun would not start: set cancel to false together with rerun",
        ".rerun",
    ));
    rules.push(rule(
        "!has(self.rerun) || self.rerun.items != 'List' || has(self.items.configMap) || has(self.items.resultsOf) || \
         has(self.items.pod)",
        "List needs items.configMap, items.resultsOf or items.pod: use All, or create another task",
        ".rerun.items",
    ));
    rules.extend(fixed_fields(schema));
    // The name of a cache is compared where the name of the task is known.
    let cache = ["version", "ignoreTemplate", "serialize"].map(|field| same("self.cache", field));
    let reduce = [
        same("self.reduce", "retries"),
        same_or_absent("self.reduce", "startDeadlineSeconds"),
        same_or_absent("self.reduce", "activeDeadlineSeconds"),
        rule_of_default("self.reduce", "container", "self.reduce.template.spec.containers[0].name"),
    ];
    let names = "template.spec.containers.map(c, c.name)";
    let if_there = |field: &str, all: &str| {
        format!("has(self.{field}) == has(oldSelf.{field}) && (!has(self.{field}) || !has(oldSelf.{field}) || ({all}))")
    };
    rules.extend([
        fixed(
            &rule_of_default("self", "container", "self.template.spec.containers[0].name"),
            "container",
            ".container",
        ),
        fixed(&rule_of_default("self", "minSuccessRatio", "1.0"), "minSuccessRatio", ".minSuccessRatio"),
        fixed(&same("self", names), "template", ".template"),
        fixed(&if_there("cache", &cache.join(" && ")), "cache", ".cache"),
        fixed(&if_there("reduce", &reduce.join(" && ")), "reduce", ".reduce"),
        fixed(
            &format!("!has(self.reduce) || !has(oldSelf.reduce) || {}", same("self.reduce", names)),
            "reduce.template",
            ".reduce.template",
        ),
    ]);
    schema.insert("x-kubernetes-validations".to_owned(), Value::Array(rules));
}

/// The fields that may change after creation. The API server refuses a change of any other.
const MUTABLE_FIELDS: [&str; 10] = [
    "concurrency",
    "minConcurrency",
    "priority",
    "suspend",
    "suspendPolicy",
    "cancel",
    "activeDeadlineSeconds",
    "ttlSecondsAfterFinished",
    "finishedPods",
    "rerun",
];

/// Fields of which only a part is fixed, or for which absence means a value: these have rules of their own.
const FIXED_IN_PART: [&str; 5] = ["template", "container", "minSuccessRatio", "cache", "reduce"];

/// A field is as it was, unless it is named as one that may change.
fn fixed_fields(schema: &Schema) -> Vec<Value> {
    let is_required = |field: &str| {
        let required = schema.get("required").and_then(Value::as_array);
        required.is_some_and(|required| required.iter().any(|name| name == field))
    };
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let properties = properties
        .filter(|(field, _)| !MUTABLE_FIELDS.contains(&field.as_str()) && !FIXED_IN_PART.contains(&field.as_str()));
    let rule = |(field, property): (&String, &Value)| {
        let is_always_there = is_required(field) || property.get("default").is_some();
        let text = if is_always_there { same("self", field) } else { same_or_absent("self", field) };
        fixed(&text, field, &format!(".{field}"))
    };
    properties.map(rule).collect()
}

/// That a field is as it was.
fn same(place: &str, field: &str) -> String {
    format!("{place}.{field} == {}.{field}", old(place))
}

/// That a field that may be absent is as it was.
fn same_or_absent(place: &str, field: &str) -> String {
    let old = old(place);
    format!("has({place}.{field}) == has({old}.{field}) && (!has({place}.{field}) || {})", same(place, field))
}

/// That a field is as it was, where absence means a default value.
pub(super) fn rule_of_default(place: &str, field: &str, default: &str) -> String {
    let value = |place: &str, default: &str| format!("(has({place}.{field}) ? {place}.{field} : {default})");
    format!("{} == {}", value(place, default), value(&old(place), &old(default)))
}

/// The object before the change.
fn old(place: &str) -> String {
    place.strip_prefix("self").map_or_else(|| place.to_owned(), |rest| format!("oldSelf{rest}"))
}

pub(super) fn fixed(rule_text: &str, field: &str, field_path: &str) -> Value {
    let [others @ .., last] = MUTABLE_FIELDS;
    let others = others.join(", ");
    rule(
        rule_text,
        &format!(
            "{field} can't be changed after creation ({others} and {last} can): delete the MapTask, or create another under a new name"
        ),
        field_path,
    )
}

fn rule(rule: &str, message: &str, field_path: &str) -> Value {
    json!({ "rule": rule, "message": message, "fieldPath": field_path, "reason": "FieldValueInvalid" })
}

/// A step that would never arrive.
pub(super) fn not_zero(schema: &mut Schema) {
    schema.insert(
        "x-kubernetes-validations".to_owned(),
        json!([{ "rule": "self != 0", "message": "step must not be 0: use a positive or a negative integer" }]),
    );
}

/// The name becomes a label value and the first part of every pod's name.
pub(super) const NAME_RULE: &str = "size(self.metadata.name) <= 63";
/// What a user reads who broke [`NAME_RULE`].
pub(super) const NAME_MESSAGE: &str =
    "metadata.name must be at most 63 characters, since it is also a label of the task's pods: choose a shorter name";

/// The name of a cache is that of the task where none is given.
pub(super) const CACHE_NAME_RULE: &str = "!has(self.spec.cache) || !has(oldSelf.spec.cache) || (has(self.spec.cache.name) ? self.spec.cache.name : \
     self.metadata.name) == (has(oldSelf.spec.cache.name) ? oldSelf.spec.cache.name : oldSelf.metadata.name)";
/// What a user reads who broke [`CACHE_NAME_RULE`].
pub(super) const CACHE_NAME_MESSAGE: &str =
    "spec.cache.name can't be changed after creation: delete the MapTask, or create another under a new name";

/// A task can't wait for itself.
pub(super) const RESULTS_OF_RULE: &str =
    "!has(self.spec.items.resultsOf) || self.spec.items.resultsOf.name != self.metadata.name";
/// What a user reads who broke [`RESULTS_OF_RULE`].
pub(super) const RESULTS_OF_MESSAGE: &str =
    "spec.items.resultsOf.name is the task itself, which would wait for its own end: name another MapTask";
