//! The MapTask operator: one pod per item of a list, on Kubernetes.
pub mod api;
pub mod core;
pub mod text;
