//! The pods of one run from create to deletion.

pub mod explaining;
pub mod flight;
pub mod flights;
pub mod indeterminate;
pub mod outlived;
pub mod retention;
pub mod start_blockers;

use std::collections::BTreeMap;

use crate::core::ids::PodRole;
use crate::core::pod::PodSeen;

/// The pods of a task as the watch last showed them.
pub type Pods = BTreeMap<PodRole, PodSeen>;
