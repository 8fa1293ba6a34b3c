//! What of a task is in the API server: its status, written one at a time.

mod description;
pub mod progress;
pub mod status_summary;
pub mod status_writer;
pub mod unstored;

pub use description::{describe, result_shards};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time as MetaTime;
use k8s_openapi::jiff::Timestamp;

use crate::core::ids::Time;

/// The time as Kubernetes writes it: whole seconds.
pub fn meta_time(time: Time) -> MetaTime {
    MetaTime(Timestamp::from_second(time.0.div_euclid(1_000)).unwrap_or(Timestamp::UNIX_EPOCH))
}

/// As a number of the API.
pub fn number(n: u32) -> i32 {
    i32::try_from(n).unwrap_or(i32::MAX)
}
