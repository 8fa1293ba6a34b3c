//! Scenarios of a fleet, checked by its plans: a file for each group of rules.

mod attempts;
mod cache;
mod cache_lookup;
mod cancel;
mod completion;
mod creates;
mod crew;
mod damage;
mod endings;
mod fleet;
mod inputs;
mod isolation;
mod load;
mod news;
mod pods;
mod policy;
mod queue;
mod reduce;
mod rerun;
mod results;
mod rounds;
mod starting;
mod stored;
mod story;
mod sums;
mod suspend;
mod template;
mod turns;
mod vanished;
mod words;
mod worker_cache;
mod worker_memory;
mod zero;

use super::Fleet;
use crate::core::limits::Limits;
