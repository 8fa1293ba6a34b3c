//! The items of `run`: a matrix, numbers, a file, standard input, files by a pattern.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use maptask::api::Json;
use maptask::api::spec::{ConfigMapItems, ItemFormat, Items, Range};
use maptask::core::ids::Index;
use maptask::core::items::{ExternalSource, ItemList, ItemsError, Part};

use super::glob;
use super::pieces::{CONFIG_MAP_BYTES, Content, MOST_BYTES};
use crate::csv;
use crate::error::Failure;
use crate::terminal::words::size;

/// Most bytes of a file: a list that fits neither into the spec nor into ConfigMaps is not read to its end.
const MOST_FILE_BYTES: u64 = 256 << 20;
/// Most bytes of values as JSON, as the operator has it.
const VALUES_BYTES: usize = 1_000_000;
/// The key of the items in the ConfigMap.
pub const KEY: &str = "items";

/// How a file is split into items.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FileFormat {
    /// Each line is an item: a string.
    Lines,
    /// Each line is an item: any JSON.
    Jsonl,
    /// One JSON array of the items.
    Json,
    /// A header, and then an item for each record: an object with a string for each column.
    Csv,
}

/// Where the items are put.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Into {
    /// Into the spec if they fit and keep their text, else into ConfigMaps.
    #[default]
    Auto,
    /// Into the spec.
    Values,
    /// Into one or more ConfigMaps that the task owns.
    Configmap,
}

/// Where the items of `run` come from.
#[derive(clap::Args, Clone, Debug, Default)]
#[command(next_help_heading = "Items")]
pub struct ItemsOptions {
    /// Every combination: KEY=VALUE,VALUE,… for each key
    #[arg(long, value_name = "KEY=VALUES", conflicts_with_all = ["items", "count", "range"])]
    pub matrix: Vec<String>,
    /// Items from a file, from stdin (-), or the names of files by a pattern in quotes ('data/*.csv')
    #[arg(long, value_name = "FILE", conflicts_with_all = ["count", "range"])]
    pub items: Option<String>,
    /// How the file is split; by default by its name: .jsonl, .json, .csv, else lines
    #[arg(long, value_enum, value_name = "FORMAT", requires = "items")]
    pub items_format: Option<FileFormat>,
    /// Where the items are put
    #[arg(long, value_enum, default_value_t, value_name = "WHERE")]
    pub items_into: Into,
    /// The numbers from 0 to COUNT - 1
    #[arg(long, value_name = "COUNT", conflicts_with = "range", value_parser = clap::value_parser!(i32).range(0..=1_000_000))]
    pub count: Option<i32>,
    /// Integers: START:STOP or START:STOP:STEP; STOP itself is not included
    #[arg(long, value_name = "RANGE", value_parser = parse_range, allow_hyphen_values = true)]
    pub range: Option<Range>,
}

/// The items of a task to be made.
#[derive(Clone, Debug)]
pub struct Input {
    /// For the spec. Of a ConfigMap without its name.
    pub items: Items,
    /// What goes into ConfigMaps, one after another.
    pub contents: Vec<Content>,
    /// The list.
    pub list: ItemList,
    /// Bytes of values or text, and the limit.
    pub bytes: Option<(usize, usize)>,
}

impl ItemsOptions {
    /// Reads the items, by the rules of the operator.
    pub fn read(&self) -> Result<Input, Failure> {
        if !self.matrix.is_empty() {
            let mut matrix = BTreeMap::new();
            for text in &self.matrix {
                let (key, values) = axis(text)?;
                if matrix.insert(key.clone(), values).is_some() {
                    return Err(Failure::usage(format!("--matrix has the key {key} twice"))
                        .hint("separate its values with commas"));
                }
            }
            return in_spec(Items { matrix: Some(matrix), ..Items::default() }, None);
        }
        if let Some(count) = self.count {
            return in_spec(Items { count: Some(count), ..Items::default() }, None);
        }
        if let Some(range) = self.range {
            return in_spec(Items { range: Some(range), ..Items::default() }, None);
        }
        let Some(file) = &self.items else {
            return Err(Failure::usage("no items")
                .hint("give --matrix KEY=VALUES, --items FILE, --count N or --range START:STOP"));
        };
        let values = self.values(file)?;
        self.place(values)
    }

    fn values(&self, file: &str) -> Result<Vec<Json>, Failure> {
        if file != "-" && glob::is_pattern(file) {
            return Ok(glob::files(file)?.iter().map(|name| Json::string(name)).collect());
        }
        let bytes = bytes_of(file)?;
        let by_name = || match file.rsplit('.').next() {
            Some("jsonl" | "ndjson") => FileFormat::Jsonl,
            Some("json") => FileFormat::Json,
            Some("csv") => FileFormat::Csv,
            _ => FileFormat::Lines,
        };
        let name = if file == "-" { "stdin" } else { file };
        match self.items_format.unwrap_or_else(by_name) {
            FileFormat::Lines => list(name, &bytes, ItemFormat::Lines),
            FileFormat::Jsonl => list(name, &bytes, ItemFormat::JsonLines),
            FileFormat::Json => list(name, &bytes, ItemFormat::JsonArray),
            FileFormat::Csv => records(name, &bytes),
        }
    }

    /// Puts the values into the spec or a ConfigMap.
    fn place(&self, values: Vec<Json>) -> Result<Input, Failure> {
        let bytes: usize = values.iter().map(|value| value.text().len() + 1).sum();
        let keep_text = values.iter().flat_map(Json::numbers).all(is_plain);
        let into_spec = match self.items_into {
            Into::Auto => bytes <= VALUES_BYTES && keep_text,
            Into::Values => true,
            Into::Configmap => false,
        };
        if into_spec {
            if bytes > VALUES_BYTES {
                return Err(too_large(bytes, VALUES_BYTES).hint("--items-into configmap has more room"));
            }
            return in_spec(Items { values: Some(values), ..Items::default() }, Some((bytes, VALUES_BYTES)));
        }
        let (format, text) = text_of(&values);
        if text.len() > MOST_BYTES {
            return Err(too_large(text.len(), MOST_BYTES).hint(
                "split the list into several tasks, or pass indexes (--count) and let the program look its item up",
            ));
        }
        let bytes = Some((text.len(), if text.len() <= CONFIG_MAP_BYTES { CONFIG_MAP_BYTES } else { MOST_BYTES }));
        let contents = Content::of(text).map_err(|error| Failure::new(error.to_string()))?;
        let source = ConfigMapItems { key: KEY.to_owned(), format, ..ConfigMapItems::default() };
        let parts: Vec<Part> = contents.iter().map(|content| Part::new("items", content.bytes())).collect();
        let list = ExternalSource::ConfigMap(source.clone()).read(&parts).map_err(|error| refused(&error))?.items;
        Ok(Input { items: Items { config_map: Some(source), ..Items::default() }, contents, list, bytes })
    }
}

impl Input {
    /// The keys that the items have, if they are objects.
    pub fn keys(&self) -> BTreeSet<String> {
        // All items of a matrix have the same; of other lists the first hundred tell.
        let looked_at = self.list.count().get().min(100);
        let entries = (0..looked_at).filter_map(|index| self.list.get(Index(index)).entries());
        entries.flatten().map(|(key, _)| key).collect()
    }
}

fn in_spec(items: Items, bytes: Option<(usize, usize)>) -> Result<Input, Failure> {
    let list = ItemList::accept(&items).map_err(|error| refused(&error))?;
    Ok(Input { items, contents: Vec::new(), list, bytes })
}

fn refused(error: &ItemsError) -> Failure {
    Failure::usage(error.to_string())
}

fn too_large(bytes: usize, most: usize) -> Failure {
    Failure::usage(format!("items: {} of items, at most {} fit", size(bytes as u64), size(most as u64)))
}

/// The format and the text of a ConfigMap: lines, if all are strings that lines can hold.
fn text_of(values: &[Json]) -> (ItemFormat, String) {
    let line = |value: &Json| value.as_string().filter(|text| is_line(text));
    let lines: Option<Vec<String>> = values.iter().map(line).collect();
    match lines {
        Some(lines) => (ItemFormat::Lines, lines.into_iter().map(|line| line + "\n").collect()),
        None => (ItemFormat::JsonLines, values.iter().map(|value| value.text().to_owned() + "\n").collect()),
    }
}

fn is_line(text: &str) -> bool {
    !text.trim().is_empty() && !text.contains(['\n', '\r', '\0']) && !text.starts_with('\u{feff}')
}

/// Whether the API server keeps a number as it was written.
fn is_plain(number: &str) -> bool {
    number.parse::<i64>().is_ok_and(|n| n.to_string() == number)
        || serde_json::from_str::<f64>(number).is_ok_and(|n| number.contains('.') && number_text(n) == number)
}

/// As the API server writes it.
fn number_text(number: f64) -> String {
    serde_json::Value::from(number).to_string()
}

fn bytes_of(file: &str) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(MOST_FILE_BYTES + 1).read_to_end(&mut bytes))
    };
    read.map_err(|error| Failure::usage(format!("--items {file}: {error}")))?;
    if bytes.len() as u64 > MOST_FILE_BYTES {
        return Err(Failure::usage(format!("--items {file}: more than {}", size(MOST_FILE_BYTES)))
            .hint("pass references (names, URLs) instead of contents"));
    }
    Ok(bytes)
}

/// Items as the operator reads them from a ConfigMap.
fn list(name: &str, bytes: &[u8], format: ItemFormat) -> Result<Vec<Json>, Failure> {
    let source = ConfigMapItems { key: KEY.to_owned(), format, ..ConfigMapItems::default() };
    let read = ExternalSource::ConfigMap(source).read(&[Part::new(name, bytes)]).map_err(|error| match error {
        ItemsError::Unreadable { place, message, .. } => {
            let place = place.replacen(&format!("/{KEY}"), "", 1);
            Failure::usage(format!("{place}: {message}")).hint("correct it, or set --items-format")
        }
        other => refused(&other),
    })?;
    let list = read.items;
    Ok(list.count().indexes().map(|index| list.get(index)).collect())
}

/// An object for each record of a CSV file.
fn records(name: &str, bytes: &[u8]) -> Result<Vec<Json>, Failure> {
    let text = std::str::from_utf8(bytes).map_err(|_| Failure::usage(format!("{name} is not UTF-8")))?;
    let wrong = |line: usize, message: &str| Failure::usage(format!("{name} line {line}: {message}"));
    let mut records = csv::parse(text).map_err(|error| wrong(error.line, error.message))?.into_iter();
    let Some((_, header)) = records.next() else { return Err(wrong(1, "there is no header")) };
    if let Some(column) = header.iter().position(|name| name.trim().is_empty()) {
        return Err(wrong(1, &format!("column {} has no name", column + 1)));
    }
    let mut items = Vec::new();
    for (line, fields) in records {
        if fields.len() != header.len() {
            return Err(wrong(line, &format!("{} fields, but the header has {}", fields.len(), header.len())));
        }
        let values: Vec<Json> = fields.iter().map(|field| Json::string(field)).collect();
        items.push(Json::object(header.iter().map(|name| name.trim()).zip(&values)));
    }
    Ok(items)
}

/// `lr=0.1,0.01`, or `lr=[…]` as JSON. A number stays one only if it keeps its text: 007 and 3.10 are strings.
fn axis(text: &str) -> Result<(String, Vec<Json>), Failure> {
    let wrong = |message: &str| {
        Failure::usage(format!("--matrix {text}: {message}")).hint("write KEY=VALUE,VALUE or KEY=[JSON]")
    };
    let (key, values) =
        text.split_once('=').filter(|(key, _)| !key.is_empty()).ok_or_else(|| wrong("there is no KEY="))?;
    if values.starts_with('[') {
        let list = serde_json::from_str(values).map_err(|error| wrong(&error.to_string()))?;
        return Ok((key.to_owned(), list));
    }
    let value = |text: &str| match Json::parse(text) {
        Ok(json) if is_plain(text) || matches!(text, "true" | "false") => json,
        _ => Json::string(text),
    };
    Ok((key.to_owned(), values.split(',').map(value).collect()))
}

/// `0:1000` or `0:1000:250`.
fn parse_range(text: &str) -> Result<Range, String> {
    let numbers: Result<Vec<i64>, _> = text.split(':').map(str::parse).collect();
    match numbers.as_deref() {
        Ok([start, stop]) => Ok(Range { start: *start, stop: *stop, step: 1 }),
        Ok([start, stop, step]) => Ok(Range { start: *start, stop: *stop, step: *step }),
        _ => Err(format!("{text:?} is no range: write START:STOP or START:STOP:STEP")),
    }
}

#[cfg(test)]
#[path = "items_tests.rs"]
mod tests;
