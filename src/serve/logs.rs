//! Logs to standard error, as text for people or as JSON for machines.

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// What the client library says by itself: a bare `failed with status 500`, and whole answers that it can't read. What fails is
/// logged here with the task or pod that it was for.
const SILENT: &str = "kube_client=off";
/// Where a library appends an answer of the API server as it looks in Rust, and how that ends.
const DUMP: (&str, &str) = (" (Status {", "})");

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging. `level` is a level or a list of `target=level`.
pub fn start(format: LogFormat, level: &str) -> anyhow::Result<()> {
    let silent = !level.contains("kube_client");
    let filter = EnvFilter::try_new(if silent { format!("{level},{SILENT}") } else { level.to_owned() })?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Plain(io::stderr()));
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

/// Passes lines on without dumps of Rust types; each is written at once.
struct Plain<W>(W);

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(without_dump(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// The line without an answer's dump, if one of the libraries put it there.
fn without_dump(line: &str) -> Cow<'_, str> {
    let (open, close) = DUMP;
    let dump = line.find(open).and_then(|first| Some((first, first + line[first..].rfind(close)? + close.len())));
    match dump {
        Some((first, last)) => Cow::Owned(format!("{}{}", &line[..first], &line[last..])),
        None => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_shows_no_rust_debug_dump() {
        let status = serde_json::json!({ "code": 403, "reason": "Forbidden", "message": "no \"leases\" (at all)" });
        let error = kube::Error::Api(serde_json::from_value(status).unwrap()).to_string();
        let json = format!("{}\n", serde_json::json!({ "error": error, "target": "kube_lease_manager" }));
        for line in [format!("ERROR error={error}\n"), json] {
            let mut written = Vec::new();
            Plain(&mut written).write_all(line.as_bytes()).unwrap();
            let written = String::from_utf8(written).unwrap();
            assert!(line.contains("Status {") && !written.contains("Status {"), "{written}");
            assert!(written.contains("leases") && written.ends_with('\n'), "{written}");
        }
        assert_eq!(without_dump("fine (really)"), "fine (really)");
    }
}
