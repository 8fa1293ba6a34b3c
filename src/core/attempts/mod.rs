//! Which items wait, and for what: their turn, a time, the cache, or another item.

pub mod blocked_on_duplicate;
pub mod lookup_state;
pub mod waitlist;
