//! What is the worker to do? From its command line and the variable that the operator sets.

use std::path::PathBuf;

use maptask_exchange::{CONFIG_VARIABLE, Config, ListConfig, RECORD_PATH, TOKEN_PATH};
use serde::de::DeserializeOwned;

/// How the worker is used, for people who call it wrongly.
pub const USAGE: &str =
    "usage: maptask-worker run [--token FILE] [--record FILE] [--cgroup DIRECTORY] -- COMMAND [ARG...]
       maptask-worker list [--token FILE] [--record FILE] -- COMMAND [ARG...]
       maptask-worker copy DIRECTORY

run   runs COMMAND for each item that the operator named in the variable MAPTASK_WORKER grants
list  runs COMMAND once, and carries the list that it writes to the operator
copy  copies this program into DIRECTORY, for containers that have no worker in their image";

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Task {
    /// Run the program for items.
    Run {
        /// Files outside of the configuration.
        paths: Paths,
        /// The program and its arguments, not empty.
        command: Vec<String>,
    },
    /// Run the program once for a list.
    List {
        /// Files outside of the configuration.
        paths: Paths,
        /// The program and its arguments, not empty.
        command: Vec<String>,
    },
    /// Copy this program into a directory.
    Copy(PathBuf),
    /// Prove that this program can be executed.
    Version,
}

/// Files that a cluster always has at the same place, and a test elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// The token that says which pod this is.
    pub token: PathBuf,
    /// The container's termination message.
    pub record: PathBuf,
    /// Where the files of the container's control group are.
    pub cgroup: PathBuf,
}

impl Default for Paths {
    fn default() -> Self {
        Self { token: TOKEN_PATH.into(), record: RECORD_PATH.into(), cgroup: "/sys/fs/cgroup".into() }
    }
}

/// Reads a command line without the program's name.
pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Task, String> {
    match args.next().as_deref() {
        Some("copy") => match (args.next(), args.next()) {
            (Some(directory), None) => Ok(Task::Copy(directory.into())),
            _ => Err("copy needs one directory".to_owned()),
        },
        Some("version") => Ok(Task::Version),
        Some(mode @ ("run" | "list")) => {
            let mut paths = Paths::default();
            loop {
                let option = args.next().ok_or_else(|| format!("{mode} needs -- and a command"))?;
                if option == "--" {
                    break;
                }
                let value = args.next().ok_or_else(|| format!("{option} needs a value"))?;
                match option.as_str() {
                    "--token" => paths.token = value.into(),
                    "--record" => paths.record = value.into(),
                    "--cgroup" => paths.cgroup = value.into(),
                    _ => return Err(format!("{option} is no option")),
                }
            }
            let command: Vec<String> = args.collect();
            if command.is_empty() {
                return Err(format!("{mode} needs a command after --"));
            }
            Ok(if mode == "run" { Task::Run { paths, command } } else { Task::List { paths, command } })
        }
        Some(other) => Err(format!("{other} is no command")),
        None => Err("a command is missing".to_owned()),
    }
}

/// Reads the configuration from its variable.
pub fn config() -> Result<Config, String> {
    let config: Config = read()?;
    check(config.version)?;
    Ok(config)
}

/// Reads the configuration of the pod of a list from its variable.
pub fn list_config() -> Result<ListConfig, String> {
    let config: ListConfig = read()?;
    check(config.version)?;
    Ok(config)
}

fn read<T: DeserializeOwned>() -> Result<T, String> {
    let text = std::env::var(CONFIG_VARIABLE).map_err(|_| {
        format!("the variable {CONFIG_VARIABLE} is not set: the operator sets it in the pods that it creates")
    })?;
    serde_json::from_str(&text).map_err(|error| format!("{CONFIG_VARIABLE}: {error}"))
}

fn check(version: u32) -> Result<(), String> {
    if version != 1 {
        return Err(format!(
            "{CONFIG_VARIABLE}: this worker speaks version 1 of the exchange, the operator version {version}: let the operator \
             inject its own worker, or put a worker of its version into the image"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Task, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_command_line_is_read_up_to_the_two_dashes() {
        let Ok(Task::Run { paths, command }) = parsed("run --record /r -- sh -c -- x") else { panic!() };
        assert_eq!(command, ["sh", "-c", "--", "x"]);
        assert_eq!(paths, Paths { record: "/r".into(), ..Paths::default() });
        assert_eq!(parsed("copy /there"), Ok(Task::Copy("/there".into())));
    }

    #[test]
    fn a_wrong_command_line_is_explained() {
        for (line, error) in [
            ("", "a command is missing"),
            ("walk", "walk is no command"),
            ("copy", "copy needs one directory"),
            ("run true", "true needs a value"),
            ("run --", "run needs a command after --"),
            ("run --x y --", "--x is no option"),
            ("list --", "list needs a command after --"),
        ] {
            assert_eq!(parsed(line), Err(error.to_owned()), "{line}");
        }
    }
}
