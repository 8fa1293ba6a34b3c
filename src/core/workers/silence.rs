//! Which workers say nothing, and for how long.

use maptask_exchange::REGRANT_AFTER_MILLIS;

use crate::core::ids::{PodRole, Time};
use crate::core::revision::Revision;
use crate::core::workers::table::WorkerTable;
use crate::core::workers::worker::Worker;

/// How long a worker says nothing before it is given up, in milliseconds.
const LOST_AFTER_MILLIS: u64 = 300_000;
/// If at least this number of workers, and a third of all, are silent together, the fault is the operator's or the
/// network's.
const MANY_SILENT: usize = 3;

/// For how long a worker has said nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// What it has not begun can be granted to others.
    Stock,
    /// Its pod is given up.
    Lost,
}

impl WorkerTable {
    /// Workers that are silent, and how much: for their stock until that is taken, and once they are lost. An operator
    /// that was replaced, and is cut off from the API server, hears nothing of workers that another one answers: stock
    /// is free only after a write that begins after the silence, for which `change` is noted. What is up to `written`
    /// is recorded.
    pub fn silent(
        &mut self,
        now: Time,
        written: Revision,
        mut change: impl FnMut() -> Revision,
    ) -> Vec<(PodRole, Silence)> {
        let mut silent = Vec::new();
        for (role, worker) in &mut self.workers {
            let millis = now.millis_since(worker.heard);
            let has_stock = worker.session.has_stock();
            if millis >= REGRANT_AFTER_MILLIS && worker.silent.is_none() {
                worker.silent = Some(if has_stock { change() } else { written });
            }
            if has_stock && worker.silent.is_some_and(|revision| revision <= written) {
                silent.push((*role, Silence::Stock));
            }
            if could_speak(worker) && millis >= LOST_AFTER_MILLIS {
                worker.lost = true;
                silent.push((*role, Silence::Lost));
            }
        }
        silent
    }

    /// Whether too many workers are silent for the fault to be theirs.
    pub fn is_cut_off(&self, now: Time) -> bool {
        let is_silent = |worker: &&Worker| now.millis_since(worker.heard) >= REGRANT_AFTER_MILLIS;
        let could_speak = || self.workers.values().filter(|worker| could_speak(worker));
        let silent = could_speak().filter(is_silent).count();
        silent >= MANY_SILENT && silent * 3 >= could_speak().count()
    }

    /// When a worker is silent for too long.
    pub(super) fn next_silence(&self) -> Option<Time> {
        let of = |worker: &Worker| match (worker.silent.is_some(), could_speak(worker)) {
            (false, _) => Some(worker.heard.plus_millis(REGRANT_AFTER_MILLIS)),
            (true, true) => Some(worker.heard.plus_millis(LOST_AFTER_MILLIS)),
            (true, false) => None,
        };
        // One that is lost is looked at whenever the task is: nothing else happens to it at a time.
        self.workers.values().filter(|worker| !worker.lost).filter_map(of).min()
    }
}

/// Whether its silence says something. A new one that has yet to speak may be waiting for a node or its image.
fn could_speak(worker: &Worker) -> bool {
    worker.has_spoken() || !worker.announced
}
