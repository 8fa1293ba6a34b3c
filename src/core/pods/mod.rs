//! The pods of one run from create to deletion.

pub mod explaining;
pub mod flight;
pub mod flights;
pub mod outlived;
pub mod shelf;
pub mod stalls;
pub mod unclear;
