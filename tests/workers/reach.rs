//! Who reaches the operator: a worker that never does is reported, and none that exists is sent away before it was
//! shown.

use std::collections::{BTreeMap, BTreeSet};

use maptask::api::status::{TaskPhase, WaitingReason};
use maptask::core::ids::{TaskKey, Time};
use maptask::core::port::{Event, ExchangeRefusal, Reply};

use crate::world::World;

/// What the leading operator knows of the pods, by UID.
#[derive(Default)]
pub struct Reach {
    /// Since when it has known that their containers run.
    running: BTreeMap<String, Time>,
    /// When they first spoke to it.
    spoke: BTreeMap<String, Time>,
    /// Since when it has known all there is.
    synced: Option<Time>,
    told: BTreeSet<String>,
}

impl Reach {
    pub fn shown(&mut self, now: Time, event: &Event) {
        if let Event::Pod(pod) = event
            && pod.status.phase.as_deref() == Some("Running")
        {
            self.running.entry(pod.uid.clone()).or_insert(now);
        }
    }

    pub fn spoke(&mut self, now: Time, uid: &str) {
        self.spoke.entry(uid.to_owned()).or_insert(now);
    }
}

impl World {
    /// A worker that was not heard for a minute after its start is reported.
    pub fn check_unheard(&mut self) -> Result<(), String> {
        let now = self.now;
        if !self.fleet.is_synced() {
            return Ok(());
        }
        let synced = *self.reach.synced.get_or_insert(now);
        let Some(task) = self.fleet.task(&TaskKey::new("ns", "t")) else { return Ok(()) };
        // In a rerun that is yet to be recorded, these are pods of the run before.
        let is_recorded = !self.task.status.phase.is_some_and(TaskPhase::is_terminal);
        if self.task.spec.suspend
            || !is_recorded
            || !self.task_events.is_empty()
            || !task.active().is_some_and(maptask::core::run::Run::may_start_more)
        {
            return Ok(());
        }
        for (number, pod) in
            self.pods.iter().filter(|(_, pod)| !pod.ended && pod.seen.deleted.is_none() && !pod.of_run_before)
        {
            let uid = &pod.seen.uid;
            let since = self.reach.running.get(uid).filter(|_| !self.reach.spoke.contains_key(uid));
            let late = since.is_some_and(|since| now.millis_since((*since).max(synced)) >= 60_000);
            let reason = task.waiting().map(|waiting| waiting.reason);
            if late && reason != Some(WaitingReason::WorkersUnreachable) {
                return Err(format!("worker {number} was never heard, and the task waits for {reason:?}"));
            }
            if late && self.reach.told.insert(uid.clone()) {
                self.truth.unheard += 1;
            }
        }
        Ok(())
    }

    /// A worker of a task that runs is sent away only if the operator was not shown its pod for a minute.
    pub fn check_refusals(&self, replies: &[Reply]) -> Result<(), String> {
        let is_over = self.fleet.task(&TaskKey::new("ns", "t")).is_none_or(|task| task.phase().is_terminal());
        for reply in replies.iter().filter(|_| !is_over) {
            let Some(uid) = self.kept.get(&reply.ticket) else { continue };
            let lives = |pod: &&crate::world::Pod| {
                pod.seen.uid == *uid && !pod.ended && pod.seen.deleted.is_none() && !pod.of_run_before
            };
            let since = self.reach.spoke.get(uid).copied().unwrap_or(self.now);
            let is_refused = matches!(reply.result, Err(ExchangeRefusal::NotAWorker));
            if is_refused && self.pods.values().any(|pod| lives(&pod)) && self.now.millis_since(since) < 60_000 {
                return Err(format!("pod {uid} exists and was sent away"));
            }
        }
        Ok(())
    }
}
