//! The floors of the core: what may import what.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top down. A room imports only rooms that stand further down this list.
const FLOORS: [&str; 28] = [
    "fleet",
    "task",
    "solo",
    "run",
    "record",
    "attempts",
    "pods",
    "workers",
    "admission",
    "port",
    "spec",
    "blueprint",
    "failures",
    "cache",
    "items",
    "results",
    "attempt_end",
    "workload",
    "pod",
    "phases",
    "queue",
    "ranges",
    "quantity",
    "limits",
    "exchange_address",
    "revision",
    "backoff",
    "ids",
];

/// Rooms that know nothing of each other though one stands above the other.
const APART: [(&str, &str); 7] = [
    ("attempts", "pods"),
    ("attempts", "workers"),
    ("pods", "workers"),
    ("pods", "spec"),
    ("record", "pods"),
    ("pods", "items"),
    ("pods", "phases"),
];

/// All files of a folder, and of the folders in it.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return vec![folder.with_extension("rs")] };
    let inner = |path: PathBuf| if path.is_dir() { paths(&path) } else { vec![path] };
    entries.flat_map(|entry| inner(entry.unwrap().path())).collect()
}

/// The files of a room without its tests, with their text.
fn files(room: &str) -> Vec<(String, String)> {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/core");
    let named = paths(&core.join(room)).into_iter();
    let named = named.map(|path| (path.strip_prefix(&core).unwrap().to_string_lossy().into_owned(), path));
    let is_code = |name: &str| name.strip_suffix(".rs").is_some_and(|stem| !stem.ends_with("tests"));
    named
        .filter(|(name, _)| is_code(name) && !name.contains("/tests"))
        .map(|(name, path)| {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("\n#[cfg(test)]\nmod tests").next().unwrap_or_default().to_owned();
            (name, code)
        })
        .collect()
}

#[test]
fn the_files_of_a_room_are_found_whatever_folder_they_are_in() {
    let names = |room| files(room).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names("limits"), ["limits.rs"]);
    assert!(names("items").contains(&"items/source/config_map.rs".to_owned()));
    assert!(!names("fleet").iter().any(|name| name.contains("tests")));
}

/// The rooms that a text names.
fn imports(text: &str) -> Vec<&str> {
    let rest = text.split("crate::core::").skip(1);
    rest.map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()).collect()
}

#[test]
fn every_room_has_its_floor() {
    let declared = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    let mut floors = FLOORS.to_vec();
    floors.sort_unstable();
    assert_eq!(declared.collect::<Vec<_>>(), floors);
}

#[test]
fn rooms_import_only_what_is_below_them() {
    let floor = |room: &str| FLOORS.iter().position(|name| *name == room);
    for room in FLOORS {
        for (file, text) in files(room) {
            for import in imports(&text).into_iter().filter(|import| *import != room) {
                let below = floor(import).unwrap_or_else(|| panic!("{file} imports {import}, which has no floor"));
                assert!(
                    Some(below) > floor(room),
                    "{file} imports {import}, which is above it: see docs/architecture/design.md"
                );
                assert!(!APART.contains(&(room, import)), "{file} imports {import}: they know nothing of each other");
            }
        }
    }
}

#[test]
fn pods_know_no_items() {
    for (file, text) in files("pods") {
        assert!(!text.contains("Index"), "{file} names an Index: what a pod runs is known to `run`");
    }
}

#[test]
fn files_of_a_task_join_rooms_and_define_nothing_themselves() {
    let defines = |line: &&str| {
        let code = line.trim_start_matches("pub ").trim_start_matches("pub(super) ");
        ["struct ", "enum ", "trait ", "impl "].iter().any(|word| code.starts_with(word)) && code != "impl Task {"
    };
    for (file, text) in files("task").into_iter().filter(|(file, _)| file != "task/mod.rs") {
        let found = text.lines().find(defines);
        assert_eq!(found, None, "{file}: a part with rules of its own belongs into a room below");
    }
}

/// Lines of code in the longest function of a text, and its first line.
fn longest_function(text: &str) -> (usize, &str) {
    let mut longest = (0, "");
    let mut open: Option<(usize, usize, &str)> = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        let code = line.trim_start();
        match open {
            Some((at, count, head)) if indent == at && code.starts_with('}') => {
                longest = longest.max((count, head));
                open = None;
            }
            Some((at, count, head)) if !code.is_empty() && !code.starts_with("//") => {
                open = Some((at, count + 1, head));
            }
            None if code.trim_start_matches("pub ").trim_start_matches("pub(super) ").starts_with("fn ") => {
                open = Some((indent, 0, code));
            }
            _ => {}
        }
    }
    longest
}

/// The arguments of a call, from behind its bracket.
fn arguments(code: &str) -> Vec<String> {
    let (mut depth, mut found) = (0, vec![String::new()]);
    for char in code.chars() {
        match char {
            ')' if depth == 0 => break,
            ',' if depth == 0 => found.push(String::new()),
            _ => {
                depth += i32::from("([{".contains(char)) - i32::from(")]}".contains(char));
                found.last_mut().unwrap().push(char);
            }
        }
    }
    found
}

/// Whether a call to a function of ours in this line of code passes `true` or `false` as it is.
fn passes_bare_bool(line: &str) -> bool {
    const OF_LIBRARY: [&str; 5] = ["unwrap_or", "map_or", "send_replace", "replace", "repeat"];
    line.match_indices('(').any(|(at, _)| {
        let name = line[..at].rsplit(|char: char| !char.is_ascii_lowercase() && char != '_').next().unwrap();
        let is_ours = !name.is_empty() && !OF_LIBRARY.contains(&name) && !line.trim_start().starts_with("//");
        is_ours && arguments(&line[at + 1..]).iter().any(|argument| matches!(argument.trim(), "true" | "false"))
    })
}

#[test]
fn no_call_passes_a_bare_true_or_false() {
    for room in FLOORS {
        for (file, text) in files(room) {
            let bare = text.lines().find(|line| passes_bare_bool(line));
            assert_eq!(bare, None, "{file}: give the parameter a type whose values have names");
        }
    }
}

#[test]
fn no_function_is_longer_than_forty_lines() {
    for room in FLOORS {
        for (file, text) in files(room) {
            let (lines, head) = longest_function(&text);
            assert!(lines <= 40, "{file}: {head} has {lines} lines");
        }
    }
}
