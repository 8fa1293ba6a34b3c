//! How does one program take items one after another? It reads a line for each, and answers with one.

mod book;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::{AttemptId, Grant, Outcome};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use tokio::net::unix::pipe::{Receiver, Sender};
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use crate::exec::answers::{From, Lines, Said};
use crate::exec::errors::Errors;
use crate::exec::output::{Output, READ};
use crate::exec::run::DRAIN;
use crate::exec::spawn::Streaming;
use crate::exec::{CannotRun, Runner, Slot, Variables};
use crate::log::Target;
use crate::reaper::{Exit, signal_group};

/// What the worker wants of a program besides that it takes items.
#[derive(Debug, Default)]
pub struct Wishes {
    /// Lines of the program, or on the way to it, and when the program is killed if it still has them.
    revoked: RefCell<BTreeMap<AttemptId, Instant>>,
    kill_at: Cell<Option<Instant>>,
    changed: Notify,
    /// The program, as long as it runs.
    leader: Cell<Option<Pid>>,
    /// It was killed for a line: its others run again.
    killed: Cell<bool>,
}

impl Wishes {
    /// This attempt is no longer this worker's: SIGTERM now, SIGKILL then, if the program has it. What is to be killed
    /// now may begin elsewhere in seconds. It does not wait for what its slot waits for, such as a log or a volume.
    pub fn revoke(&self, id: AttemptId, kill_at: Instant) {
        if let Some(leader) = self.leader.get().filter(|_| kill_at <= Instant::now()) {
            self.killed.set(true);
            signal_group(leader, Signal::SIGKILL);
        }
        let mut revoked = self.revoked.borrow_mut();
        revoked.entry(id).and_modify(|at| *at = kill_at.min(*at)).or_insert(kill_at);
        self.changed.notify_one();
    }

    /// This attempt has ended.
    pub fn forget(&self, id: AttemptId) {
        self.revoked.borrow_mut().remove(&id);
    }

    /// SIGTERM now, SIGKILL then.
    pub fn stop(&self, kill_at: Instant) {
        self.kill_at.set(Some(kill_at));
        self.changed.notify_one();
    }
}

/// What became of an attempt.
#[derive(Debug)]
pub enum LineEnd {
    /// It has ended.
    Outcome(Outcome),
    /// It is no longer held, and has no end.
    GivenBack,
    /// It could not begin here.
    NotBegun(String),
    /// The program has answered, and the answer is held back: another line may follow.
    Held,
    /// The program has it again.
    Again,
}

/// An attempt that a program holds no longer.
#[derive(Debug)]
pub struct LineEnded {
    /// The attempt.
    pub id: AttemptId,
    /// How long the program had it.
    pub micros: u64,
    /// What became of it.
    pub end: LineEnd,
}

/// An item that the program has and has not answered.
#[derive(Debug)]
struct Line {
    grant: Grant,
    since: Instant,
    /// Whether it has failed before in a program that failed everything.
    again: bool,
}

/// Why a program was asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// It was not.
    Itself,
    /// For what it does with one of its lines; the others are fed to the next program.
    Line,
    /// It failed too often in a row.
    Errors,
    /// The worker ends.
    Stopped,
}

/// One slot of a worker in Stream mode.
#[derive(Debug)]
pub struct Stream {
    runner: Rc<Runner>,
    grants: mpsc::Receiver<Grant>,
    wishes: Rc<Wishes>,
    events: mpsc::Sender<(usize, Vec<LineEnded>)>,
    number: usize,
    /// As many as the pipeline has.
    open: VecDeque<Line>,
    /// Those that the program does not have yet.
    queue: VecDeque<Line>,
    errors: Errors<Line>,
    ended: Vec<LineEnded>,
    revoked: Vec<AttemptId>,
    expired: Vec<AttemptId>,
    why: Why,
    kill_at: Option<Instant>,
    to_write: Vec<u8>,
    closed: bool,
    kills: u64,
    label: Rc<Cell<Option<u32>>>,
}

struct AnswerPipe {
    pipe: Receiver,
    lines: Lines,
    is_open: bool,
}

impl AnswerPipe {
    fn new(pipe: OwnedFd, from: From) -> io::Result<Self> {
        Ok(Self { pipe: Receiver::from_owned_fd(pipe)?, lines: Lines::new(from), is_open: true })
    }

    async fn readable(&self) {
        if !self.is_open || self.pipe.readable().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Reads what is there.
    fn read(&mut self, buffer: &mut [u8], said: &mut Vec<Said>) {
        match self.pipe.try_read(buffer) {
            Ok(0) => {
                self.is_open = false;
                self.lines.finish(said);
            }
            Ok(read) => self.lines.push(&buffer[..read], said),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => self.is_open = false,
        }
    }
}

impl Stream {
    /// For one slot; it starts its program with the first item.
    pub fn new(
        runner: Rc<Runner>,
        number: usize,
        grants: mpsc::Receiver<Grant>,
        wishes: Rc<Wishes>,
        events: mpsc::Sender<(usize, Vec<LineEnded>)>,
    ) -> Self {
        Self {
            runner,
            grants,
            wishes,
            events,
            number,
            open: VecDeque::new(),
            queue: VecDeque::new(),
            errors: Errors::default(),
            ended: Vec::new(),
            revoked: Vec::new(),
            expired: Vec::new(),
            why: Why::Itself,
            kill_at: None,
            to_write: Vec::new(),
            closed: false,
            kills: 0,
            label: Rc::default(),
        }
    }

    /// Runs programs, one after another, until nothing more will come.
    pub async fn serve(mut self, mut slot: Slot) {
        loop {
            if self.queue.is_empty() {
                if self.closed {
                    return;
                }
                let Some(grant) = self.grants.recv().await else { return };
                self.receive(grant);
                self.obey();
                self.report().await;
                continue;
            }
            match self.start(&mut slot) {
                Ok(streaming) => {
                    self.runner.busy.borrow_mut().insert(self.number);
                    self.run(streaming).await;
                    self.runner.busy.borrow_mut().remove(&self.number);
                }
                Err(error) => self.not_started(&error),
            }
            if slot.files.has_temporary() {
                slot = self.runner.clean(slot).await;
            }
            self.report().await;
        }
    }

    fn start(&self, slot: &mut Slot) -> Result<Streaming, CannotRun> {
        let files = slot.files.prepare();
        files.map_err(|error| CannotRun::ThisWorker(format!("files of the program: {error}")))?;
        let mut variables = Variables::of_stream(&self.runner.config);
        variables.set_place(slot);
        let streaming = self.runner.program.start_stream(&self.runner.environment, &variables)?;
        self.runner.prefer_for_oom(streaming.started.leader);
        Ok(streaming)
    }

    fn not_started(&mut self, error: &CannotRun) {
        let open = std::mem::take(&mut self.open);
        for line in open.into_iter().chain(std::mem::take(&mut self.queue)) {
            self.ended.push(LineEnded { id: line.grant.id, micros: 0, end: book::not_fed(error) });
        }
    }

    async fn run(&mut self, streaming: Streaming) {
        let leader = streaming.started.leader;
        let mut exit = self.runner.reaper.watch(leader);
        let runner = Rc::clone(&self.runner);
        let pipes = || -> io::Result<_> {
            Ok((
                Sender::from_owned_fd(streaming.stdin)?,
                AnswerPipe::new(streaming.started.stdout, From::Stdout)?,
                AnswerPipe::new(streaming.answers, From::Answers)?,
                Output::new(streaming.started.stderr, Target::Stderr, Vec::new())?,
            ))
        };
        let Ok((stdin, mut stdout, mut answers, mut stderr)) = pipes() else {
            signal_group(leader, Signal::SIGKILL);
            _ = exit.await;
            self.not_started(&CannotRun::ThisWorker("no descriptor is left for the program's pipes".to_owned()));
            return;
        };
        if runner.config.prefix_log {
            stderr.label(Rc::clone(&self.label));
        }
        self.wishes.leader.set(Some(leader));
        self.begin_program().await;
        self.report().await;
        let (mut stdin, mut buffer, mut said) = (Some(stdin), vec![0; READ], Vec::new());
        let mut is_terminated = false;
        let ended = {
            let mut pump = pin!(stderr.pump(&runner.log));
            let mut pumped = false;
            let ended = loop {
                let wake = self.wake();
                tokio::select! {
                    biased;
                    ended = &mut exit => break ended.unwrap_or(Exit { code: 137 }),
                    grant = self.grants.recv(), if !self.closed => {
                        match grant {
                            Some(grant) => self.receive(grant),
                            None => self.closed = true,
                        }
                        while let Ok(grant) = self.grants.try_recv() {
                            self.receive(grant);
                        }
                        self.obey();
                    }
                    () = self.wishes.changed.notified() => self.obey(),
                    () = stdout.readable() => stdout.read(&mut buffer, &mut said),
                    () = answers.readable() => answers.read(&mut buffer, &mut said),
                    () = writable(stdin.as_ref()), if !self.to_write.is_empty() => self.write(&mut stdin),
                    () = &mut pump, if !pumped => pumped = true,
                    () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => self.look(),
                }
                self.take(&mut said).await;
                if self.kill_at.is_some() && !is_terminated {
                    is_terminated = true;
                    signal_group(leader, Signal::SIGTERM);
                }
                if self.kill_at.is_some_and(|at| at <= Instant::now()) {
                    signal_group(leader, Signal::SIGKILL);
                    self.kill_at = Some(Instant::now() + Duration::from_hours(1));
                }
                // What is open waits for a line, and none will come.
                if self.closed && self.open.is_empty() && self.queue.is_empty() {
                    stdin = None;
                }
                self.report().await;
            };
            self.wishes.leader.set(None);
            runner.sweep(self.number).await;
            let drain = async {
                while stdout.is_open || answers.is_open {
                    tokio::select! {
                        () = stdout.readable() => stdout.read(&mut buffer, &mut said),
                        () = answers.readable() => answers.read(&mut buffer, &mut said),
                    }
                }
                if !pumped {
                    pump.await;
                }
            };
            // What holds a pipe although everything was killed is not waited for.
            _ = timeout(DRAIN, drain).await;
            ended
        };
        self.take(&mut said).await;
        stderr.finish(&runner.log).await;
        self.obey();
        if self.wishes.killed.take() {
            self.end_program(Why::Line, Instant::now());
        }
        self.program_ended(ended, &stderr.tail());
    }

    async fn begin_program(&mut self) {
        (self.why, self.kill_at) = (Why::Itself, None);
        self.expired.clear();
        self.to_write.clear();
        self.kills = self.runner.cgroup.oom_kills();
        self.fill().await;
        // The program before may have heard of it last.
        self.wishes.changed.notify_one();
    }

    fn write(&mut self, stdin: &mut Option<Sender>) {
        let Some(pipe) = stdin else { return };
        match pipe.try_write(&self.to_write) {
            Ok(written) => drop(self.to_write.drain(..written)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The program reads no more: it will end, or answers what it has.
            Err(_) => {
                *stdin = None;
                self.to_write.clear();
            }
        }
    }
}

async fn writable(stdin: Option<&Sender>) {
    match stdin {
        Some(stdin) => _ = stdin.writable().await,
        None => std::future::pending().await,
    }
}
