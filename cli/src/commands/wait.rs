//! `wait`: until a task has ended.

use std::time::Duration;

use crate::app::App;
use crate::error::{Exit, Failure};
use crate::follow::{self, Follow};
use crate::read::task::name_of;
use crate::terminal::words::parse_span;

/// Waits for the end of a task; the exit code says how it ended
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Name of the task
    #[arg(value_name = "NAME")]
    name: String,
    /// Longest wait, such as 30s, 10m or 2h; by default there is no limit
    #[arg(long, value_name = "TIME", value_parser = parse_span)]
    timeout: Option<u64>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let name = name_of(&args.name)?;
    let follow = Follow { timeout: args.timeout.map(Duration::from_secs), ..Follow::default() };
    Box::pin(follow::task(app, &name, &follow)).await
}
