//! Tasks whose creates fail one after the other: after a few, each is probed with one pod at a time.

use std::collections::BTreeMap;

use crate::core::ids::{TaskKey, Time};
use crate::core::queue::hold::{Answer, Hold, MAX_FAILURE_PROBE_MILLIS};

/// This many failures in a row put a task on hold: one may be chance, and each item has a backoff of its own.
const FAILURES_TO_HOLD: u32 = 3;
/// Most characters of a message that is kept.
const MESSAGE_LIMIT: usize = 512;

/// The tasks whose last create failed.
#[derive(Debug, Default)]
pub struct Failing(BTreeMap<TaskKey, Trouble>);

#[derive(Debug, Default)]
struct Trouble {
    /// Failures since the last create that was carried out.
    in_row: u32,
    hold: Option<Hold>,
}

impl Failing {
    /// The hold of a task, if it is on hold.
    pub fn hold(&self, task: &TaskKey) -> Option<&Hold> {
        self.0.get(task)?.hold.as_ref()
    }

    /// Tasks on hold.
    pub fn held(&self) -> usize {
        self.0.values().filter(|trouble| trouble.hold.is_some()).count()
    }

    /// When tasks on hold may be probed.
    pub fn wakes(&self) -> impl Iterator<Item = Time> {
        self.0.values().filter_map(|trouble| trouble.hold.as_ref()?.next_wake())
    }

    /// A create of the task goes out.
    pub fn begin(&mut self, task: &TaskKey) {
        if let Some(hold) = self.0.get_mut(task).and_then(|trouble| trouble.hold.as_mut()) {
            hold.begin();
        }
    }

    /// A create of the task was answered, and did not fail for itself.
    pub fn answered(&mut self, task: &TaskKey, answer: Answer) {
        let Some(trouble) = self.0.get_mut(task) else { return };
        if answer == Answer::Created {
            trouble.in_row = 0;
        }
        if let Some(hold) = &mut trouble.hold {
            hold.answered(answer);
        }
        if answer == Answer::Created && trouble.hold.as_ref().is_none_or(Hold::is_over) {
            self.0.remove(task);
        }
    }

    /// A create of the task failed.
    pub fn failed(&mut self, now: Time, task: &TaskKey, message: &str) {
        let message = crate::text::cut(message, MESSAGE_LIMIT);
        let trouble = self.0.entry(task.clone()).or_default();
        trouble.in_row += 1;
        let again = trouble.in_row >= FAILURES_TO_HOLD;
        match &mut trouble.hold {
            Some(hold) if again => hold.refused(now, message),
            Some(hold) => hold.answered(Answer::NotCreated),
            None if again => trouble.hold = Some(Hold::new(now, message, MAX_FAILURE_PROBE_MILLIS)),
            None => {}
        }
    }

    /// The task is gone.
    pub fn forget(&mut self, task: &TaskKey) {
        self.0.remove(task);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> TaskKey {
        TaskKey::new("ns", "t")
    }

    #[test]
    fn a_task_is_held_after_three_failures_in_a_row_and_probed_up_to_a_minute_apart() {
        let mut failing = Failing::default();
        failing.failed(Time(0), &key(), "a");
        failing.answered(&key(), Answer::Created);
        failing.failed(Time(0), &key(), "b");
        failing.failed(Time(0), &key(), "c");
        assert!(failing.hold(&key()).is_none() && failing.held() == 0);
        failing.failed(Time(0), &key(), "d");
        assert_eq!((failing.hold(&key()).unwrap().message(), failing.held()), ("d", 1));
        let mut now = Time(0);
        let mut delays = Vec::new();
        for _ in 0..9 {
            let wake = failing.wakes().next().unwrap();
            delays.push(wake.millis_since(now));
            now = wake;
            assert!(failing.hold(&key()).unwrap().is_open(now));
            failing.begin(&key());
            assert!(!failing.hold(&key()).unwrap().is_open(now), "one probe at a time");
            failing.failed(now, &key(), "e");
        }
        assert_eq!(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    }

    #[test]
    fn a_task_whose_probes_succeed_is_free_again_in_doubling_steps() {
        let mut failing = Failing::default();
        (0..3).for_each(|_| failing.failed(Time(0), &key(), "a"));
        for step in 0..6 {
            assert!(failing.hold(&key()).is_some(), "step {step}");
            failing.begin(&key());
            failing.answered(&key(), Answer::Created);
        }
        assert!(failing.hold(&key()).is_none());
        assert!(failing.0.is_empty());
    }

    #[test]
    fn a_task_of_which_some_creates_succeed_is_not_closed_by_each_that_fails() {
        let mut failing = Failing::default();
        (0..3).for_each(|_| failing.failed(Time(0), &key(), "a"));
        failing.begin(&key());
        failing.answered(&key(), Answer::Created);
        failing.begin(&key());
        failing.failed(Time(1_000), &key(), "a");
        assert!(failing.hold(&key()).unwrap().is_open(Time(1_000)));
    }

    #[test]
    fn what_is_no_failure_of_its_own_neither_holds_nor_frees_a_task() {
        let mut failing = Failing::default();
        failing.failed(Time(0), &key(), "a");
        failing.answered(&key(), Answer::NotCreated);
        (0..2).for_each(|_| failing.failed(Time(0), &key(), "a"));
        assert!(failing.hold(&key()).is_some());
        failing.forget(&key());
        assert!(failing.hold(&key()).is_none());
    }
}
