//! What has an item left behind? Nothing that it has started outlives it.

use std::fs;
use std::time::Duration;

use nix::errno::Errno;
use nix::unistd::Pid;
use tokio::time::{Instant, timeout};

use crate::reaper::{Reaper, kill_one, stat_fields};

/// How long to wait for the end of what was killed; what is stuck in the kernel stays.
const PATIENCE: Duration = Duration::from_secs(1);
/// A process that ends between two looks is noticed after this.
const LOOK: Duration = Duration::from_millis(20);

/// Kills what an item has left behind, and waits for its end. `slot`: where it ran. `others`: slots in use, whose
/// daemons stay. Whether nothing is left.
pub(super) async fn sweep(reaper: &Reaper, slot: usize, others: &[usize]) -> bool {
    let end = Instant::now() + PATIENCE;
    while reaper.has_children() {
        let is_last_look = Instant::now() > end;
        let mut unknown = false;
        let left: Vec<Pid> = reaper
            .orphans()
            .into_iter()
            .filter(|pid| {
                others.is_empty()
                    || match owner(*pid) {
                        Owner::Slot(owner) => owner == slot || !others.contains(&owner),
                        Owner::Unknown if !is_last_look => {
                            unknown = true;
                            false
                        }
                        Owner::Unknown | Owner::Unnamed => is_older_than_others(*pid, reaper),
                    }
            })
            .collect();
        if left.is_empty() && !unknown {
            // Of the only item: ended a moment ago, and the next look finds it.
            return !others.is_empty() || {
                reaper.reap();
                !reaper.has_children()
            };
        }
        left.into_iter().for_each(kill_one);
        if is_last_look {
            return false;
        }
        // Its signal may have come already.
        reaper.reap();
        if reaper.has_children() {
            _ = timeout(LOOK, reaper.next()).await;
        }
    }
    true
}

/// Whether an orphan is older than the programs that run: none of them can have started it.
fn is_older_than_others(pid: Pid, reaper: &Reaper) -> bool {
    let Some([began]) = stat_fields(pid.as_raw(), [22]) else { return true };
    reaper.leaders().into_iter().all(|leader| stat_fields(leader, [22]).is_none_or(|[leader]| leader > began))
}

/// What an orphan's environment says of the slot that it belongs to.
enum Owner {
    /// It belongs to this one.
    Slot(usize),
    /// It has another environment than its program was given, or one that is not to be read.
    Unnamed,
    /// Nothing now: it is about to execute another program, or is ending.
    Unknown,
}

fn owner(pid: Pid) -> Owner {
    let environment = match fs::read(format!("/proc/{pid}/environ")) {
        Ok(environment) => environment,
        Err(error) if error.raw_os_error() == Some(Errno::ESRCH as i32) => return Owner::Unknown,
        Err(_) => return Owner::Unnamed,
    };
    // Without its last zero byte, a line may be cut off.
    let mut lines = environment.split_inclusive(|byte| *byte == 0).filter_map(|line| line.strip_suffix(b"\0"));
    let slot = lines.find_map(|line| std::str::from_utf8(line.strip_prefix(b"MAPTASK_SLOT=")?).ok()?.parse().ok());
    if let Some(slot) = slot {
        return Owner::Slot(slot);
    }
    // The kernel notes the end of the code after the program has got its environment.
    let is_whole = stat_fields(pid.as_raw(), [27, 50, 51])
        .is_some_and(|[code, start, end]| code > 1 && usize::try_from(end - start) == Ok(environment.len()));
    if is_whole { Owner::Unnamed } else { Owner::Unknown }
}
