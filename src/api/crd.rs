//! The CustomResourceDefinition as it is installed: what kube derives from the types, and what its attributes can't
//! say.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps,
};
use kube::CustomResourceExt;
use serde_json::json;

use super::MapTask;

/// The CustomResourceDefinition of MapTasks.
///
/// The status of a new object has a default: until the operator writes one, `observedGeneration` -1 keeps tools that go
/// by it, such as kstatus, from taking the task for finished, and the table has a phase to show.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = MapTask::crd();
    let schemas = crd.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for root in schemas.filter_map(|schema| schema.open_api_v3_schema.as_mut()) {
        let properties = root.properties.get_or_insert_default();
        if let Some(status) = properties.get_mut("status") {
            status.nullable = None;
            status.default = Some(JSON(json!({ "observedGeneration": -1, "phase": "Pending" })));
        }
        properties.insert("metadata".to_owned(), metadata());
    }
    crd
}

/// The name is in the schema so that the rule about it can name its field.
fn metadata() -> JSONSchemaProps {
    let name = JSONSchemaProps { type_: Some("string".to_owned()), ..JSONSchemaProps::default() };
    JSONSchemaProps {
        type_: Some("object".to_owned()),
        properties: Some([("name".to_owned(), name)].into()),
        ..JSONSchemaProps::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    /// Every schema within this one, with its path.
    fn all<'a>(path: &str, schema: &'a Value, found: &mut Vec<(String, &'a Value)>) {
        found.push((path.to_owned(), schema));
        for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
            all(&format!("{path}.{name}"), inner, found);
        }
        for key in ["items", "additionalProperties"] {
            if schema[key].is_object() {
                all(&format!("{path}[]"), &schema[key], found);
            }
        }
    }

    fn of(half: &str, check: impl Fn(&str, &Value)) {
        let crd = serde_json::to_value(super::crd()).unwrap();
        let root = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties").unwrap();
        let mut found = Vec::new();
        all(half, &root[half], &mut found);
        assert!(found.len() > 50);
        for (path, schema) in found {
            check(&path, schema);
        }
    }

    #[test]
    fn every_list_states_its_type() {
        for half in ["spec", "status"] {
            of(half, |path, schema| {
                assert!(schema["type"] != "array" || schema["x-kubernetes-list-type"].is_string(), "{path}");
            });
        }
    }

    #[test]
    fn words_of_a_status_are_open_and_nothing_in_it_is_null() {
        of("status", |path, schema| {
            let is_open = schema["enum"].is_null() || path == "status.conditions[].status";
            assert!(is_open && schema["oneOf"].is_null() && schema["anyOf"].is_null(), "{path}: {schema}");
            // What a reduce says may be any JSON.
            assert!(schema["nullable"].is_null() || path == "status.result", "{path}");
            assert!(schema["default"].is_null() || path == "status", "{path}");
        });
    }

    #[test]
    fn every_value_of_an_enum_is_explained() {
        of("spec", |path, schema| {
            for value in schema["enum"].as_array().into_iter().flatten() {
                let line = format!("- {}: ", value.as_str().unwrap());
                assert!(schema["description"].as_str().is_some_and(|text| text.contains(&line)), "{path}: {line}");
            }
        });
    }
}
