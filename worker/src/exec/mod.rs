//! How does one item become one run of a program, and what remains of it? An outcome, and nothing else.

mod environment;
mod expand;
mod files;
mod output;
mod run;
mod spawn;
mod sweep;

pub use environment::{Environment, Variables};
pub use expand::Template;
pub use files::{Files, Scratch};
pub use run::{Ended, Finished, Orders, Runner, Slot};
pub use spawn::{CannotRun, Program, inherited};
