//! How does what a program writes get from its pipe into the log?

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::rc::Rc;

use tokio::net::unix::pipe::Receiver;

use crate::log::{Lines, Log, Target};

/// Bytes of one read; a pipe holds as many.
pub(super) const READ: usize = 64 << 10;

thread_local! {
    /// Shared by all programs, since nothing waits while it is in use.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// One pipe of a program.
#[derive(Debug)]
pub(super) struct Output {
    pipe: Receiver,
    target: Target,
    lines: Lines,
    /// The item that the lines belong to, where it changes.
    label: Option<Rc<Cell<Option<u32>>>>,
}

impl Output {
    /// Reads a pipe.
    pub(super) fn new(pipe: OwnedFd, target: Target, prefix: Vec<u8>) -> io::Result<Self> {
        Ok(Self { pipe: Receiver::from_owned_fd(pipe)?, target, lines: Lines::new(prefix), label: None })
    }

    /// Lines belong to the item that is in here when they are read.
    pub(super) fn label(&mut self, label: Rc<Cell<Option<u32>>>) {
        self.label = Some(label);
    }

    /// Writes lines to the log until nobody can write to the pipe any more. May be stopped and called again.
    pub(super) async fn pump(&mut self, log: &Log) {
        loop {
            if self.pipe.readable().await.is_err() {
                return;
            }
            if let Some(label) = &self.label {
                self.lines.set_prefix(label.get());
            }
            let read = BUFFER.with_borrow_mut(|buffer| {
                self.pipe.try_read(buffer).map(|read| (read, self.lines.push(&buffer[..read])))
            });
            match read {
                Ok((0, _)) => return,
                Ok((_, writes)) => {
                    for lines in writes {
                        log.write(self.target, lines).await;
                    }
                }
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                Err(_) => return,
            }
        }
    }

    /// Writes the last line if it has no end.
    pub(super) async fn finish(&mut self, log: &Log) {
        if let Some(line) = self.lines.finish() {
            log.write(self.target, line).await;
        }
    }

    /// The end of what the program wrote.
    pub(super) fn tail(&self) -> String {
        self.lines.tail()
    }
}
