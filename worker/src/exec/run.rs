//! How does one item run from its start to its outcome?

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fs;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::variables::{ARTIFACTS, ARTIFACTS_PATH, RESULT};
use maptask_exchange::{AttemptId, Config, Grant, MAX_RESULT_BYTES, Outcome};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::sync::{Notify, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep_until, timeout};

use super::files::ResultText;
use super::output::Output;
use super::spawn::Started;
use super::sweep::sweep;
use super::{CannotRun, Environment, Files, Program, Variables};
use crate::cgroup::Cgroup;
use crate::log::{Log, Target};
use crate::reaper::{Exit, Reaper, signal_group};
use crate::record::{Foreign, RecordFile};

/// How long the pipes are read after the program has ended. The item ends with its program.
pub(super) const DRAIN: Duration = Duration::from_secs(1);
/// Longest time between SIGTERM and SIGKILL.
const MAX_GRACE: u64 = 30;
/// How much more likely than the worker the kernel kills a program when memory is short, in thousandths of that memory.
const OOM_SCORE: i32 = 20;
/// What a shell answers for a command that it can't execute.
const NOT_EXECUTABLE: i32 = 126;
/// The exit code of a program that SIGTERM has ended: never the kernel's doing.
pub(super) const TERMINATED: i32 = 128 + 15;

/// What the operator or the system wants of a running program.
#[derive(Debug, Default)]
pub struct StopRequest {
    kill_at: Cell<Option<Instant>>,
    changed: Notify,
}

impl StopRequest {
    /// SIGTERM now, SIGKILL later. A second call may only make it sooner.
    pub fn stop(&self, kill_at: Instant) {
        self.kill_at.set(Some(self.kill_at.get().map_or(kill_at, |before| before.min(kill_at))));
        self.changed.notify_one();
    }
}

/// A directory for the files of one attempt.
#[derive(Debug)]
pub(super) struct Directory {
    /// Its name on the volume.
    pub(super) name: String,
    /// Its path in the container.
    pub(super) path: String,
}

/// A place for one program at a time.
#[derive(Debug)]
pub struct Slot {
    /// Its number, from 1.
    pub number: usize,
    /// The files of the item in it.
    pub files: Files,
}

/// What an attempt has come to.
#[derive(Debug)]
pub enum Ended {
    /// It has ended.
    Outcome(Outcome),
    /// It could not begin here: its program did not run.
    NotBegun(String),
}

/// An attempt that holds its slot no longer.
#[derive(Debug)]
pub struct Finished {
    /// The slot.
    pub slot: Slot,
    /// The attempt.
    pub id: AttemptId,
    /// How long its program ran.
    pub micros: u64,
    /// What it has come to.
    pub ended: Ended,
}

/// What all items share.
#[derive(Debug)]
pub struct Runner {
    /// What the operator wants of this worker.
    pub config: Config,
    /// The container's variables.
    pub environment: Environment,
    /// The container's command.
    pub program: Program,
    /// The container's log.
    pub log: Log,
    /// Who waits for processes.
    pub reaper: Rc<Reaper>,
    /// The container's memory.
    pub cgroup: Cgroup,
    /// The container's termination message.
    pub record: Rc<RefCell<RecordFile>>,
    /// Slots whose programs run.
    pub busy: RefCell<BTreeSet<usize>>,
    /// This process's own `oom_score_adj`.
    pub oom_score: i32,
}

struct Run {
    exit: Exit,
    expired: bool,
    stopped: bool,
    micros: u64,
    tail: String,
}

impl Runner {
    /// How long a program has between SIGTERM and SIGKILL at its deadline.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.config.grace_seconds.min(MAX_GRACE))
    }

    /// Runs an item.
    pub async fn run(self: Rc<Self>, mut slot: Slot, grant: Grant, stop: Rc<StopRequest>) -> Finished {
        let id = grant.id;
        let directory = self.make_artifacts(id).await;
        if stop.kill_at.get().is_some() {
            // A volume may have hung for so long that the item runs elsewhere.
            return Finished { slot, id, micros: 0, ended: Ended::Outcome(Outcome::Stopped) };
        }
        let kills = self.cgroup.oom_kills();
        let (micros, ended) = match directory.and_then(|directory| self.start(&mut slot, &grant, directory)) {
            Err(error) => (0, not_run(error)),
            Ok(started) => {
                self.busy.borrow_mut().insert(slot.number);
                let run = self.supervise(id, slot.number, started, &stop).await;
                self.busy.borrow_mut().remove(&slot.number);
                let text = self.take_result(&mut slot);
                (run.micros, Ended::Outcome(self.outcome(run, text, kills)))
            }
        };
        if slot.files.has_temporary() {
            slot = self.clean(slot).await;
        }
        Finished { slot, id, micros, ended }
    }

    fn start(&self, slot: &mut Slot, grant: &Grant, artifacts: Option<Directory>) -> Result<Started, CannotRun> {
        slot.files.prepare().map_err(|error| CannotRun::ThisWorker(format!("files of the item: {error}")))?;
        let mut variables = Variables::of(&self.config, grant);
        variables.set(RESULT, slot.files.result().to_string_lossy().into_owned());
        variables.set_place(slot);
        if let Some(directory) = artifacts {
            variables.set(ARTIFACTS_PATH, directory.path);
            variables.set(ARTIFACTS, directory.name);
        }
        let started = self.program.start(&self.environment, &variables)?;
        self.prefer_for_oom(started.leader);
        Ok(started)
    }

    /// Makes the directory for the files of an attempt, if it is to have one.
    pub(super) async fn make_artifacts(&self, id: AttemptId) -> Result<Option<Directory>, CannotRun> {
        let Some(artifacts) = &self.config.artifacts else { return Ok(None) };
        let AttemptId(index, attempt) = id;
        let name = format!("{}-{index}-{attempt}", artifacts.prefix);
        let path = format!("{}/{name}", artifacts.path.trim_end_matches('/'));
        let (made, path) = apart(move || (fs::create_dir_all(&path), path)).await;
        made.map_err(|error| CannotRun::from_io(&error, &format!("directory {path}")))?;
        Ok(Some(Directory { name, path }))
    }

    /// Lets the kernel kill the program before the worker when memory is short.
    pub(super) fn prefer_for_oom(&self, leader: Pid) {
        if self.oom_score < 1000 - OOM_SCORE {
            let score = (self.oom_score + OOM_SCORE).to_string();
            // It may have ended.
            _ = fs::write(format!("/proc/{leader}/oom_score_adj"), score);
        }
    }

    async fn supervise(&self, id: AttemptId, slot: usize, started: Started, stop: &StopRequest) -> Run {
        let begun = Instant::now();
        let mut exit = self.reaper.watch(started.leader);
        let prefix = || if self.config.prefix_log { format!("[{}] ", id.0).into_bytes() } else { Vec::new() };
        let outputs = Output::new(started.stdout, Target::Stdout, prefix())
            .and_then(|out| Ok((out, Output::new(started.stderr, Target::Stderr, prefix())?)));
        let Ok((mut out, mut err)) = outputs else {
            // No descriptor is left to read its output: without it, it must not run.
            signal_group(started.leader, Signal::SIGKILL);
            let exit = (&mut exit).await.unwrap_or(Exit { code: 137 });
            let tail = "the worker has no descriptor left to read what the program writes".to_owned();
            return Run { exit, expired: false, stopped: false, micros: 0, tail };
        };
        let (run, drained) = {
            let mut pumps = pin!(async { tokio::join!(out.pump(&self.log), err.pump(&self.log)) });
            let (mut run, drained) = self.wait(started.leader, begun, &mut exit, stop, pumps.as_mut()).await;
            run.micros = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.sweep(slot).await;
            let drained = drained || timeout(DRAIN, pumps).await.is_ok();
            (run, drained)
        };
        if !drained {
            self.log.say(&format!("item {}: its output was read for a second after its end, and then no longer", id.0));
        }
        out.finish(&self.log).await;
        err.finish(&self.log).await;
        let tail = if run.exit.code == 0 && !run.expired { String::new() } else { err.tail() };
        Run { tail: if tail.is_empty() { out.tail() } else { tail }, ..run }
    }

    /// Kills what the program of a slot has left behind.
    pub(super) async fn sweep(&self, slot: usize) {
        if !self.reaper.has_children() {
            return;
        }
        let others: Vec<usize> = self.busy.borrow().iter().copied().filter(|other| *other != slot).collect();
        if !sweep(&self.reaper, slot, &others).await {
            self.log.say(&format!("the program of slot {slot} has left a process that can't be killed"));
        }
    }

    /// Waits for the end of a program, and brings it about where that is due. Whether its output has ended as well.
    async fn wait(
        &self,
        leader: Pid,
        begun: Instant,
        exit: &mut oneshot::Receiver<Exit>,
        stop: &StopRequest,
        mut pumps: std::pin::Pin<&mut impl Future>,
    ) -> (Run, bool) {
        let mut run = Run { exit: Exit { code: 0 }, expired: false, stopped: false, micros: 0, tail: String::new() };
        let mut deadline = self.config.deadline_seconds.map(|seconds| begun + Duration::from_secs(seconds));
        let mut kill_at: Option<Instant> = None;
        let mut drained = false;
        loop {
            let wake = kill_at.into_iter().chain(deadline).min();
            tokio::select! {
                biased;
                ended = &mut *exit => {
                    run.exit = ended.unwrap_or(Exit { code: 137 });
                    return (run, drained);
                }
                () = stop.changed.notified() => {
                    if !run.stopped && !run.expired {
                        signal_group(leader, Signal::SIGTERM);
                    }
                    run.stopped = true;
                    kill_at = kill_at.into_iter().chain(stop.kill_at.get()).min();
                }
                () = sleep_until(wake.unwrap_or(begun)), if wake.is_some() => {
                    let now = Instant::now();
                    if kill_at.is_some_and(|at| at <= now) {
                        signal_group(leader, Signal::SIGKILL);
                        kill_at = None;
                        deadline = None;
                    } else if deadline.is_some_and(|at| at <= now) {
                        deadline = None;
                        run.expired = true;
                        if !run.stopped {
                            signal_group(leader, Signal::SIGTERM);
                        }
                        kill_at = kill_at.into_iter().chain(Some(now + self.grace())).min();
                    }
                }
                _ = pumps.as_mut(), if !drained => drained = true,
            }
        }
    }

    /// What the program has left as its result, or in place of the worker's record.
    fn take_result(&self, slot: &mut Slot) -> Option<ResultText> {
        let text = slot.files.take_result(self.config.max_result_bytes.min(MAX_RESULT_BYTES));
        let foreign = self.record.borrow_mut().take_foreign();
        text.or_else(|| foreign.map(|Foreign { text, bytes }| ResultText { text, bytes }))
    }

    fn outcome(&self, run: Run, text: Option<ResultText>, kills: u64) -> Outcome {
        let limit = self.config.max_result_bytes.min(MAX_RESULT_BYTES);
        let exit_code = run.exit.code;
        // As with a pod's termination message, what a failed program has left there says why.
        let said = text.as_ref().map(|text| crate::log::end_of(&text.text, maptask_exchange::MAX_MESSAGE_BYTES));
        let message = said.filter(|said| !said.is_empty()).unwrap_or(run.tail);
        if run.expired {
            Outcome::Deadline { message }
        } else if exit_code == 0 {
            text.map_or(Outcome::Succeeded { result: None }, |text| text.into_outcome(limit))
        } else if run.stopped {
            Outcome::Stopped
        } else if exit_code != TERMINATED && self.cgroup.oom_kills() > kills {
            Outcome::OutOfMemory { exit_code, message }
        } else {
            Outcome::Failed { exit_code, message }
        }
    }

    /// Removes temporary files.
    pub(super) async fn clean(&self, mut slot: Slot) -> Slot {
        let work = move || {
            let removed = slot.files.remove_temporary();
            (slot, removed)
        };
        let (slot, removed) = apart(work).await;
        if let Err(error) = removed {
            self.log.say(&format!("temporary files of an item can't be removed: {error}"));
        }
        slot
    }
}

/// Does what may take long on a thread of its own: a volume that hangs must not stop the exchange.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    spawn_blocking(work).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}

fn not_run(error: CannotRun) -> Ended {
    match error {
        CannotRun::Nobody(message) => Ended::Outcome(Outcome::NotStarted { message }),
        CannotRun::ThisItem(message) => Ended::Outcome(Outcome::Failed { exit_code: NOT_EXECUTABLE, message }),
        CannotRun::ThisWorker(message) => Ended::NotBegun(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_volume_that_hangs_stops_nothing_else() {
        let (release, hangs) = std::sync::mpsc::sync_channel(1);
        let made = apart(move || hangs.recv_timeout(Duration::from_secs(20)));
        let others = async { release.send("released") };
        assert_eq!(tokio::join!(made, others), (Ok("released"), Ok(())));
    }
}
