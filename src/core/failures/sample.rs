//! Which lines of a long message tell what went wrong?
//!
//! Since kubelets fall back to the end of the log, a message may be eighty lines of it. What tells is near a stack
//! trace or says so itself; Python and Java say it last, Node and Rust first.

use std::borrow::Cow;

/// Most bytes of a message that are looked at, half from each end: a kubelet keeps 4,096, the API server may send more.
const LOOK_LIMIT: usize = 8_192;
/// Messages of these lengths in bytes begin in the middle of a line, most likely: a kubelet keeps the last 2,048 bytes
/// of a log and 4,096 of a termination message, and may have replaced broken characters.
const CUT_BYTES: [std::ops::RangeInclusive<usize>; 2] = [2_040..=2_060, 4_090..=4_110];
/// Stands for lines that are left out.
const GAP: &str = "…";

/// A message for people in at most `limit` characters: as it is if it fits, else the lines that tell and those nearest
/// to them.
pub fn sample(message: &str, limit: usize) -> String {
    let message = both_ends(message);
    if message.trim().chars().nth(limit).is_none() {
        return crate::text::cut(&message, limit);
    }
    let lines = lines_of(&message);
    let telling: Vec<usize> = (0..lines.len()).filter(|at| lines[*at].tells).collect();
    if telling.len() <= 1 {
        return crate::text::cut(&message, limit);
    }
    let distance = |at: usize| telling.iter().map(|other| other.abs_diff(at)).min().unwrap_or(usize::MAX);
    let mut by_distance: Vec<(usize, usize)> = (0..lines.len()).map(|at| (distance(at), at)).collect();
    by_distance.sort_unstable();
    let mut wanted = vec![false; lines.len()];
    let mut room = limit;
    for (distance, at) in by_distance {
        // A space, the gap and a space may come before a line.
        let size = lines[at].text.trim().chars().count() + 3;
        if distance > 0 && size > room {
            break;
        }
        room = room.saturating_sub(size);
        wanted[at] = true;
    }
    crate::text::cut(&join(&lines, |at| wanted[at], str::to_owned), limit)
}

/// What a message says apart from where, in at most `limit` characters, each line as `shape` makes it: without the
/// frames of stack traces; where that is too long, the lines that tell; of these both ends.
pub fn gist(message: &str, limit: usize, shape: impl Fn(&str) -> String) -> String {
    let message = both_ends(message);
    let lines = lines_of(&message);
    let outline = join(&lines, |at| !lines[at].is_frame, &shape);
    let telling = lines.iter().filter(|line| line.tells).count();
    // The last line always counts as telling; alone it is no better than what is before it.
    if outline.chars().nth(limit).is_none() || telling <= 1 {
        return crate::text::cut(&outline, limit);
    }
    crate::text::cut(&join(&lines, |at| lines[at].tells, &shape), limit)
}

struct Line<'a> {
    text: &'a str,
    /// Part of a stack trace: a place in the code.
    is_frame: bool,
    /// Looks as if it said what went wrong.
    tells: bool,
}

/// Both ends of a message that is longer than is looked at.
fn both_ends(message: &str) -> Cow<'_, str> {
    if message.len() <= LOOK_LIMIT {
        return Cow::Borrowed(message);
    }
    let half = LOOK_LIMIT / 2;
    let head = message.floor_char_boundary(half);
    let tail = message.ceil_char_boundary(message.len() - half);
    Cow::Owned(format!("{}{GAP}{}", &message[..head], &message[tail..]))
}

fn lines_of(message: &str) -> Vec<Line<'_>> {
    let lines = message.split(['\n', '\r']).map(without_time).filter(|line| !line.trim().is_empty());
    let mut texts: Vec<&str> = lines.collect();
    if CUT_BYTES.iter().any(|bytes| bytes.contains(&message.len())) && texts.len() > 2 {
        texts.remove(0);
    }
    let mut lines: Vec<Line<'_>> = Vec::with_capacity(texts.len());
    // How far the frame is indented that lines further in belong to.
    let mut frame_indent: Option<usize> = None;
    for text in texts {
        let indent = text.len() - text.trim_start().len();
        let is_head = is_frame(text);
        let is_frame = is_head || frame_indent.is_some_and(|outer| indent > outer);
        frame_indent = match frame_indent {
            Some(outer) if is_frame => Some(outer.min(indent)),
            _ => is_head.then_some(indent),
        };
        let follows = lines.last().is_some_and(|before| before.is_frame || before.text.contains("panicked at"));
        if is_frame && let Some(before) = lines.last_mut().filter(|before| !before.is_frame) {
            before.tells = true;
        }
        lines.push(Line { text, is_frame, tells: !is_frame && (follows || calls_itself_error(text)) });
    }
    if let Some(last) = lines.iter_mut().rev().find(|line| !line.is_frame) {
        last.tells = true;
    }
    lines
}

fn join(lines: &[Line<'_>], wanted: impl Fn(usize) -> bool, shape: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    let mut gap = false;
    for (at, line) in lines.iter().enumerate() {
        if !wanted(at) {
            gap = true;
            continue;
        }
        let separator = match (out.is_empty(), std::mem::take(&mut gap)) {
            (true, _) => "",
            (false, true) => &format!(" {GAP} "),
            (false, false) => " ",
        };
        out.push_str(separator);
        out.push_str(&shape(line.text.trim()));
    }
    out
}

/// A place in the code, as Python, Java, Node, .NET, Ruby, Go and Rust write them.
fn is_frame(line: &str) -> bool {
    const STARTS: &[&str] = &["at ", "File \"", "from ", "... ", "^", "~"];
    let text = line.trim_start();
    let is_numbered =
        || text.split_once(": ").is_some_and(|(n, _)| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    let is_indented = text.len() < line.len();
    is_indented && (STARTS.iter().any(|start| text.starts_with(start)) || text.contains(".go:") || is_numbered())
}

fn calls_itself_error(line: &str) -> bool {
    const WORDS: &[&str] = &[
        "abort",
        "aborted",
        "caused",
        "critical",
        "error",
        "exception",
        "failed",
        "fatal",
        "killed",
        "panic",
        "panicked",
    ];
    line.split(|c: char| !c.is_alphanumeric()).any(|word| {
        let is_word = WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
        is_word || word.ends_with("Error") || word.ends_with("Exception")
    })
}

/// A line without the time at its beginning, such as `2026-01-31T10:20:30.5Z` or `[31/Jan/2026 10:20:30,123]`; what
/// follows keeps its indentation.
fn without_time(line: &str) -> &str {
    let mut rest = line;
    while let Some((_, after)) = rest.split_once(' ').filter(|(word, _)| is_time(word)) {
        rest = after;
    }
    rest
}

fn is_time(word: &str) -> bool {
    let inner = word.trim_matches(['[', ']', '(', ')', ',']);
    let count = |mark: char| inner.chars().filter(|c| *c == mark).count();
    let digits = inner.chars().filter(char::is_ascii_digit).count();
    let is_date = digits >= 6 && (count('-') == 2 || count('/') == 2);
    let is_clock = digits >= 6 && count(':') >= 2;
    let is_letter_of_time = |c: char| !c.is_alphabetic() || matches!(c, 'T' | 'Z') || count('/') == 2;
    (is_date || is_clock) && inner.chars().all(is_letter_of_time)
}

#[cfg(test)]
#[path = "sample_tests.rs"]
mod tests;
