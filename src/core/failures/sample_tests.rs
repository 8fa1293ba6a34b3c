//! Messages as programs leave them.

use super::*;
use crate::core::failures::pattern::pattern;

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
fn stack_traces_that_differ_only_in_the_error_are_in_different_groups() {
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
fn log_lines_before_an_error_do_not_make_failures_differ() {
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
fn a_place_in_the_code_is_indented_and_begins_as_languages_write_it() {
    for (line, is) in [
        ("    at Module.load (loader:1:10)", true),
        ("  File \"/app/x.py\", line 1, in run", true),
        ("\tfrom x.rb:7:in `run'", true),
        ("\t... 7 more", true),
        ("\t/app/main.go:9 +0x1d", true),
        ("   3: core::ops::call", true),
        ("at last", false),
        ("3: not indented", false),
        ("  key: value", false),
        ("  3b: value", false),
        ("  : value", false),
        ("  value", false),
    ] {
        assert_eq!(is_frame(line), is, "{line}");
    }
}

/// The lines of a message that tell, and those that are places in the code.
fn kinds(message: &str) -> (Vec<&str>, Vec<&str>) {
    let lines = lines_of(message);
    let of = |wanted: fn(&Line<'_>) -> bool| {
        lines.iter().filter(|line| wanted(line)).map(|line| line.text.trim()).collect::<Vec<_>>()
    };
    (of(|line| line.tells), of(|line| line.is_frame))
}

#[test]
fn what_is_said_before_and_after_a_place_in_the_code_tells_and_what_belongs_to_it_does_not() {
    assert_eq!(
        kinds("start\nsaid\n  at f\n  lost\nend"),
        (vec!["said", "lost", "end"], vec!["at f"]),
        "as far in as a frame"
    );
    assert_eq!(kinds("said\n  at f\n    a\n    b\n  at g\nend").1, ["at f", "a", "b", "at g"]);
    assert_eq!(kinds("said\n    at f\n  at g\n   a\nend").1, ["at f", "at g", "a"], "further in than the outermost");
    assert_eq!(kinds("said\n  at f\nthen\n detail\nend"), (vec!["said", "then", "end"], vec!["at f"]));
    assert_eq!(kinds("thread panicked at x.rs:1\nwords\nnote\nend").0, ["thread panicked at x.rs:1", "words", "end"]);
    assert_eq!(kinds("one\ntwo\n\n  at f\n"), (vec!["two"], vec!["at f"]), "the last one is no place");
}

#[test]
fn the_first_line_is_left_out_only_where_a_kubelet_has_cut_it() {
    let message = |lines: usize, bytes: usize| {
        let short = "line\n".repeat(lines - 1);
        format!("{}\n{short}", "x".repeat(bytes - 1 - short.len()))
    };
    for (lines, bytes, left) in
        [(4, 2_048, 3), (3, 2_048, 2), (2, 2_048, 2), (1, 2_048, 1), (4, 2_000, 4), (4, 4_100, 3)]
    {
        let message = message(lines, bytes);
        assert_eq!((message.len(), lines_of(&message).len()), (bytes, left), "{lines} lines of {bytes} bytes");
    }
}

#[test]
fn of_a_message_that_is_longer_than_is_looked_at_both_ends_are_left() {
    let (head, tail) = ("a".repeat(4_096), "z".repeat(4_096));
    assert_eq!(both_ends(&format!("{head}{tail}")), format!("{head}{tail}"));
    assert_eq!(both_ends(&format!("{head}middle{tail}")), format!("{head}…{tail}"));
}

#[test]
fn lines_that_tell_are_shown_before_all_others_and_those_as_far_as_there_is_room() {
    let (close, far) = ("c".repeat(80), "d".repeat(50));
    let text = format!("ERROR a\n{close}\n{far}\nlast");
    assert_eq!(sample(&text, 100), format!("ERROR a {close} … last"));
    assert_eq!(sample(&text, 99), "ERROR a … last", "a line is shown whole or not at all");
    let long = format!("ERROR {}\n{far}\nlast", "e".repeat(300));
    let shown = sample(&long, 200);
    assert!(shown.starts_with("ERROR eee") && shown.ends_with("… last"), "{shown}");
    assert_eq!(
        gist("one\nERROR two\nthree", 200, str::to_owned),
        "one ERROR two three",
        "a message that fits is unchanged"
    );
    let plain = gist(&format!("first\n{}last", "words\n".repeat(90)), 200, str::to_owned);
    assert!(plain.starts_with("first words") && plain.ends_with("words last"), "{plain}");
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
