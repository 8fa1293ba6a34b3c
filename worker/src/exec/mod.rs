//! How does one item become one run of a program, and what remains of it? An outcome, and nothing else.

mod answers;
mod environment;
mod errors;
mod expand;
mod files;
mod output;
mod run;
mod spawn;
mod stream;
mod sweep;

pub use environment::{Environment, Variables};
pub use expand::Template;
pub use files::{Files, Scratch};
pub use run::{Ended, Finished, Runner, Slot, StopRequest};
pub use spawn::{CannotRun, Program, inherited};
pub use stream::{LineEnd, LineEnded, Stream, Wishes};
