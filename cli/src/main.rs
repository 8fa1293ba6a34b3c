//! The program `kubectl-maptask`, which kubectl finds as `kubectl maptask`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(maptask_cli::start(std::env::args_os()).code())
}
