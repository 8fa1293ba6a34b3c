//! The one place that makes text from elsewhere fit for a terminal: a message with control characters could rewrite
//! what the terminal shows, or run commands in some.

use std::borrow::Cow;

/// Stands for a control character.
const REPLACEMENT: char = '\u{fffd}';

/// The text without control characters: line breaks and tabs are spaces, others a mark. Also those that turn the
/// direction of writing.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_bad) { Cow::Owned(text.chars().map(replaced).collect()) } else { Cow::Borrowed(text) }
}

/// A line of a log without control characters: only codes of colours and tabs pass.
pub fn clean_log(line: &str) -> Cow<'_, str> {
    if !line.chars().any(is_bad) {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(character) = rest.chars().next() {
        if let Some(length) = colour_length(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        out.push(if character == '\t' { '\t' } else { replaced(character) });
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(out)
}

/// Bytes of the code for a colour that the text begins with.
fn colour_length(text: &str) -> Option<usize> {
    let body = text.strip_prefix("\x1b[")?;
    let digits = body.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    body[digits..].starts_with('m').then_some(digits + 3)
}

fn is_bad(character: char) -> bool {
    character.is_control() || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replaced(character: char) -> char {
    match character {
        '\n' | '\r' | '\t' => ' ',
        bad if is_bad(bad) => REPLACEMENT,
        good => good,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_never_reach_a_terminal() {
        assert_eq!(clean("plain ä"), "plain ä");
        assert_eq!(clean("a\x1b[2J\rb\nc\u{9b}d\u{202e}"), "a\u{fffd}[2J b c\u{fffd}d\u{fffd}");
    }

    #[test]
    fn of_a_log_only_colours_pass() {
        assert_eq!(clean_log("\x1b[1;31mred\x1b[0m\tx"), "\x1b[1;31mred\x1b[0m\tx");
        assert_eq!(clean_log("\x1b[2Jx\x1b]0;title\x07"), "\u{fffd}[2Jx\u{fffd}]0;title\u{fffd}");
        assert_eq!(clean_log("\x1b[31"), "\u{fffd}[31", "a code that is cut is none");
    }

    proptest::proptest! {
        #[test]
        fn what_was_cleaned_has_no_control_characters(text in ".*") {
            proptest::prop_assert!(!clean(&text).chars().any(char::is_control));
        }
    }
}
