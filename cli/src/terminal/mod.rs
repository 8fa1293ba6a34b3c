//! What reaches the terminal or the pipe: text for people, data, progress.

pub mod bar;
pub mod clean;
pub mod line;
pub mod out;
pub mod screen;
pub mod table;
pub mod words;

pub use line::{Line, Style};
pub use out::{Colour, Out, Quiet, Talk};
pub use table::Table;
