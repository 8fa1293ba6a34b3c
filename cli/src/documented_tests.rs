//! Every command line of this program that the documentation has is one that it takes.

use std::path::Path;

use clap::Parser;
use clap::error::ErrorKind;

use super::Cli;

/// All pages below a folder, and the README.
fn pages(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The words of a shell's command, up to what is not of it.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let line = line.split("  #").next().unwrap();
    for c in line.chars().chain([' ']) {
        match (quote, c) {
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), _) if c == open => quote = None,
            (None, '|' | ';' | '>' | '&') => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
                break;
            }
            (None, _) if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            _ => word.push(c),
        }
    }
    words
}

/// The command lines of a page: in its blocks, and between backticks.
fn lines(page: &str) -> Vec<String> {
    let (mut lines, mut prose, mut is_block) = (Vec::new(), String::new(), false);
    let joined = page.replace("\\\n", " ");
    for line in joined.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            lines.extend(line.find("kubectl maptask ").map(|at| line[at..].to_owned()));
        } else {
            prose += line.trim();
            prose.push(' ');
        }
    }
    let code = prose.split('`').skip(1).step_by(2);
    lines.extend(code.filter(|code| code.starts_with("kubectl maptask ")).map(str::to_owned));
    lines
}

#[test]
fn every_command_line_of_the_documentation_is_one_of_this_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut found = vec![std::fs::read_to_string(root.join("README.md")).unwrap()];
    pages(&root.join("docs"), &mut found);
    pages(&root.join("examples"), &mut found);
    let (mut count, mut wrong) = (0, Vec::new());
    for line in found.iter().flat_map(|page| lines(page)).filter(|line| !line.contains('…')) {
        // What stands for a number.
        let number = |word: String| if ["N", "INDEX"].contains(&word.as_str()) { "5".to_owned() } else { word };
        let words: Vec<String> = words(&line).into_iter().map(number).collect();
        count += 1;
        if let Err(error) = Cli::try_parse_from(&words[1..]) {
            // The name of a command alone, such as `kubectl maptask run`.
            let is_name = words.len() == 3 && error.kind() == ErrorKind::MissingRequiredArgument;
            wrong.extend((error.use_stderr() && !is_name).then(|| format!("{line}\n{error}")));
        }
    }
    assert!(count > 60 && wrong.is_empty(), "{count} command lines\n{}", wrong.join("\n"));
}
