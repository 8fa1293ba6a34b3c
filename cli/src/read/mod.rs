//! Reading MapTasks: the object, its items, results, failures and logs. Knows no terminal, so that any client can use
//! it.

pub mod items;
pub mod left;
pub mod list;
pub mod live;
pub mod logs;
pub mod results;
pub mod selection;
pub mod task;
pub mod waiting;
pub mod why;

pub use items::{ItemRow, Items};
pub use selection::Selection;
pub use task::Task;
