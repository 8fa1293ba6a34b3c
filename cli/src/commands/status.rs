//! `status`: how a task is, why it waits or failed, and what to do.

use super::Name;
use crate::app::{App, Format};
use crate::error::{Exit, Failure};
use crate::follow;
use crate::read::Task;
use crate::terminal::out::size;
use crate::view::{fields, view};

/// Shows the state of a task: counts, rate, time left, what it waits for and what to do, failures
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    name: Name,
    /// Show it until it has ended; the exit code then says how
    #[arg(short, long)]
    watch: bool,
    /// Format: json or yaml
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(args.output, &[Format::Json, Format::Yaml])?;
    let name = args.name.or_newest(app).await?;
    if args.watch {
        return Box::pin(follow::status(app, &name, args.output)).await;
    }
    let task = Task::get(&app.session, &name).await?;
    let now = app.now();
    if let Some(format) = args.output {
        app.document(format, "TaskStatus", &fields(&task, now))?;
    } else {
        for line in view(&task, now, size().0) {
            app.out.line(line)?;
        }
    }
    Ok(Exit::Done)
}
