//! What does the kernel say about the memory of this container?

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// The files of the container's control group, of version 2 or 1.
#[derive(Debug)]
pub struct Cgroup {
    /// `memory.events` or `memory.oom_control`, held open: it is read for each item.
    events: Option<File>,
    directory: PathBuf,
}

impl Cgroup {
    /// Finds the files. Without them there are no OOM kills and no memory.
    pub fn new(directory: &Path) -> Self {
        for (below, file) in [("", "memory.events"), ("memory", "memory.oom_control")] {
            let directory = if below.is_empty() { directory.to_owned() } else { directory.join(below) };
            if let Ok(events) = File::open(directory.join(file)) {
                return Self { events: Some(events), directory };
            }
        }
        Self { events: None, directory: directory.to_owned() }
    }

    /// How many processes of the container the kernel has killed for their memory.
    pub fn oom_kills(&self) -> u64 {
        let mut text = [0; 512];
        let read = self.events.as_ref().and_then(|file| file.read_at(&mut text, 0).ok()).unwrap_or(0);
        value(&String::from_utf8_lossy(&text[..read]), "oom_kill").unwrap_or(0)
    }

    /// Bytes that can't be reclaimed: of processes, and of files that are only in memory.
    pub fn memory(&self) -> Option<u64> {
        let text = fs::read_to_string(self.directory.join("memory.stat")).ok()?;
        let anonymous = value(&text, "anon").or_else(|| value(&text, "total_rss"))?;
        Some(anonymous + value(&text, "shmem").or_else(|| value(&text, "total_shmem")).unwrap_or(0))
    }
}

/// The number of a line `NAME NUMBER`.
fn value(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counters_of_both_versions_are_read() {
        assert_eq!(value("low 0\noom 3\noom_kill 2\noom_group_kill 1\n", "oom_kill"), Some(2));
        assert_eq!(value("oom_kill_disable 0\nunder_oom 0\noom_kill 5\n", "oom_kill"), Some(5));
        assert_eq!(value("oom_kill_disable 0\nunder_oom 0\n", "oom_kill"), None);
    }
}
