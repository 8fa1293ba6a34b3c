//! What do two messages have in common that differ only in what is of one item?

/// Most characters of a pattern: ten of them go into a status.
const PATTERN_LIMIT: usize = 200;

/// The message without its numbers, addresses, UUIDs and paths, and without the places in the code of a stack trace. It
/// is made before the message is cut, so that two that differ at their end are not alike.
pub(crate) fn pattern(message: &str) -> String {
    let shape = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    crate::text::cut(&crate::core::failures::sample::gist(message, PATTERN_LIMIT, shape), PATTERN_LIMIT)
}

/// A word between spaces: paths and addresses as a whole, else its numbers.
fn word(word: &str) -> String {
    const EDGES: &[char] = &['(', ')', '[', ']', '{', '}', '<', '>', '"', '\'', '`', ',', ';', ':', '.', '!', '?', '='];
    let inner = word.trim_matches(EDGES);
    let start = word.find(inner).unwrap_or(0);
    let (head, tail) = (&word[..start], &word[start + inner.len()..]);
    // `path=/a/b`, `file:/a/b`
    if let Some(cut) = inner.find(['=', ':']).filter(|cut| !inner[*cut + 1..].starts_with("//")) {
        let (key, value) = inner.split_at(cut + 1);
        return join(format!("{head}{}{}{tail}", numbers(key), part(value)));
    }
    join(format!("{head}{}{tail}", part(inner)))
}

/// `1.5e-3`, `10:20:30`, `1-2-3`, `10.0.0.7:443` and UUIDs are one number.
fn join(mut text: String) -> String {
    for joint in ["#.#", "#-#", "#e-#", "#e#", "#,#", "#:#"] {
        while text.contains(joint) {
            text = text.replace(joint, "#");
        }
    }
    text
}

fn part(text: &str) -> String {
    let is_path = text.matches('/').count() >= 2 || (text.starts_with('/') && text.len() > 1);
    if is_path { "…".to_owned() } else { numbers(text) }
}

/// Runs of digits, and of hexadecimal digits that hold one, as `#`.
fn numbers(text: &str) -> String {
    let text = &without_uuids(text);
    let mut out = String::new();
    for run in runs(text) {
        let is_hex = run.len() >= 6 && run.chars().all(|c| c.is_ascii_hexdigit());
        if run.chars().any(|c| c.is_ascii_digit()) && (is_hex || run.starts_with("0x")) {
            out.push('#');
        } else {
            let mut chars = run.chars().peekable();
            while let Some(c) = chars.next() {
                if c.is_ascii_digit() {
                    while chars.next_if(char::is_ascii_digit).is_some() {}
                    out.push('#');
                } else {
                    out.push(c);
                }
            }
        }
    }
    out
}

/// `123e4567-e89b-12d3-a456-426614174000` is the number 0.
fn without_uuids(text: &str) -> String {
    const LENGTH: usize = 36;
    let is_uuid = |part: &[u8]| {
        part.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
    };
    match text.as_bytes().windows(LENGTH).position(is_uuid) {
        Some(at) => format!("{}0{}", &text[..at], without_uuids(&text[at + LENGTH..])),
        None => text.to_owned(),
    }
}

/// Runs of letters and digits, and what is between them.
fn runs(text: &str) -> Vec<&str> {
    let mut runs = Vec::new();
    let mut start = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        let kind = c.is_alphanumeric();
        if last.is_some_and(|last| last != kind) {
            runs.push(&text[start..at]);
            start = at;
        }
        last = Some(kind);
    }
    runs.push(&text[start..]);
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_that_differ_only_in_numbers_addresses_uuids_or_paths_are_similar() {
        let alike = [
            ("loss is 0.731 at step 12", "loss is 12 at step 7000", "loss is # at step #"),
            ("at 0x7ffe12 in f", "at 0xdeadbeef00 in f", "at # in f"),
            ("dial tcp 10.0.0.7:443: refused", "dial tcp 192.168.17.1:8443: refused", "dial tcp #: refused"),
            ("no run 123e4567-e89b-12d3-a456-426614174000", "no run 99999999-0000-4444-8888-abcdefabcdef", "no run #"),
            ("open '/data/a b.png'", "open '/tmp/x/y b.png'", "open '… b.png'"),
            ("file=/a/b/c: gone", "file=/z/y: gone", "file=…: gone"),
            ("took 1.5e-3 s", "took 2 s", "took # s"),
            ("GET http://a/b: refused", "GET https://c.d/e: refused", "GET …: refused"),
            ("no /tmp here", "no /var here", "no … here"),
            ("a/b/c is gone", "d/e/f/g is gone", "… is gone"),
            ("commit deadbeef1 failed", "commit 0123abc failed", "commit # failed"),
        ];
        for (one, other, both) in alike {
            assert_eq!((pattern(one).as_str(), pattern(other).as_str()), (both, both));
        }
    }

    #[test]
    fn messages_that_differ_in_words_are_not() {
        assert_ne!(pattern("disk full"), pattern("disk gone"));
        assert_ne!(pattern("cafe closed"), pattern("beef closed"), "words of hexadecimal letters stay");
        assert_ne!(pattern("decade over"), pattern("facade over"), "also long ones");
        for (message, as_it_is) in [
            ("worker12 is gone", "worker# is gone"),
            ("e12 is gone", "e# is gone"),
            ("read / and and/or", "read / and and/or"),
        ] {
            assert_eq!(pattern(message), as_it_is);
        }
    }

    #[test]
    fn a_megabyte_is_no_more_work_than_its_two_ends() {
        let long = "x1 ".repeat(400_000);
        assert!(pattern(&long).chars().count() <= 200);
    }

    proptest::proptest! {
        #[test]
        fn any_message_has_a_pattern_of_bounded_size(message in "\\PC{0,300}") {
            proptest::prop_assert!(pattern(&message).chars().count() <= 200);
        }
    }
}
