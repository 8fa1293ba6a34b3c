//! The MapTask operator: one pod per item of a list, on Kubernetes.
//!
//! The map of the house. Data flows one way: API server → [`watch`] → [`core`] → [`apply`] → API server.
//!
//! - [`api`] is the contract: what users write in a MapTask and read in its status.
//! - [`core`] decides. It is pure: time comes in as an argument, plans come out as values.
//! - [`watch`] turns the API server's watches into events of the core.
//! - [`apply`] carries plans out, and brings the answers back.
//! - [`serve`] tells about the operator: metrics, health, logs, Kubernetes Events.
//! - [`self_test`] runs a task and says whether the installation works.
//! - [`operator`] is the loop that connects them; [`lease`] says which replica runs it.

pub mod api;
pub mod apply;
pub mod args;
pub mod core;
#[cfg(test)]
mod fake_api;
pub mod lease;
pub mod operator;
pub mod plain;
pub mod self_test;
pub mod serve;
pub mod text;
pub mod watch;
