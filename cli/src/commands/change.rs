//! `cancel`, `suspend`, `resume` and `scale`: changes of the spec, and how each is sent.

use kube::api::{Patch, PatchParams, ValidationDirective};
use maptask::core::phases::ItemPhase;
use serde_json::{Value, json};

use crate::app::App;
use crate::changes::{FIELD_MANAGER, kept_if_cancelled};
use crate::error::{Exit, Failure, code};
use crate::read::Task;
use crate::read::task::name_of;
use crate::terminal::words::{counted, number};

/// What `--dry-run` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DryRun {
    /// Print the equivalent, and send nothing.
    Client,
    /// Let the API server check it, and store nothing.
    Server,
}

/// The task that a change is for.
#[derive(clap::Args, Clone, Debug)]
pub struct Target {
    /// Name of the task
    #[arg(value_name = "NAME")]
    name: String,
    /// Change nothing: print the equivalent kubectl patch, or with `server` let the API server check it
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<DryRun>,
}

/// Options of `scale`.
#[derive(clap::Args, Clone, Debug)]
pub struct ScaleArgs {
    #[command(flatten)]
    target: Target,
    /// Most items that run at the same time, 1 to 100000
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    concurrency: i32,
}

impl Target {
    /// Reads the task.
    pub async fn get(&self, app: &App) -> Result<Task, Failure> {
        Task::get(&app.session, &name_of(&self.name)?).await
    }

    /// Changes the spec of just this task, not of another one that has its name by now. Whether it was changed.
    pub async fn patch(&self, app: &mut App, task: &Task, spec: &Value) -> Result<Sent, Failure> {
        if self.dry_run == Some(DryRun::Client) {
            let patch = json!({ "spec": spec }).to_string().replace('\'', r"'\''");
            let (name, namespace) = (task.name(), &app.session.namespace);
            app.out.data(&format!("kubectl patch maptask {name} -n {namespace} --type=merge -p '{patch}'"))?;
            return Ok(Sent::No);
        }
        let dry_run = self.dry_run == Some(DryRun::Server);
        let params = PatchParams { dry_run, field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        // An older CRD would drop what it does not know, without a word.
        let params = params.validation(ValidationDirective::Strict);
        let body = json!({ "metadata": { "uid": task.uid() }, "spec": spec });
        match app.session.api::<Task>().patch(task.name(), &params, &Patch::Merge(&body)).await {
            Ok(_) if dry_run => {
                app.out.line(format!("maptask.maptask.dev/{} could be changed (server dry run)", task.name()))?;
                Ok(Sent::No)
            }
            Ok(_) => Ok(Sent::Yes),
            Err(error) if code(&error) == Some(409) => {
                Err(Failure::from(error)
                    .hint("the task was deleted and recreated meanwhile: look at it, then try again"))
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Whether a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sent {
    /// It was.
    Yes,
    /// It was a dry run.
    No,
}

/// Says what was done on standard output, and the way back on standard error.
pub fn done(app: &mut App, task: &Task, what: &str, back: &str) -> Result<Exit, Failure> {
    app.out.line(format!("maptask.maptask.dev/{} {what}", task.name()))?;
    app.out.flush()?;
    if !back.is_empty() {
        app.talk.say(back);
    }
    Ok(Exit::Done)
}

/// `cancel`.
pub async fn cancel(app: &mut App, target: &Target) -> Result<Exit, Failure> {
    let task = target.get(app).await?;
    if task.has_ended() {
        return Err(Failure::new(format!("{} has ended ({}): there is nothing to cancel", task.name(), task.phase))
            .hint(format!("see how: kubectl maptask status {}", task.name())));
    }
    if target.patch(app, &task, &json!({ "cancel": true })).await? == Sent::No {
        return Ok(Exit::Done);
    }
    let what = format!("cancelled: {}", kept_if_cancelled(&task));
    done(app, &task, &what, &format!("run the rest later: kubectl maptask rerun {} --cancelled", task.name()))
}

/// `suspend`.
pub async fn suspend(app: &mut App, target: &Target) -> Result<Exit, Failure> {
    let task = target.get(app).await?;
    if task.spec.suspend {
        return done(app, &task, "is suspended already", "");
    }
    if task.has_ended() {
        return Err(Failure::new(format!("{} has ended ({}): there is nothing to suspend", task.name(), task.phase)));
    }
    if target.patch(app, &task, &json!({ "suspend": true })).await? == Sent::No {
        return Ok(Exit::Done);
    }
    let counts = task.counts();
    let fate = match task.spec.suspend_policy {
        maptask::api::spec::SuspendPolicy::Drain => "running to their end",
        maptask::api::spec::SuspendPolicy::Stop => "stopped, to start again later",
    };
    let what =
        format!("suspended: {} pending, {} {fate}", counted(counts.pending, "item", "items"), number(counts.running));
    done(app, &task, &what, &format!("start items again: kubectl maptask resume {}", task.name()))
}

/// `resume`.
pub async fn resume(app: &mut App, target: &Target) -> Result<Exit, Failure> {
    let task = target.get(app).await?;
    if !task.spec.suspend {
        return done(app, &task, "is not suspended", "");
    }
    if target.patch(app, &task, &json!({ "suspend": false })).await? == Sent::No {
        return Ok(Exit::Done);
    }
    let what = format!("resumed: {} pending", counted(task.counts().pending, "item", "items"));
    done(app, &task, &what, &format!("follow it: kubectl maptask status {} --watch", task.name()))
}

/// `scale`.
pub async fn scale(app: &mut App, args: &ScaleArgs) -> Result<Exit, Failure> {
    let task = args.target.get(app).await?;
    if args.target.patch(app, &task, &json!({ "concurrency": args.concurrency })).await? == Sent::No {
        return Ok(Exit::Done);
    }
    let before = task.spec.concurrency.map_or("no limit".to_owned(), number);
    let what = format!("scaled: {} at once (was {before})", counted(args.concurrency, "item", "items"));
    let running = task.counts().running;
    let more = running.saturating_sub(args.concurrency);
    let back = if more > 0 { format!("{} more run now; they run to their end", number(more)) } else { String::new() };
    done(app, &task, &what, &back)
}

/// Number of items in these phases; `None` if it is not known.
pub fn in_phases(task: &Task, phases: &[ItemPhase]) -> Option<i32> {
    let counts = task.status.counts?;
    let of = |phase: &ItemPhase| match phase {
        ItemPhase::Pending => counts.pending,
        ItemPhase::Running => counts.running,
        ItemPhase::Succeeded => counts.succeeded,
        ItemPhase::Failed => counts.failed,
        ItemPhase::Cached => counts.cached,
        ItemPhase::Cancelled => counts.cancelled,
    };
    Some(phases.iter().map(of).sum())
}

/// Asks before results are lost, if there is somebody to ask.
pub fn confirm(app: &App, yes: bool, what: &str) -> Result<(), Failure> {
    use std::io::IsTerminal;
    if yes || !app.talk.is_terminal() || !std::io::stdin().is_terminal() {
        return Ok(());
    }
    let answer = app.talk.ask(&format!("{what} Continue? [y/N]"));
    if matches!(answer.to_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Failure::new("nothing was changed").hint("use --yes to skip this question"))
    }
}
