//! How do items get to programs, and their ends to the ledger?

use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::{AttemptId, Grant, MAX_RUNNING, Mode};
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tokio::time::{Instant, timeout};

use super::Worker;
use crate::clock::now;
use crate::exec::{Ended, Finished, LineEnd, LineEnded, Slot, StopRequest, Stream, Wishes};

/// How long programs that read their items have to end after the last one.
const CLOSE: Duration = Duration::from_secs(5);

/// An attempt that runs.
pub(super) struct Active {
    runs: Runs,
    /// The number of attempts that had begun with it, and the OOM kills before.
    pub(super) begun: u64,
    pub(super) oom_kills: u64,
}

/// Where an attempt runs.
enum Runs {
    /// As a program of its own.
    Alone(Rc<StopRequest>),
    /// As a line of the program of this slot.
    Line(usize),
}

/// A program that reads its items.
pub(super) struct Program {
    grants: mpsc::Sender<Grant>,
    wishes: Rc<Wishes>,
    /// Lines without an answer.
    open: usize,
}

impl Worker {
    pub(super) fn begin_items(&mut self) {
        let time = now();
        let mut oom_kills = None;
        while let Some(grant) = self.ledger.begin(time) {
            let kills = *oom_kills.get_or_insert_with(|| self.runner.cgroup.oom_kills());
            let id = grant.id;
            let runs = match self.runner.config.mode {
                Mode::Exec => self.run_alone(grant),
                Mode::Stream { .. } => self.feed(grant),
            };
            self.active.insert(id, Active { runs, begun: self.ledger.begun(), oom_kills: kills });
        }
        if oom_kills.is_some() {
            self.note();
        }
    }

    fn new_slot(&mut self) -> Slot {
        self.slots += 1;
        Slot { number: self.slots, files: self.scratch.files(self.slots) }
    }

    fn run_alone(&mut self, grant: Grant) -> Runs {
        let slot = self.free.pop().unwrap_or_else(|| self.new_slot());
        let request = Rc::new(StopRequest::default());
        let (runner, finished, own) = (Rc::clone(&self.runner), self.to.finished.clone(), Rc::clone(&request));
        spawn_local(async move {
            // Nobody receives it if the worker ends.
            _ = finished.send(runner.run(slot, grant, own).await).await;
        });
        Runs::Alone(request)
    }

    /// To the program that has the fewest lines.
    fn feed(&mut self, grant: Grant) -> Runs {
        while self.programs.len() < self.ledger.slots() {
            let slot = self.new_slot();
            let (grants, receive) = mpsc::channel(MAX_RUNNING as usize);
            let wishes = Rc::new(Wishes::default());
            let (runner, lines) = (Rc::clone(&self.runner), self.to.lines.clone());
            spawn_local(Stream::new(runner, slot.number, receive, Rc::clone(&wishes), lines).serve(slot));
            self.programs.push(Program { grants, wishes, open: 0 });
        }
        let usable = self.programs.iter_mut().take(self.ledger.slots()).enumerate();
        let fewest = usable.min_by_key(|(_, program)| program.open);
        let number = fewest.map_or(0, |(at, program)| {
            program.open += 1;
            let sent = program.grants.try_send(grant);
            // It is served until the worker ends, and what waits there runs: no more than that are begun.
            debug_assert!(sent.is_ok(), "{sent:?}");
            at + 1
        });
        Runs::Line(number)
    }

    pub(super) fn revoke(&self, id: AttemptId, kill_at: Instant) {
        match self.active.get(&id).map(|active| &active.runs) {
            Some(Runs::Alone(request)) => request.stop(kill_at),
            Some(Runs::Line(number)) => self.programs[number - 1].wishes.revoke(id, kill_at),
            None => {}
        }
    }

    pub(super) fn stop_programs(&self, kill_at: Instant) {
        for active in self.active.values() {
            if let Runs::Alone(request) = &active.runs {
                request.stop(kill_at);
            }
        }
        for program in &self.programs {
            program.wishes.stop(kill_at);
        }
    }

    /// Lets programs that read their items end by themselves.
    pub(super) async fn close_programs(&mut self) {
        let programs = std::mem::take(&mut self.programs);
        if !programs.is_empty() {
            // They get no more grants, which closes them.
            drop(programs);
            let ended = async {
                while !self.runner.reaper.leaders().is_empty() {
                    self.runner.reaper.next().await;
                }
            };
            _ = timeout(CLOSE, ended).await;
        }
    }

    pub(super) fn finish(&mut self, finished: Finished) {
        let Finished { slot, id, micros, ended } = finished;
        self.free.push(slot);
        self.active.remove(&id);
        match ended {
            Ended::Outcome(outcome) => self.ledger.ended(id, micros, outcome),
            Ended::NotBegun(message) => self.not_begun(id, message),
        }
        self.after_ends();
    }

    pub(super) fn finish_lines(&mut self, number: usize, lines: Vec<LineEnded>) {
        for LineEnded { id, micros, end } in lines {
            match end {
                LineEnd::Held => {
                    self.programs[number - 1].open -= 1;
                    self.ledger.hold(id);
                    continue;
                }
                LineEnd::Again => {
                    self.programs[number - 1].open += 1;
                    self.ledger.unhold(id);
                    continue;
                }
                _ => {}
            }
            self.active.remove(&id);
            self.programs[number - 1].wishes.forget(id);
            if !self.ledger.unhold(id) {
                self.programs[number - 1].open -= 1;
            }
            match end {
                LineEnd::Outcome(outcome) => self.ledger.ended(id, micros, outcome),
                LineEnd::GivenBack => self.ledger.given_back(id),
                LineEnd::NotBegun(message) => self.not_begun(id, message),
                LineEnd::Held | LineEnd::Again => {}
            }
        }
        self.after_ends();
    }

    fn not_begun(&mut self, id: AttemptId, message: String) {
        if self.ledger.cannot_start().is_none() {
            self.runner.log.say(&format!("item {} could not be started: {message}", id.0));
        }
        self.ledger.could_not_start(id, message);
    }

    fn after_ends(&mut self) {
        let time = now();
        self.pacer.ended(time);
        let idle = self.active.is_empty();
        if let Some(reason) = self.recycle.reason(time, self.ledger.begun(), idle, &self.runner.cgroup) {
            self.ledger.ask_for_replacement(reason);
        }
        self.note();
    }
}
