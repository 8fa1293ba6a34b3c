//! What has an item left behind? Nothing that it has started outlives it.

use std::fs;
use std::time::Duration;

use nix::unistd::Pid;
use tokio::time::{Instant, timeout};

use crate::reaper::{Reaper, kill_one, stat_field};

/// How long to wait for the end of what was killed; what is stuck in the kernel stays.
const PATIENCE: Duration = Duration::from_secs(1);
/// A process that ends between two looks is noticed after this.
const LOOK: Duration = Duration::from_millis(20);

/// Kills what an item has left behind, and waits for its end. `slot`: where it ran. `others`: slots in use, whose
/// daemons stay. Whether nothing is left.
pub(super) async fn sweep(reaper: &Reaper, slot: usize, others: &[usize]) -> bool {
    let end = Instant::now() + PATIENCE;
    while reaper.has_children() {
        let left: Vec<Pid> = reaper
            .orphans()
            .into_iter()
            .filter(|pid| others.is_empty() || is_left_by(*pid, slot, others, reaper))
            .collect();
        if left.is_empty() {
            // Of the only item: ended a moment ago, and the next look finds it.
            return !others.is_empty() || {
                reaper.reap();
                !reaper.has_children()
            };
        }
        left.into_iter().for_each(kill_one);
        if Instant::now() > end {
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

/// Whether an orphan is of this item and of no other that runs.
fn is_left_by(pid: Pid, slot: usize, others: &[usize], reaper: &Reaper) -> bool {
    if let Some(owner) = owner(pid) {
        return owner == slot || !others.contains(&owner);
    }
    // It has cleared its environment. It can be another item's only if that began before it.
    let pid = pid.as_raw();
    let leaders = reaper.leaders();
    if stat_field(pid, 6)
        .or(stat_field(pid, 5))
        .is_some_and(|group| leaders.iter().any(|leader| i64::from(*leader) == group))
    {
        return false;
    }
    let Some(began) = stat_field(pid, 22) else { return true };
    leaders.into_iter().all(|leader| stat_field(leader, 22).is_none_or(|leader| leader > began))
}

/// The slot that a process belongs to, by its environment.
fn owner(pid: Pid) -> Option<usize> {
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let line = environment.split(|byte| *byte == 0).find_map(|line| line.strip_prefix(b"MAPTASK_SLOT="))?;
    std::str::from_utf8(line).ok()?.parse().ok()
}
