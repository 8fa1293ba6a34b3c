//! What each turn brought, as rows of a table, and as a file for those who want to compute with it.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::page;

/// What changes a shape, and belongs to its command.
const CHANGES: [&str; 4] = ["BENCH_ITEMS", "BENCH_PODS", "BENCH_SLOTS", "BENCH_PIPELINE"];

/// One turn of one contender.
#[derive(Clone, Debug)]
pub struct Row {
    pub who: String,
    pub figures: Vec<(&'static str, f64)>,
}

impl Row {
    pub fn new(who: impl Into<String>) -> Self {
        Self { who: who.into(), figures: Vec::new() }
    }

    pub fn with(mut self, label: &'static str, figure: f64) -> Self {
        self.figures.push((label, figure));
        self
    }

    pub fn get(&self, label: &str) -> Option<f64> {
        self.figures.iter().find(|(known, _)| *known == label).map(|(_, figure)| *figure)
    }

    fn print(&self) -> String {
        let figures: Vec<String> =
            self.figures.iter().map(|(label, figure)| format!("{label} {}", text(*figure))).collect();
        format!("{}: {}", self.who, figures.join(", "))
    }
}

/// What a shape has brought so far.
#[derive(Debug, Default)]
pub struct Rows(Vec<Row>);

/// Three digits that mean something.
fn text(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 || size == 0.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        size if size >= 1.0 => format!("{figure:.2}"),
        size if size >= 0.001 => format!("{figure:.4}"),
        _ => format!("{figure:.6}"),
    }
}

impl Rows {
    pub fn add(&mut self, row: Row) {
        println!("  {}", row.print());
        self.0.push(row);
    }

    fn names(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for row in &self.0 {
            if !names.contains(&row.who.as_str()) {
                names.push(&row.who);
            }
        }
        names
    }

    /// The median of a figure of all turns of the contenders whose names begin so.
    pub fn median(&self, who: &str, label: &str) -> Option<f64> {
        let rows = self.0.iter().filter(|row| row.who.starts_with(who));
        let mut figures: Vec<f64> = rows.filter_map(|row| row.get(label)).collect();
        figures.sort_by(f64::total_cmp);
        let at = |place: usize| figures.get(place).copied();
        Some(f64::midpoint(at(figures.len().checked_sub(1)? / 2)?, at(figures.len() / 2)?))
    }

    /// How many times the figure of the second the first one's is.
    pub fn ratio(&self, ours: &str, theirs: &str, label: &str) -> Option<f64> {
        Some(self.median(ours, label)? / self.median(theirs, label)?)
    }

    /// A column for each contender, a line for each figure.
    fn table(&self) -> String {
        let names = self.names();
        let mut labels: Vec<&str> = Vec::new();
        for (label, _) in self.0.iter().flat_map(|row| &row.figures) {
            if !labels.contains(label) {
                labels.push(label);
            }
        }
        let mut table = format!("| median | {} |\n|{}\n", names.join(" | "), " --- |".repeat(names.len() + 1));
        for label in labels {
            let cells: Vec<String> =
                names.iter().map(|who| self.median(who, label).map_or("-".to_owned(), text)).collect();
            let _ = writeln!(table, "| {label} | {} |", cells.join(" | "));
        }
        table
    }

    /// Prints the table, and writes all turns into docs/benchmarks/SHAPE.json.
    pub fn write(&self, shape: &str, what: &str, rounds: usize, goals: &str) {
        let table = self.table();
        println!("\n### {shape}: {what}\n\n{table}\n{goals}");
        let changes: String =
            CHANGES.iter().filter_map(|name| Some(format!("{name}={} ", std::env::var(name).ok()?))).collect();
        let command = format!("{changes}BENCH_SHAPES={shape} BENCH_ROUNDS={rounds} make bench");
        let turns: Vec<Value> = self
            .0
            .iter()
            .map(|row| {
                let figures: Map<String, Value> =
                    row.figures.iter().map(|(label, figure)| ((*label).to_owned(), json!(figure))).collect();
                json!({ "who": row.who, "figures": figures })
            })
            .collect();
        let data =
            json!({ "shape": shape, "what": what, "command": command, "measured": page::stamp(), "turns": turns });
        page::file(&format!("{shape}.json"), &format!("{data:#}\n"));
    }
}
