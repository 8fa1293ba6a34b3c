//! `kubectl-maptask` as a user has it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::kubectl::{Namespace, program};

/// What a run of the program has said.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// Standard output of a run that was good.
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }
}

/// The program with the name that a test may call it by.
pub fn command() -> Command {
    program("kubectl-maptask", "KUBECTL_MAPTASK")
}

/// Runs it in the namespace, with this on standard input.
pub fn maptask(namespace: &Namespace, input: &str, args: &[&str]) -> Answer {
    // Options come before what follows `--`.
    let place = args.iter().position(|word| *word == "--").unwrap_or(args.len());
    let (options, rest) = args.split_at(place);
    answer(command().args(options).args(["-n", &namespace.0]).args(rest), input)
}

/// Runs a program to its end.
pub fn answer(command: &mut Command, input: &str) -> Answer {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kubectl-maptask is on the PATH, or in KUBECTL_MAPTASK");
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

/// The text with lengths of time replaced: `12 s`, `3 min`, `45s`, `3m12s` are all TIME.
pub fn timeless(text: &str) -> String {
    text.split_inclusive('\n').map(timeless_line).collect()
}

fn timeless_line(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(' ') {
        let bare = word.trim_end_matches([',', '\n', ':']);
        let is_unit = ["s", "min", "h"].contains(&bare);
        if is_unit && words.last().is_some_and(|last| last.parse::<u32>().is_ok()) {
            words.pop();
            words.push(word.replacen(bare, "TIME", 1));
        } else {
            words.push(word.to_owned());
        }
    }
    words.join(" ")
}
