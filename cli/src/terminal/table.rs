//! Tables as kubectl prints them: columns of text with three spaces between them.

use super::line::{Line, Style};
use super::out::Out;
use crate::error::Failure;

/// Rows that are looked at for the widths of the columns. Those after them may be wider: a table of a million rows is
/// never in memory.
const LOOKED_AT: usize = 100;

/// A table that is written as it grows.
pub struct Table {
    header: Vec<&'static str>,
    first: Vec<Vec<(Style, String)>>,
    widths: Option<Vec<usize>>,
}

impl Table {
    /// A table with these columns.
    pub fn new(header: &[&'static str]) -> Self {
        Self { header: header.to_vec(), first: Vec::new(), widths: None }
    }

    /// Adds a row.
    pub fn row(&mut self, out: &mut Out, cells: Vec<(Style, String)>) -> Result<(), Failure> {
        if let Some(widths) = &self.widths {
            return out.line(line_of(widths, &cells));
        }
        self.first.push(cells);
        if self.first.len() < LOOKED_AT { Ok(()) } else { self.begin(out) }
    }

    /// Adds a row without styles.
    pub fn plain(&mut self, out: &mut Out, cells: impl IntoIterator<Item = String>) -> Result<(), Failure> {
        self.row(out, cells.into_iter().map(|cell| (Style::Plain, cell)).collect())
    }

    /// Writes what has not been written; a table without rows is its header.
    pub fn finish(mut self, out: &mut Out) -> Result<(), Failure> {
        self.begin(out)
    }

    /// Writes the rows so far with their header, once; widths are theirs from then on.
    pub fn begin(&mut self, out: &mut Out) -> Result<(), Failure> {
        if self.widths.is_some() {
            return Ok(());
        }
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.len()).collect();
        for row in &self.first {
            for (width, (_, cell)) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let header: Vec<(Style, String)> = self.header.iter().map(|name| (Style::Bold, (*name).to_owned())).collect();
        out.line(line_of(&widths, &header))?;
        for row in self.first.drain(..) {
            out.line(line_of(&widths, &row))?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

fn line_of(widths: &[usize], cells: &[(Style, String)]) -> Line {
    let last = cells.len().saturating_sub(1);
    let mut line = Line::default();
    for (place, (style, cell)) in cells.iter().enumerate() {
        let width = widths.get(place).copied().unwrap_or_default();
        let room = if place == last { 0 } else { (width + 3).saturating_sub(cell.chars().count()).max(1) };
        line = line.and(*style, cell.clone()).and(Style::Plain, " ".repeat(room));
    }
    line
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn columns_are_as_wide_as_the_first_rows_and_later_rows_are_written_at_once() {
        let sink = Sink::default();
        let mut out = Out::into_sink(Box::new(sink.clone()));
        let mut table = Table::new(&["INDEX", "A"]);
        for index in 0..LOOKED_AT {
            assert_eq!(sink.text(), "");
            table.plain(&mut out, [index.to_string(), "x\ny".to_owned()]).unwrap();
        }
        table.plain(&mut out, ["1234567890".to_owned(), "z".to_owned()]).unwrap();
        let text = sink.text();
        assert!(text.starts_with("INDEX   A\n0       x y\n"), "{text}");
        assert!(text.ends_with("99      x y\n1234567890 z\n"), "{text}");
        table.finish(&mut out).unwrap();
    }
}
