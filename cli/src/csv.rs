//! CSV as RFC 4180 has it, and the columns that objects become.

use std::collections::BTreeSet;

use maptask::api::Json;

use crate::app::cell;

/// Most keys of objects that become columns.
const KEYS: usize = 200;

/// The keys of values that become columns: those of all, if all are objects and have not too many.
#[derive(Debug, Default)]
pub struct Columns {
    keys: BTreeSet<String>,
    has_others: bool,
}

impl Columns {
    /// Adds a value. Returns whether there may still be columns.
    pub fn add(&mut self, value: Option<&Json>) -> bool {
        match value.filter(|_| !self.has_others).and_then(Json::entries) {
            Some(entries) => self.keys.extend(entries.into_iter().map(|(key, _)| key)),
            None => self.has_others = true,
        }
        self.has_others |= self.keys.len() > KEYS;
        !self.has_others
    }

    /// The keys, in order; none if there are no columns.
    pub fn keys(self) -> Vec<String> {
        if self.has_others { Vec::new() } else { self.keys.into_iter().collect() }
    }
}

/// The fields of a value: one for each of these keys, or one for the whole if there are none.
pub fn fields(value: Option<&Json>, keys: &[String]) -> Vec<String> {
    if keys.is_empty() {
        return vec![value.map(cell).unwrap_or_default()];
    }
    let entries = value.and_then(Json::entries).unwrap_or_default();
    let of = |key: &String| entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| cell(value));
    keys.iter().map(|key| of(key).unwrap_or_default()).collect()
}

/// One record, without its end.
pub fn line(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",")
}

fn quoted(field: &str) -> String {
    if field.contains(['"', ',', '\n', '\r']) || field.starts_with(' ') || field.ends_with(' ') {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

/// Why a text is no CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong.
    pub message: &'static str,
}

/// The records of a text, with the line that each begins on. Lines end with LF or CR LF; a blank line is no record.
pub fn parse(text: &str) -> Result<Vec<(usize, Vec<String>)>, Malformed> {
    let mut records = Vec::new();
    let (mut line, mut start) = (1, 1);
    let mut fields: Vec<String> = Vec::new();
    let mut field = String::new();
    let mut was_quoted = false;
    let mut characters = text.strip_prefix('\u{feff}').unwrap_or(text).chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if field.is_empty() && !was_quoted => {
                was_quoted = true;
                loop {
                    match characters.next() {
                        Some('"') if characters.peek() == Some(&'"') => {
                            characters.next();
                            field.push('"');
                        }
                        Some('"') => break,
                        Some(inner) => {
                            line += usize::from(inner == '\n');
                            field.push(inner);
                        }
                        None => return Err(Malformed { line: start, message: "a quote is not closed" }),
                    }
                }
            }
            ',' => {
                fields.push(std::mem::take(&mut field));
                was_quoted = false;
            }
            '\r' if characters.peek() == Some(&'\n') => {}
            '\n' => {
                end(&mut records, start, &mut fields, &mut field, was_quoted);
                was_quoted = false;
                line += 1;
                start = line;
            }
            _ if was_quoted => return Err(Malformed { line, message: "text follows a closing quote" }),
            '"' => return Err(Malformed { line, message: "a quote is in the middle of a field: quote all of it" }),
            other => field.push(other),
        }
    }
    end(&mut records, start, &mut fields, &mut field, was_quoted);
    Ok(records)
}

fn end(
    records: &mut Vec<(usize, Vec<String>)>,
    line: usize,
    fields: &mut Vec<String>,
    field: &mut String,
    was_quoted: bool,
) {
    if fields.is_empty() && field.is_empty() && !was_quoted {
        return;
    }
    fields.push(std::mem::take(field));
    records.push((line, std::mem::take(fields)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Vec<String>> {
        parse(text).unwrap().into_iter().map(|(_, fields)| fields).collect()
    }

    #[test]
    fn fields_are_read_as_rfc_4180_has_them() {
        let text = "\u{feff}a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n,\n\"\"";
        assert_eq!(parsed(text), [vec!["a", "b"], vec!["1", "x, \"y\"\nz"], vec!["", ""], vec![""]]);
        let lines: Vec<usize> = parse(text).unwrap().into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 2, 5, 6]);
        assert_eq!(parse("a\n\"b").unwrap_err().line, 2);
        assert!(parse("a\"b").is_err() && parse("\"a\"b").is_err());
    }

    proptest::proptest! {
        #[test]
        fn what_was_written_is_read(records in proptest::collection::vec(proptest::collection::vec("[ -~\n\"ä]{0,8}", 2..4), 0..5)) {
            let text: String = records.iter().map(|record| line(record) + "\n").collect();
            proptest::prop_assert_eq!(parsed(&text), records);
        }
    }
}
