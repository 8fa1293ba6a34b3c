//! The options of `list`: which tasks they ask for, and what is shown of each.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::{App, Format};
use crate::read::left::rate_words;
use crate::read::list::{Listed, Scope, Tasks};
use crate::terminal::Style;
use crate::terminal::words::{age, seconds_between, short};

/// Seconds after its end for which a task is listed.
const RECENT: u64 = 86_400;

/// Tasks: done, failed, rate, time left, reason
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Tasks of all namespaces
    #[arg(short = 'A', long)]
    pub(super) all_namespaces: bool,
    /// Only tasks with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Also tasks that ended more than 24 hours ago
    #[arg(long)]
    all: bool,
    /// Show changes as they come, until Ctrl-C
    #[arg(short, long)]
    pub(super) watch: bool,
    /// Format: wide, json, yaml, jsonl or name
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    pub(super) output: Option<Format>,
}

impl Args {
    /// The tasks that are asked for.
    pub(super) fn tasks(&self, app: &App) -> Tasks {
        let scope = if self.all_namespaces { Scope::All } else { Scope::Namespace };
        Tasks { session: app.session.clone(), scope, selector: self.selector.clone() }
    }

    /// Whether a task is listed now.
    pub(super) fn shows(&self, task: &Listed, now: Timestamp) -> bool {
        self.all || task.ended_at().is_none_or(|ended| seconds_between(ended, now) <= RECENT)
    }

    /// The tasks that are listed, and how many are not.
    pub(super) fn chosen(&self, all: Vec<Listed>, now: Timestamp) -> (Vec<Listed>, i64) {
        let count = all.len();
        let tasks: Vec<Listed> = all.into_iter().filter(|task| self.shows(task, now)).collect();
        let hidden = i64::try_from(count - tasks.len()).unwrap_or(0);
        (tasks, hidden)
    }
}

/// The columns.
pub(super) fn header(args: &Args) -> Vec<&'static str> {
    let mut header = vec!["NAME", "PHASE", "DONE", "FAILED", "RATE", "LEFT", "REASON", "AGE"];
    if args.all_namespaces {
        header.insert(0, "NAMESPACE");
    }
    if args.output == Some(Format::Wide) {
        header.extend(["RUNNING", "DURATION", "MESSAGE"]);
    }
    header
}

/// A row.
pub(super) fn cells(task: &Listed, args: &Args, now: Timestamp) -> Vec<(Style, String)> {
    let or_none = |text: Option<String>| text.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
    let part = |n: Option<u32>| n.map_or("?".to_owned(), |n| n.to_string());
    let rate = task.per_minute.filter(|_| !task.has_ended()).map(|n| format!("{}/s", rate_words(f64::from(n) / 60.0)));
    let failed = if task.failed > 0 { Style::Bad } else { Style::Plain };
    let phase = match task.phase.as_str() {
        "Succeeded" => Style::Good,
        "Failed" => Style::Bad,
        "Running" => Style::Busy,
        _ => Style::Plain,
    };
    let mut cells = vec![
        (Style::Plain, task.name.clone()),
        (phase, task.phase.clone()),
        (Style::Plain, format!("{}/{}", part(task.ended), part(task.items))),
        (failed, task.failed.to_string()),
        (Style::Plain, or_none(rate)),
        (Style::Plain, or_none(task.left().map(short))),
        (Style::Plain, or_none(Some(task.reason.clone()))),
        (Style::Plain, age(task.created, now)),
    ];
    if args.all_namespaces {
        cells.insert(0, (Style::Plain, task.namespace.clone()));
    }
    if args.output == Some(Format::Wide) {
        cells.extend([
            (Style::Plain, task.running.to_string()),
            (Style::Plain, or_none(task.duration.map(short))),
            (Style::Plain, or_none(Some(task.message.clone()))),
        ]);
    }
    cells
}

/// A task as JSON.
pub(super) fn fields(task: &Listed, now: Timestamp) -> Value {
    json!({
        "namespace": task.namespace, "name": task.name, "phase": task.phase, "done": task.ended, "items": task.items,
        "failed": task.failed, "running": task.running, "itemsPerSecond": task.per_minute.map(|n| f64::from(n) / 60.0),
        "secondsLeft": task.left(), "reason": task.reason, "age": age(task.created, now),
        "creationTimestamp": task.created.map(|time| time.to_string()), "durationSeconds": task.duration,
        "message": task.message,
    })
}

/// A line of data: the name alone, or all fields.
pub(super) fn line(task: &Listed, args: &Args, now: Timestamp) -> String {
    match args.output {
        Some(Format::Name) => format!("maptask.maptask.dev/{}", task.name),
        _ => fields(task, now).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::list::tests::row;

    #[test]
    fn a_row_has_the_rate_and_the_time_left_and_every_column_has_a_field() {
        let args = Args { all_namespaces: true, selector: None, all: false, watch: false, output: Some(Format::Wide) };
        let now = "2026-03-01T14:16:00Z".parse().unwrap();
        let task = row("embed", &json!(["Running", "15172/20000", 64, 118, "Quota", 852, null]));
        let row: Vec<String> = cells(&task, &args, now).into_iter().map(|(_, cell)| cell).collect();
        let wide = ["ns", "embed", "Running", "15172/20000", "118", "14.2/s", "5m40s", "Quota", "16m", "64", "-", "-"];
        assert_eq!(row, wide);
        let fields = fields(&task, now);
        for (column, field) in [("RATE", "itemsPerSecond"), ("LEFT", "secondsLeft"), ("DURATION", "durationSeconds")] {
            assert!(header(&args).contains(&column) && fields.get(field).is_some());
        }
        for column in header(&args).iter().filter(|name| !["RATE", "LEFT", "DURATION"].contains(name)) {
            assert!(fields.get(column.to_lowercase()).is_some(), "{column}");
        }
    }
}
