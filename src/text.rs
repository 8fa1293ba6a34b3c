//! Text from elsewhere, made fit for a status, an event or a log line.

/// At most `limit` characters of `text`, without control characters. A longer text keeps its beginning and, twice as
/// long, its end, since programs say last what they died of; a cut shows as `…`.
pub fn cut(text: &str, limit: usize) -> String {
    let printable = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    // No text is counted beyond what fits: it may be a megabyte.
    if printable.chars().nth(limit).is_none() {
        return printable.chars().map(clean).collect();
    }
    let Some(room) = limit.checked_sub(1) else { return String::new() };
    let head = room / 3;
    let end = printable.char_indices().rev().nth((room - head).saturating_sub(1)).map_or(0, |(at, _)| at);
    let tail = if room == head { "" } else { &printable[end..] };
    printable.chars().take(head).chain(['…']).chain(tail.chars()).map(clean).collect()
}

/// A length of time for people, in two units at most: `45s`, `3m12s`, `2h5m`, `3d4h`.
pub fn duration(seconds: u64) -> String {
    let two = |large: u64, unit: char, small: u64, small_unit: char| match small {
        0 => format!("{large}{unit}"),
        small => format!("{large}{unit}{small}{small_unit}"),
    };
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds}s"),
        (0, 0, minutes, seconds) => two(minutes, 'm', seconds, 's'),
        (0, hours, minutes, _) => two(hours, 'h', minutes, 'm'),
        (days, hours, ..) => two(days, 'd', hours, 'h'),
    }
}

#[cfg(test)]
mod tests {
    use super::{cut, duration};

    #[test]
    fn a_duration_has_two_units_at_most() {
        let all = [0, 59, 60, 192, 3_600, 7_500, 86_399, 86_400, 273_600, 31_536_000].map(duration);
        assert_eq!(all, ["0s", "59s", "1m", "3m12s", "1h", "2h5m", "23h59m", "1d", "3d4h", "365d"]);
    }

    #[test]
    fn short_text_stays_and_control_characters_go() {
        assert_eq!(cut(" a\nb\u{7} ", 10), "a b");
    }

    #[test]
    fn long_text_keeps_both_ends_and_is_cut_at_characters_not_bytes() {
        assert_eq!(cut("äöüß", 3), "…üß");
        assert_eq!(cut("äöü", 3), "äöü");
        assert_eq!(cut("beginning, middle and end", 13), "begi… and end");
        assert_eq!((cut("ab", 1), cut("ab", 0)), ("…".to_owned(), String::new()));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_to_its_limit(text in "\\PC{0,60}", limit in 0usize..70) {
            let short = cut(&text, limit);
            proptest::prop_assert!(short.chars().count() <= limit);
            proptest::prop_assert!(text.trim().chars().count() <= limit || limit == 0 || short.chars().count() == limit);
        }
    }
}
