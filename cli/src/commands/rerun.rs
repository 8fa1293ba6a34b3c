//! `rerun`: items of a task that has ended run again.

use maptask::core::phases::ItemPhase;

use super::change::{Sent, Target, confirm, done, in_phases};
use crate::app::App;
use crate::changes;
use crate::error::{Exit, Failure};
use crate::read::Task;
use crate::read::selection::parse_indexes;
use crate::terminal::words::counted;

/// Most bytes of `spec.rerun.items`.
const MOST_BYTES: usize = 4_096;

/// Runs items of a finished task again; by default the failed ones
#[derive(clap::Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "options of a command line")]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// The failed items
    #[arg(long)]
    failed: bool,
    /// The cancelled items
    #[arg(long)]
    cancelled: bool,
    /// These items, such as 3,17-19
    #[arg(long, value_name = "INDEXES", value_parser = checked)]
    items: Option<String>,
    /// All items; their results are computed again
    #[arg(long, conflicts_with_all = ["failed", "cancelled", "items", "reduce"])]
    all: bool,
    /// Only the reduce
    #[arg(long, conflicts_with_all = ["failed", "cancelled", "items"])]
    reduce: bool,
    /// Read or compute the list of items again, and run all of it
    #[arg(long, conflicts_with_all = ["failed", "cancelled", "items", "all", "reduce"])]
    list: bool,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
}

/// `3,17-19`, unchanged.
fn checked(text: &str) -> Result<String, String> {
    parse_indexes(text)?;
    let text = text.replace(' ', "");
    if text.len() > MOST_BYTES {
        return Err(format!("{} bytes, at most {MOST_BYTES} are allowed: use ranges, or several reruns", text.len()));
    }
    Ok(text)
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let task = args.target.get(app).await?;
    let (items, count) = args.selected(&task);
    let name = task.name();
    if count == Some(0) {
        return Err(Failure::new(format!("{name} has no items that are {items}"))
            .hint("choose others: --failed, --cancelled, --items 3,17-19, --all"));
    }
    if args.reduce && task.spec.reduce.is_none() {
        return Err(Failure::new(format!("{name} has no reduce")).hint("leave out --reduce"));
    }
    if args.list && !task.spec.items.are_elsewhere() {
        return Err(Failure::new(format!("the list of {name} is in the task itself and never changes"))
            .hint("run all of it again with --all, or create another task"));
    }
    if args.all || args.list {
        let results =
            counted(in_phases(&task, &[ItemPhase::Succeeded, ItemPhase::Cached]).unwrap_or(0), "result", "results");
        let effect = if args.list {
            format!("{name} gets another list; {results} of the former one are replaced.")
        } else {
            format!("All items of {name} run again; {results} are replaced.")
        };
        confirm(app, args.yes, &effect)?;
    }
    let spec = changes::rerun(&items, &app.now().as_millisecond().to_string(), task.spec.cancel).into_iter().collect();
    if args.target.patch(app, &task, &spec).await? == Sent::No {
        return Ok(Exit::Done);
    }
    let when = if task.has_ended() { "again" } else { "again once it has ended" };
    let what = match count {
        _ if args.reduce => format!("rerun: the reduce runs {when}"),
        _ if args.list => format!("rerun: the list is read {when}, and all items of it run"),
        Some(count) => format!("rerun: {} {when}", counted(count, "item runs", "items run")),
        None => format!("rerun: {items} run {when}"),
    };
    done(app, &task, &what, &format!("follow it: kubectl maptask status {name} --watch"))
}

impl Args {
    /// The words of `spec.rerun.items`, and how many items these are, if that is known.
    fn selected(&self, task: &Task) -> (String, Option<i32>) {
        if self.all {
            return ("All".to_owned(), task.status.items);
        }
        if self.reduce {
            return ("Reduce".to_owned(), None);
        }
        if self.list {
            return ("List".to_owned(), None);
        }
        let mut words = Vec::new();
        let mut phases = Vec::new();
        let is_default = !self.cancelled && self.items.is_none();
        if self.failed || is_default {
            words.push("Failed");
            phases.push(ItemPhase::Failed);
        }
        if self.cancelled {
            words.push("Cancelled");
            phases.push(ItemPhase::Cancelled);
        }
        words.extend(self.items.as_deref());
        // Indexes may be of these phases as well.
        let count = if self.items.is_some() { None } else { in_phases(task, &phases) };
        // A task that was refused has none; it is checked again.
        (words.join(","), count.filter(|_| task.status.items.is_some()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use clap::Parser;
    use serde_json::json;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn selected(options: &str) -> (String, Option<i32>) {
        let line = format!("rerun t {options}");
        let line = Line::try_parse_from(line.split_whitespace()).unwrap();
        let counts = json!({ "succeeded": 5, "cached": 0, "failed": 2, "running": 0, "pending": 0, "cancelled": 3, "retried": 0 });
        line.args.selected(&task(&json!({}), &json!({ "phase": "Failed", "items": 10, "counts": counts })))
    }

    #[test]
    fn options_become_the_words_of_the_spec() {
        assert_eq!(selected(""), ("Failed".to_owned(), Some(2)));
        assert_eq!(selected("--failed --cancelled"), ("Failed,Cancelled".to_owned(), Some(5)));
        assert_eq!(selected("--items 3,17-19"), ("3,17-19".to_owned(), None));
        assert_eq!(selected("--items 3 --failed"), ("Failed,3".to_owned(), None));
        assert_eq!(selected("--all"), ("All".to_owned(), Some(10)));
        assert_eq!(selected("--reduce"), ("Reduce".to_owned(), None));
        assert_eq!(selected("--list"), ("List".to_owned(), None));
        for wrong in ["--all --failed", "--list --all", "--items 3-1", "--items x", "--reduce --items 3"] {
            let line = format!("rerun t {wrong}");
            assert!(Line::try_parse_from(line.split_whitespace()).is_err(), "{wrong}");
        }
    }
}
