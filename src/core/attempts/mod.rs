//! Where each item stands, and what its attempts cost.

pub mod lookup;
pub mod waitlist;
