//! Which items wait for others that compute the same?

use std::collections::BTreeSet;

use crate::core::ids::Index;

/// Items whose result another one is about to give: see `cache::claims`.
#[derive(Debug, Default)]
pub struct BlockedOnDuplicate {
    waiting: BTreeSet<Index>,
    /// The other one has let go in the meantime.
    freed: BTreeSet<Index>,
    /// Who computes the item that was parked last.
    behind: Option<String>,
}

impl BlockedOnDuplicate {
    /// The item waits for another.
    pub fn park(&mut self, index: Index, behind: String) {
        self.freed.remove(&index);
        self.waiting.insert(index);
        self.behind = Some(behind);
    }

    /// What the item waits for is over. Returns whether it has waited.
    pub fn free(&mut self, index: Index) -> bool {
        let waits = self.waiting.remove(&index);
        if waits {
            self.freed.insert(index);
        }
        waits
    }

    /// The item is looked up again: its result may be known.
    pub fn look_up(&mut self, index: Index) {
        self.waiting.remove(&index);
        self.freed.insert(index);
    }

    /// The item is on its way, or known, and waits for nobody.
    pub fn remove(&mut self, index: Index) {
        self.waiting.remove(&index);
        self.freed.remove(&index);
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.freed.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that wait for another no more, and are to be looked up again.
    pub fn freed(&self) -> &BTreeSet<Index> {
        &self.freed
    }

    /// They were looked up. Answers which of them were to be; the others still are.
    pub fn looked_up(&mut self, items: impl Iterator<Item = Index>) -> Vec<Index> {
        items.filter(|index| self.freed.remove(index)).collect()
    }

    /// Who computes the item that was parked last.
    pub fn behind(&self) -> Option<&str> {
        self.behind.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_that_wait_for_another_are_freed_one_by_one_and_looked_up_again_together() {
        let mut blocked_on_duplicate = BlockedOnDuplicate::default();
        assert!(blocked_on_duplicate.is_empty());
        blocked_on_duplicate.park(Index(3), "ns/t item 1".to_owned());
        blocked_on_duplicate.park(Index(4), "ns/t item 2".to_owned());
        assert_eq!(
            (blocked_on_duplicate.len(), blocked_on_duplicate.is_empty(), blocked_on_duplicate.behind()),
            (2, false, Some("ns/t item 2"))
        );
        assert!(blocked_on_duplicate.free(Index(4)) && !blocked_on_duplicate.free(Index(9)));
        assert_eq!((blocked_on_duplicate.len(), blocked_on_duplicate.freed()), (2, &BTreeSet::from([Index(4)])));
        blocked_on_duplicate.look_up(Index(5));
        let looked_up = blocked_on_duplicate.looked_up([Index(1), Index(4)].into_iter());
        assert_eq!((looked_up, blocked_on_duplicate.freed()), (vec![Index(4)], &BTreeSet::from([Index(5)])));
        blocked_on_duplicate.remove(Index(3));
        blocked_on_duplicate.remove(Index(5));
        assert!(blocked_on_duplicate.is_empty());
    }
}
