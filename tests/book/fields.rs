//! The fields of a `MapTask`: path, type, range, default, whether it may change, meaning. All of it is in the CRD.

use std::fmt::Write;

use serde_json::Value;

const HEAD: &str = "# Fields of a MapTask

<!-- Generated from src/api by `make crds`. -->

Every field of `spec` and `status`. `kubectl explain maptask.spec --recursive` prints the same from the cluster. The API
server refuses unknown fields and values out of range. [MapTask](maptask.md) has what a field alone does not say:
conditions, environment variables, names and limits.
";

/// A pattern that has a name.
const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

fn schema() -> Value {
    let crd = serde_json::to_value(maptask::api::crd()).unwrap();
    crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap().clone()
}

/// A number as it is written in a manifest.
fn number(value: &Value) -> String {
    let text = value.to_string();
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

/// `1 to 5`, `at least 1`, `at most 5`, or nothing.
fn range(schema: &Value, least: &str, most: &str) -> Option<String> {
    match (&schema[least], &schema[most]) {
        (Value::Null, Value::Null) => None,
        (least, Value::Null) => Some(format!("at least {}", number(least))),
        (Value::Null, most) => Some(format!("at most {}", number(most))),
        (least, most) => Some(format!("{} to {}", number(least), number(most))),
    }
}

/// The name of a heading, as a link to it has it.
fn anchor(path: &str) -> String {
    path.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
}

fn is_template(path: &str) -> bool {
    path.ends_with(".template")
}

/// The type of a value, with its bounds.
fn kind(path: &str, schema: &Value) -> String {
    if is_template(path) {
        return "pod template".to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    let bounded = |word: &str, bounds: Option<String>| bounds.map_or(word.to_owned(), |text| format!("{word}, {text}"));
    match schema["type"].as_str() {
        Some("array") => {
            let of = kind(&format!("{path}[]"), &schema["items"]);
            let bounds = range(schema, "minItems", "maxItems").map(|text| format!("; {text} of them"));
            format!("list: {of}{}", bounds.unwrap_or_default())
        }
        Some("object") if schema["properties"].is_object() => format!("[object](#{})", anchor(path)),
        Some("object") => format!("map: {}", kind(&format!("{path}.*"), &schema["additionalProperties"])),
        Some("string") if schema["format"] == "date-time" => "time".to_owned(),
        Some("string") if schema["pattern"] == DNS_LABEL => bounded("DNS label", None),
        Some("string") => {
            let characters = range(schema, "minLength", "maxLength").map(|text| format!("{text} characters"));
            let pattern =
                schema["pattern"].as_str().map(|text| format!("; `{}`", text.replace('|', "\\|"))).unwrap_or_default();
            bounded("string", characters) + &pattern
        }
        Some(word) => bounded(word, range(schema, "minimum", "maximum")),
        None => "any JSON".to_owned(),
    }
}

/// A description in one cell of a table. What it lists is a line each.
fn meaning(schema: &Value) -> String {
    let mut out = String::new();
    for line in schema["description"].as_str().unwrap_or_default().lines() {
        let listed = line.trim().strip_prefix("- ").and_then(|rest| rest.split_once(": "));
        let space = if out.is_empty() { "" } else { " " };
        let _ = if let Some((word, rest)) = listed {
            write!(out, "<br>`{}`: {rest}", word.trim_matches('`'))
        } else {
            write!(out, "{space}{}", line.trim())
        };
    }
    out.replace('|', "\\|")
}

fn default_of(schema: &Value, is_required: bool) -> String {
    match &schema["default"] {
        Value::Null if is_required => "required".to_owned(),
        Value::Null => String::new(),
        Value::Object(_) => "as below".to_owned(),
        value => format!("`{}`", value.as_str().map_or(value.to_string(), str::to_owned)),
    }
}

/// Whether a rule of the schema says that the field stays as it was created.
fn is_fixed(schema: &Value, field: &str) -> bool {
    let of = |rule: &Value| {
        rule["message"].as_str().is_some_and(|text| text.starts_with(&format!("{field} can't be changed")))
    };
    match schema {
        Value::Object(map) => {
            let rules = map.get("x-kubernetes-validations").and_then(Value::as_array);
            rules.is_some_and(|rules| rules.iter().any(of)) || map.values().any(|inner| is_fixed(inner, field))
        }
        _ => false,
    }
}

/// The objects within an object, with their paths: each has a table of its own.
fn objects<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let (path, inner) =
            if inner["type"] == "array" { (format!("{path}[]"), &inner["items"]) } else { (path, inner) };
        if inner["properties"].is_object() && !is_template(&path) {
            found.push((path.clone(), inner));
            objects(&path, inner, found);
        }
    }
}

fn rows(path: &str, schema: &Value, row: impl Fn(&str, &Value, bool) -> String) -> String {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    let fields = schema["properties"].as_object().unwrap();
    fields
        .iter()
        .map(|(name, inner)| row(&format!("{path}.{name}"), inner, required.contains(&Value::from(name.as_str()))))
        .collect()
}

fn name(path: &str) -> &str {
    path.rsplit_once('.').unwrap().1
}

fn spec(schema: &Value) -> String {
    let mut text =
        "\n## spec\n\n| field | type | default | may change | meaning |\n| --- | --- | --- | --- | --- |\n".to_owned();
    text += &rows("spec", schema, |path, inner, is_required| {
        let changes = if is_fixed(schema, name(path)) { "no" } else { "yes" };
        let (default, meaning) = (default_of(inner, is_required), meaning(inner));
        format!("| `{}` | {} | {default} | {changes} | {meaning} |\n", name(path), kind(path, inner))
    });
    text += "\n`rerun` may get another value each time. What the fields must agree on:\n\n| field | rule |\n| --- | --- |\n";
    for rule in schema["x-kubernetes-validations"].as_array().unwrap() {
        let message = rule["message"].as_str().unwrap();
        if !message.contains("can't be changed") {
            let _ = writeln!(text, "| `{}` | {message} |", rule["fieldPath"].as_str().unwrap().trim_start_matches('.'));
        }
    }
    text
}

fn table(path: &str, schema: &Value) -> String {
    let of_spec = path.starts_with("spec");
    let (heads, line) = if of_spec { (" default |", " --- |") } else { ("", "") };
    let mut text = format!("\n### {path}\n\n| field | type |{heads} meaning |\n| --- | --- |{line} --- |\n");
    text += &rows(path, schema, |path, inner, is_required| {
        let default = if of_spec { format!(" {} |", default_of(inner, is_required)) } else { String::new() };
        format!("| `{}` | {} |{default} {} |\n", name(path), kind(path, inner), meaning(inner))
    });
    text
}

#[test]
fn the_generated_page_of_fields_is_what_the_crd_says() {
    let schema = schema();
    let mut text = HEAD.to_owned() + &spec(&schema["spec"]);
    let mut inner = Vec::new();
    objects("spec", &schema["spec"], &mut inner);
    for (path, schema) in inner {
        text += &table(&path, schema);
    }
    text += &table("status", &schema["status"]).replacen("###", "##", 1);
    let mut inner = Vec::new();
    objects("status", &schema["status"], &mut inner);
    for (path, schema) in inner {
        text += &table(&path, schema);
    }
    crate::generated("docs/reference/fields.md", &text);
}
