//! One file for each command: its options, and what it does.

pub mod cache;
pub mod change;
pub mod checks;
pub mod completion;
pub mod delete;
pub mod doctor;
pub mod failures;
pub mod items;
pub mod list;
pub mod list_args;
mod list_watch;
pub mod log_args;
mod log_follow;
pub mod logs;
pub mod rerun;
pub mod results;
pub mod run;
pub mod status;
pub mod wait;

use crate::app::App;
use crate::error::{Exit, Failure};
use crate::read::selection::{Selection, parse_indexes, parse_phase};
use crate::read::task::{Task, name_of};
use maptask::core::phases::ItemPhase;

/// A command.
#[derive(clap::Subcommand, Clone, Debug)]
pub enum Command {
    /// Makes a task: one run of the command for each item
    Run(Box<run::Args>),
    /// Tasks: done, failed, rate, time left, reason
    List(list_args::Args),
    /// Shows the state of a task: counts, rate, time left, what it waits for and what to do, failures
    Status(status::Args),
    /// The items of a task: phase, attempts, value, result
    Items(items::Args),
    /// What failed, in groups, with all that is known of each
    Failures(failures::Args),
    /// The results in the order of the items
    Results(results::Args),
    /// The log of an item, or of all failed ones
    Logs(log_args::Args),
    /// Waits for the end of a task; the exit code says how it ended
    Wait(wait::Args),
    /// Ends a task with what it has; results stay
    Cancel(change::Target),
    /// Starts no more items until `resume`
    Suspend(change::Target),
    /// Starts items again after `suspend`
    Resume(change::Target),
    /// Sets how many items run at the same time
    Scale(change::ScaleArgs),
    /// Runs items of a finished task again; by default the failed ones
    Rerun(rerun::Args),
    /// Deletes tasks, with their pods and results
    Delete(delete::Args),
    /// What is cached in a namespace
    Cache(cache::Args),
    /// Checks the cluster, the operator, your rights, and what blocks
    Doctor(doctor::Args),
    /// Completion in the shell
    Completion(completion::Args),
    /// A page on 127.0.0.1 that shows tasks live
    Ui(crate::ui::Args),
}

impl Command {
    /// Runs it.
    pub async fn run(&self, app: &mut App) -> Result<Exit, Failure> {
        match self {
            Self::Run(args) => Box::pin(run::run(app, args)).await,
            Self::List(args) => list::run(app, args).await,
            Self::Status(args) => status::run(app, args).await,
            Self::Items(args) => items::run(app, args).await,
            Self::Failures(args) => failures::run(app, args).await,
            Self::Results(args) => results::run(app, args).await,
            Self::Logs(args) => logs::run(app, args).await,
            Self::Wait(args) => wait::run(app, args).await,
            Self::Cancel(target) => change::cancel(app, target).await,
            Self::Suspend(target) => change::suspend(app, target).await,
            Self::Resume(target) => change::resume(app, target).await,
            Self::Scale(args) => change::scale(app, args).await,
            Self::Rerun(args) => rerun::run(app, args).await,
            Self::Delete(args) => delete::run(app, args).await,
            Self::Cache(args) => cache::run(app, args).await,
            Self::Doctor(args) => doctor::run(app, args).await,
            Self::Completion(args) => completion::run(args, &app.options),
            Self::Ui(args) => crate::ui::run(app, args).await,
        }
    }
}

/// The task that a reading command looks at.
#[derive(clap::Args, Clone, Debug)]
pub struct Name {
    /// Name of the task; by default the newest of the namespace
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

impl Name {
    /// The name, or that of the newest task, which is said.
    pub async fn or_newest(&self, app: &App) -> Result<String, Failure> {
        if let Some(name) = &self.name {
            return name_of(name);
        }
        let name = Task::newest(&app.session).await?;
        app.talk.say(format!("the newest task of {}: {name}", app.session.namespace));
        Ok(name)
    }
}

/// The items that a reading command looks at.
#[derive(clap::Args, Clone, Debug)]
pub struct Which {
    /// Only items in this phase; may be given several times
    #[arg(long = "phase", value_name = "PHASE", value_parser = parse_phase)]
    phases: Vec<ItemPhase>,
    /// Only these items, such as 3,17-19
    #[arg(long = "items", alias = "index", value_name = "INDEXES", value_parser = Indexes::parse)]
    indexes: Option<Indexes>,
}

/// Indexes of an option.
#[derive(Clone, Debug)]
pub struct Indexes(Vec<(u32, u32)>);

impl Indexes {
    /// `3,17-19`.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse_indexes(text).map(Self)
    }
}

impl Which {
    /// The selection, in a list of this many items.
    fn selection(&self, count: u32) -> Result<Selection, Failure> {
        let indexes = self.indexes.as_ref().map(|indexes| indexes.0.as_slice()).unwrap_or_default();
        let selection = Selection::new(indexes, &self.phases);
        match selection.beyond(count) {
            Some(index) => {
                let last = count.checked_sub(1).map_or("none".to_owned(), |last| format!("0 to {last}"));
                Err(Failure::new(format!("there is no item {index}"))
                    .hint(format!("the task has {count} items: {last}")))
            }
            None => Ok(selection),
        }
    }
}
