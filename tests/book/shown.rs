//! No page shows a command or a manifest that no test runs.

use crate::blocks::{Block, RUN, blocks, pages, text};

/// Pages whose commands a test of their own compares with what they print.
const COMPARED: [(&str, &str); 2] =
    [("README.md", "tests/cluster/readme.rs"), ("docs/reference/cli.md", "tests/cluster/cli_docs.rs")];
/// Blocks that are neither a command nor a manifest.
const WORDS: [&str; 2] = ["", "json"];

/// Why nothing runs a block, if so.
fn problem(page: &str, block: &Block) -> Option<String> {
    if let Some(runner) = &block.run_by {
        let (file, test) = runner.split_once(": ").unwrap_or((runner, ""));
        let Ok(text) = std::fs::read_to_string(crate::path(file)) else {
            return Some(format!("{file} does not exist"));
        };
        let is_there = match block.language.as_str() {
            "yaml" if test.is_empty() => text.contains(&block.text),
            _ => test.is_empty() || text.contains(&format!("fn {test}(")),
        };
        return (!is_there).then(|| format!("{file} does not have {test:?}, or not this text"));
    }
    let is_run = RUN.contains(&page) || COMPARED.iter().any(|(compared, _)| *compared == page);
    match block.language.as_str() {
        // tests/cluster/pages.rs lets the API server check them, in all pages.
        "yaml" => None,
        "console" if is_run => None,
        word if WORDS.contains(&word) => None,
        word => Some(format!("nothing runs a block of {word:?} on this page")),
    }
}

#[test]
fn each_command_and_each_manifest_of_the_book_is_run_by_a_test() {
    let mut wrong = Vec::new();
    for page in pages() {
        for block in blocks(&text(&page)) {
            wrong.extend(problem(&page, &block).map(|problem| format!("{page}:{}: {problem}", block.line)));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}\nPut the page into RUN of tests/blocks/mod.rs and a test into tests/cluster/pages.rs, or say before the block \
         what runs it: <!-- run by FILE: TEST -->",
        wrong.join("\n")
    );
    for page in RUN {
        assert!(pages().iter().any(|there| there == page), "{page} does not exist");
    }
}

/// The file of each room has its box in the picture.
#[test]
fn the_picture_of_the_rooms_has_every_room_that_the_design_names() {
    let picture = crate::read("docs/pictures/rooms.svg");
    let floors = crate::read("src/core/rooms_tests.rs");
    let (_, rest) = floors.split_once("const FLOORS").unwrap();
    let (_, rest) = rest.split_once("= [").unwrap();
    let (list, _) = rest.split_once("];").unwrap();
    // What everybody imports would only be lines.
    let small = ["phases", "ranges", "quantity", "limits", "revision", "backoff", "ids"];
    for room in list.split('"').skip(1).step_by(2) {
        let is_drawn = picture.contains(&format!(">{room}<"));
        assert!(is_drawn != small.contains(&room), "{room} in docs/pictures/rooms.svg");
    }
}
