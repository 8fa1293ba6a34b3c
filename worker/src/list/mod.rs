//! How does a list get from a program to the operator? The program runs once; what it writes is collected, checked and
//! compressed here, and sent only when all of it is there.

mod beat;
mod collector;
mod send;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use maptask_exchange::variables::RESULT;
use maptask_exchange::{CONFIG_VARIABLE, ITEMS_FILE, ListConfig, ListFormat};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use crate::exec::Scratch;
use crate::reaper::{Exit, Reaper, signal_group};
use crate::settings::Paths;
pub use collector::{Collector, List, NoList, Piece};

/// Bytes that are read at once.
const CHUNK: usize = 64 << 10;
/// How long the pipe is read after the program has ended.
const DRAIN: Duration = Duration::from_secs(2);
/// Of the pod's grace period, this is for the list after the program is killed.
const FOR_LIST: Duration = Duration::from_secs(5);
/// Longest message that a kubelet keeps.
const MAX_MESSAGE: usize = 4_096;
/// What a shell answers for a command that does not exist.
const NOT_FOUND: i32 = 127;

/// Runs the program once and carries its list to the operator. Returns the exit code.
pub fn list(config: &ListConfig, command: &[String], paths: Paths) -> i32 {
    let record = std::env::var_os(RESULT).map_or_else(|| paths.record.clone(), Into::into);
    let runtime = Builder::new_current_thread().enable_all().build();
    let result = match runtime {
        Ok(runtime) => LocalSet::new().block_on(&runtime, run(config, command, paths)),
        Err(error) => Err((1, format!("the worker can't start: {error}"))),
    };
    match result {
        Ok(code) => code,
        Err((code, message)) => {
            eprintln!("maptask-worker: {message}");
            let end = message.floor_char_boundary(MAX_MESSAGE);
            // Without it, the end of the log says the same.
            _ = std::fs::write(record, &message[..end]);
            code
        }
    }
}

/// What is collected while the program runs.
type Shared = Arc<Mutex<Option<Result<Collector, NoList>>>>;

async fn run(config: &ListConfig, command: &[String], paths: Paths) -> Result<i32, (i32, String)> {
    let failed = |message: String| (1, message);
    let system = |error: io::Error| failed(format!("the worker can't start: {error}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(system)?;
    if std::process::id() != 1 {
        set_child_subreaper(true).map_err(|errno| system(errno.into()))?;
    }
    let reaper = Reaper::start().map_err(system)?;
    let scratch = Scratch::new(std::env::var("TMPDIR").ok().as_deref(), &format!("list-{}", std::process::id()));
    let scratch = scratch.map_err(|error| failed(format!("no directory for {ITEMS_FILE}: {error}")))?;
    let file = scratch.directory().join("items");
    let (leader, stdout) = start(command, &file)?;
    let ended = reaper.watch(leader);
    let shared: Shared = Arc::new(Mutex::new(Some(Ok(Collector::new(config.format)))));
    let mut reading = Reading::start(stdout, &shared).map_err(system)?;
    let grace = Duration::from_secs(config.grace_seconds);
    let mut stop_at = None;
    let exit = tokio::select! {
        exit = reading.wait(leader, ended, &file, &mut stop_at, grace, &mut terminate) => exit,
        never = beat::beat(config, paths.clone()) => match never {},
    };
    if exit.code != 0 {
        let too_much = reading.too_much.take().filter(|_| !file.exists());
        return too_much.map_or(Ok(exit.code), |words| Err(failed(words)));
    }
    _ = timeout(DRAIN, &mut reading.done).await;
    let collected = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    let list = if file.exists() { read(&file, config.format) } else { finish(collected) };
    let list = list.map_err(|error| failed(format!("no list of items: {}", error.words())))?;
    let sent = send::send(config, paths, Rc::new(list));
    let until = async {
        if stop_at.is_none() {
            terminate.recv().await;
            stop_at = Some(Instant::now() + grace.saturating_sub(Duration::from_secs(1)));
        }
        if let Some(stop_at) = stop_at {
            sleep_until(stop_at).await;
        }
    };
    tokio::select! {
        sent = sent => sent.map(|()| 0).map_err(failed),
        () = until => Err((143, "the grace period was over before the list was sent".to_owned())),
    }
}

/// Starts the program, in a process group of its own.
fn start(command: &[String], file: &Path) -> Result<(Pid, ChildStdout), (i32, String)> {
    let (program, args) = command.split_first().ok_or_else(|| (1, "no command".to_owned()))?;
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
    command.env(ITEMS_FILE, file).env_remove(CONFIG_VARIABLE);
    let mut child = command.spawn().map_err(|error| (NOT_FOUND, format!("exec {program}: {error}")))?;
    let leader = Pid::from_raw(i32::try_from(child.id()).unwrap_or_default());
    let stdout = child.stdout.take().ok_or_else(|| (1, "the program has no stdout".to_owned()))?;
    Ok((leader, stdout))
}

/// A program's stdout, which a thread reads.
struct Reading {
    /// The pipe is closed.
    done: oneshot::Receiver<()>,
    full: mpsc::Receiver<String>,
    too_much: Option<String>,
}

impl Reading {
    fn start(stdout: ChildStdout, shared: &Shared) -> io::Result<Self> {
        let (is_done, done) = oneshot::channel();
        // It is said once: nothing is collected after it.
        let (is_full, full) = mpsc::sync_channel(1);
        let shared = Arc::clone(shared);
        thread::Builder::new().name("stdout".to_owned()).spawn(move || {
            pump(stdout, &shared, &is_full);
            // Nobody may wait for it any more.
            _ = is_done.send(());
        })?;
        Ok(Self { done, full, too_much: None })
    }

    /// Waits for the end of the program, which is stopped if it writes too much, or if this process is to end.
    async fn wait(
        &mut self,
        leader: Pid,
        mut ended: oneshot::Receiver<Exit>,
        file: &Path,
        stop_at: &mut Option<Instant>,
        grace: Duration,
        terminate: &mut tokio::signal::unix::Signal,
    ) -> Exit {
        let mut kill_at = None;
        loop {
            let look = sleep(Duration::from_millis(200));
            tokio::select! {
                exit = &mut ended => return exit.unwrap_or(Exit { code: 137 }),
                _ = terminate.recv() => {
                    signal_group(leader, Signal::SIGTERM);
                    stop_at.get_or_insert(Instant::now() + grace.saturating_sub(Duration::from_secs(1)));
                    kill_at.get_or_insert(Instant::now() + grace.saturating_sub(FOR_LIST).max(grace / 2));
                }
                () = look => {}
            }
            if self.too_much.is_none() {
                self.too_much = self.full.try_recv().ok().filter(|_| !file.exists());
                if self.too_much.is_some() {
                    signal_group(leader, Signal::SIGKILL);
                }
            }
            if kill_at.is_some_and(|at: Instant| at <= Instant::now()) {
                signal_group(leader, Signal::SIGKILL);
            }
        }
    }
}

/// Passes what the program writes to the log, and into the list as long as it is one.
fn pump(mut from: ChildStdout, shared: &Shared, full: &mpsc::SyncSender<String>) {
    let mut chunk = vec![0; CHUNK];
    let mut out = io::stdout();
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => return,
        };
        // Nobody may read the log.
        _ = out.write_all(&chunk[..read]).and_then(|()| out.flush());
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(collected) = shared.as_mut() else { return };
        if let Ok(collector) = collected
            && let Err(error) = collector.push(&chunk[..read])
        {
            if let NoList::TooMuch(words) = &error {
                _ = full.send(words.clone());
            }
            *collected = Err(error);
        }
    }
}

fn finish(collected: Option<Result<Collector, NoList>>) -> Result<List, NoList> {
    collected.unwrap_or_else(|| Err(NoList::Bad("nothing was read".to_owned())))?.finish()
}

/// The list in a file.
fn read(file: &Path, format: ListFormat) -> Result<List, NoList> {
    let problem = |error: io::Error| NoList::Bad(format!("{}: {error}", file.display()));
    let (mut from, mut collector) = (File::open(file).map_err(problem)?, Collector::new(format));
    let mut chunk = vec![0; CHUNK];
    loop {
        match from.read(&mut chunk).map_err(problem)? {
            0 => return collector.finish(),
            read => collector.push(&chunk[..read])?,
        }
    }
}
