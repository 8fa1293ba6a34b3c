//! The worker of `MapTask` pods.

use std::process::ExitCode;

use maptask_worker::settings::{self, Task, USAGE};
use maptask_worker::{copy, list, work};

fn main() -> ExitCode {
    match settings::parse(std::env::args().skip(1)) {
        Err(error) => say(&format!("{error}\n\n{USAGE}"), 2),
        Ok(Task::Version) => ExitCode::SUCCESS,
        Ok(Task::Copy(directory)) => match copy::copy_into(&directory) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => say(&error, 1),
        },
        Ok(Task::Run { paths, command }) => match settings::config() {
            Ok(config) => ExitCode::from(u8::try_from(work(config, &command, paths).code).unwrap_or(1)),
            Err(error) => say(&error, 1),
        },
        Ok(Task::List { paths, command }) => match settings::list_config() {
            Ok(config) => ExitCode::from(u8::try_from(list::list(&config, &command, paths)).unwrap_or(1)),
            Err(error) => say(&error, 1),
        },
    }
}

fn say(error: &str, code: u8) -> ExitCode {
    eprintln!("maptask-worker: {error}");
    ExitCode::from(code)
}
