//! What every command has: the session, standard output and error, and the options of all commands.

use jiff::Timestamp;
use maptask::api::Json;
use serde_json::{Value, json};

use crate::cluster::{ClusterOptions, Session};
use crate::error::Failure;
use crate::terminal::{Colour, Out, Quiet, Talk};

/// The version of the documents that `-o json` and `-o yaml` write.
pub const VERSION: &str = "cli.maptask.dev/v1";

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ProgressMode {
    /// A bar on a terminal, lines elsewhere, such as in CI.
    #[default]
    Auto,
    /// A bar.
    Bar,
    /// A line now and then.
    Lines,
    /// Nothing.
    None,
}

/// Options of all commands.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct OutputOptions {
    /// When there are colours
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Colour,
    /// Say nothing but errors on stderr
    #[arg(short = 'q', long, global = true)]
    pub quiet: bool,
    /// No pager for long output
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// How progress is shown on stderr
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW")]
    pub progress: ProgressMode,
}

/// Formats of `-o`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// A table with all columns, nothing cut.
    Wide,
    /// One JSON value.
    Json,
    /// One YAML document.
    Yaml,
    /// One JSON object a line.
    Jsonl,
    /// RFC 4180, with a header.
    Csv,
    /// Names that other commands take.
    Name,
    /// Indexes and ranges, such as 3,17-19.
    Indexes,
}

impl Format {
    fn word(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
            Self::Name => "name",
            Self::Indexes => "indexes",
        }
    }

    /// Refuses a format that a command does not have.
    pub fn check(format: Option<Self>, allowed: &[Self]) -> Result<(), Failure> {
        match format {
            Some(format) if !allowed.contains(&format) => {
                let words: Vec<&str> = allowed.iter().map(|format| format.word()).collect();
                let message = format!("-o {} is not a format of this command", format.word());
                Err(Failure::usage(message).hint(format!("use one of {}", words.join(", "))))
            }
            _ => Ok(()),
        }
    }
}

/// What every command has.
pub struct App {
    /// The cluster.
    pub session: Session,
    /// Standard output.
    pub out: Out,
    /// Standard error.
    pub talk: Talk,
    /// Options of all commands.
    pub options: OutputOptions,
}

impl App {
    /// Opens the session.
    pub async fn open(cluster: &ClusterOptions, options: OutputOptions) -> Result<Self, Failure> {
        let (out, talk) = streams(&options);
        Ok(Self { session: Session::open(cluster, talk).await?, out, talk, options })
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Long output goes through a pager from here on, on a terminal.
    pub fn page(&mut self) {
        if !self.options.no_pager {
            self.out.page();
        }
    }

    /// Writes one document as JSON or YAML.
    pub fn document(&mut self, format: Format, kind: &str, fields: &Value) -> Result<(), Failure> {
        let document = document(kind, fields);
        let wrong = |error: &dyn std::fmt::Display| Failure::new(error.to_string()).at("the output");
        if format == Format::Yaml {
            let text = serde_yaml::to_string(&document).map_err(|error| wrong(&error))?;
            return self.out.document(&text);
        }
        if format == Format::Jsonl {
            return self.out.data(&document.to_string());
        }
        let text = serde_json::to_string_pretty(&document).map_err(|error| wrong(&error))?;
        self.out.document(&text)
    }
}

/// Standard output and error, as the options want them.
pub fn streams(options: &OutputOptions) -> (Out, Talk) {
    let quiet = if options.quiet { Quiet::Yes } else { Quiet::No };
    (Out::stdout(options.color), Talk::stderr(options.color, quiet))
}

/// A document with its version and kind.
pub fn document(kind: &str, fields: &Value) -> Value {
    let mut document = json!({ "apiVersion": VERSION, "kind": kind });
    if let (Some(all), Some(fields)) = (document.as_object_mut(), fields.as_object()) {
        all.extend(fields.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    document
}

/// A document that is a list, written element by element: it may be longer than fits into memory.
pub struct ListDocument {
    is_first: bool,
}

impl ListDocument {
    /// Writes its begin, up to the elements in this field.
    pub fn begin(out: &mut Out, kind: &str, field: &str) -> Result<Self, Failure> {
        out.data(&format!("{{\"apiVersion\":\"{VERSION}\",\"kind\":\"{kind}\",\"{field}\":["))?;
        Ok(Self { is_first: true })
    }

    /// Writes an element, which is JSON.
    pub fn add(&mut self, out: &mut Out, element: &str) -> Result<(), Failure> {
        let comma = if std::mem::take(&mut self.is_first) { " " } else { "," };
        out.data(&format!("{comma}{element}"))
    }

    /// Writes its end.
    pub fn end(self, out: &mut Out) -> Result<(), Failure> {
        out.data("]}")
    }
}

/// A value of an item as a cell: a string as it is, anything else as JSON.
pub fn cell(value: &Json) -> String {
    value.as_string().unwrap_or_else(|| value.text().to_owned())
}
