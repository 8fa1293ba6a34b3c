//! Does a worker fail what succeeds elsewhere? Its node may have a broken disk, driver or mount.

/// After this many failures in a row, while others succeed, a worker gets one item at a time. With items of which half
/// fail by themselves, one worker in 30 gets there by chance.
const DOUBT_AFTER: u32 = 5;
/// After this many it is drained.
const DRAIN_AFTER: u32 = 8;

/// How attempts have ended, in all workers.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ends {
    good: u64,
    bad: u64,
}

/// The failures of a worker since its last success.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Row {
    failures: u32,
    /// What had ended in all workers before the first of them.
    before: Ends,
}

/// What is thought of a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Nothing speaks against it.
    Full,
    /// It may be the fault of its node that items fail: it gets one at a time.
    Doubtful,
    /// It is to be drained.
    None,
}

impl Ends {
    /// An attempt has succeeded.
    pub(super) fn succeeded(&mut self) {
        self.good += 1;
    }

    /// An attempt has failed.
    pub(super) fn failed(&mut self) {
        self.bad += 1;
    }
}

impl Row {
    /// An attempt has failed in the worker. `ends`: before that, in all.
    pub(super) fn grow(&mut self, ends: Ends) {
        if self.failures == 0 {
            self.before = ends;
        }
        self.failures += 1;
    }

    /// What is thought of the worker: its failures count only while most attempts in others succeed. `ends`: in all.
    pub(super) fn trust(self, ends: Ends) -> Trust {
        let good = ends.good - self.before.good;
        let bad = (ends.bad - self.before.bad).saturating_sub(u64::from(self.failures));
        if self.failures < DOUBT_AFTER || good < u64::from(DOUBT_AFTER) || good <= bad {
            Trust::Full
        } else if self.failures < DRAIN_AFTER {
            Trust::Doubtful
        } else {
            Trust::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::ids::{PodRole, Time};
    use crate::core::workers::Holdings;
    use crate::core::workers::WorkerTable;

    const A: PodRole = PodRole::Worker(1);
    const B: PodRole = PodRole::Worker(2);

    fn table() -> WorkerTable {
        let mut table = WorkerTable::new(1);
        table.add(Time(0), A, Holdings::None);
        table.add(Time(0), B, Holdings::None);
        table
    }

    #[test]
    fn a_worker_that_fails_what_succeeds_elsewhere_gets_one_at_a_time_and_is_then_drained() {
        let mut table = table();
        let mut trust = Vec::new();
        for _ in 0..8 {
            table.succeeded_in(B);
            table.failed_in(A);
            trust.push(table.trust(A));
        }
        // The first success of the other one came before.
        assert_eq!(trust[..5], [Trust::Full; 5]);
        assert_eq!(trust[5..], [Trust::Doubtful, Trust::Doubtful, Trust::None]);
        assert_eq!(table.trust(B), Trust::Full);
        table.succeeded_in(A);
        assert_eq!(table.trust(A), Trust::Full, "one success clears it");
    }

    #[test]
    fn items_that_fail_everywhere_say_nothing_about_a_worker() {
        let mut table = table();
        (0..20).for_each(|_| table.failed_in(A));
        assert_eq!(table.trust(A), Trust::Full, "nothing succeeds elsewhere");
        for _ in 0..30 {
            table.failed_in(B);
            table.succeeded_in(B);
        }
        assert_eq!(table.trust(A), Trust::Full, "half of all fail");
    }
}
