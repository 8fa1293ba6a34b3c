//! `list`: the tasks of a namespace, or of all.

use serde_json::{Value, json};

use super::list_args::{Args, cells, fields, header, line};
use super::list_watch;
use crate::app::{App, Format};
use crate::error::{Exit, Failure};
use crate::terminal::Table;
use crate::terminal::words::counted;

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(args.output, &[Format::Wide, Format::Json, Format::Yaml, Format::Jsonl, Format::Name])?;
    let asked = args.tasks(app);
    let first = asked.read().await?;
    if first.tasks.is_empty() && !args.all_namespaces {
        app.session.check_namespace().await?;
    }
    if args.watch {
        return list_watch::run(app, args, &asked, first).await;
    }
    let now = app.now();
    let (tasks, hidden) = args.chosen(first.tasks, now);
    match args.output {
        Some(Format::Json | Format::Yaml) => {
            let all: Vec<Value> = tasks.iter().map(|task| fields(task, now)).collect();
            let format = args.output.unwrap_or(Format::Json);
            app.document(format, "TaskList", &json!({ "tasks": all }))?;
        }
        Some(Format::Jsonl | Format::Name) => {
            tasks.iter().try_for_each(|task| app.out.data(&line(task, args, now)))?;
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
        app.talk.say(format!("{} ended more than 24 h ago; show them with --all", counted(hidden, "task", "tasks")));
    }
    Ok(Exit::Done)
}
