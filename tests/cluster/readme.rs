//! What the README shows is what its commands print.

use std::process::Stdio;

use crate::documented;
use crate::kubectl::{Namespace, program};
use crate::plugin::{maptask, timeless};
use crate::undisturbed;

/// Commands of the README with the lines that it shows after each.
fn shown() -> Vec<(String, Vec<String>)> {
    let (_, start) = include_str!("../../README.md").split_once("Run ten items").unwrap();
    let (start, _) = start.split_once("Without a cluster at hand").unwrap();
    let command = |text: &str| text.strip_prefix("kubectl ").unwrap_or_else(|| panic!("{text}")).to_owned();
    documented::shown(start).into_iter().map(|shown| (command(&shown.command), shown.lines)).collect()
}

/// A row of the table: phase, ended items, running items and the reason; the time is left out.
fn row(line: &str) -> Option<(&str, u32, u32, &str)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (done, reason) = match words.as_slice() {
        ["hello", _, done, _, "0", _] => (done, ""),
        ["hello", _, done, _, "0", reason, _] => (done, *reason),
        _ => return None,
    };
    Some((words[1], done.strip_suffix("/10")?.parse().ok()?, words[3].parse().ok()?, reason))
}

/// Whether the example can have this row: with a reason as long as items wait for their turn.
fn is_possible((phase, done, running, reason): (&str, u32, u32, &str)) -> bool {
    let expected = if done + running < 10 { "Concurrency" } else { "" };
    match phase {
        "Running" => done + running <= 10 && running <= 3 && reason == expected,
        _ => (phase, done, running, reason) == ("Succeeded", 10, 0, ""),
    }
}

#[test]
#[ignore = "needs a cluster: make test-cluster"]
fn the_readme_shows_what_its_commands_print() {
    let _undisturbed = undisturbed();
    let namespace = Namespace::new("readme");
    let shown = shown();
    let [apply, watch, wait, results] = shown.as_slice() else { panic!("{shown:?}") };
    let run = |command: &str| {
        let command = command.replace('\'', "");
        if let Some(plugin) = command.strip_prefix("maptask ") {
            let answer = maptask(&namespace, "", &plugin.split_whitespace().collect::<Vec<_>>());
            assert_eq!(answer.code, 0, "{answer:?}");
            return [answer.out, answer.err].concat();
        }
        namespace.kubectl(&command.split_whitespace().collect::<Vec<_>>())
    };
    assert_eq!(run(&apply.0).lines().collect::<Vec<_>>(), apply.1);
    let words = watch.0.split_whitespace();
    let mut kubectl = program("kubectl", "KUBECTL");
    let mut watching = kubectl.args(["-n", &namespace.0]).args(words).stdout(Stdio::piped()).spawn().unwrap();
    // What is said meanwhile begins with the time of day.
    let waited = timeless(&run(&wait.0));
    assert_eq!(waited.lines().last().unwrap(), timeless(&wait.1[0]), "{waited}");
    namespace.wait_for_end("hello");
    let printed = run(watch.0.strip_suffix(" --watch").unwrap());
    watching.kill().unwrap();
    let watched = String::from_utf8(watching.wait_with_output().unwrap().stdout).unwrap();

    let header = |text: &str| text.lines().next().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!((header(&printed), header(&watched)), (header(&watch.1[0]), header(&watch.1[0])));
    assert_eq!(printed.lines().nth(1).map(row), Some(row(watch.1.last().unwrap())), "{printed}");
    for line in &watch.1[1..] {
        assert!(row(line).is_some_and(is_possible), "the README shows {line:?}");
    }
    // The task may not have a status in the first row yet.
    let rows: Vec<_> = watched.lines().skip(1).filter_map(row).collect();
    assert!(rows.iter().any(|row| row.2 == 3 && is_possible(*row)), "{watched}");

    let listed = run(&results.0);
    let (dots, lines) = results.1.split_last().unwrap();
    assert_eq!((dots.as_str(), listed.lines().count()), ("...", 10));
    assert!(listed.lines().zip(lines).all(|(printed, shown)| printed == *shown), "{listed}");
}
