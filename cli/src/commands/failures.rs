//! `failures`: every group of failures, with all that is known of it.

use serde_json::json;

use super::Name;
use crate::app::{App, Format};
use crate::error::{Exit, Failure};
use crate::read::Task;
use crate::read::why::title;
use crate::terminal::words::counted;
use crate::terminal::{Line, Style};
use maptask::api::FailureGroup;

/// What failed, in groups, with all that is known of each
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    name: Name,
    /// Format: json or yaml
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(args.output, &[Format::Json, Format::Yaml])?;
    let name = args.name.or_newest(app).await?;
    let task = Task::get(&app.session, &name).await?;
    let status = &task.status;
    let of_reduce = status.reduce.as_ref().map(|reduce| reduce.failures.as_slice()).unwrap_or_default();
    if let Some(format) = args.output {
        let fields = json!({ "name": name, "failures": status.failures, "reduceFailures": of_reduce,
            "failedIndexes": status.failed_indexes, "failedIndexesOmitted": status.failed_indexes_omitted });
        app.document(format, "FailureList", &fields)?;
        return Ok(Exit::Done);
    }
    app.page();
    for line in view(&task, &status.failures).into_iter().chain(reduce(of_reduce)) {
        app.out.line(line)?;
    }
    app.out.flush()?;
    if status.failures.is_empty() && of_reduce.is_empty() {
        app.talk.say(format!("{name} has no failures"));
    }
    Ok(Exit::Done)
}

/// The groups, the most frequent first, with a way to the log of each.
pub fn view(task: &Task, groups: &[FailureGroup]) -> Vec<Line> {
    let mut sorted: Vec<&FailureGroup> = groups.iter().collect();
    sorted.sort_by_key(|group| -group.attempts);
    sorted.into_iter().flat_map(|group| of_group(group, Some(task.name()))).collect()
}

fn reduce(groups: &[FailureGroup]) -> Vec<Line> {
    groups.iter().flat_map(|group| [vec![Line::new("of the reduce:")], of_group(group, None)].concat()).collect()
}

fn of_group(group: &FailureGroup, task: Option<&str>) -> Vec<Line> {
    let attempts = counted(group.attempts, "attempt", "attempts");
    let container = group.container.as_ref().map(|name| format!(" in container {name}")).unwrap_or_default();
    let items = match task {
        Some(_) => format!("   {}: {}", counted(group.items, "item", "items"), group.indexes),
        None => String::new(),
    };
    let head = Line::default().and(Style::Bad, title(group));
    let mut lines = vec![head.and(Style::Plain, format!("{container} ({attempts}){items}"))];
    let message = group.sample.message.as_deref().unwrap_or("no message");
    lines.extend(message.lines().map(|line| Line::new(format!("  {line}"))));
    let node = group.sample.node.as_ref().map(|node| format!(", {node}")).unwrap_or_default();
    let (index, attempt) = (group.sample.index, group.sample.attempt);
    lines.push(match task {
        Some(task) => Line::new(format!(
            "  first: item {index}, attempt {attempt}{node}   log: kubectl maptask logs {task} {index} --attempt {attempt}"
        )),
        None => Line::new(format!("  first: attempt {attempt}{node}")),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use crate::read::why::tests::group;

    #[test]
    fn a_group_has_its_whole_message_and_the_way_to_a_log() {
        let groups =
            [group("Deadline", None, 2, "7", "slow"), group("Failed", Some(1), 183, "8400-8460", "GET s3\n403")];
        let lines: Vec<String> = view(&task(&json!({}), &json!({})), &groups).iter().map(Line::plain).collect();
        assert_eq!(
            lines[..4],
            [
                "Failed exit 1 (183 attempts)   183 items: 8400-8460",
                "  GET s3",
                "  403",
                "  first: item 7, attempt 1, node-03   log: kubectl maptask logs t 7 --attempt 1",
            ]
        );
        assert_eq!((lines[4].as_str(), lines.len()), ("Deadline (2 attempts)   2 items: 7", 7));
    }
}
