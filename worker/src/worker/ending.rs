//! When does the worker end, and when does it look around again?

use std::time::Duration;

use maptask_exchange::Leaving;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::time::Instant;

use super::{Exit, Worker, failed};
use crate::clock::now;
use crate::reaper::signal_group;

/// How long the worker continues without an answer, before it ends.
const ALONE: Duration = Duration::from_mins(15);
/// Of the pod's grace period, this is for reports after the last program is killed.
const FOR_REPORTS: Duration = Duration::from_secs(5);
/// The worker is gone this long before the end of its grace period.
const MARGIN: Duration = Duration::from_millis(300);
/// How long a worker with nothing left to do waits until the operator has heard that it leaves.
const FAREWELL: Duration = Duration::from_secs(2);
/// Longest time between two looks around.
const LOOK: Duration = Duration::from_secs(10);

impl Worker {
    /// SIGTERM: to each program once, and nothing more begins.
    pub(super) fn terminate(&mut self) {
        if self.terminated.is_some() {
            return;
        }
        let time = Instant::now();
        self.terminated = Some(time);
        let grace = Duration::from_secs(self.runner.config.grace_seconds);
        let kill_at = time + grace.saturating_sub(FOR_REPORTS).max(grace / 2);
        self.stop_programs(kill_at);
        self.ledger.leave(Leaving::Terminated, "SIGTERM".to_owned());
        self.pacer.news(now());
    }

    pub(super) fn forward(&self, signal: Signal) {
        for leader in self.runner.reaper.leaders() {
            signal_group(Pid::from_raw(leader), signal);
        }
    }

    pub(super) fn kill_all(&self) {
        self.forward(Signal::SIGKILL);
    }

    pub(super) fn is_over(&mut self) -> Option<Exit> {
        let grace = Duration::from_secs(self.runner.config.grace_seconds).saturating_sub(MARGIN);
        if self.terminated.is_some_and(|at| at.elapsed() >= grace) {
            return Some(Exit { code: 0, message: Some("the grace period was over".to_owned()), unreachable: false });
        }
        let settled = !self.ledger.takes_more() && self.ledger.is_settled();
        if !settled {
            self.settled = None;
        } else if self.ledger.has_said_farewell() || self.settled.get_or_insert_with(Instant::now).elapsed() >= FAREWELL
        {
            return Some(match self.ledger.cannot_start() {
                Some(message) => failed(format!("programs can't be started here: {message}")),
                None => Exit { code: 0, message: None, unreachable: false },
            });
        }
        let start = Duration::from_secs(self.runner.config.start_deadline_seconds);
        if !self.ledger.was_answered() && self.started.elapsed() >= start {
            return Some(self.unreachable(start));
        }
        if self.ledger.was_answered() && self.heard.elapsed() >= ALONE {
            self.ledger.leave(Leaving::Stopped, "no answer for 15 minutes".to_owned());
            if self.active.is_empty() {
                return Some(self.unreachable(ALONE));
            }
        }
        None
    }

    fn unreachable(&self, time: Duration) -> Exit {
        let message = format!(
            "the operator at {} did not answer for {} s: {}. Pods of this namespace must be allowed to reach that address by TCP: \
             look for a NetworkPolicy, a firewall between nodes, or an operator that does not run",
            self.client.address(),
            time.as_secs(),
            self.last_failure
        );
        Exit { code: 1, message: Some(message), unreachable: true }
    }

    /// How long there is nothing to do unless something happens.
    pub(super) fn wake(&self) -> Duration {
        let time = now();
        let until = |at: Option<Duration>| at.map(|at| at.saturating_sub(time));
        let mut wake = LOOK;
        for left in [until(self.due()), until(self.runner.record.borrow().due())].into_iter().flatten() {
            wake = wake.min(left);
        }
        if let Some(at) = self.terminated {
            let grace = Duration::from_secs(self.runner.config.grace_seconds).saturating_sub(MARGIN);
            wake = wake.min(grace.saturating_sub(at.elapsed()));
        }
        if let Some(at) = self.settled {
            wake = wake.min(FAREWELL.saturating_sub(at.elapsed()));
        }
        if !self.ledger.was_answered() {
            let start = Duration::from_secs(self.runner.config.start_deadline_seconds);
            wake = wake.min(start.saturating_sub(self.started.elapsed()));
        }
        wake
    }
}
