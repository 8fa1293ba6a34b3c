//! The one writer of standard output, and the one of standard error.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::{Child, Command, Stdio};

use super::clean::{clean, clean_log};
use super::line::Line;
use crate::error::Failure;

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Colour {
    /// On a terminal, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl Colour {
    fn on(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb"),
        }
    }
}

/// Standard output, or a pager before it. The reader may close it: that ends the command, and is no error.
pub struct Out {
    sink: Box<dyn Write + Send>,
    terminal: bool,
    colour: bool,
    pager: Option<Child>,
}

impl Out {
    /// Standard output.
    pub fn stdout(colour: Colour) -> Self {
        let terminal = io::stdout().is_terminal();
        let sink = Box::new(BufWriter::with_capacity(64 << 10, io::stdout()));
        Self { sink, terminal, colour: colour.on(terminal), pager: None }
    }

    /// Into memory, as it would be in a pipe; for tests.
    pub fn into_sink(sink: Box<dyn Write + Send>) -> Self {
        Self { sink, terminal: false, colour: false, pager: None }
    }

    /// Whether people read it as it comes.
    pub fn is_terminal(&self) -> bool {
        self.terminal
    }

    /// Long output goes through `$PAGER` from here on, if this is a terminal.
    pub fn page(&mut self) {
        if !self.terminal || self.pager.is_some() {
            return;
        }
        let pager = std::env::var("PAGER").ok().filter(|pager| !pager.trim().is_empty());
        let pager = pager.unwrap_or_else(|| "less".to_owned());
        let mut command = Command::new("sh");
        command.args(["-c", &pager]).stdin(Stdio::piped());
        if std::env::var_os("LESS").is_none() {
            command.env("LESS", "FRSX");
        }
        // Without a pager the output goes to the terminal as it is.
        let Ok(mut child) = command.spawn() else { return };
        if let Some(stdin) = child.stdin.take() {
            self.sink = Box::new(BufWriter::with_capacity(64 << 10, stdin));
            self.pager = Some(child);
        }
    }

    /// A line for people.
    pub fn line(&mut self, line: impl Into<Line>) -> Result<(), Failure> {
        let line = line.into();
        let text = if self.colour { line.coloured() } else { line.plain() };
        Ok(writeln!(self.sink, "{text}")?)
    }

    /// A line of data: as it is, unless control characters would reach a terminal.
    pub fn data(&mut self, text: &str) -> Result<(), Failure> {
        if self.terminal { Ok(writeln!(self.sink, "{}", clean(text))?) } else { Ok(writeln!(self.sink, "{text}")?) }
    }

    /// A document of several lines, such as YAML.
    pub fn document(&mut self, text: &str) -> Result<(), Failure> {
        text.lines().try_for_each(|line| self.data(line))
    }

    /// A line of a log, with what stands before it: its bytes unchanged, unless this is a terminal.
    pub fn log(&mut self, prefix: &str, line: &[u8]) -> Result<(), Failure> {
        self.sink.write_all(prefix.as_bytes())?;
        if self.terminal {
            self.sink.write_all(clean_log(&String::from_utf8_lossy(line)).as_bytes())?;
        } else {
            self.sink.write_all(line)?;
        }
        Ok(self.sink.write_all(b"\n")?)
    }

    /// Codes that move the cursor; nothing where there is none.
    pub fn control(&mut self, code: &str) -> Result<(), Failure> {
        if self.terminal { Ok(self.sink.write_all(code.as_bytes())?) } else { Ok(()) }
    }

    /// What was written is there to be read.
    pub fn flush(&mut self) -> Result<(), Failure> {
        Ok(self.sink.flush()?)
    }

    /// Flushes, and waits for the pager.
    pub fn finish(mut self) -> Result<(), Failure> {
        let flushed = self.flush();
        drop(self.sink);
        if let Some(mut pager) = self.pager {
            // Its end is that of its reader.
            let _ = pager.wait();
        }
        flushed
    }
}

/// Standard error: what is said beside the data. If nobody listens, that is no error.
#[derive(Clone, Copy, Debug)]
pub struct Talk {
    quiet: bool,
    terminal: bool,
    colour: bool,
}

impl Talk {
    /// Standard error; quiet says nothing but errors.
    pub fn stderr(colour: Colour, quiet: Quiet) -> Self {
        let terminal = io::stderr().is_terminal();
        Self { quiet: quiet == Quiet::Yes, terminal, colour: colour.on(terminal) }
    }

    /// Whether it is a terminal.
    pub fn is_terminal(self) -> bool {
        self.terminal
    }

    /// Whether only errors are said.
    pub fn is_quiet(self) -> bool {
        self.quiet
    }

    /// Says something.
    pub fn say(self, line: impl Into<Line>) {
        if !self.quiet {
            self.write(&line.into());
        }
    }

    /// Says what went wrong, and the way out.
    pub fn failure(self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        self.write(&Line::new("").and(super::Style::Bad, "error: ").and(super::Style::Plain, &failure.message));
        if let Some(hint) = &failure.hint {
            self.write(&Line::new(format!("hint: {hint}")));
        }
    }

    /// Asks a question on a terminal; the answer.
    pub fn ask(self, question: &str) -> String {
        let _ = write!(io::stderr(), "{} ", clean(question));
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let _ = io::stdin().read_line(&mut answer);
        answer.trim().to_owned()
    }

    fn write(self, line: &Line) {
        let text = if self.colour { line.coloured() } else { line.plain() };
        let _ = writeln!(io::stderr(), "{text}");
    }
}

/// Whether only errors are said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quiet {
    /// Only errors.
    Yes,
    /// Everything.
    No,
}

/// Columns and rows of the terminal that shows standard output or error.
pub fn size() -> (usize, usize) {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse().ok()).filter(|n: &usize| *n > 0);
    let asked = rustix::termios::tcgetwinsize(io::stdout())
        .or_else(|_| rustix::termios::tcgetwinsize(io::stderr()))
        .ok()
        .map(|size| (usize::from(size.ws_col), usize::from(size.ws_row)))
        .filter(|(columns, rows)| *columns > 0 && *rows > 0);
    let (columns, rows) = asked.unwrap_or((80, 24));
    (number("COLUMNS").unwrap_or(columns), number("LINES").unwrap_or(rows))
}
