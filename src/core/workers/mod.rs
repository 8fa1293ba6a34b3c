//! The workers of a run: what each holds, what it has said, and how much it gets. Knows what each worker
//! holds, not what becomes of it.

mod creation;
mod durations;
mod limit;
mod luck;
mod mark;
mod numbers;
mod reach;
mod session;
mod silence;
mod stock;
mod table;
mod worker;

pub use creation::Creation;
pub use durations::Durations;
pub use limit::ItemLimit;
pub use luck::Trust;
pub use mark::GrantMark;
pub use numbers::Numbers;
pub use session::{Held, Report, Session};
pub use silence::Silence;
pub use stock::Stock;
pub use table::WorkerTable;
pub use worker::{Company, Holdings, Worker};
