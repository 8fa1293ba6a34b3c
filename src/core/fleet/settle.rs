//! What the fleet keeps of each task beside it: sums, wake-ups and claims.

use std::collections::BTreeMap;

use crate::core::cache::claims::Freed;
use crate::core::fleet::{AGAIN_MILLIS, Fleet, TaskEntry};
use crate::core::ids::{TaskKey, Time};
use crate::core::task::Task;

/// Counts how attempts of a task ended. Returns whether any did: each ended pod may free quota.
pub(super) fn count_outcomes(outcomes: &mut BTreeMap<&'static str, u64>, entry: &mut TaskEntry) -> bool {
    let Some(task) = &mut entry.task else { return false };
    let mut ended = false;
    for outcome in task.drain_outcomes() {
        *outcomes.entry(outcome).or_default() += 1;
        ended = true;
    }
    ended
}

impl Fleet {
    /// Counts ended attempts.
    pub(super) fn count_ended_pods(&mut self, key: &TaskKey) {
        let entry = self.entries.get_mut(key);
        if entry.is_some_and(|entry| count_outcomes(&mut self.outcomes, entry)) {
            self.queue.room(&key.namespace);
        }
    }

    /// Notes whether it is known which items of a task run.
    pub(super) fn note_unknown_claims(&mut self, key: &TaskKey) {
        let task = self.entries.get(key).and_then(|entry| entry.task.as_ref());
        if self.claims.note_unknown(key, task.and_then(Task::unknown_claims)) {
            self.open_cache();
        }
    }

    /// Others of a cache have waited for a task that has said which items it runs.
    fn open_cache(&mut self) {
        self.dirty.extend(self.entries.keys().cloned());
    }

    /// Brings the sums, claims and wake-ups in line with the task, and drops what is empty.
    pub(super) fn settle(&mut self, now: Time, key: &TaskKey) {
        self.sum_up(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let wake = match (&entry.task, &entry.remote) {
            (Some(task), _) => wake_at(now, task.wakes(), entry.wake),
            (None, Some(remote)) => wake_at(now, remote.wakes(), entry.wake),
            (None, None) => None,
        };
        if wake != entry.wake {
            if let Some(old) = entry.wake {
                self.wakes.remove(&(old, key.clone()));
            }
            self.wakes.extend(wake.map(|time| (time, key.clone())));
            entry.wake = wake;
        }
        if entry.is_empty() {
            self.entries.remove(key);
        }
    }

    /// Brings the sums and claims in line with the task.
    pub(super) fn sum_up(&mut self, key: &TaskKey) {
        let Some(entry) = self.entries.get_mut(key) else { return };
        let in_flight = entry.task.as_ref().map_or(0, Task::in_flight);
        self.in_flight = (self.in_flight + in_flight).saturating_sub(entry.in_flight);
        if in_flight != entry.in_flight {
            let here = self.in_namespaces.entry(key.namespace.clone()).or_default();
            *here = (*here + in_flight).saturating_sub(entry.in_flight);
            if *here == 0 {
                self.in_namespaces.remove(&key.namespace);
            }
        }
        entry.in_flight = in_flight;
        let lingering = entry.task.as_ref().map_or(0, Task::lingering);
        self.lingering = (self.lingering + lingering).saturating_sub(entry.lingering);
        entry.lingering = lingering;
        let list_bytes = entry.task.as_ref().map_or(0, Task::list_bytes);
        self.list_bytes = (self.list_bytes + list_bytes).saturating_sub(entry.list_bytes);
        entry.list_bytes = list_bytes;
        if let Some(task) = &entry.task {
            task.claim_assigned(&mut self.claims, key);
        }
        // Lets go of keys that the task needs no more, and looks up who waited for them.
        let task = entry.task.as_ref();
        let opens = self.claims.note_unknown(key, task.and_then(Task::unknown_claims));
        let is_over = |index| !task.is_some_and(|task| task.needs_claim(index));
        let freed = self.claims.release(key, is_over, |index| task.is_none_or(|task| task.may_have_stored(index)));
        self.claims.note_user(key, task.and_then(Task::claimed_cache));
        if opens {
            self.open_cache();
        }
        self.look_up_freed(freed);
    }

    fn look_up_freed(&mut self, freed: Vec<Freed>) {
        for freed in freed {
            let task = self.entries.get_mut(&freed.task).and_then(|entry| entry.task.as_mut());
            if task.is_some_and(|task| task.unblock(freed.index)) {
                self.dirty.insert(freed.task);
            } else {
                self.claims.not_looked_up(&freed);
            }
        }
    }
}

/// When to wake a task that is due at `times`: at the first of these. What could not be done when it was due comes
/// again, but does not spin; and however often the task is settled in the meantime, it is not put off.
pub(super) fn wake_at(now: Time, times: impl Iterator<Item = Time>, set: Option<Time>) -> Option<Time> {
    let again = now.plus_millis(AGAIN_MILLIS);
    let again = set.filter(|set| *set > now && *set < again).unwrap_or(again);
    times.map(|time| if time > now { time } else { again }).min()
}
