//! The loop that joins the rules, the programs and the operator.

mod ending;
mod items;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::{Answer, AttemptId, Config, MAX_RESULT_BYTES, MAX_SLOTS, Mode};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, LocalSet, spawn_local};
use tokio::time::{Instant, sleep};

use crate::cgroup::Cgroup;
use crate::client::{Client, Failure};
use crate::clock::{Jitter, now};
use crate::exec::{Environment, Finished, LineEnded, Program as Command, Runner, Scratch, Slot, inherited};
use crate::log::Log;
use crate::reaper::Reaper;
use crate::record::RecordFile;
use crate::recycle::Recycle;
use crate::session::{Backoff, Ledger, Pacer, Taken};
use crate::settings::Paths;
use items::{Active, Program};

/// Requests that are open at once: one that reports, and a parked one that it releases.
const MAX_OPEN: usize = 2;
/// Of each kind of event, as many wait for the loop: no more programs end at once. Who has another one waits, and the
/// loop waits for none of them.
const MAX_WAITING: usize = MAX_SLOTS as usize;

/// How the worker ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Exit {
    /// The exit code of the process.
    pub code: i32,
    /// Why, if not because its work is done.
    pub message: Option<String>,
    /// Whether the operator could not be reached, or did not let it in.
    pub unreachable: bool,
}

/// What happens, for the loop.
struct Senders {
    finished: mpsc::Sender<Finished>,
    lines: mpsc::Sender<(usize, Vec<LineEnded>)>,
    replies: mpsc::Sender<(u64, Result<Answer, Failure>)>,
}

/// The other ends.
struct Receivers {
    finished: mpsc::Receiver<Finished>,
    lines: mpsc::Receiver<(usize, Vec<LineEnded>)>,
    replies: mpsc::Receiver<(u64, Result<Answer, Failure>)>,
}

fn channels() -> (Senders, Receivers) {
    let (finished, has_finished) = mpsc::channel(MAX_WAITING);
    let (lines, has_lines) = mpsc::channel(MAX_WAITING);
    let (replies, has_answered) = mpsc::channel(MAX_OPEN);
    let receivers = Receivers { finished: has_finished, lines: has_lines, replies: has_answered };
    (Senders { finished, lines, replies }, receivers)
}

struct Worker {
    runner: Rc<Runner>,
    client: Rc<Client>,
    ledger: Ledger,
    pacer: Pacer,
    backoff: Backoff,
    recycle: Recycle,
    scratch: Scratch,
    free: Vec<Slot>,
    slots: usize,
    active: HashMap<AttemptId, Active>,
    open: VecDeque<(u64, AbortHandle)>,
    programs: Vec<Program>,
    to: Senders,
    started: Instant,
    heard: Instant,
    terminated: Option<Instant>,
    /// Since when nothing is left to do.
    settled: Option<Instant>,
    last_failure: String,
}

/// Runs items until the operator, the system or a signal ends the worker.
pub fn work(config: Config, command: &[String], paths: Paths) -> Exit {
    let inherited = inherited();
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return failed(format!("the worker can't start: {error}")),
    };
    let exit = LocalSet::new().block_on(&runtime, run(config, command, inherited, paths));
    // A volume that hangs must not keep the process.
    runtime.shutdown_background();
    exit
}

const fn failed(message: String) -> Exit {
    Exit { code: 1, message: Some(message), unreachable: false }
}

async fn run(config: Config, command: &[String], inherited: Vec<RawFd>, paths: Paths) -> Exit {
    // Of several programs, nobody knows which one has written there.
    let is_result = config.slots == 1 && config.mode == Mode::Exec;
    let keep = if is_result { config.max_result_bytes.min(MAX_RESULT_BYTES) } else { 0 };
    let record = Rc::new(RefCell::new(RecordFile::open(&paths.record, keep)));
    let (senders, mut receivers) = channels();
    let program = Command::new(command, inherited);
    let worker = Worker::new(config, program, paths, Rc::clone(&record), senders);
    let mut worker = match worker {
        Ok(worker) => worker,
        Err(message) => {
            record.borrow_mut().conclude(Some(&message), false);
            return failed(message);
        }
    };
    let exit = match worker.serve(&mut receivers).await {
        Ok(exit) => exit,
        Err(error) => failed(format!("the worker can't work: {error}")),
    };
    // Nobody waits to say something that nobody hears.
    drop(receivers);
    worker.close_programs().await;
    worker.kill_all();
    if let Some(message) = &exit.message {
        worker.runner.log.say(message);
    }
    worker.runner.record.borrow_mut().conclude(exit.message.as_deref(), exit.unreachable);
    worker.runner.log.flush();
    exit
}

impl Worker {
    fn new(
        config: Config,
        program: io::Result<Command>,
        paths: Paths,
        record: Rc<RefCell<RecordFile>>,
        to: Senders,
    ) -> Result<Self, String> {
        let mut jitter = Jitter::new();
        let session = format!("{:016x}", jitter.next());
        let client = Rc::new(Client::new(&config.url, &config.server_name, &config.ca, paths.token)?);
        let environment = Environment::new(std::env::vars_os());
        let parts = || -> io::Result<_> {
            if std::process::id() != 1 {
                set_child_subreaper(true)?;
            }
            Ok((Reaper::start()?, program?, Log::start()?, Scratch::new(environment.get("TMPDIR"), &session)?))
        };
        let (reaper, program, log, scratch) = parts().map_err(|error| format!("the worker can't start: {error}"))?;
        let recycle = Recycle::new(config.max_items, config.memory_bytes, scratch.directory().to_owned(), &mut jitter);
        let lines = if let Mode::Stream { pipeline } = config.mode { pipeline } else { 1 };
        let ledger = Ledger::new(session, config.epoch, config.slots, lines);
        let oom_score =
            std::fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|text| text.trim().parse().ok());
        let runner = Rc::new(Runner {
            config,
            environment,
            program,
            log,
            reaper,
            cgroup: Cgroup::new(&paths.cgroup),
            record,
            busy: RefCell::default(),
            oom_score: oom_score.unwrap_or(1000),
        });
        Ok(Self {
            runner,
            client,
            ledger,
            pacer: Pacer::default(),
            backoff: Backoff::new(jitter),
            recycle,
            scratch,
            free: Vec::new(),
            slots: 0,
            active: HashMap::new(),
            open: VecDeque::new(),
            programs: Vec::new(),
            to,
            started: Instant::now(),
            heard: Instant::now(),
            terminated: None,
            settled: None,
            last_failure: "no answer yet".to_owned(),
        })
    }

    async fn serve(&mut self, happens: &mut Receivers) -> io::Result<Exit> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (mut hangup, mut quit) = (signal(SignalKind::hangup())?, signal(SignalKind::quit())?);
        let (mut user1, mut user2) = (signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?);
        self.note();
        self.runner.record.borrow_mut().conclude(None, false);
        loop {
            self.begin_items();
            for id in self.ledger.take_unconfirmed(now()) {
                self.revoke(id, Instant::now());
            }
            if let Some(exit) = self.is_over() {
                return Ok(exit);
            }
            self.send_if_due();
            self.runner.record.borrow_mut().write_if_due(now());
            tokio::select! {
                biased;
                _ = terminate.recv() => self.terminate(),
                _ = interrupt.recv() => self.terminate(),
                Some(finished) = happens.finished.recv() => self.finish(finished),
                Some((number, lines)) = happens.lines.recv() => self.finish_lines(number, lines),
                Some((number, reply)) = happens.replies.recv() => {
                    if let Some(exit) = self.reply(number, reply) {
                        return Ok(exit);
                    }
                }
                _ = hangup.recv() => self.forward(Signal::SIGHUP),
                _ = quit.recv() => self.forward(Signal::SIGQUIT),
                _ = user1.recv() => self.forward(Signal::SIGUSR1),
                _ = user2.recv() => self.forward(Signal::SIGUSR2),
                () = sleep(self.wake()) => {}
            }
        }
    }

    fn note(&self) {
        let oldest = self.active.values().min_by_key(|active| active.begun);
        let kills = oldest.map_or(0, |active| active.oom_kills);
        let running: &BTreeSet<AttemptId> = self.ledger.running();
        self.runner.record.borrow_mut().note(now(), running.iter().copied(), self.ledger.begun(), kills);
    }

    fn send_if_due(&mut self) {
        let time = now();
        if self.due().is_none_or(|due| due > time) {
            return;
        }
        let request = self.ledger.request(time);
        self.pacer.said(time);
        if self.open.len() >= MAX_OPEN
            && let Some((_, oldest)) = self.open.pop_front()
        {
            oldest.abort();
        }
        let number = request.number;
        let body = serde_json::to_vec(&request).unwrap_or_default();
        let (client, replies) = (Rc::clone(&self.client), self.to.replies.clone());
        let task = spawn_local(async move {
            _ = replies.send((number, client.exchange(body).await)).await;
        });
        self.open.push_back((number, task.abort_handle()));
    }

    fn due(&self) -> Option<Duration> {
        let time = now();
        let idle = self.ledger.has_free_slot() && !self.ledger.may_begin(time) || !self.ledger.takes_more();
        self.pacer.due(self.ledger.is_open(), idle, self.ledger.stock())
    }

    fn reply(&mut self, number: u64, reply: Result<Answer, Failure>) -> Option<Exit> {
        self.open.retain(|(open, _)| *open != number);
        let time = now();
        let failure = match reply {
            Ok(answer) => {
                let was_newest = answer.number == self.ledger.number();
                match self.ledger.take(answer) {
                    Taken::Newest(effects) => {
                        self.heard();
                        self.pacer.in_time();
                        let kill_at = Instant::now() + self.runner.grace();
                        for id in &effects.kill {
                            self.revoke(*id, kill_at);
                        }
                        if effects.news {
                            self.pacer.news(time);
                        }
                        return None;
                    }
                    Taken::Late { granted } => {
                        self.heard();
                        self.pacer.overtaken(granted);
                        return None;
                    }
                    Taken::Ignored if was_newest => {
                        Failure::Unreachable("an operator answered that no longer leads".to_owned())
                    }
                    Taken::Ignored => return None,
                }
            }
            Err(failure) => failure,
        };
        if number != self.ledger.number() {
            return None;
        }
        self.ledger.failed(number);
        self.pacer.news(time);
        let pause = if let Failure::Cut = failure { self.backoff.cut() } else { self.backoff.failed() };
        self.pacer.pause(time + pause);
        self.explain(failure)
    }

    fn heard(&mut self) {
        self.heard = Instant::now();
        self.backoff.succeeded();
    }

    /// Notes why there was no answer; some answers end the worker.
    fn explain(&mut self, failure: Failure) -> Option<Exit> {
        let address = self.client.address();
        match failure {
            Failure::Cut => None,
            Failure::Unreachable(message) => {
                self.last_failure = message;
                None
            }
            Failure::Status(status, text) => {
                self.client.forget_connections();
                let text = text.trim();
                self.last_failure = format!("HTTP status {status}: {text}");
                let why = match status {
                    403 => format!("the operator at {address} does not want this pod: {text}"),
                    409 => format!("another worker has taken the place of this one: {text}"),
                    413 => {
                        self.ledger.was_too_large();
                        return None;
                    }
                    400 | 404 | 405 | 431 => {
                        format!("the operator at {address} does not understand this worker: {text}")
                    }
                    _ => return None,
                };
                Some(Exit { code: 1, message: Some(why), unreachable: status == 403 })
            }
        }
    }
}
