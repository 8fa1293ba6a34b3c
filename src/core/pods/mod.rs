//! The pods of one run from create to deletion, whatever they run.

mod explaining;
pub mod indeterminate;
mod news;
mod outlived;
pub mod retention;
mod start;
mod start_blockers;
mod starting;
mod state;
mod stopping;
mod table;
mod timers;

pub use news::News;
pub use state::{Absent, PodState};
pub use stopping::Recorded;
pub use table::PodTable;

use std::collections::BTreeMap;

use crate::core::ids::PodRole;
use crate::core::pod::PodSeen;

/// The pods of a task as the watch last showed them.
pub type Pods = BTreeMap<PodRole, PodSeen>;
