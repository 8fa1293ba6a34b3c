//! Where each item stands and what its attempts cost, whatever runs them.

mod assignments;
mod blame;
pub mod blocked_on_duplicate;
mod cached;
mod create_backoff;
mod end;
pub mod lookup_state;
mod reported;
mod stored;
mod table;
pub mod waitlist;

pub use assignments::Assignments;
pub use blame::{Before, blame, blame_worker};
pub use end::{Circumstances, Ended, Retry};
pub use reported::reported;
pub use table::{ItemTable, Outcomes, StartAgain, Step};
