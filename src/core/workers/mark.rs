//! Below which index items are granted, recorded ahead: an operator that takes over knows that nothing was granted from
//! there on.

use crate::core::ids::Index;
use crate::core::revision::Revision;

/// Below which index items are granted.
#[derive(Debug)]
pub struct GrantMark {
    below: Index,
    /// With which the mark is recorded.
    revision: Revision,
    /// The mark that is recorded.
    recorded: Index,
}

impl GrantMark {
    /// A mark that is recorded.
    pub fn recorded_at(mark: Index) -> Self {
        Self { below: mark, revision: Revision::default(), recorded: mark }
    }

    /// The mark, which may not be recorded yet.
    pub fn below(&self) -> Index {
        self.below
    }

    /// The mark that is recorded: nothing may be granted from there on.
    pub fn recorded(&self) -> Index {
        self.recorded
    }

    /// Revisions were recorded up to this one.
    pub fn settle(&mut self, written: Revision) {
        if self.revision <= written {
            self.recorded = self.below;
        }
    }

    /// The mark is raised, and recorded with this revision.
    pub fn raise(&mut self, to: Index, revision: Revision) {
        (self.below, self.revision) = (to, revision);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_counts_once_it_is_recorded() {
        let mut mark = GrantMark::recorded_at(Index(5));
        let revision = Revision(1);
        mark.raise(Index(9), revision);
        mark.settle(Revision::default());
        assert_eq!((mark.below(), mark.recorded()), (Index(9), Index(5)));
        mark.settle(revision);
        assert_eq!(mark.recorded(), Index(9));
    }
}
