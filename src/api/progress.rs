//! Progress over time: `status.progress`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Progress of a task over time, as of the last status write. Progress alone causes no write.
#[derive(Clone, Debug, Default, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// When the first sample was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub start_time: Option<Time>,
    /// When these numbers were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::schema::timestamp")]
    pub time: Option<Time>,
    /// Items that ended (succeeded, cached or failed) per minute, over the last minute, or less at the start; absent in
    /// the first five seconds and once the task has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "i32")]
    pub items_per_minute: Option<i32>,
    /// Minimum seconds between two samples. When there are more than 64, it doubles and every other sample is dropped.
    pub stride_seconds: i32,
    /// At most 64 samples in the order of time, separated by `;`. Each is `seconds,ended,failed`: how many more seconds
    /// have passed, items have ended (failed ones among them) and items have failed than at the sample before. The
    /// first counts from startTime and from no items. `0,0,0;60,500,2;60,480,0`: after two minutes 980 had ended, of
    /// which 2 had failed.
    #[schemars(length(max = 2048))]
    pub samples: String,
}
