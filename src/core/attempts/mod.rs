//! Which items wait, and for what: their turn, a time, the cache, or another item.

pub mod lookup;
pub mod parked;
pub mod waitlist;
