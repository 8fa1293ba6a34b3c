//! Which container of a pod is the item's, for a task whose spec is no longer loaded.

use serde_json::Value;

use crate::api::spec::{Completion, MapTaskSpec};
use crate::core::ids::PodRole;
use crate::core::pod::MainContainer;
use crate::core::pod::template::item_container;

/// The item's container in each kind of pod, and whether attempts end with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainContainers {
    item: String,
    reduce: String,
    list: String,
    completion: Completion,
}

/// Empty for a template without containers, which has no pods.
fn name(template: &Value, named: Option<&str>) -> String {
    item_container(template, named).unwrap_or_default().to_owned()
}

impl MainContainers {
    /// As the spec says.
    pub fn of(spec: &MapTaskSpec) -> Self {
        let (reduce, list) = (spec.reduce.as_ref(), spec.items.pod.as_ref());
        Self {
            item: name(&spec.template, spec.container.as_deref()),
            reduce: reduce.map(|reduce| name(&reduce.template, reduce.container.as_deref())).unwrap_or_default(),
            list: list.map(|list| name(&list.template, list.container.as_deref())).unwrap_or_default(),
            completion: spec.completion,
        }
    }

    /// The container of a pod of this role.
    pub fn of_pod(&self, role: PodRole) -> MainContainer<'_> {
        let container = match role {
            PodRole::Reduce(_) => &self.reduce,
            PodRole::List(_) => &self.list,
            PodRole::Item(..) | PodRole::Worker(_) => &self.item,
        };
        MainContainer { container, ends_attempt: self.completion == Completion::Container }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::ids::{Attempt, Index};

    #[test]
    fn the_items_container_is_the_named_or_the_first_and_ends_attempts_if_the_spec_says_so() {
        let of = |extra: Value| {
            let template = json!({ "spec": { "containers": [{ "name": "main" }, { "name": "side" }] } });
            let mut spec = json!({ "items": { "count": 1 }, "template": template, "reduce": { "template": template } });
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let main = MainContainers::of(&serde_json::from_value(spec).unwrap());
            let roles = [PodRole::Item(Index(0), Attempt(1)), PodRole::Reduce(Attempt(1))];
            roles.map(|role| main.of_pod(role)).map(|main| (main.container.to_owned(), main.ends_attempt))
        };
        let main = |name: &str, ends: bool| (name.to_owned(), ends);
        assert_eq!(of(json!({})), [main("main", false), main("main", false)]);
        assert_eq!(of(json!({ "completion": "Container" })), [main("main", true), main("main", true)]);
        let named = json!({ "completion": "Container", "container": "side" });
        assert_eq!(of(named), [main("side", true), main("main", true)]);
    }
}
