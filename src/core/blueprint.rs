//! What the pods of a run are made from: the same for each of them, but for the item and the attempt.

use serde_json::Value;

use crate::core::ids::{Attempt, Index, PodRole, TaskKey};
use crate::core::items::{ItemList, item_env};
use crate::core::phases::{Counts, Raises};
use crate::core::pod::{ListSpec, Making, PodTemplate, WorkerHome, WorkerSpec};

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
    /// What they are for.
    pub purpose: Purpose,
}

/// What the pods of a run are for.
#[derive(Clone, Debug)]
pub enum Purpose {
    /// Each is an attempt at an item.
    Items,
    /// Each takes one item after another.
    Workers(WorkerSpec),
    /// The reduce of items that ended like this.
    Reduce(Counts),
    /// The list of the items.
    List(ListSpec),
}

impl Blueprint {
    /// The field of the spec that the template comes from.
    pub fn field(&self) -> &'static str {
        match self.purpose {
            Purpose::Reduce(_) => "spec.reduce.template",
            Purpose::List(_) => "spec.items.pod.template",
            Purpose::Items | Purpose::Workers(_) => "spec.template",
        }
    }

    /// The role of the pod of an attempt.
    pub fn role_of(&self, index: Index, attempt: Attempt) -> PodRole {
        match self.purpose {
            Purpose::Reduce(_) => PodRole::Reduce(attempt),
            Purpose::List(_) => PodRole::List(attempt),
            Purpose::Items | Purpose::Workers(_) => PodRole::Item(index, attempt),
        }
    }

    /// The item that a pod of this role is an attempt at, where pods of that kind are made from this.
    pub fn index_of(&self, role: PodRole) -> Option<Index> {
        let index = role.index().unwrap_or(Index(0));
        (!role.is_worker() && self.role_of(index, role.attempt()) == role).then_some(index)
    }

    /// The role of the pod that is created first.
    pub fn first(&self) -> PodRole {
        match self.purpose {
            Purpose::Workers(_) => PodRole::Worker(1),
            Purpose::Items | Purpose::Reduce(_) | Purpose::List(_) => self.role_of(Index(0), Attempt::FIRST),
        }
    }

    /// What is asked of workers, if pods take one item after another.
    pub fn workers(&self) -> Option<&WorkerSpec> {
        match &self.purpose {
            Purpose::Workers(workers) => Some(workers),
            Purpose::Items | Purpose::Reduce(_) | Purpose::List(_) => None,
        }
    }

    /// The pod of this role, with its memory raised. A worker's pod needs the address of the operator.
    pub fn pod_at(&self, role: PodRole, memory_raises: Raises, home: Option<&WorkerHome>, epoch: Option<u64>) -> Value {
        match (&self.purpose, home, epoch) {
            (Purpose::Workers(wanted), Some(home), Some(epoch)) => {
                let of = Making { count: self.items.count().get(), epoch };
                self.template.worker_pod(&self.key, &self.uid, role, of, wanted, home, memory_raises)
            }
            (Purpose::List(wanted), Some(home), _) => {
                self.template.list_pod(&self.key, &self.uid, role, &self.env(role), *wanted, home)
            }
            _ => self.pod(role, memory_raises),
        }
    }

    /// The pod of an attempt at an item, or at the reduce, with its memory raised.
    pub fn pod(&self, role: PodRole, memory_raises: Raises) -> Value {
        self.template.pod(&self.key, &self.uid, role, &self.env(role), memory_raises)
    }

    fn env(&self, role: PodRole) -> Vec<(String, String)> {
        let mut env = match (role, &self.purpose) {
            (PodRole::Reduce(_), Purpose::Reduce(counts)) => reduce_env(counts),
            (PodRole::Reduce(_) | PodRole::Worker(_) | PodRole::List(_), _) => Vec::new(),
            (PodRole::Item(index, _), _) => {
                let mut env = item_env(&self.items.get(index));
                env.push(("MAPTASK_INDEX".to_owned(), index.to_string()));
                env.push(("MAPTASK_COUNT".to_owned(), self.items.count().get().to_string()));
                env
            }
        };
        env.push(("MAPTASK_ATTEMPT".to_owned(), role.attempt().to_string()));
        env.push(("MAPTASK_NAME".to_owned(), self.key.name.to_string()));
        env
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
