//! The options of `logs`, and what follows from them for one pod.

use kube::api::LogParams;

use crate::read::Task;
use crate::read::logs::{LogPod, Whose, container};

/// The log of an item, or of all failed ones
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    /// Name of the task
    #[arg(value_name = "NAME")]
    pub(super) name: String,
    /// The item's index
    #[arg(value_name = "INDEX", required_unless_present = "failed")]
    pub(super) index: Option<u32>,
    /// The logs of all failed items
    #[arg(long, conflicts_with_all = ["index", "follow", "attempt"])]
    pub(super) failed: bool,
    /// Follow the log until the item has ended
    #[arg(short, long)]
    pub(super) follow: bool,
    /// Only this attempt, from 1
    #[arg(long, value_name = "NUMBER")]
    pub(super) attempt: Option<u32>,
    /// Only the last lines of each log
    #[arg(long, value_name = "LINES")]
    pub(super) tail: Option<i64>,
    /// Another container than that of the item
    #[arg(short, long, value_name = "NAME")]
    pub(super) container: Option<String>,
    /// Lines without the index and the attempt
    #[arg(long)]
    no_prefix: bool,
}

impl Args {
    /// Whether the pod's log is asked for.
    pub(super) fn wants(&self, pod: &LogPod) -> bool {
        match pod.of {
            Whose::Attempt(_, attempt) => self.attempt.is_none_or(|wanted| wanted == attempt),
            Whose::Worker(_) => true,
        }
    }

    /// What is asked of the API server for this pod's log.
    pub(super) fn params(&self, task: &Task, pod: &LogPod) -> LogParams {
        let whole = matches!(pod.of, Whose::Worker(_));
        let container = self.container.clone().or_else(|| container(task));
        LogParams { container, tail_lines: self.tail.filter(|_| !whole), ..LogParams::default() }
    }

    /// What stands before a line: nothing before those of a single item.
    pub(super) fn prefix(&self, pod: &LogPod, item: u32, width: usize) -> String {
        if self.no_prefix || width == 0 { String::new() } else { format!("{:>width$} | ", pod.of.label(item)) }
    }
}
