//! Logs to standard error, as text for people or as JSON for machines.

use std::borrow::Cow;
use std::io::{self, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;

/// What the client library says by itself: a bare `failed with status 500`, and whole answers that it can't read. What
/// fails is logged here with the task or pod that it was for.
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

/// A level that is none.
#[derive(Debug, thiserror::Error)]
#[error("--log-level is {level:?}: {problem}: give error, warn, info, debug, or a list of target=level")]
pub struct LogLevelError {
    level: String,
    problem: ParseError,
}

/// Starts logging. `level` is a level or a list of `target=level`.
pub fn start(format: LogFormat, level: &str) -> Result<(), LogLevelError> {
    let filter = filter(level)?;
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Plain(io::stderr()));
    match format {
        LogFormat::Text => builder.with_ansi(false).init(),
        LogFormat::Json => builder.json().init(),
    }
    Ok(())
}

fn filter(level: &str) -> Result<EnvFilter, LogLevelError> {
    let silent = !level.contains("kube_client");
    EnvFilter::try_new(if silent { format!("{level},{SILENT}") } else { level.to_owned() })
        .map_err(|problem| LogLevelError { level: level.to_owned(), problem })
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
    fn a_log_level_that_is_none_is_named_with_those_that_are() {
        let error = filter("maptask=loud").unwrap_err().to_string();
        assert!(error.starts_with("--log-level is \"maptask=loud\": ") && error.contains("error, warn"), "{error}");
        assert!(filter("warn,maptask=debug").is_ok());
    }

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
