//! `delete`: a task, with its pods and results.

use kube::api::{DeleteParams, Preconditions};

use super::change::confirm;
use crate::app::App;
use crate::error::{Exit, Failure};
use crate::read::Task;
use crate::read::task::name_of;
use crate::terminal::words::counted;

/// Deletes tasks, with their pods and results
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Names of tasks
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Delete nothing: say what would be deleted
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let mut tasks = Vec::new();
    for name in &args.names {
        tasks.push(Task::get(&app.session, &name_of(name)?).await?);
    }
    let results =
        tasks.iter().map(|task| i64::from(task.counts().succeeded) + i64::from(task.counts().cached)).sum::<i64>();
    let names: Vec<&str> = tasks.iter().map(Task::name).collect();
    if args.dry_run {
        for task in &tasks {
            app.out.line(format!("maptask.maptask.dev/{} would be deleted (dry run)", task.name()))?;
        }
        return Ok(Exit::Done);
    }
    let lost = counted(results, "result", "results");
    confirm(app, args.yes, &format!("{} is deleted with its pods and {lost}.", names.join(", ")))?;
    for task in &tasks {
        // Not another one that has its name by now.
        let preconditions = Preconditions { uid: Some(task.uid().to_owned()), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::background() };
        app.session.api::<Task>().delete(task.name(), &params).await.map_err(Failure::from)?;
        app.out.line(format!("maptask.maptask.dev/{} deleted", task.name()))?;
    }
    Ok(Exit::Done)
}
