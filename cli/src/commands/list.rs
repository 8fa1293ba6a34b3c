//! `list`: the tasks of a namespace, or of all.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::app::{App, Format};
use crate::error::{Exit, Failure};
use crate::follow::interrupted;
use crate::read::left::rate_words;
use crate::read::list::{Listed, Scope, list};
use crate::terminal::screen::Screen;
use crate::terminal::words::{age, counted, seconds_between, short};
use crate::terminal::{Line, Style, Table};

/// Seconds after its end for which a task is listed.
const RECENT: u64 = 86_400;
/// Between two looks at the tasks.
const EVERY: Duration = Duration::from_secs(2);

/// Tasks: done, failed, rate, time left, reason
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Tasks of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Only tasks with these labels
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Also tasks that ended more than 24 hours ago
    #[arg(long)]
    all: bool,
    /// Look again every 2 seconds
    #[arg(short, long)]
    watch: bool,
    /// Format: wide, json, yaml, jsonl or name
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(args.output, &[Format::Wide, Format::Json, Format::Yaml, Format::Jsonl, Format::Name])?;
    if args.watch {
        return watch(app, args).await;
    }
    let (tasks, hidden) = look(app, args).await?;
    if tasks.is_empty() && hidden == 0 && !args.all_namespaces {
        app.session.check_namespace().await?;
    }
    let now = app.now();
    match args.output {
        Some(Format::Json | Format::Yaml) => {
            let all: Vec<Value> = tasks.iter().map(|task| fields(task, now)).collect();
            let format = args.output.unwrap_or(Format::Json);
            app.document(format, "TaskList", &json!({ "tasks": all }))?;
        }
        Some(Format::Jsonl) => tasks.iter().try_for_each(|task| app.out.data(&fields(task, now).to_string()))?,
        Some(Format::Name) => {
            tasks.iter().try_for_each(|task| app.out.data(&format!("maptask.maptask.dev/{}", task.name)))?;
        }
        _ if tasks.is_empty() => {}
        _ => {
            let mut table = Table::new(&header(args));
            for task in &tasks {
                table.row(&mut app.out, cells(task, args, now))?;
            }
            table.finish(&mut app.out)?;
        }
    }
    app.out.flush()?;
    if tasks.is_empty() {
        let place =
            if args.all_namespaces { "in any namespace".to_owned() } else { format!("in {}", app.session.namespace) };
        app.talk.say(format!("no task {place}"));
    }
    if hidden > 0 {
        app.talk.say(format!("{} ended more than 24 h ago: --all", counted(hidden, "task", "tasks")));
    }
    Ok(Exit::Done)
}

/// The tasks that are listed, and how many are not.
async fn look(app: &App, args: &Args) -> Result<(Vec<Listed>, i64), Failure> {
    let scope = if args.all_namespaces { Scope::All } else { Scope::Namespace };
    let all = list(&app.session, scope, args.selector.as_deref()).await?;
    let (count, now) = (all.len(), app.now());
    let is_old = |task: &Listed| task.ended_at().is_some_and(|ended| seconds_between(ended, now) > RECENT);
    let tasks: Vec<Listed> = all.into_iter().filter(|task| args.all || !is_old(task)).collect();
    let hidden = i64::try_from(count - tasks.len()).unwrap_or(0);
    Ok((tasks, hidden))
}

/// Again and again: in place on a terminal, else a line for each task that has changed.
async fn watch(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let (mut screen, mut known) = (Screen::default(), BTreeMap::new());
    let stop = interrupted();
    tokio::pin!(stop);
    loop {
        let (tasks, _) = look(app, args).await?;
        let now = app.now();
        if app.out.is_terminal() && args.output.is_none_or(|format| format == Format::Wide) {
            let rows: Vec<Vec<(Style, String)>> = tasks.iter().map(|task| cells(task, args, now)).collect();
            screen.draw(&mut app.out, &aligned(&header(args), &rows))?;
        } else {
            for task in &tasks {
                let key = (task.namespace.clone(), task.name.clone());
                if known.get(&key) != Some(task) {
                    changed(app, args, task, now)?;
                    known.insert(key, task.clone());
                }
            }
            app.out.flush()?;
        }
        tokio::select! {
            () = &mut stop => return Ok(Exit::Interrupted),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

fn changed(app: &mut App, args: &Args, task: &Listed, now: Timestamp) -> Result<(), Failure> {
    match args.output {
        None | Some(Format::Wide) => {
            let cells: Vec<String> = cells(task, args, now).into_iter().map(|(_, cell)| cell).collect();
            app.out.line(cells.join("   "))
        }
        Some(Format::Name) => app.out.data(&format!("maptask.maptask.dev/{}", task.name)),
        Some(_) => app.out.data(&fields(task, now).to_string()),
    }
}

fn header(args: &Args) -> Vec<&'static str> {
    let mut header = vec!["NAME", "PHASE", "DONE", "FAILED", "RATE", "LEFT", "REASON", "AGE"];
    if args.all_namespaces {
        header.insert(0, "NAMESPACE");
    }
    if args.output == Some(Format::Wide) {
        header.extend(["RUNNING", "DURATION", "MESSAGE"]);
    }
    header
}

fn cells(task: &Listed, args: &Args, now: Timestamp) -> Vec<(Style, String)> {
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

/// The lines of a table that is all there.
fn aligned(header: &[&str], rows: &[Vec<(Style, String)>]) -> Vec<Line> {
    let head: Vec<(Style, String)> = header.iter().map(|name| (Style::Bold, (*name).to_owned())).collect();
    let width = |place: usize| {
        let cells = rows.iter().chain([&head]).filter_map(|row| row.get(place));
        cells.map(|(_, cell)| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |row: &Vec<(Style, String)>| {
        row.iter().zip(&widths).fold(Line::default(), |line, ((style, cell), width)| {
            let room = width + 3 - cell.chars().count();
            line.and(*style, cell).and(Style::Plain, " ".repeat(room))
        })
    };
    [&head].into_iter().chain(rows).map(line).collect()
}

fn fields(task: &Listed, now: Timestamp) -> Value {
    json!({
        "namespace": task.namespace, "name": task.name, "phase": task.phase, "done": task.ended, "items": task.items,
        "failed": task.failed, "running": task.running, "itemsPerSecond": task.per_minute.map(|n| f64::from(n) / 60.0),
        "secondsLeft": task.left(), "reason": task.reason, "age": age(task.created, now),
        "creationTimestamp": task.created.map(|time| time.to_string()), "durationSeconds": task.duration,
        "message": task.message,
    })
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
