//! How many items may run at the same time.

/// If this number of attempts have ended and all have failed, one item at a time runs until one succeeds: a typo must
/// not fail a whole list.
const ALL_FAILED: u32 = 20;

/// How many items may run at the same time.
#[derive(Debug)]
pub struct ItemLimit {
    /// What the spec and the queue say.
    concurrency: Option<usize>,
    /// The number of attempts that have failed, up to the first success; `None` from then on.
    failed_first: Option<u32>,
}

impl Default for ItemLimit {
    fn default() -> Self {
        Self { concurrency: None, failed_first: Some(0) }
    }
}

impl ItemLimit {
    /// What the spec and the queue say.
    pub fn set_concurrency(&mut self, concurrency: Option<usize>) {
        self.concurrency = concurrency;
    }

    /// Whether nothing has succeeded, and enough has failed to suspect the template.
    pub fn only_fails(&self) -> bool {
        self.failed_first.is_some_and(|failed| failed >= ALL_FAILED)
    }

    /// Items at most.
    pub fn most(&self) -> usize {
        if self.only_fails() { 1 } else { self.concurrency.unwrap_or(usize::MAX) }
    }

    /// An attempt has failed.
    pub fn failed(&mut self) {
        self.failed_first = self.failed_first.map(|count| count.saturating_add(1));
    }

    /// An item has succeeded: the template can do it.
    pub fn succeeded(&mut self) {
        self.failed_first = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_item_at_a_time_runs_while_all_have_failed() {
        let mut limit = ItemLimit::default();
        assert_eq!(limit.most(), usize::MAX);
        limit.set_concurrency(Some(30));
        (0..ALL_FAILED).for_each(|_| limit.failed());
        assert_eq!((limit.most(), limit.only_fails()), (1, true));
        limit.succeeded();
        limit.failed();
        assert_eq!((limit.most(), limit.only_fails()), (30, false));
    }
}
