//! `items`: one row for each item. A million of them stream through; none is kept.

use serde_json::json;

use super::{Name, Which};
use crate::app::{App, Format, ListDocument, cell};
use crate::csv::{self, Columns};
use crate::error::{Exit, Failure};
use crate::read::items::{ItemRow, WithResults};
use crate::read::{Items, Task};
use crate::terminal::{Out, Style, Table};
use maptask::core::ids::{Attempt, Index, PodRole};
use maptask::core::phases::ItemPhase;
use maptask::core::pod::pod_name;
use maptask::text::cut;

/// Most characters of a value or a result in the table; -o wide has all of it.
const CELL: usize = 40;

/// The items of a task: phase, attempts, value, result
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(flatten)]
    name: Name,
    #[command(flatten)]
    which: Which,
    /// Format: wide, json, jsonl, csv, name (of pods) or indexes
    #[arg(short, long, value_enum, value_name = "FORMAT")]
    output: Option<Format>,
}

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let formats = [Format::Wide, Format::Json, Format::Jsonl, Format::Csv, Format::Name, Format::Indexes];
    Format::check(args.output, &formats)?;
    let name = args.name.or_newest(app).await?;
    let task = Task::get(&app.session, &name).await?;
    if args.output == Some(Format::Name) && task.spec.workers.is_some() {
        return Err(Failure::usage("items of workers have no pods of their own").hint("use -o indexes"));
    }
    let items = Items::read(&app.session, &task).await?;
    let selection = args.which.selection(items.phases().count().get())?;
    if let Some(why) = items.unknown() {
        app.talk.say(format!("the values of the items are not known: {why}"));
    }
    app.page();
    if args.output == Some(Format::Indexes) {
        return indexes(app, selection.of(items.phases()).map(|(index, _)| index.0));
    }
    let mut writer = match args.output {
        None => Writer::Table(Table::new(&HEADER), Cut::Short),
        Some(Format::Wide) => Writer::Table(Table::new(&HEADER), Cut::None),
        Some(Format::Json) => Writer::Json(ListDocument::begin(&mut app.out, "ItemList", "items")?),
        Some(Format::Csv) => {
            let keys = keys(&items, selection.of(items.phases()).map(|(index, _)| index));
            app.out.data(&csv::line(&header_of_csv(&keys)))?;
            Writer::Csv(keys)
        }
        Some(Format::Name) => Writer::Names(name),
        Some(_) => Writer::JsonLines,
    };
    let results = if args.output == Some(Format::Name) { WithResults::No } else { WithResults::Yes };
    let out = &mut app.out;
    items.for_each(&app.session, &task, &selection, results, &mut |row| writer.write(out, &row)).await?;
    writer.finish(&mut app.out)?;
    Ok(Exit::Done)
}

const HEADER: [&str; 6] = ["INDEX", "PHASE", "ATTEMPTS", "VALUE", "RESULT", "WHY"];

/// Whether long values are cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    Short,
    None,
}

enum Writer {
    Table(Table, Cut),
    Json(ListDocument),
    JsonLines,
    Csv(Vec<String>),
    Names(String),
}

impl Writer {
    fn write(&mut self, out: &mut Out, row: &ItemRow) -> Result<(), Failure> {
        match self {
            Self::Table(table, how) => table.row(out, cells(row, *how)),
            Self::JsonLines => out.data(&json_of(row)),
            Self::Json(list) => list.add(out, &json_of(row)),
            Self::Csv(keys) => out.data(&csv::line(&csv_of(row, keys))),
            Self::Names(_) if row.attempts == 0 => Ok(()),
            Self::Names(task) => {
                let role = PodRole::Item(Index(row.index), Attempt(row.attempts));
                out.data(&format!("pod/{}", pod_name(task, role)))
            }
        }
    }

    fn finish(self, out: &mut Out) -> Result<(), Failure> {
        match self {
            Self::Table(table, _) => table.finish(out),
            Self::Json(list) => list.end(out),
            _ => Ok(()),
        }
    }
}

fn cells(row: &ItemRow, how: Cut) -> Vec<(Style, String)> {
    let short = |text: String| if how == Cut::Short { cut(&text, CELL) } else { text };
    let or_none = |text: Option<String>| text.map_or("-".to_owned(), short);
    let style = match row.phase {
        ItemPhase::Succeeded => Style::Good,
        ItemPhase::Failed => Style::Bad,
        ItemPhase::Cached => Style::Cached,
        ItemPhase::Running => Style::Busy,
        ItemPhase::Pending | ItemPhase::Cancelled => Style::Plain,
    };
    vec![
        (Style::Plain, row.index.to_string()),
        (style, row.phase.as_str().to_owned()),
        (Style::Plain, row.attempts.to_string()),
        (Style::Plain, or_none(row.value.as_ref().map(cell))),
        (Style::Plain, or_none(row.result.clone())),
        (Style::Plain, row.why.clone().unwrap_or_else(|| "-".to_owned())),
    ]
}

/// One object a line; values and results as they were written.
fn json_of(row: &ItemRow) -> String {
    let value = row.value.as_ref().map_or("null", |value| value.text());
    let result = row.result.as_deref().unwrap_or("null");
    let (index, phase, attempts, why) = (row.index, row.phase.as_str(), row.attempts, json!(row.why));
    format!(
        "{{\"index\":{index},\"phase\":\"{phase}\",\"attempts\":{attempts},\"value\":{value},\"result\":{result},\"why\":{why}}}"
    )
}

/// The keys of the items, if all of them are objects; else none.
fn keys(items: &Items, mut selected: impl Iterator<Item = Index>) -> Vec<String> {
    let mut columns = Columns::default();
    let _ = selected.all(|index| columns.add(items.row(index, ItemPhase::Pending, None).value.as_ref()));
    columns.keys()
}

fn header_of_csv(keys: &[String]) -> Vec<String> {
    let values: Vec<String> = match keys {
        [] => vec!["value".to_owned()],
        keys => keys.iter().map(|key| format!("item.{key}")).collect(),
    };
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    [words(&["index", "phase", "attempts"]), values, words(&["result", "why"])].concat()
}

fn csv_of(row: &ItemRow, keys: &[String]) -> Vec<String> {
    let mut fields = vec![row.index.to_string(), row.phase.as_str().to_owned(), row.attempts.to_string()];
    fields.extend(csv::fields(row.value.as_ref(), keys));
    fields.push(row.result.clone().unwrap_or_default());
    fields.push(row.why.clone().unwrap_or_default());
    fields
}

/// `3,17-19`, in one line that is written as it grows.
fn indexes(app: &mut App, indexes: impl Iterator<Item = u32>) -> Result<Exit, Failure> {
    let mut text = String::new();
    let mut range: Option<(u32, u32)> = None;
    let mut add = |range: Option<(u32, u32)>| {
        let Some((first, last)) = range else { return };
        let comma = if text.is_empty() { "" } else { "," };
        text.push_str(comma);
        text.push_str(&first.to_string());
        if first != last {
            text.push('-');
            text.push_str(&last.to_string());
        }
    };
    for index in indexes {
        range = match range {
            Some((first, last)) if last + 1 == index => Some((first, index)),
            other => {
                add(other);
                Some((index, index))
            }
        };
    }
    add(range);
    if !text.is_empty() {
        app.out.data(&text)?;
    }
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    use super::*;
    use maptask::api::Json;

    fn row() -> ItemRow {
        let value = Json::parse(r#"{"shard": 4, "part": "a,\"b"}"#).unwrap();
        let why = Some("Failed exit 1".to_owned());
        ItemRow { index: 8_400, phase: ItemPhase::Failed, attempts: 3, value: Some(value), result: None, why }
    }

    #[test]
    fn every_column_of_the_table_is_a_field_of_the_json() {
        let json: serde_json::Value = serde_json::from_str(&json_of(&row())).unwrap();
        for column in HEADER {
            assert!(json.get(column.to_lowercase()).is_some(), "{column}");
        }
        assert_eq!(json["value"]["part"], "a,\"b");
    }

    #[test]
    fn the_keys_of_objects_are_columns_of_csv() {
        let keys = ["part".to_owned(), "shard".to_owned(), "x".to_owned()];
        assert_eq!(csv::line(&header_of_csv(&keys)), "index,phase,attempts,item.part,item.shard,item.x,result,why");
        assert_eq!(csv::line(&csv_of(&row(), &keys)), "8400,Failed,3,\"a,\"\"b\",4,,,Failed exit 1");
        assert_eq!(
            csv::line(&csv_of(&row(), &[])),
            "8400,Failed,3,\"{\"\"shard\"\":4,\"\"part\"\":\"\"a,\\\"\"b\"\"}\",,Failed exit 1"
        );
    }

    #[test]
    fn long_values_are_cut_in_the_table_only() {
        let long = ItemRow { result: Some("x".repeat(100)), ..row() };
        assert_eq!(cells(&long, Cut::Short)[4].1.chars().count(), CELL);
        assert_eq!(cells(&long, Cut::None)[4].1.len(), 100);
    }
}
