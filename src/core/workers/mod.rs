//! The workers of a run: what each holds, what it has said, and how much it gets. Knows neither items nor pods.

mod durations;
mod session;
mod stock;
mod table;

pub use durations::Durations;
pub use session::{Held, Report, Session};
pub use stock::Stock;
pub use table::{Ready, Silence, Worker, WorkerTable};
