//! Who has ended? One reaper owns all waits: a second one would take exit codes from it.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fs;
use std::io;
use std::rc::Rc;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot};

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its exit code; 128 and the signal's number if a signal ended it.
    pub code: i32,
}

/// Reaps the programs of items and the orphans that they leave.
#[derive(Debug, Default)]
pub struct Reaper {
    leaders: RefCell<HashMap<i32, oneshot::Sender<Exit>>>,
    /// Whether the last look found any child at all.
    children: Cell<bool>,
    reaped: Notify,
}

impl Reaper {
    /// Begins to reap. Must be called in a `LocalSet`.
    pub fn start() -> io::Result<Rc<Self>> {
        let reaper = Rc::new(Self::default());
        let mut ended = signal(SignalKind::child())?;
        let own = Rc::clone(&reaper);
        tokio::task::spawn_local(async move {
            while ended.recv().await.is_some() {
                own.reap();
            }
        });
        Ok(reaper)
    }

    /// Waits for the end of a program that was just started: nothing else may run between the two.
    pub fn watch(&self, leader: Pid) -> oneshot::Receiver<Exit> {
        let (send, receive) = oneshot::channel();
        self.leaders.borrow_mut().insert(leader.as_raw(), send);
        receive
    }

    /// Reaps all that have ended. A program's process group is killed before the program is reaped: afterwards its
    /// number may be another's.
    pub fn reap(&self) {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        loop {
            match waitid(Id::All, look) {
                Ok(WaitStatus::Exited(pid, code)) => self.reap_one(pid, Exit { code }),
                Ok(WaitStatus::Signaled(pid, signal, _)) => self.reap_one(pid, Exit { code: 128 + signal as i32 }),
                Ok(_) => {
                    self.children.set(true);
                    break;
                }
                Err(Errno::EINTR) => {}
                // Ended by a real-time signal, for which there is no name.
                Err(Errno::EINVAL) => {
                    if !self.reap_nameless() {
                        break;
                    }
                }
                Err(_) => {
                    self.children.set(false);
                    break;
                }
            }
        }
        self.reaped.notify_waiters();
    }

    fn reap_one(&self, pid: Pid, exit: Exit) {
        let leader = self.leaders.borrow_mut().remove(&pid.as_raw());
        if leader.is_some() {
            // Nobody may be left in it.
            _ = killpg(pid, Signal::SIGKILL);
        }
        _ = waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG);
        if let Some(leader) = leader {
            // Its item may have been given up.
            _ = leader.send(exit);
        }
    }

    /// Reaps each child whose end can't be put into words. Whether there was one.
    fn reap_nameless(&self) -> bool {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        let ended: Vec<Pid> =
            children().into_iter().filter(|pid| waitid(Id::Pid(*pid), look) == Err(Errno::EINVAL)).collect();
        for pid in &ended {
            self.reap_one(*pid, Exit { code: 128 + 64 });
        }
        !ended.is_empty()
    }

    /// Whether a child is left.
    pub const fn has_children(&self) -> bool {
        self.children.get()
    }

    /// Children that are no program of an item: what items have left behind.
    pub fn orphans(&self) -> Vec<Pid> {
        let leaders = self.leaders.borrow();
        children().into_iter().filter(|pid| !leaders.contains_key(&pid.as_raw())).collect()
    }

    /// The process numbers of running programs.
    pub fn leaders(&self) -> Vec<i32> {
        self.leaders.borrow().keys().copied().collect()
    }

    /// The next look that reaps.
    pub async fn next(&self) {
        self.reaped.notified().await;
    }
}

/// The processes whose parent is this one. What its parent has left comes here, since this is process 1 or a subreaper;
/// shells of `kubectl exec` do not: their parent is outside of the container.
fn children() -> Vec<Pid> {
    let own = std::process::id();
    if let Ok(text) = fs::read_to_string(format!("/proc/self/task/{own}/children")) {
        return text.split_whitespace().filter_map(|pid| pid.parse().ok()).map(Pid::from_raw).collect();
    }
    // A kernel without CONFIG_PROC_CHILDREN.
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| stat_fields(*pid, [4]) == Some([i64::from(own)]))
        .map(Pid::from_raw)
        .collect()
}

/// Numbers of `/proc/PID/stat` at one moment, counted as in its manual page from 4, the parent.
pub fn stat_fields<const N: usize>(pid: i32, numbers: [usize; N]) -> Option<[i64; N]> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may contain anything, also parentheses.
    let fields: Vec<&str> = text.rsplit_once(") ")?.1.split_whitespace().collect();
    let values: Vec<i64> = numbers.iter().map(|number| fields.get(number - 3)?.parse().ok()).collect::<Option<_>>()?;
    values.try_into().ok()
}

/// Sends a signal to a process group; it may be gone.
pub fn signal_group(leader: Pid, signal: Signal) {
    _ = killpg(leader, signal);
}

/// Kills one process; it may be gone.
pub fn kill_one(pid: Pid) {
    _ = kill(pid, Signal::SIGKILL);
}
