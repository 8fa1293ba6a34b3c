//! By what the worlds know a pod.

use maptask::core::ids::{Attempt, Index, PodRole, TaskKey};
use maptask::core::port::PodId;

pub type PodKey = (TaskKey, Index, Attempt);

/// Stands for the reduce of a task where the worlds count by item.
pub const REDUCE: Index = Index(u32::MAX);

pub fn index_of(id: &PodId) -> Index {
    match id.role {
        PodRole::Item(index, _) => index,
        PodRole::Reduce(_) => REDUCE,
        PodRole::Worker(_) | PodRole::List(_) => {
            unreachable!("tasks with workers, or with a pod for their list, have a world of their own")
        }
    }
}

pub fn pod_key(id: &PodId) -> PodKey {
    (id.key.clone(), index_of(id), id.role.attempt())
}
