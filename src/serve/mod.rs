//! What the operator tells about itself: metrics, health, logs, and Kubernetes Events.

pub mod events;
pub mod exchange;
pub mod health;
mod listen;
pub mod logs;
pub mod metrics;
