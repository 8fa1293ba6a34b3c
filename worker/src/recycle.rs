//! Should this worker be replaced by a fresh one?

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::statvfs::statvfs;

use crate::cgroup::Cgroup;
use crate::clock::Jitter;

/// Signs are looked for at most that often.
const EVERY: Duration = Duration::from_secs(1);
/// Descriptors of the worker itself more than after its first item.
const MORE_DESCRIPTORS: usize = 64;

/// Looks for signs that items leave something behind.
#[derive(Debug)]
pub struct Recycle {
    max_items: Option<u64>,
    memory: Option<u64>,
    disk: PathBuf,
    disk_was_full: bool,
    descriptors: Option<usize>,
    next: Duration,
}

impl Recycle {
    /// `max_items` is varied by a tenth, so that workers that began together do not end together.
    pub fn new(max_items: Option<u64>, memory: Option<u64>, disk: PathBuf, jitter: &mut Jitter) -> Self {
        let max_items = max_items.map(|items| {
            let tenth = items / 10;
            (items - tenth + jitter.next() % (2 * tenth + 1)).max(1)
        });
        let disk_was_full = is_full(&disk);
        Self { max_items, memory, disk, disk_was_full, descriptors: None, next: Duration::ZERO }
    }

    /// Why to be replaced, if there is a reason. `idle`: no program runs.
    pub fn reason(&mut self, now: Duration, begun: u64, idle: bool, cgroup: &Cgroup) -> Option<String> {
        if let Some(max) = self.max_items
            && begun >= max
        {
            return Some(format!("it has run {begun} items"));
        }
        if !idle || now < self.next || begun == 0 {
            return None;
        }
        self.next = now + EVERY;
        if let (Some(limit), Some(used)) = (self.memory, cgroup.memory())
            && used > limit / 2
        {
            return Some(format!("{used} of {limit} bytes of memory are in use while no program runs"));
        }
        if !self.disk_was_full && is_full(&self.disk) {
            return Some(format!("the disk of {} is more than 80 % full", self.disk.display()));
        }
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let first = *self.descriptors.get_or_insert(open);
        (open > first + MORE_DESCRIPTORS).then(|| format!("{open} descriptors are open, {first} were at first"))
    }
}

/// Whether more than four fifths of a disk are in use.
fn is_full(path: &std::path::Path) -> bool {
    statvfs(path).is_ok_and(|disk| disk.blocks() > 0 && disk.blocks_available() * 5 < disk.blocks())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_that_began_together_are_not_replaced_together() {
        let limits: Vec<u64> = (0..100)
            .map(|seed| Recycle::new(Some(1000), None, "/".into(), &mut Jitter::seeded(seed)).max_items.unwrap())
            .collect();
        assert!(limits.iter().all(|limit| (900..=1100).contains(limit)));
        assert!(limits.iter().any(|limit| *limit < 950) && limits.iter().any(|limit| *limit > 1050));
        assert_eq!(Recycle::new(Some(1), None, "/".into(), &mut Jitter::seeded(1)).max_items, Some(1));
    }
}
