//! Which variables of an item does a template use?

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// What all variables of an item's keys begin with.
const PREFIX: &str = "MAPTASK_ITEM_";

/// The variables of an item's keys that the containers of a template use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses {
    /// As `$(NAME)`, which Kubernetes leaves as it is where there is no such variable.
    pub expanded: BTreeSet<String>,
    /// In any way: a shell finds them, too.
    pub mentioned: BTreeSet<String>,
}

impl Uses {
    /// Of a pod's spec.
    pub fn of(spec: &Map<String, Value>) -> Self {
        let mut uses = Self::default();
        let lists = ["containers", "initContainers"].map(|list| spec.get(list).and_then(Value::as_array));
        for container in lists.into_iter().flatten().flatten() {
            uses.expanded.extend(expanded_in(container));
            texts(container).for_each(|text| uses.mentioned.extend(mentioned_in(text)));
        }
        uses
    }
}

/// Gives the container an empty value of each variable that it expands and the item has no key for.
pub(super) fn fill_in(container: &mut Value) {
    let expanded = expanded_in(container);
    let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) else { return };
    for name in expanded {
        // Before the user's own, which may refer to it.
        env.insert(0, json!({ "name": name, "value": "" }));
    }
}

/// The variables that Kubernetes would put into this container's texts and which the template does not set itself.
/// Where it has `envFrom`, nobody knows what else there is.
fn expanded_in(container: &Value) -> BTreeSet<String> {
    let list = |field: &str| container.get(field).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if !list("envFrom").is_empty() {
        return BTreeSet::new();
    }
    let own = list("env");
    let is_own = |name: &str| own.iter().any(|variable| variable.get("name").and_then(Value::as_str) == Some(name));
    texts(container)
        .flat_map(references)
        .filter(|name| name.starts_with(PREFIX) && !is_own(name))
        .map(str::to_owned)
        .collect()
}

/// The texts in which Kubernetes expands variables.
fn texts(container: &Value) -> impl Iterator<Item = &str> {
    let list = |field: &str| container.get(field).and_then(Value::as_array).into_iter().flatten();
    let words = list("command").chain(list("args")).filter_map(Value::as_str);
    let values = list("env").filter_map(|variable| variable.get("value")?.as_str());
    let paths = list("volumeMounts").filter_map(|mount| mount.get("subPathExpr")?.as_str());
    words.chain(values).chain(paths)
}

/// The names in each `$(NAME)` of a text; `$$` is a dollar sign.
fn references(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let start = rest.find('$')?;
            rest = &rest[start + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
            } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|after| after.split_once(')')) {
                rest = after;
                return Some(name);
            }
        }
    })
}

/// The variables whose names stand in a text.
fn mentioned_in(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| word.starts_with(PREFIX))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_as_kubernetes_finds_them() {
        let found = |text| references(text).collect::<Vec<_>>();
        assert_eq!(found("$(A) $$(B) $$$(C) $(D $(E)"), ["A", "C", "D $(E"]);
        assert_eq!(found("$ ${A} $A ("), Vec::<&str>::new());
    }

    #[test]
    fn a_template_uses_what_its_containers_expand_or_mention() {
        let spec = json!({
            "initContainers": [{ "args": ["$(MAPTASK_ITEM_A)"], "envFrom": [{ "configMapRef": {} }] }],
            "containers": [{
                "command": ["sh", "-c", "echo $MAPTASK_ITEM_B ${MAPTASK_ITEM_C} $(MAPTASK_ITEM_D)", "$$(MAPTASK_ITEM_E)"],
                "env": [{ "name": "X", "value": "$(MAPTASK_ITEM_F)" }, { "name": "MAPTASK_ITEM_D", "value": "own" }],
                "volumeMounts": [{ "subPathExpr": "$(MAPTASK_ITEM_G)/$(MAPTASK_ITEM)/$(MAPTASK_INDEX)" }],
            }],
        });
        let uses = Uses::of(spec.as_object().unwrap());
        let name = |letter: char| format!("{PREFIX}{letter}");
        assert_eq!(uses.expanded, "FG".chars().map(name).collect());
        assert_eq!(uses.mentioned, "ABCDEFG".chars().map(name).collect());
    }

    #[test]
    fn a_variable_without_a_value_is_empty() {
        let mut container = json!({ "args": ["$(MAPTASK_ITEM_A) $(MAPTASK_ITEM_B)"], "env": [{ "name": "MAPTASK_ITEM_A", "value": "1" }] });
        fill_in(&mut container);
        assert_eq!(container["env"][0], json!({ "name": "MAPTASK_ITEM_B", "value": "" }));
        assert_eq!(container["env"].as_array().unwrap().len(), 2);
    }
}
