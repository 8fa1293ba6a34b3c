//! What is left of a worker that was killed together with its programs? The record in its container's termination
//! message.

use std::fs::{File, OpenOptions};
use std::ops::Range;
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
    /// Most bytes that are kept of what a program writes there; 0: no program gives its result there.
    keep: usize,
    written: Vec<u8>,
    record: Record,
    due: Option<Duration>,
}

/// What a program has written there instead of the record.
#[derive(Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Its end, at most as many bytes as are kept.
    pub text: Vec<u8>,
    /// How many bytes there were.
    pub bytes: u64,
}

impl RecordFile {
    /// Opens the file. A worker without it works as well: it leaves no record.
    pub fn open(path: &Path, keep: usize) -> Self {
        let file = OpenOptions::new().read(true).write(true).open(path).ok();
        let record = Record { version: 1, ..Record::default() };
        Self { file, keep, written: Vec::new(), record, due: None }
    }

    /// Notes what runs; written within a few milliseconds. Where a program gives its result there, what is about to run
    /// is written before it begins, and nothing while it runs: that could meet what it writes.
    pub fn note(&mut self, now: Duration, running: impl Iterator<Item = AttemptId>, begun: u64, oom_kills: u64) {
        self.record.running.clear();
        self.record.running.extend(running.take(MAX_RUNNING));
        self.record.begun = begun;
        self.record.oom_kills = oom_kills;
        if self.keep > 0 && !self.record.running.is_empty() {
            self.write();
        } else {
            self.due.get_or_insert(now + TOGETHER);
        }
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
        let is_foreign = self.foreign().is_some();
        let Some(file) = &self.file else { return };
        if is_foreign {
            _ = file.set_len(0);
            self.written.clear();
        }
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
    pub fn take_foreign(&mut self) -> Option<Foreign> {
        if self.keep == 0 {
            return None;
        }
        let place = self.foreign()?;
        let found = self.end_of(&place);
        self.write();
        found
    }

    /// Where in the file is what is not the record; `None` if the record is all that is there.
    fn foreign(&self) -> Option<Range<u64>> {
        let file = self.file.as_ref()?;
        let length = file.metadata().ok()?.len();
        let mut head = [0; MAX_BYTES];
        let read = file.read_at(&mut head[..self.written.len()], 0).ok()?;
        foreign(&head[..read], length, &self.written)
    }

    /// The end of a part of the file, which may be longer than what is kept.
    fn end_of(&self, place: &Range<u64>) -> Option<Foreign> {
        let bytes = place.end - place.start;
        let kept = usize::try_from(bytes).map_or(self.keep, |bytes| bytes.min(self.keep));
        let mut text = vec![0; kept];
        self.file.as_ref()?.read_exact_at(&mut text, place.end - kept as u64).ok()?;
        (bytes > 0).then_some(Foreign { text, bytes })
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
/// start. `head`: as much of the file as the record has.
fn foreign(head: &[u8], length: u64, record: &[u8]) -> Option<Range<u64>> {
    let recorded = record.len() as u64;
    if head == record {
        return (length > recorded).then_some(recorded..length);
    }
    if length == recorded {
        let same = head.iter().rev().zip(record.iter().rev()).take_while(|(a, b)| a == b).count();
        return Some(0..length - same as u64);
    }
    Some(0..length)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::PathBuf;

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
            let head = &file[..file.len().min(record.len())];
            let place = foreign(head, file.len() as u64, record).unwrap();
            let [start, end] = [place.start, place.end].map(|at| usize::try_from(at).unwrap());
            assert_eq!(&file[start..end], expected, "{}", String::from_utf8_lossy(file));
        }
        assert_eq!(foreign(record, record.len() as u64, record), None);
    }

    /// A record that is written, and its file as a program opens it.
    fn written(name: &str, keep: usize) -> (RecordFile, OpenOptions, PathBuf) {
        let path = std::env::temp_dir().join(format!("maptask-record-{}-{name}", std::process::id()));
        std::fs::write(&path, "").unwrap();
        let mut record = RecordFile::open(&path, keep);
        record.conclude(None, false);
        let mut options = File::options();
        options.write(true);
        (record, options, path)
    }

    /// The worker notes a program that is about to begin, and writes what is due.
    fn note(record: &mut RecordFile) {
        record.note(Duration::ZERO, [AttemptId(0, 1)].into_iter(), 1, 0);
        record.write_if_due(TOGETHER);
    }

    #[test]
    fn a_result_in_the_termination_message_is_read_whole_and_a_longer_one_from_its_end() {
        for (bytes, kept) in [(5_000, 5_000), (9_216, 9_216), (10_000, 9_216)] {
            let (mut record, _, path) = written(&format!("long-{bytes}"), 9_216);
            let text: Vec<u8> = (0..bytes).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
            std::fs::write(&path, &text).unwrap();
            let found = record.take_foreign().unwrap();
            assert_eq!((found.bytes, found.text.len()), (bytes, kept));
            assert_eq!(found.text, text[text.len() - kept..]);
            assert!(std::fs::read(&path).unwrap().starts_with(b"{\"version\":1"), "the record is back");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn a_result_in_several_parts_is_whole_since_nothing_is_written_between_them() {
        // Behind the record, over it, and in its place, where the program writes on from where it was.
        for (name, append, truncate) in [("behind", true, false), ("over", false, false), ("instead", false, true)] {
            let (mut record, mut options, path) = written(name, 100);
            // The end of the one before was to be written in some milliseconds.
            record.note(Duration::ZERO, std::iter::empty(), 0, 0);
            note(&mut record);
            let mut program = options.append(append).truncate(truncate).open(&path).unwrap();
            program.write_all(b"one ").unwrap();
            assert_eq!(record.due(), None, "nothing is written while it runs");
            record.write_if_due(TOGETHER * 2);
            program.write_all(b"two").unwrap();
            let found = record.take_foreign().unwrap();
            assert_eq!(found, Foreign { text: b"one two".to_vec(), bytes: 7 }, "{name}");
            assert_eq!(record.take_foreign(), None);
            assert!(String::from_utf8(std::fs::read(&path).unwrap()).unwrap().contains("[[0,1]]"), "what was noted");
            std::fs::remove_file(path).unwrap();
        }
    }

    #[test]
    fn where_no_result_is_read_the_record_is_put_back_at_once() {
        let (mut record, _, path) = written("none", 0);
        std::fs::write(&path, "from one of several programs").unwrap();
        note(&mut record);
        assert_eq!(record.take_foreign(), None);
        assert!(
            String::from_utf8(std::fs::read(&path).unwrap()).unwrap().starts_with("{\"version\":1,\"running\":[[0,1]]")
        );
        std::fs::remove_file(path).unwrap();
    }
}
