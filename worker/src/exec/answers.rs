//! Which lines of a program are answers?

use std::borrow::Cow;

use maptask_exchange::MAX_RESULT_BYTES;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Longest line that is kept whole: the largest result, each byte of it escaped.
const MAX_LINE: usize = 8 * MAX_RESULT_BYTES;
/// Bytes of a longer line in which its index is looked for.
const HEAD: usize = 64;

/// What a program says of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It is done; the text of its result, if it has one.
    Result(Option<String>),
    /// It has failed.
    Error(String),
    /// The answer is longer than any result: how many bytes.
    TooLong(u64),
    /// It has an index and neither a result nor an error, or both.
    Malformed(String),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The item.
    pub index: u32,
    /// The attempt, if the program says it.
    pub attempt: Option<u32>,
    /// What it says.
    pub reply: Reply,
}

/// One line of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// An answer.
    Answer(Answer),
    /// Text for the log, with the end of its line if that was there.
    Stray(Vec<u8>),
}

/// Where answers are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// Descriptor 3: each line should be an answer.
    Answers,
    /// Stdout: a line is an answer only if it is exactly one.
    Stdout,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exact<'a> {
    index: u32,
    attempt: Option<u32>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Indexed {
    index: u32,
    attempt: Option<u32>,
}

/// `null` is a result, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Cuts what was read into lines.
#[derive(Debug)]
pub(super) struct Lines {
    from: From,
    partial: Vec<u8>,
    /// Bytes of a line that is too long to keep, whose head is in `partial`.
    overlong: Option<u64>,
}

impl Lines {
    /// Nothing was read.
    pub(super) const fn new(from: From) -> Self {
        Self { from, partial: Vec::new(), overlong: None }
    }

    /// Takes what was read.
    pub(super) fn push(&mut self, chunk: &[u8], said: &mut Vec<Said>) {
        for line in chunk.split_inclusive(|byte| *byte == b'\n') {
            let ends = line.ends_with(b"\n");
            if let Some(bytes) = &mut self.overlong {
                *bytes += line.len() as u64;
                if ends {
                    self.end_overlong(said);
                }
            } else if ends && self.partial.is_empty() {
                self.end(line, said);
            } else {
                self.partial.extend_from_slice(line);
                if ends {
                    let whole = std::mem::take(&mut self.partial);
                    self.end(&whole, said);
                    self.partial = whole;
                    self.partial.clear();
                } else if self.partial.len() > MAX_LINE {
                    self.overlong = Some(self.partial.len() as u64);
                    self.partial.truncate(HEAD);
                }
            }
        }
    }

    /// The program writes no more.
    pub(super) fn finish(&mut self, said: &mut Vec<Said>) {
        if self.overlong.is_some() {
            self.end_overlong(said);
        } else if !self.partial.is_empty() {
            let whole = std::mem::take(&mut self.partial);
            self.end(&whole, said);
        }
    }

    fn end_overlong(&mut self, said: &mut Vec<Said>) {
        let bytes = self.overlong.take().unwrap_or_default();
        let head = std::mem::take(&mut self.partial);
        let index = head.split(|byte| !byte.is_ascii_digit()).find(|digits| !digits.is_empty());
        let index = index.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        match index.filter(|_| begins_like_an_answer(&head)) {
            Some(index) => said.push(Said::Answer(Answer { index, attempt: None, reply: Reply::TooLong(bytes) })),
            None => said.push(Said::Stray(format!("(a line of {bytes} bytes is left out)\n").into_bytes())),
        }
    }

    fn end(&self, line: &[u8], said: &mut Vec<Said>) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if let Some(answer) = exact(text) {
            return said.push(Said::Answer(answer));
        }
        // Behind text that has no end, as a progress bar's.
        let starts = text.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
        for at in starts.filter(|at| begins_like_an_answer(&text[*at..])) {
            if let Some(answer) = exact(&text[at..]) {
                said.push(Said::Stray([&text[..at], b"\n"].concat()));
                return said.push(Said::Answer(answer));
            }
        }
        if self.from == From::Answers
            && let Ok(Indexed { index, attempt }) = serde_json::from_slice(text)
        {
            let shown = crate::log::end_of(&text[..text.len().min(200)], 200);
            let words =
                format!("the answer must have either \"result\" or \"error\", a text, and nothing else: {shown}");
            return said.push(Said::Answer(Answer { index, attempt, reply: Reply::Malformed(words) }));
        }
        said.push(Said::Stray(line.to_vec()));
    }
}

fn begins_like_an_answer(text: &[u8]) -> bool {
    text.strip_prefix(b"{").is_some_and(|inner| inner.trim_ascii_start().starts_with(b"\"index\""))
}

fn exact(text: &[u8]) -> Option<Answer> {
    if text.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    let Exact { index, attempt, result, error } = serde_json::from_slice(text).ok()?;
    let reply = match (result, error) {
        (Some(result), None) => Reply::Result(text_of(result)),
        (None, Some(error)) => Reply::Error(error.into_owned()),
        _ => return None,
    };
    Some(Answer { index, attempt, reply })
}

/// A string stands for its text, and null for no result, as with a file.
fn text_of(result: &RawValue) -> Option<String> {
    let text = result.get();
    if text == "null" {
        return None;
    }
    Some(serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(from: From, chunks: &[&[u8]]) -> Vec<Said> {
        let (mut lines, mut said) = (Lines::new(from), Vec::new());
        for chunk in chunks {
            lines.push(chunk, &mut said);
        }
        lines.finish(&mut said);
        said
    }

    fn answer(index: u32, reply: Reply) -> Said {
        Said::Answer(Answer { index, attempt: None, reply })
    }

    fn result(index: u32, text: &str) -> Said {
        answer(index, Reply::Result(Some(text.to_owned())))
    }

    fn stray(text: &str) -> Said {
        Said::Stray(text.as_bytes().to_vec())
    }

    #[test]
    fn a_line_that_is_exactly_an_answer_is_one() {
        let text = b"{\"index\":1,\"result\":\"a\\nb\"}\n{\"index\":2,\"result\":{\"x\":1.50}}\n{ \"index\" : 3, \"error\": \"no\"}\r\n\
            {\"index\":4,\"result\":null}";
        let expected = [
            result(1, "a\nb"),
            result(2, "{\"x\":1.50}"),
            answer(3, Reply::Error("no".to_owned())),
            answer(4, Reply::Result(None)),
        ];
        assert_eq!(said(From::Stdout, &[text]), expected);
        // However it is cut.
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(said(From::Stdout, &bytes), expected);
    }

    #[test]
    fn other_lines_of_stdout_are_log() {
        for line in [
            "loading\n",
            "{\"index\":1}\n",
            "{\"index\":1,\"result\":1,\"level\":\"info\"}\n",
            "{\"index\":1,\"result\":1,\"error\":\"both\"}\n",
            "{\"index\":-1,\"result\":1}\n",
            "{\"index\":1,\"result\":1} trailing\n",
            "[{\"index\":1,\"result\":1}]\n",
            "\n",
        ] {
            assert_eq!(said(From::Stdout, &[line.as_bytes()]), [stray(line)], "{line}");
        }
    }

    #[test]
    fn an_answer_behind_unterminated_text_is_found() {
        let text = b"50 % {x {\"index\":7,\"result\":{\"index\":8,\"result\":1}}\n";
        assert_eq!(said(From::Stdout, &[text]), [stray("50 % {x \n"), result(7, "{\"index\":8,\"result\":1}")]);
    }

    #[test]
    fn what_is_wrong_with_an_answer_on_its_own_descriptor_is_said() {
        let all = said(From::Answers, &[b"{\"index\":7,\"reslt\":1}\nnonsense\n"]);
        assert!(
            matches!(&all[0], Said::Answer(Answer { index: 7, reply: Reply::Malformed(words), .. }) if words.contains("reslt"))
        );
        assert_eq!(all[1], stray("nonsense\n"));
    }

    #[test]
    fn a_line_longer_than_any_result_is_not_kept() {
        let long = "x".repeat(MAX_LINE);
        let all =
            said(From::Stdout, &[b"{\"index\":7,\"result\":\"", long.as_bytes(), b"\"}\n{\"index\":8,\"result\":1}\n"]);
        let Said::Answer(Answer { index: 7, reply: Reply::TooLong(bytes), .. }) = all[0] else { panic!("{all:?}") };
        assert!(bytes > MAX_LINE as u64);
        assert_eq!(all[1], result(8, "1"));
        assert!(
            matches!(&said(From::Stdout, &[long.as_bytes(), b"yy", b"\n"])[0], Said::Stray(text) if text.len() < 100)
        );
    }
}
