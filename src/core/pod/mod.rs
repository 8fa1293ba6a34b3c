//! The pods of a task: their names, how they are made from the template, and what their state means.

pub mod artifacts;
mod avoid;
pub mod canonical;
mod end;
pub mod explain;
mod holder;
mod hostname;
mod last_words;
mod listing;
mod main_container;
pub mod memory;
pub mod message;
pub mod name;
pub mod parts;
pub mod progress;
pub mod results_view;
pub mod seen;
mod start_blocker;
pub mod template;
pub mod variables;
pub mod worker;

pub use avoid::prefer_other_nodes;
pub use end::{Detail, PodEnd, PodOutcome, StopReason};
pub use explain::EventType;
pub use holder::Holder;
pub use listing::ListSpec;
pub use main_container::{MainContainer, lives};
pub use message::{Message, MessageLimit};
pub use name::{ResultNames, parse_pod_name, pod_name};
pub use progress::{Progress, detail, ended_at, outcome_when_gone, progress};
pub use seen::{Deletion, Gating, PodSeen, PodStatus};
pub use start_blocker::{BlockerKind, StartBlocker};
pub use template::{PodTemplate, TemplateError};
pub use worker::{Making, WorkerHome, WorkerSpec};
