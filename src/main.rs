//! Starts the operator, prints its CRD, or tests an installation.

use clap::Parser;
use maptask::args::{Cli, Command};
use maptask::serve::logs;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

// One thread: what the operator does is mostly to pass small messages on, and between threads each would cost more to
// hand over than to handle (docs/benchmarks.md).
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Cli { command, run } = Cli::parse();
    match command {
        Some(Command::Crd) => {
            print!("{}", serde_yaml::to_string(&maptask::api::crd())?);
            return Ok(());
        }
        Some(Command::SelfTest(args)) => {
            println!("{}", maptask::self_test::run(&args).await?);
            return Ok(());
        }
        Some(Command::Run) | None => {}
    }
    logs::start(run.log_format, &run.log_level)?;
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopping = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    });
    Ok(maptask::operator::run(run, stop).await?)
}
