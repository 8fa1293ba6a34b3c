//! What the pages of the documentation show as code: manifests, parts of them, commands.

use std::path::{Path, PathBuf};

/// Pages whose commands a test of the cluster runs, one after the other: `tests/cluster/pages.rs` has a test for each.
pub const RUN: [&str; 14] = [
    "docs/guides/cache.md",
    "docs/guides/concurrency.md",
    "docs/guides/failures.md",
    "docs/guides/files.md",
    "docs/guides/gpus.md",
    "docs/guides/indexed-job.md",
    "docs/guides/inputs.md",
    "docs/guides/reduce.md",
    "docs/guides/rerun.md",
    "docs/guides/restricted.md",
    "docs/guides/results.md",
    "docs/guides/waiting.md",
    "docs/guides/workers.md",
    "docs/quickstart.md",
];

/// A block of code of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The number of its first line, from 1.
    pub line: usize,
    /// The word after the fence.
    pub language: String,
    pub text: String,
    /// What `<!-- run by … -->` in the line before says.
    pub run_by: Option<String>,
}

impl Block {
    /// Whether it is a whole object and not a part of a spec.
    pub fn is_object(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("apiVersion: "))
    }
}

/// The blocks of a page.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut all, mut before, mut open) = (Vec::new(), "", None::<Block>);
    for (number, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(language)) => {
                let run_by = before.strip_prefix("<!-- run by ").and_then(|rest| rest.strip_suffix(" -->"));
                open = Some(Block {
                    line: number + 2,
                    language: language.to_owned(),
                    text: String::new(),
                    run_by: run_by.map(str::to_owned),
                });
            }
            (Some(_), Some(_)) => all.extend(open.take()),
            (Some(block), None) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
        before = line;
    }
    all
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned());
        }
    }
}

/// All pages, by their paths in the repository.
pub fn pages() -> Vec<String> {
    let mut found = vec!["README.md".to_owned(), "examples/README.md".to_owned()];
    walk(&root().join("docs"), &mut found);
    found.sort();
    found
}

/// The text of a page.
pub fn text(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

#[test]
fn blocks_are_found_with_what_runs_them() {
    let page = "a\n```yaml\nx: 1\n```\n\n<!-- run by scripts/x.sh -->\n```console\n$ b\n```\n";
    let found = blocks(page);
    assert_eq!((found[0].line, found[0].language.as_str(), found[0].text.as_str()), (3, "yaml", "x: 1\n"));
    assert_eq!(found[1].run_by.as_deref(), Some("scripts/x.sh"));
    assert!(!found[0].is_object() && found[0].run_by.is_none());
}
