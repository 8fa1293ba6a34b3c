//! Completion in the shell. kubectl asks a program `kubectl_complete-maptask` with the words so far; this is the same
//! program under that name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Command, CommandFactory, Parser};
use kube::api::ListParams;

use crate::Cli;
use crate::app::{OutputOptions, streams};
use crate::cluster::{ClusterOptions, Session};
use crate::error::{Exit, Failure};
use crate::read::Task;
use kube::ResourceExt;

/// The name that kubectl looks for.
pub const PROGRAM: &str = "kubectl_complete-maptask";
/// A cluster that does not answer must not hold up a shell.
const PATIENCE: Duration = Duration::from_secs(1);
/// Most names of tasks.
const MOST: u32 = 200;

/// Completion in the shell, by way of kubectl's own
#[derive(clap::Args, Clone, Debug)]
pub struct Args {
    #[command(subcommand)]
    command: What,
}

#[derive(clap::Subcommand, Clone, Debug)]
enum What {
    /// Makes the link kubectl_complete-maptask beside this program
    Install {
        /// Another directory of the PATH
        #[arg(long, value_name = "DIRECTORY")]
        directory: Option<PathBuf>,
    },
}

/// Runs it. Needs no cluster.
pub fn run(args: &Args, options: &OutputOptions) -> Result<Exit, Failure> {
    let What::Install { directory } = &args.command;
    let program = std::env::current_exe()?;
    let directory = directory.as_deref().or(program.parent()).unwrap_or(Path::new("."));
    let link = directory.join(PROGRAM);
    if link.is_symlink() {
        std::fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(&program, &link).map_err(|error| {
        Failure::new(format!("{}: {error}", link.display())).hint("choose another one: --directory")
    })?;
    let (mut out, talk) = streams(options);
    out.line(format!("{} links to {}", link.display(), program.display()))?;
    out.finish()?;
    talk.say("kubectl's own completion must be on: kubectl completion --help");
    Ok(Exit::Done)
}

/// Answers kubectl: the candidates, one a line, and `:4` for no names of files.
pub fn answer(words: &[OsString]) -> Exit {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (mut out, _) = streams(&OutputOptions::default());
    for candidate in candidates(&Cli::command(), &words, &names) {
        if out.data(&candidate).is_err() {
            return Exit::Done;
        }
    }
    let _ = out.data(":4");
    let _ = out.finish();
    Exit::Done
}

/// What the last word may become.
fn candidates(cli: &Command, words: &[String], names: &dyn Fn(&[String]) -> Vec<String>) -> Vec<String> {
    let (last, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut command = cli;
    let mut arguments = 0;
    let mut value_of: Option<&clap::Arg> = None;
    for word in before {
        if value_of.take().is_some() {
            continue;
        }
        if word == "--" {
            return Vec::new();
        }
        if word.starts_with('-') {
            value_of = takes_value(cli, command, word);
        } else if let Some(inner) = command.find_subcommand(word).filter(|_| arguments == 0) {
            command = inner;
        } else {
            arguments += 1;
        }
    }
    let mut found: Vec<String> = match value_of {
        Some(option) => option.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect(),
        None if last.starts_with('-') => options(cli, command),
        None if arguments == 0 && command.has_subcommands() => command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set())
            .map(|inner| inner.get_name().to_owned())
            .collect(),
        None if arguments == 0 && takes_name(command) => names(words),
        None => Vec::new(),
    };
    found.retain(|candidate| candidate.starts_with(last));
    found.sort();
    found
}

fn takes_value<'a>(cli: &'a Command, command: &'a Command, word: &str) -> Option<&'a clap::Arg> {
    let is_it = |option: &&clap::Arg| {
        option.get_long().is_some_and(|long| word == format!("--{long}"))
            || option.get_short().is_some_and(|short| word == format!("-{short}"))
    };
    let option = command.get_arguments().chain(cli.get_arguments()).find(is_it)?;
    (option.get_action().takes_values() && !option.is_require_equals_set()).then_some(option)
}

fn options(cli: &Command, command: &Command) -> Vec<String> {
    let all = command.get_arguments().chain(cli.get_arguments().filter(|option| option.is_global_set()));
    all.filter_map(|option| option.get_long().map(|long| format!("--{long}"))).collect()
}

/// Whether the first argument is the name of a task that exists.
fn takes_name(command: &Command) -> bool {
    let has_name =
        |argument: &clap::Arg| argument.is_positional() && matches!(argument.get_id().as_str(), "name" | "names");
    command.get_name() != "run" && command.get_arguments().any(has_name)
}

/// The names of tasks, for the cluster and the namespace that the words so far name. Nothing, if anything goes wrong.
fn names(words: &[String]) -> Vec<String> {
    #[derive(Parser)]
    #[command(ignore_errors = true, disable_help_flag = true)]
    struct Known {
        #[command(flatten)]
        cluster: ClusterOptions,
        #[arg(trailing_var_arg = false)]
        _rest: Vec<String>,
    }
    let line = ["x".to_owned()].into_iter().chain(words.iter().filter(|word| !word.is_empty()).cloned());
    let Ok(known) = Known::try_parse_from(line) else { return Vec::new() };
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let list = async {
        // Completion prints nothing but candidates.
        let (_, silent) = streams(&OutputOptions { quiet: true, ..OutputOptions::default() });
        let session = Session::open(&known.cluster, silent).await.ok()?;
        let found = session.api::<Task>().list_metadata(&ListParams::default().limit(MOST)).await.ok()?;
        Some(found.items.iter().map(ResourceExt::name_any).collect())
    };
    let found = runtime.block_on(async { tokio::time::timeout(PATIENCE, list).await });
    runtime.shutdown_background();
    found.ok().flatten().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        candidates(&Cli::command(), &words, &|_| vec!["embed".to_owned(), "etl".to_owned()])
    }

    #[test]
    fn commands_names_options_and_values_are_completed() {
        assert_eq!(complete("res"), ["results", "resume"]);
        assert_eq!(complete("status e"), ["embed", "etl"]);
        assert_eq!(complete("status -n team em"), ["embed"]);
        assert_eq!(complete("status --wa"), ["--watch"]);
        assert_eq!(complete("status embed --name"), ["--namespace"]);
        assert_eq!(complete("items embed -o js"), ["json", "jsonl"]);
        assert_eq!(
            complete("cache "),
            ["clear", "help", "list"].into_iter().filter(|w| *w != "help").collect::<Vec<_>>()
        );
        assert_eq!(complete("status embed "), [""; 0]);
        assert_eq!(complete("run "), [""; 0], "its name is a new one");
        assert_eq!(complete("run x -- e"), [""; 0]);
    }
}
