//! Which container ends an attempt, for a task whose spec is no longer loaded.

use crate::api::spec::{Completion, MapTaskSpec};
use crate::core::ids::PodRole;
use crate::core::pod::Role;
use crate::core::pod::template::item_container;

/// The containers that attempts end with, where that is not their pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MainContainers {
    item: Option<String>,
    reduce: Option<String>,
    list: Option<String>,
}

impl MainContainers {
    /// As the spec says.
    pub fn of(spec: &MapTaskSpec) -> Self {
        if spec.completion == Completion::Pod {
            return Self::default();
        }
        let reduce = spec.reduce.as_ref();
        let list = spec.items.pod.as_ref();
        Self {
            list: list.and_then(|list| item_container(&list.template, list.container.as_deref())).map(str::to_owned),
            item: item_container(&spec.template, spec.container.as_deref()).map(str::to_owned),
            reduce: reduce
                .and_then(|reduce| item_container(&reduce.template, reduce.container.as_deref()))
                .map(str::to_owned),
        }
    }

    /// The container of a pod of this role.
    pub fn role(&self, role: PodRole) -> Role<'_> {
        let container = match role {
            PodRole::Reduce(_) => &self.reduce,
            PodRole::List(_) => &self.list,
            PodRole::Item(..) | PodRole::Worker(_) => &self.item,
        };
        match container {
            Some(container) => Role { container, ends_attempt: true },
            None => Role { container: "", ends_attempt: false },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::core::ids::{Attempt, Index};

    #[test]
    fn attempts_end_with_the_named_container_or_the_first_where_they_end_with_one() {
        let of = |extra: Value| {
            let template = json!({ "spec": { "containers": [{ "name": "main" }, { "name": "side" }] } });
            let mut spec = json!({ "items": { "count": 1 }, "template": template, "reduce": { "template": template } });
            spec.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            let main = MainContainers::of(&serde_json::from_value(spec).unwrap());
            let roles = [PodRole::Item(Index(0), Attempt(1)), PodRole::Reduce(Attempt(1))].map(|role| main.role(role));
            roles.map(|role| (role.container.to_owned(), role.ends_attempt))
        };
        let role = |name: &str, ends: bool| (name.to_owned(), ends);
        assert_eq!(of(json!({})), [role("", false), role("", false)]);
        assert_eq!(of(json!({ "completion": "Container" })), [role("main", true), role("main", true)]);
        let named = json!({ "completion": "Container", "container": "side" });
        assert_eq!(of(named), [role("side", true), role("main", true)]);
    }
}
