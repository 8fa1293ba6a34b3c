//! What is left of a worker that was killed together with its programs? The record in its container's termination
//! message.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::Duration;

use maptask_exchange::{AttemptId, Record};

/// As much as the kubelet reads.
const MAX_BYTES: usize = 4096;
/// Attempts in it; more than run in most workers.
const MAX_RUNNING: usize = 128;
/// Characters of its message.
const MAX_MESSAGE: usize = 1024;
/// Changes within this time are one write.
const TOGETHER: Duration = Duration::from_millis(5);

/// The record, and the file that it is in.
#[derive(Debug)]
pub struct RecordFile {
    file: Option<File>,
    written: Vec<u8>,
    record: Record,
    due: Option<Duration>,
    foreign: Option<Vec<u8>>,
}

impl RecordFile {
    /// Opens the file. A worker without it works as well: it leaves no record.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).ok();
        let record = Record { version: 1, ..Record::default() };
        Self { file, written: Vec::new(), record, due: None, foreign: None }
    }

    /// Notes what runs; written within a few milliseconds.
    pub fn note(&mut self, now: Duration, running: impl Iterator<Item = AttemptId>, begun: u64, oom_kills: u64) {
        self.record.running.clear();
        self.record.running.extend(running.take(MAX_RUNNING));
        self.record.begun = begun;
        self.record.oom_kills = oom_kills;
        self.due.get_or_insert(now + TOGETHER);
    }

    /// When the next write is due.
    pub const fn due(&self) -> Option<Duration> {
        self.due
    }

    /// Writes what was noted, if it is due.
    pub fn write_if_due(&mut self, now: Duration) {
        if self.due.is_some_and(|due| due <= now) {
            self.write();
        }
    }

    /// Writes the last word of the worker.
    pub fn conclude(&mut self, message: Option<&str>, unreachable: bool) {
        self.record.message = message.map(|text| text.chars().take(MAX_MESSAGE).collect());
        self.record.unreachable = unreachable;
        self.write();
    }

    fn write(&mut self) {
        self.due = None;
        self.take_foreign_aside();
        let Some(file) = &self.file else { return };
        let text = fitting(&mut self.record);
        if text == self.written {
            return;
        }
        if file.write_all_at(&text, 0).is_ok() {
            if text.len() < self.written.len() {
                _ = file.set_len(text.len() as u64);
            }
            self.written = text;
        }
    }

    /// What a program has written there instead of the record, and the record is put back: a program that gives its
    /// result by the termination message, as with a pod for each item, needs no change for a worker with one slot.
    pub fn take_foreign(&mut self) -> Option<Vec<u8>> {
        self.take_foreign_aside();
        let foreign = self.foreign.take();
        if foreign.is_some() {
            self.write();
        }
        foreign
    }

    fn take_foreign_aside(&mut self) {
        let Some(file) = &self.file else { return };
        let mut text = [0; MAX_BYTES + 1];
        let Ok(read) = file.read_at(&mut text, 0) else { return };
        if text[..read] != self.written[..] {
            let found = foreign(&text[..read], &self.written);
            if !found.is_empty() {
                self.foreign = Some(found.to_vec());
            }
            _ = file.set_len(0);
            self.written.clear();
            self.due.get_or_insert(Duration::ZERO);
        }
    }
}

/// The record as a line that the kubelet reads whole: with less of what runs, or of the message, where all is too much.
fn fitting(record: &mut Record) -> Vec<u8> {
    loop {
        let mut text = serde_json::to_vec(record).unwrap_or_default();
        text.push(b'\n');
        if text.len() <= MAX_BYTES {
            return text;
        }
        if let Some(message) = record.message.as_mut().filter(|message| message.len() > MAX_MESSAGE / 4) {
            message.truncate(message.floor_char_boundary(message.len() / 2));
        } else {
            record.running.truncate(record.running.len() / 2);
        }
    }
}

/// The part of a file that is not the record: the file was replaced, or the text follows the record or overwrites its
/// start.
fn foreign<'a>(text: &'a [u8], record: &[u8]) -> &'a [u8] {
    if record.is_empty() {
        return text;
    }
    if let Some(behind) = text.strip_prefix(record) {
        return behind;
    }
    if text.len() == record.len() {
        let same = text.iter().rev().zip(record.iter().rev()).take_while(|(a, b)| a == b).count();
        return &text[..text.len() - same];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_never_longer_than_the_kubelet_reads() {
        let mut record = Record {
            running: vec![AttemptId(u32::MAX, u32::MAX); MAX_RUNNING],
            message: Some("\0".repeat(MAX_MESSAGE)),
            ..Record::default()
        };
        let text = fitting(&mut record);
        assert!(text.len() <= MAX_BYTES && !record.running.is_empty() && record.message.is_some(), "{}", text.len());
    }

    #[test]
    fn what_a_program_writes_over_the_record_is_told_from_it() {
        let record = b"{\"version\":1}\n";
        for (file, expected) in [
            (&b"42"[..], &b"42"[..]),
            (b"{\"version\":1}\n42\n", b"42\n"),
            (b"42\nersion\":1}\n", b"42\n"),
            (b"a text that is longer than the record", b"a text that is longer than the record"),
            (b"", b""),
        ] {
            assert_eq!(foreign(file, record), expected, "{}", String::from_utf8_lossy(file));
        }
    }
}
