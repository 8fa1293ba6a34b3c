//! Text from elsewhere, made fit for a status, an event or a log line.

/// At most `limit` characters of `text`, without control characters; a cut shows as `…`.
pub fn cut(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len().min(limit));
    let printable = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let mut chars = printable.chars().map(|c| if c.is_control() { ' ' } else { c });
    for c in chars.by_ref().take(limit) {
        out.push(c);
    }
    if chars.next().is_some() {
        out.pop();
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn short_text_stays_and_control_characters_go() {
        assert_eq!(cut(" a\nb\u{7} ", 10), "a b");
    }

    #[test]
    fn long_text_is_cut_at_characters_not_bytes() {
        assert_eq!(cut("äöüß", 3), "äö…");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
