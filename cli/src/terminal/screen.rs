//! What is drawn again and again: a few lines of standard output, or one line of standard error.

use std::io::{self, Write};

use super::line::Line;
use super::out::{Out, Talk, size};
use crate::error::Failure;

/// Lines of standard output that are replaced by the next ones. Never more than the terminal has, so that nothing
/// scrolls.
#[derive(Debug, Default)]
pub struct Screen {
    drawn: usize,
}

impl Screen {
    /// Draws these lines in place of the last ones.
    pub fn draw(&mut self, out: &mut Out, lines: &[Line]) -> Result<(), Failure> {
        let (width, height) = size();
        if self.drawn > 0 {
            out.control(&format!("\x1b[{}A\x1b[J", self.drawn))?;
        }
        let room = height.saturating_sub(1).max(2);
        let (shown, rest) = lines.split_at(if lines.len() > room { room - 1 } else { lines.len() });
        for line in shown {
            out.line(line.cut(width))?;
        }
        if !rest.is_empty() {
            out.line(Line::new(format!("… {} more lines: a higher terminal shows them", rest.len())).cut(width))?;
        }
        self.drawn = shown.len() + usize::from(!rest.is_empty());
        out.flush()
    }
}

/// One line of a terminal's standard error that is replaced by the next one; messages come above it.
#[derive(Debug)]
pub struct Bar {
    talk: Talk,
    is_shown: bool,
}

impl Bar {
    /// Nothing yet.
    pub fn new(talk: Talk) -> Self {
        Self { talk, is_shown: false }
    }

    /// Shows this line.
    pub fn set(&mut self, line: &Line) {
        if self.talk.is_quiet() || !self.talk.is_terminal() {
            return;
        }
        let line = line.cut(size().0.saturating_sub(1));
        let _ = write!(io::stderr(), "\r\x1b[K{}", line.plain());
        let _ = io::stderr().flush();
        self.is_shown = true;
    }

    /// Says something above it.
    pub fn say(&mut self, line: impl Into<Line>) {
        self.clear();
        self.talk.say(line);
    }

    /// Takes it away.
    pub fn clear(&mut self) {
        if self.is_shown {
            let _ = write!(io::stderr(), "\r\x1b[K");
            let _ = io::stderr().flush();
            self.is_shown = false;
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.clear();
    }
}
