//! What a run with workers gives up for other tasks: a worker, at the end of what it runs.

use std::cmp::Reverse;

use crate::core::ids::Time;
use crate::core::run::Run;

/// Where there are more tasks than pods, tasks take turns: a worker stays for this many milliseconds at least, since
/// its replacement costs the start of a pod; and a task that gave one up lets others go first for as long.
pub const TURN_MILLIS: u64 = 60_000;

impl Run {
    /// Whether it has given a worker up so lately that others go first.
    pub fn lets_others_go_first(&self, now: Time) -> bool {
        let gave_up = self.workers().and_then(|workers| workers.gave_up);
        gave_up.is_some_and(|time| now.millis_since(time) < TURN_MILLIS)
    }

    /// How many more pods it would have, if it could.
    pub fn pods_wanted(&self) -> usize {
        if self.workers.is_some() { self.missing_workers() } else { self.items.counts().pending as usize }
    }

    /// Workers that are not about to end.
    pub fn staying_workers(&self) -> usize {
        self.workers().map_or(0, |workers| workers.table.iter().filter(|(_, worker)| worker.stays()).count())
    }

    /// Workers that are: their pods make room soon.
    pub fn leaving_workers(&self) -> usize {
        self.workers().map_or(0, |workers| workers.table.iter().filter(|(_, worker)| !worker.stays()).count())
    }

    /// Drains the worker that holds least, of those that are at least this old. Returns whether there is one.
    pub fn give_up_worker(&mut self, now: Time, min_age_millis: u64) -> bool {
        let Some(workers) = &mut self.workers else { return false };
        let old = workers.table.iter().filter(|(_, w)| w.stays() && now.millis_since(w.since()) >= min_age_millis);
        let least = old.min_by_key(|(role, worker)| (worker.session().holds(), Reverse(*role))).map(|(role, _)| role);
        if let Some(role) = least {
            workers.gave_up = Some(now);
            workers.table.stop(role, "another task waits for pods, and this one has more than its share");
        }
        least.is_some()
    }
}
