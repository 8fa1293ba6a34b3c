//! `kubectl maptask`: run, watch, explain and read MapTasks, with the user's own kubeconfig and rights.
//!
//! - [`read`] reads tasks, items, results and logs; it knows no terminal, so that another client can use it.
//! - [`terminal`] is what reaches the terminal or a pipe.
//! - [`commands`] has a file for each command; [`follow`] follows a task to its end.
//! - [`run`] makes manifests of options.
//! - [`ui`] serves a page.
//! - [`cluster`] is the kubeconfig, [`requests`] prints what is asked, [`error`] is what went wrong and the exit codes.

#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod app;
pub mod changes;
pub mod cluster;
pub mod commands;
pub mod csv;
pub mod error;
pub mod follow;
pub mod read;
pub mod requests;
pub mod run;
pub mod terminal;
pub mod ui;
pub mod view;

use std::ffi::OsString;

use clap::Parser;

use app::{App, OutputOptions, streams};
use cluster::ClusterOptions;
use commands::Command;
use error::{Exit, Failure};

/// Runs, watches, explains and reads MapTasks
#[derive(Parser, Clone, Debug)]
#[command(name = "kubectl-maptask", bin_name = "kubectl maptask", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    cluster: ClusterOptions,
    #[command(flatten)]
    output: OutputOptions,
}

/// Runs the program with these arguments, the name of the program first; its exit code.
pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let program = arguments.first().map(std::path::Path::new).and_then(std::path::Path::file_name);
    if program.is_some_and(|name| name == commands::completion::PROGRAM) {
        return commands::completion::answer(&arguments[1..]);
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help is what was asked for; a wrong command line is an error of use. Both go where clap says.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage } else { Exit::Done };
        }
    };
    let (_, talk) = streams(&cli.output);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(main(&cli));
            // A read of standard input must not keep the process.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::from(error)),
    };
    result.unwrap_or_else(|failure| {
        talk.failure(&failure);
        failure.exit
    })
}

async fn main(cli: &Cli) -> Result<Exit, Failure> {
    if let Command::Completion(args) = &cli.command {
        return commands::completion::run(args, &cli.output);
    }
    if let Command::Run(args) = &cli.command
        && args.is_offline()
    {
        return commands::run::offline(args, &cli.output);
    }
    let mut app = App::open(&cli.cluster, cli.output.clone()).await?;
    let result = cli.command.run(&mut app).await;
    let finished = app.out.finish();
    let exit = result?;
    finished?;
    Ok(exit)
}

#[cfg(test)]
mod documented_tests;

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_options_come_after_the_name() {
        Cli::command().debug_assert();
        for line in [
            "status a -n b",
            "list -A -w",
            "items a --phase failed -o wide",
            "items a --items 3,17-19",
            "results a --items 3",
            "rerun a --items 3,17-19",
            // The name of this option in earlier versions.
            "results a --index 3",
            "logs a 17 -f",
            "logs a --failed",
        ] {
            let words = ["kubectl-maptask"].into_iter().chain(line.split(' ')).map(OsString::from);
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "logs a",
            "logs a 1 --failed",
            "items a --phase lost",
            "items a --items x",
            "items a --index x",
            "items a --items 1 --index 2",
            "nothing",
            "run --count 3",
            "scale a",
            "cancel",
        ] {
            let words = ["kubectl-maptask"].into_iter().chain(line.split(' ')).map(OsString::from);
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
