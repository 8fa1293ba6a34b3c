//! One file for each command: its options, and what it does.

pub mod failures;
pub mod items;
pub mod list;
mod log_follow;
pub mod logs;
pub mod results;
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
    /// Tasks: done, failed, rate, time left, reason
    List(list::Args),
    /// How a task is: counts, rate, time left, what it waits for and what to do, failures
    Status(status::Args),
    /// The items of a task: phase, attempts, value, result
    Items(items::Args),
    /// What failed, in groups, with all that is known of each
    Failures(failures::Args),
    /// The results in the order of the items
    Results(results::Args),
    /// The log of an item, or of all failed ones
    Logs(logs::Args),
    /// Waits for the end of a task; the exit code says how it ended
    Wait(wait::Args),
}

impl Command {
    /// Runs it.
    pub async fn run(&self, app: &mut App) -> Result<Exit, Failure> {
        match self {
            Self::List(args) => list::run(app, args).await,
            Self::Status(args) => status::run(app, args).await,
            Self::Items(args) => items::run(app, args).await,
            Self::Failures(args) => failures::run(app, args).await,
            Self::Results(args) => results::run(app, args).await,
            Self::Logs(args) => logs::run(app, args).await,
            Self::Wait(args) => wait::run(app, args).await,
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
    #[arg(long = "index", value_name = "INDEXES", value_parser = Indexes::parse)]
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
    /// The selection, of a list of so many items.
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
