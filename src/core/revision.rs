//! The order of a task's changes.

/// Counts the changes of a task, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

/// Where a change is noted that the status has to record.
pub trait Changes {
    /// Notes a change. Returns the revision that it is recorded with.
    fn change(&mut self) -> Revision;
}
