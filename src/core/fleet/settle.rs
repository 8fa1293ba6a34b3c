//! What the fleet keeps of each task beside it: sums, wake-ups and claims.

use crate::core::fleet::{AGAIN_MILLIS, Fleet};
use crate::core::ids::{TaskKey, Time};
use crate::core::task::Task;

impl Fleet {
    /// Brings the sums, wake-ups and claims in line with the task, and drops what is empty.
    pub(super) fn settle(&mut self, now: Time, key: &TaskKey) {
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
        if let Some(task) = &entry.task {
            task.claim_assigned(&mut self.claims, key);
        }
        self.release_claims(key);
    }

    /// Lets go of keys that the task needs no more, and looks up who waited for them.
    fn release_claims(&mut self, key: &TaskKey) {
        self.note_unknown_claims(key);
        let Some(entry) = self.entries.get_mut(key) else { return };
        let task = entry.task.as_ref();
        let is_over = |index| !task.is_some_and(|task| task.needs_claim(index));
        let freed = self.claims.release(key, is_over, |index| task.is_none_or(|task| task.may_have_stored(index)));
        self.claims.note_user(key, task.and_then(Task::claimed_cache));
        if entry.is_empty() {
            self.entries.remove(key);
        }
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
