//! Commands of the documentation, in a shell as a user has it, and what the documentation shows of their output.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::kubectl::{Namespace, kubectl};
use crate::plugin::{Answer, answer};

/// A shell in a folder of its own, whose kubectl finds its plugin and means this namespace.
pub struct Shell {
    pub folder: PathBuf,
}

impl Shell {
    pub fn new(namespace: &Namespace) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("maptask-shell-{}-{number}", std::process::id()));
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        for (name, variable) in [("kubectl", "KUBECTL"), ("kubectl-maptask", "KUBECTL_MAPTASK")] {
            // Without the variable it is on the PATH.
            if let Ok(program) = std::env::var(variable) {
                let program = std::fs::canonicalize(program).unwrap();
                std::os::unix::fs::symlink(program, folder.join("bin").join(name)).unwrap();
            }
        }
        let config = folder.join("kubeconfig");
        std::fs::write(&config, kubectl(&["config", "view", "--raw", "--minify", "--flatten"])).unwrap();
        let file = format!("--kubeconfig={}", config.display());
        kubectl(&["config", "set-context", "--current", &format!("--namespace={}", namespace.0), &file]);
        Self { folder }
    }

    /// Runs a command; its standard error comes with its output.
    pub fn run(&self, command: &str) -> Answer {
        let path = format!("{}:{}", self.folder.join("bin").display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("exec 2>&1; {command}")]).current_dir(&self.folder);
        answer(shell.env("PATH", path).env("KUBECONFIG", self.folder.join("kubeconfig")), "")
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// A command of a page, and the lines that it shows after it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The heading above it.
    pub section: String,
    /// The command, in one line, without what is said after `  #`.
    pub command: String,
    pub lines: Vec<String>,
}

/// All commands of the blocks of a page that are marked `console`.
pub fn shown(page: &str) -> Vec<Shown> {
    let (mut all, mut section, mut is_block, mut continues) = (Vec::<Shown>::new(), String::new(), false, false);
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if line.starts_with("```") {
            is_block = line == "```console";
        } else if is_block {
            let begin = line.strip_prefix("$ ");
            let text = begin.unwrap_or(line);
            let command = text.split("  #").next().unwrap().trim();
            if begin.is_some() {
                all.push(Shown { section: section.clone(), command: command.to_owned(), lines: Vec::new() });
            } else if continues {
                let last = &mut all.last_mut().unwrap().command;
                *last = format!("{}{command}", last.trim_end_matches('\\'));
            } else {
                all.last_mut().unwrap().lines.push(line.to_owned());
                continue;
            }
            continues = text.ends_with(['\\', '|']);
        }
    }
    all
}

/// The commands at the head of an example, `#   kubectl …`: the first of them, and those of later paragraphs.
pub fn commands_of(example: &str) -> (Vec<String>, Vec<String>) {
    let (mut first, mut later, mut is_later) = (Vec::new(), Vec::new(), false);
    for line in example.lines().map_while(|line| line.strip_prefix('#')) {
        if let Some(command) = line.strip_prefix("   ") {
            let command = command.split("  #").next().unwrap().trim().to_owned();
            if is_later { later.push(command) } else { first.push(command) }
        } else {
            is_later = !first.is_empty();
        }
    }
    (first, later)
}

#[test]
fn commands_of_a_page_and_of_an_example_are_found_with_their_output() {
    let page = "## A\n```console\n$ a \\\n    -b      # why\nout\n\n$ c\n```\n## B\n```yaml\n$ d\n```\n";
    let found = shown(page);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!((found[0].section.as_str(), found[0].command.as_str(), found[0].lines.len()), ("A", "a -b", 2));
    let example = "# Words.\n#\n#   a  # why\n#   b\n#\n# Later:\n#\n#   c\nspec:\n#   d\n";
    let (first, later) = commands_of(example);
    assert_eq!((first.join(" "), later.join(" ")), ("a b".to_owned(), "c".to_owned()));
}
