//! The worker: stays in a pod and runs one item of a `MapTask` after another. `docs/architecture/exchange.md`
//! describes its protocol.
//!
//! `session` holds the rules (what is held, what may begin, when to speak) as pure code; `exec` runs programs; `client`
//! talks; `worker` joins them. Everything runs on one thread, but for the writer of the log.

pub mod cgroup;
mod client;
pub mod clock;
pub mod copy;
pub mod exec;
pub mod list;
pub mod log;
pub mod reaper;
pub mod record;
pub mod recycle;
pub mod session;
pub mod settings;
mod worker;

pub use worker::work;
