//! How does what programs write get into the container's log? In whole lines, each with the index of its item.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use tokio::sync::mpsc;

/// Most bytes of one write, and of one line: container runtimes cut longer ones.
pub const MAX_LINE: usize = 16 << 10;
/// Writes that wait for the log; programs wait then, as they would with a log of their own.
const QUEUE: usize = 64;
/// Bytes of the end of a program's output that are kept for its failure.
const TAIL: usize = maptask_exchange::MAX_MESSAGE_BYTES;
/// How long the worker waits at its end for a log that takes nothing.
const FLUSH: Duration = Duration::from_secs(1);

/// Where a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The container's stdout.
    Stdout,
    /// The container's stderr.
    Stderr,
}

/// The container's log. A thread of its own writes it, so that a log that takes nothing stops no exchange.
#[derive(Clone, Debug)]
pub struct Log(mpsc::Sender<Message>);

#[derive(Debug)]
enum Message {
    Lines(Target, Vec<u8>),
    Flush(std::sync::mpsc::SyncSender<()>),
}

impl Log {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let (send, mut receive) = mpsc::channel(QUEUE);
        thread::Builder::new().name("log".to_owned()).stack_size(64 << 10).spawn(move || {
            let (mut out, mut err) = (io::stdout().lock(), io::stderr().lock());
            while let Some(message) = receive.blocking_recv() {
                // Nobody may read the log; then there is nobody to tell.
                _ = match message {
                    Message::Lines(Target::Stdout, lines) => out.write_all(&lines).and_then(|()| out.flush()),
                    Message::Lines(Target::Stderr, lines) => err.write_all(&lines),
                    Message::Flush(done) => done.send(()).map_err(io::Error::other),
                };
            }
        })?;
        Ok(Self(send))
    }

    /// Adds whole lines of at most [`MAX_LINE`] bytes in all; waits while the log takes nothing.
    pub async fn write(&self, target: Target, lines: Vec<u8>) {
        _ = self.0.send(Message::Lines(target, lines)).await;
    }

    /// Waits until everything is written, or the log has taken nothing for a second.
    pub fn flush(&self) {
        let (done, is_done) = std::sync::mpsc::sync_channel(1);
        if self.0.try_send(Message::Flush(done)).is_ok() {
            _ = is_done.recv_timeout(FLUSH);
        }
    }

    /// A word of the worker itself; lost if the log takes nothing.
    pub fn say(&self, message: &str) {
        _ = self.0.try_send(Message::Lines(Target::Stderr, format!("maptask-worker: {message}\n").into_bytes()));
    }
}

/// Makes lines with a prefix from what a program writes, and keeps the end of it.
#[derive(Debug)]
pub struct Lines {
    prefix: Vec<u8>,
    partial: Vec<u8>,
    tail: Vec<u8>,
}

impl Lines {
    /// For the program of one item.
    pub const fn new(prefix: Vec<u8>) -> Self {
        Self { prefix, partial: Vec::new(), tail: Vec::new() }
    }

    /// Another item's lines follow, or those of none.
    pub fn set_prefix(&mut self, index: Option<u32>) {
        self.prefix = index.map(|index| format!("[{index}] ").into_bytes()).unwrap_or_default();
    }

    /// Takes what was read, and gives whole lines in writes of at most [`MAX_LINE`] bytes.
    pub fn push(&mut self, mut chunk: &[u8]) -> Vec<Vec<u8>> {
        self.keep(chunk);
        let room = MAX_LINE - self.prefix.len() - 1;
        let mut writes = Vec::new();
        while !chunk.is_empty() {
            let limit = room.saturating_sub(self.partial.len()).max(1);
            let end = chunk.iter().take(limit).position(|byte| *byte == b'\n');
            let (taken, skip) = match end {
                Some(at) => (at, at + 1),
                None if chunk.len() < limit => {
                    self.partial.extend_from_slice(chunk);
                    break;
                }
                None => (limit, limit),
            };
            self.partial.extend_from_slice(&chunk[..taken]);
            chunk = &chunk[skip..];
            self.end_line(&mut writes);
        }
        writes
    }

    /// The last line, if it has no end.
    pub fn finish(&mut self) -> Option<Vec<u8>> {
        if self.partial.is_empty() {
            return None;
        }
        let mut writes = Vec::new();
        self.end_line(&mut writes);
        writes.pop()
    }

    fn end_line(&mut self, writes: &mut Vec<Vec<u8>>) {
        let length = self.prefix.len() + self.partial.len() + 1;
        if writes.last().is_none_or(|last| last.len() + length > MAX_LINE) {
            writes.push(Vec::with_capacity(length));
        }
        if let Some(write) = writes.last_mut() {
            write.extend_from_slice(&self.prefix);
            write.append(&mut self.partial);
            write.push(b'\n');
        }
    }

    fn keep(&mut self, chunk: &[u8]) {
        self.tail.extend_from_slice(&chunk[chunk.len().saturating_sub(TAIL)..]);
        if self.tail.len() > 4 * TAIL {
            self.tail.drain(..self.tail.len() - TAIL);
        }
    }

    /// The end of what the program wrote, as text of at most the bytes that a message may have.
    pub fn tail(&self) -> String {
        end_of(&self.tail, TAIL)
    }
}

/// The end of a text in at most this many bytes. What is not UTF-8 is replaced.
pub fn end_of(bytes: &[u8], limit: usize) -> String {
    let mut start = bytes.len().saturating_sub(limit);
    // Not in the middle of a character.
    while start > 0 && start < bytes.len() && bytes[start] & 0xc0 == 0x80 {
        start += 1;
    }
    let text = String::from_utf8_lossy(&bytes[start..]);
    // The replacement is longer than what it replaces.
    let mut cut = text.len().saturating_sub(limit);
    while !text.is_char_boundary(cut) {
        cut += 1;
    }
    text[cut..].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(writes: &[Vec<u8>]) -> Vec<String> {
        writes.iter().map(|write| String::from_utf8_lossy(write).into_owned()).collect()
    }

    #[test]
    fn each_line_has_the_index_of_its_item() {
        let mut lines = Lines::new(b"[17] ".to_vec());
        assert_eq!(texts(&lines.push(b"one\ntwo\n\nthr")), ["[17] one\n[17] two\n[17] \n"]);
        assert_eq!(texts(&lines.push(b"ee\nfour")), ["[17] three\n"]);
        assert_eq!(lines.finish(), Some(b"[17] four\n".to_vec()));
        assert_eq!(lines.finish(), None);
    }

    #[test]
    fn a_line_is_one_write_of_at_most_16_kib() {
        let mut lines = Lines::new(b"[1] ".to_vec());
        let mut writes = Vec::new();
        for _ in 0..10 {
            writes.extend(lines.push(&[b'x'; 5_000]));
        }
        writes.extend(lines.push(b"\nshort\n"));
        assert!(
            writes.iter().all(|write| write.len() <= MAX_LINE && write.ends_with(b"\n") && write.starts_with(b"[1] "))
        );
        let total: usize = writes.iter().flatten().filter(|byte| **byte == b'x').count();
        assert_eq!(total, 50_000);
        assert!(texts(&writes).last().unwrap().ends_with("[1] short\n"));
    }

    #[test]
    fn the_end_of_the_output_is_kept_as_text() {
        let mut lines = Lines::new(Vec::new());
        for number in 0..10_000 {
            lines.push(format!("line {number} ä\n").as_bytes());
        }
        let tail = lines.tail();
        assert!(tail.len() <= TAIL && tail.len() > TAIL - 4 && tail.ends_with("line 9999 ä\n"), "{}", tail.len());
        assert_eq!(end_of(b"a\xffb", 10), "a\u{fffd}b");
        assert_eq!(end_of("äöü".as_bytes(), 3), "ü");
        assert!(end_of(&[0xff; 100], 50).len() <= 50);
    }
}
