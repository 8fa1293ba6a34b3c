//! Messages as programs leave them.

use super::*;
use crate::core::task::pattern::pattern;

fn lines(count: usize, line: impl Fn(usize) -> String) -> String {
    (0..count).map(line).collect()
}

/// A Python traceback through this many frames.
fn python(frames: usize, last: &str) -> String {
    let frame = |n: usize| {
        format!(
            "  File \"/opt/venv/lib/python3.12/site-packages/lib{n}/run.py\", line {n}, in inner\n    return function(*args)\n"
        )
    };
    let frames = lines(frames, frame);
    format!("Traceback (most recent call last):\n{frames}{last}\n")
}

fn java(cause: &str) -> String {
    let frames =
        |class: &str, count: usize| lines(count, |n| format!("\tat com.example.{class}.step{n}({class}.java:{n})\n"));
    format!(
        "Exception in thread \"main\" java.lang.RuntimeException: step failed\n{}Caused by: {cause}\n{}\t... 7 more\n",
        frames("Runner", 9),
        frames("Reader", 20)
    )
}

fn rust(message: &str) -> String {
    let frames = lines(20, |n| format!("  {n:2}: core::ops::call{n}\n             at /rustc/1/core/ops.rs:{n}:5\n"));
    format!(
        "thread 'main' panicked at src/main.rs:7:5:\n{message}\nstack backtrace:\n{frames}note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.\n"
    )
}

fn node(message: &str) -> String {
    let frames = lines(12, |n| format!("    at Module.load{n} (node:internal/modules/loader:{n}:10)\n"));
    format!("/app/index.js:3\n    throw new Error(x);\n    ^\n\nError: {message}\n{frames}\nNode.js v22.3.0\n")
}

fn go(message: &str) -> String {
    format!("panic: {message}\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/main.go:9 +0x1d\nexit status 2\n")
}

/// A log with a time before each line, and what is written to it at last.
fn log(before: usize, last: &str) -> String {
    let line = |n: usize| format!("2026-01-31T10:20:{:02}.5Z INFO step {n} of item-{n} has loss 0.{n}\n", n % 60);
    let last: Vec<&str> = last.lines().collect();
    let last = lines(last.len(), |n| format!("2026-01-31T10:30:00Z {}\n", last[n]));
    format!("{}{last}", lines(before, line))
}

fn assert_apart(make: impl Fn(&str) -> String) {
    let (disk, bucket) = (make("disk full"), make("no such bucket"));
    assert_ne!(pattern(&disk), pattern(&bucket), "{disk}");
    assert_eq!(pattern(&disk), pattern(&make("disk full")));
    for limit in [200, 400] {
        assert!(sample(&disk, limit).contains("disk full"), "{}", sample(&disk, limit));
        assert!(sample(&disk, limit).chars().count() <= limit);
    }
}

#[test]
fn stack_traces_that_differ_only_in_what_went_wrong_are_told_apart() {
    for frames in [1, 3, 30] {
        assert_apart(|words| python(frames, &format!("KeyError: '{words}'")));
        assert_apart(|words| python(frames, &format!("requests.Timeout: {words}")));
    }
    assert_apart(|words| java(&format!("java.io.IOException: {words}")));
    assert_apart(rust);
    assert_apart(node);
    assert_apart(go);
}

#[test]
fn what_was_logged_before_an_error_does_not_make_failures_differ() {
    let error = |before| log(before, "ERROR cannot open the store: disk full");
    assert_eq!(pattern(&error(40)), pattern(&error(60)));
    assert_apart(|words| log(40, &format!("ERROR cannot open the store: {words}")));
    assert_apart(|words| log(40, &python(5, &format!("KeyError: '{words}'"))));
    let cut = |before| error(before).split_off(error(before).len() - 2_048);
    assert_eq!(pattern(&cut(60)), pattern(&cut(63)), "wherever the kubelet cuts");
    assert_eq!(
        pattern(&log(0, &python(5, "KeyError: 'x'"))),
        pattern(&python(5, "KeyError: 'x'")),
        "times are left out"
    );
}

#[test]
fn a_log_whose_error_is_not_its_last_line_shows_it() {
    let text = format!("{}ERROR: disk full\n{}", log(20, ""), "closing a connection\n".repeat(30));
    assert!(sample(&text, 400).contains("ERROR: disk full"), "{}", sample(&text, 400));
    assert!(pattern(&text).contains("ERROR: disk full"), "{}", pattern(&text));
}

#[test]
fn a_sample_shows_the_place_in_the_code_where_there_is_room() {
    let text = python(30, "KeyError: 'language'");
    let shown = sample(&text, 400);
    assert!(
        shown.starts_with("Traceback (most recent call last):") && shown.ends_with("KeyError: 'language'"),
        "{shown}"
    );
    assert!(shown.contains("lib29/run.py"), "{shown}");
    assert_eq!(sample("one\ntwo", 400), "one two", "what fits is shown as it is");
    assert_eq!(pattern(&python(3, "KeyError: 'x'")), "Traceback (most recent call last): … KeyError: 'x'");
}

#[test]
fn an_address_at_the_beginning_of_a_line_is_no_time() {
    for (word, is) in [
        ("2026-01-31T10:20:30.5Z", true),
        ("[2026-01-31", true),
        ("10:20:30,123]", true),
        ("[31/Jan/2026:10:20:30", true),
        ("192.168.17.1", false),
        ("2001:db8::1234:5678", false),
        ("123e4567-e89b-12d3-a456-426614174000", false),
        ("1-2-3", false),
    ] {
        assert_eq!(is_time(word), is, "{word}");
    }
}

proptest::proptest! {
    #[test]
    fn any_message_has_a_sample_of_bounded_size(lines in proptest::collection::vec("[ \t]{0,3}(at |File \"|Error: )?\\PC{0,90}", 0..60)) {
        let message = lines.join("\n");
        proptest::prop_assert!(sample(&message, 200).chars().count() <= 200);
        proptest::prop_assert!(gist(&message, 200, str::to_owned).chars().count() <= 200);
    }
}
