//! `results`: the results in the order of the items, one a line.

use maptask::api::Json;
use maptask::core::phases::ItemPhase;

use super::{Name, Which};
use crate::app::{App, Format, ListDocument};
use crate::csv::{self, Columns};
use crate::error::{Exit, Failure};
use crate::read::items::{ItemRow, WithResults, has_result};
use crate::read::{Items, Selection, Task};
use crate::terminal::Talk;
use crate::terminal::words::counted;

/// The results in the order of the items
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    which: Which,
    /// The result of the reduce instead
    #[arg(long, conflicts_with_all = ["phases", "indexes"])]
    reduce: bool,
    /// Format: jsonl (a line for each item, null where there is no result), json or csv
    #[arg(short, long, value_enum, default_value = "jsonl", value_name = "FORMAT")]
    output: Format,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    Format::check(Some(args.output), &[Format::Jsonl, Format::Json, Format::Csv])?;
    let name = args.name.or_newest(app).await?;
    let task = Task::get(&app.session, &name).await?;
    if args.reduce {
        return reduce(app, &task);
    }
    let items = Items::read(&app.session, &task).await?;
    let selection = args.which.selection(items.phases().count().get())?;
    app.page();
    let mut nulls = Nulls::default();
    match args.output {
        Format::Csv => as_csv(app, &task, &items, &selection, &mut nulls).await?,
        format => as_json(app, &task, &items, &selection, format, &mut nulls).await?,
    }
    app.out.flush()?;
    nulls.say(app.talk, &task);
    Ok(Exit::Done)
}

fn reduce(app: &mut App, task: &Task) -> Result<Exit, Failure> {
    let text =
        task.status.result_text.clone().or_else(|| task.status.result.as_ref().map(|json| json.text().to_owned()));
    match text {
        Some(text) => app.out.data(&text).map(|()| Exit::Done),
        None if task.spec.reduce.is_none() => {
            Err(Failure::new(format!("{} has no reduce", task.name())).hint("leave out --reduce"))
        }
        None => Err(Failure::new(format!("the reduce of {} has no result", task.name()))
            .hint(format!("see its state: kubectl maptask status {}", task.name()))),
    }
}

async fn as_json(
    app: &mut App,
    task: &Task,
    items: &Items,
    selection: &Selection,
    format: Format,
    nulls: &mut Nulls,
) -> Result<(), Failure> {
    let out = &mut app.out;
    let mut list = match format {
        Format::Json => Some(ListDocument::begin(out, "ResultList", "results")?),
        _ => None,
    };
    let mut each = |row: ItemRow| {
        nulls.add(&row);
        let line = row.result.as_deref().unwrap_or("null");
        match &mut list {
            Some(list) => list.add(out, line),
            None => out.data(line),
        }
    };
    items.for_each(&app.session, task, selection, WithResults::Yes, &mut each).await?;
    list.map_or(Ok(()), |list| list.end(&mut app.out))
}

/// Twice over the results: once for the columns, so that nothing has to be kept.
async fn as_csv(
    app: &mut App,
    task: &Task,
    items: &Items,
    selection: &Selection,
    nulls: &mut Nulls,
) -> Result<(), Failure> {
    let (mut columns, mut may_be) = (Columns::default(), true);
    let mut each = |row: ItemRow| {
        if let Some(result) = row.result.filter(|_| may_be) {
            may_be = columns.add(Json::parse(&result).ok().as_ref());
        }
        Ok(())
    };
    items.for_each(&app.session, task, selection, WithResults::Yes, &mut each).await?;
    let keys = columns.keys();
    let mut header = vec!["index".to_owned()];
    if keys.is_empty() {
        header.push("result".to_owned());
    }
    header.extend(keys.iter().cloned());
    app.out.data(&csv::line(&header))?;
    let out = &mut app.out;
    let mut each = |row: ItemRow| {
        nulls.add(&row);
        out.data(&csv::line(&record(&row, &keys)))
    };
    items.for_each(&app.session, task, selection, WithResults::Yes, &mut each).await
}

fn record(row: &ItemRow, keys: &[String]) -> Vec<String> {
    let json = row.result.as_deref().and_then(|result| Json::parse(result).ok());
    [vec![row.index.to_string()], csv::fields(json.as_ref(), keys)].concat()
}

/// Lines without a result, by why.
#[derive(Debug, Default, PartialEq, Eq)]
struct Nulls {
    failed: i64,
    cancelled: i64,
    unfinished: i64,
    silent: i64,
}

impl Nulls {
    fn add(&mut self, row: &ItemRow) {
        match row.phase {
            _ if row.result.is_some() => {}
            phase if has_result(phase) => self.silent += 1,
            ItemPhase::Failed => self.failed += 1,
            ItemPhase::Cancelled => self.cancelled += 1,
            _ => self.unfinished += 1,
        }
    }

    fn say(&self, talk: Talk, task: &Task) {
        let kinds = [
            (self.failed, "failed"),
            (self.cancelled, "cancelled"),
            (self.unfinished, "not finished"),
            (self.silent, "succeeded without a result"),
        ];
        let parts: Vec<String> = kinds
            .into_iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{} {word}", counted(n, "item", "items")))
            .collect();
        if !parts.is_empty() {
            talk.say(format!("null: {}", parts.join(", ")));
        }
        if !task.has_ended() {
            talk.say(format!("{} has not ended: more results may come", task.name()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(phase: ItemPhase, result: Option<&str>) -> ItemRow {
        ItemRow { index: 3, phase, attempts: 1, value: None, result: result.map(str::to_owned), why: None }
    }

    #[test]
    fn lines_without_a_result_are_counted_by_why() {
        let mut nulls = Nulls::default();
        for phase in ItemPhase::ALL {
            nulls.add(&row(phase, None));
        }
        nulls.add(&row(ItemPhase::Succeeded, Some("1")));
        assert_eq!(nulls, Nulls { failed: 1, cancelled: 1, unfinished: 2, silent: 2 });
    }

    #[test]
    fn objects_have_a_column_for_each_key() {
        let row = row(ItemPhase::Succeeded, Some(r#"{"b":"x,y","a":1.50}"#));
        assert_eq!(csv::line(&record(&row, &["a".to_owned(), "b".to_owned(), "c".to_owned()])), "3,1.50,\"x,y\",");
        assert_eq!(record(&row, &[]), ["3", r#"{"b":"x,y","a":1.50}"#]);
    }
}
