//! What the pods of a run are made from: the same for each of them, but for the item and the attempt.

use serde_json::Value;

use crate::core::ids::{Attempt, Index, PodRole, TaskKey};
use crate::core::items::{ItemList, item_env};
use crate::core::phases::{Counts, Raises};
use crate::core::pod::PodTemplate;

/// What the pods of a run are made from.
#[derive(Clone, Debug)]
pub struct Blueprint {
    /// Namespace and name of the task.
    pub key: TaskKey,
    /// The task's UID, which its pods carry as their owner.
    pub uid: String,
    /// The list; of a reduce, a list of one.
    pub items: ItemList,
    /// The template.
    pub template: PodTemplate,
    /// Of a reduce, how the items ended whose results it reduces.
    pub reduces: Option<Counts>,
}

impl Blueprint {
    /// The field of the spec that the template comes from.
    pub fn field(&self) -> &'static str {
        if self.reduces.is_some() { "spec.reduce.template" } else { "spec.template" }
    }

    /// The role of the pod of an attempt.
    pub fn role_of(&self, index: Index, attempt: Attempt) -> PodRole {
        if self.reduces.is_some() { PodRole::Reduce(attempt) } else { PodRole::Item(index, attempt) }
    }

    /// The role of the pod that is created first.
    pub fn first(&self) -> PodRole {
        self.role_of(Index(0), Attempt::FIRST)
    }

    /// The pod of this role, with its memory raised.
    pub fn pod(&self, role: PodRole, memory_raises: Raises) -> Value {
        let mut env = match role {
            PodRole::Reduce(_) => reduce_env(&self.reduces.unwrap_or_default()),
            PodRole::Item(index, _) => {
                let mut env = item_env(&self.items.get(index));
                env.push(("MAPTASK_INDEX".to_owned(), index.to_string()));
                env.push(("MAPTASK_COUNT".to_owned(), self.items.count().get().to_string()));
                env
            }
        };
        env.push(("MAPTASK_ATTEMPT".to_owned(), role.attempt().to_string()));
        env.push(("MAPTASK_NAME".to_owned(), self.key.name.to_string()));
        self.template.pod(&self.key, &self.uid, role, &env, memory_raises)
    }
}

/// The variables of a reduce.
fn reduce_env(counts: &Counts) -> Vec<(String, String)> {
    let variable = |name: &str, value: u32| (format!("MAPTASK_{name}"), value.to_string());
    vec![
        variable("COUNT", counts.total()),
        variable("SUCCEEDED", counts.succeeded + counts.cached),
        variable("FAILED", counts.failed),
    ]
}
