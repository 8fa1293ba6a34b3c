//! What becomes of the lines that a program has: who gets the next one, what an answer means, and whose end its end is.

use std::rc::Rc;
use std::time::Duration;

use maptask_exchange::{AttemptId, Grant, MAX_RESULT_BYTES, Mode, Outcome};
use tokio::time::Instant;

use super::{Line, LineEnd, LineEnded, Stream, Why};
use crate::exec::CannotRun;
use crate::exec::answers::{Answer, Reply, Said};
use crate::exec::run::TERMINATED;
use crate::log::{self, Target, end_of};
use crate::reaper::Exit;

impl Stream {
    /// Gives the program as many lines as it may have.
    pub(super) async fn fill(&mut self) {
        let pipeline = match self.runner.config.mode {
            Mode::Stream { pipeline } => pipeline.max(1) as usize,
            Mode::Exec => 1,
        };
        while self.open.len() < pipeline
            && let Some(mut line) = self.queue.pop_front()
        {
            if self.open.is_empty() {
                self.kills = self.runner.cgroup.oom_kills();
            }
            line.since = Instant::now();
            let directory = self.runner.make_artifacts(line.grant.id).await;
            // A volume may have hung for so long that the item runs elsewhere.
            if self.wishes.revoked.borrow_mut().remove(&line.grant.id).is_some() {
                self.end(&line, LineEnd::GivenBack);
                continue;
            }
            match directory {
                Ok(directory) => {
                    feed(&mut self.to_write, &line.grant, directory.as_ref().map(|directory| directory.path.as_str()));
                    self.open.push_back(line);
                }
                Err(error) => self.end(&line, not_fed(&error)),
            }
        }
        self.set_label();
    }

    pub(super) fn receive(&mut self, grant: Grant) {
        self.queue.push_back(Line { grant, since: Instant::now(), again: false });
    }

    /// Does what is wished of the lines that are here; the others are on the way.
    pub(super) fn obey(&mut self) {
        let wishes = Rc::clone(&self.wishes);
        wishes.revoked.borrow_mut().retain(|id, kill_at| {
            if self.open.iter().any(|line| line.grant.id == *id) {
                if !self.revoked.contains(id) {
                    self.revoked.push(*id);
                }
                self.end_program(Why::Line, *kill_at);
                return false;
            }
            let Some(at) = self.queue.iter().position(|line| line.grant.id == *id) else { return true };
            if let Some(line) = self.queue.remove(at) {
                self.end(&line, LineEnd::GivenBack);
            }
            false
        });
        if let Some(kill_at) = wishes.kill_at.get() {
            self.end_program(Why::Stopped, kill_at);
        }
    }

    pub(super) fn end_program(&mut self, why: Why, kill_at: Instant) {
        if self.why == Why::Itself || why == Why::Stopped {
            self.why = why;
        }
        self.kill_at = self.kill_at.into_iter().chain([kill_at]).min();
    }

    /// When something is due although the program does nothing.
    pub(super) fn wake(&self) -> Option<Instant> {
        let limit = self.runner.config.deadline_seconds.map(Duration::from_secs);
        let oldest = self.open.iter().map(|line| line.since).min();
        let deadline = limit.zip(oldest).map(|(limit, since)| since + limit).filter(|_| self.why != Why::Line);
        let errors = self.errors.due(self.open.is_empty());
        [self.kill_at, deadline, errors].into_iter().flatten().min()
    }

    pub(super) fn look(&mut self) {
        let now = Instant::now();
        if let Some(limit) = self.runner.config.deadline_seconds.map(Duration::from_secs) {
            let late = self.open.iter().filter(|line| line.since + limit <= now).map(|line| line.grant.id);
            let late: Vec<AttemptId> = late.filter(|id| !self.expired.contains(id)).collect();
            if !late.is_empty() {
                self.expired.extend(late);
                self.end_program(Why::Line, now + self.runner.grace());
            }
        }
        if self.errors.due(self.open.is_empty()).is_some_and(|due| due <= now) {
            self.release_errors();
        }
    }

    pub(super) async fn take(&mut self, said: &mut Vec<Said>) {
        for said in said.drain(..) {
            match said {
                Said::Answer(answer) => self.answered(answer),
                Said::Stray(text) => {
                    let mut lines = log::Lines::new(self.prefix());
                    let mut writes = lines.push(&text);
                    writes.extend(lines.finish());
                    for write in writes {
                        self.runner.log.write(Target::Stdout, write).await;
                    }
                }
            }
        }
        if self.why == Why::Itself {
            self.fill().await;
        }
        self.set_label();
    }

    fn answered(&mut self, Answer { index, attempt, reply }: Answer) {
        let is_of = |line: &Line| line.grant.id.0 == index && attempt.is_none_or(|attempt| line.grant.id.1 == attempt);
        let Some(at) = self.open.iter().position(is_of) else {
            self.runner.log.say(&format!("an answer for item {index}, which the program does not hold, is ignored"));
            return;
        };
        let Some(line) = self.open.remove(at) else { return };
        let limit = self.runner.config.max_result_bytes.min(MAX_RESULT_BYTES);
        let error = match reply {
            Reply::Result(result) => {
                self.release_errors();
                self.errors.succeeded(line.again);
                let result = result.filter(|_| limit > 0);
                let outcome = match result {
                    Some(text) if text.len() > limit => {
                        Outcome::ResultTooLarge { bytes: text.len() as u64, end: end_of(text.as_bytes(), limit) }
                    }
                    result => Outcome::Succeeded { result },
                };
                return self.end(&line, LineEnd::Outcome(outcome));
            }
            Reply::TooLong(bytes) => {
                return self.end(&line, LineEnd::Outcome(Outcome::ResultTooLarge { bytes, end: String::new() }));
            }
            Reply::Error(message) | Reply::Malformed(message) => message,
        };
        if self.why != Why::Itself || line.again {
            self.errors.failed_again(line.again);
            return self.end(&line, failed(1, error));
        }
        self.tell(line.grant.id, LineEnd::Held);
        for (line, error) in self.errors.failed(line, error) {
            self.end(&line, failed(1, error));
        }
        if self.errors.are_too_many() {
            self.runner.log.say(
                "the program answered with errors several times in a row: it is started again, and tries those again",
            );
            self.end_program(Why::Errors, Instant::now() + self.runner.grace());
        }
    }

    fn release_errors(&mut self) {
        for (line, error) in self.errors.release() {
            self.end(&line, failed(1, error));
        }
    }

    /// The program has ended, and everything that it said was read.
    pub(super) fn program_ended(&mut self, exit: Exit, tail: &str) {
        let revoked = std::mem::take(&mut self.revoked);
        let open = std::mem::take(&mut self.open);
        let (expired, alone) = (std::mem::take(&mut self.expired), open.len() == 1);
        let mut next: Vec<Line> = Vec::new();
        if self.why == Why::Errors {
            next.extend(self.errors.take_again().map(|line| Line { again: true, ..line }));
            for line in &next {
                self.tell(line.grant.id, LineEnd::Again);
            }
        } else {
            self.release_errors();
        }
        let message = tail.to_owned();
        for line in open {
            let id = line.grant.id;
            let end = if revoked.contains(&id) {
                LineEnd::GivenBack
            } else if expired.contains(&id) {
                LineEnd::Outcome(Outcome::Deadline { message: message.clone() })
            } else {
                match self.why {
                    Why::Stopped => LineEnd::Outcome(Outcome::Stopped),
                    // It ended for another's sake.
                    Why::Line | Why::Errors => {
                        next.push(line);
                        continue;
                    }
                    Why::Itself if alone => self.died(exit, message.clone()),
                    Why::Itself => {
                        LineEnd::Outcome(Outcome::Suspect { exit_code: exit.code, message: message.clone() })
                    }
                }
            };
            self.end(&line, end);
        }
        for line in next.into_iter().rev() {
            self.queue.push_front(line);
        }
        if self.why == Why::Stopped {
            for line in std::mem::take(&mut self.queue) {
                self.end(&line, LineEnd::Outcome(Outcome::Stopped));
            }
        }
    }

    fn died(&self, exit: Exit, message: String) -> LineEnd {
        if exit.code == 0 {
            return failed(1, format!("the program ended with exit code 0 and without an answer\n{message}"));
        }
        if exit.code != TERMINATED && self.runner.cgroup.oom_kills() > self.kills {
            return LineEnd::Outcome(Outcome::OutOfMemory { exit_code: exit.code, message });
        }
        failed(exit.code, message)
    }

    fn tell(&mut self, id: AttemptId, end: LineEnd) {
        self.ended.push(LineEnded { id, micros: 0, end });
    }

    fn end(&mut self, line: &Line, end: LineEnd) {
        let micros = u64::try_from(line.since.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.ended.push(LineEnded { id: line.grant.id, micros, end });
    }

    pub(super) async fn report(&mut self) {
        if !self.ended.is_empty() {
            // Nobody hears it if the worker ends.
            _ = self.events.send((self.number, std::mem::take(&mut self.ended))).await;
        }
    }

    /// A line of the log belongs to an item if the program has only that one.
    pub(super) fn set_label(&self) {
        let only = if self.open.len() == 1 { self.open.front() } else { None };
        self.label.set(only.map(|line| line.grant.id.0));
    }

    fn prefix(&self) -> Vec<u8> {
        match self.label.get() {
            Some(index) if self.runner.config.prefix_log => format!("[{index}] ").into_bytes(),
            _ => Vec::new(),
        }
    }
}

const fn failed(exit_code: i32, message: String) -> LineEnd {
    LineEnd::Outcome(Outcome::Failed { exit_code, message })
}

/// What becomes of a line that no program gets.
pub(super) fn not_fed(error: &CannotRun) -> LineEnd {
    match error {
        CannotRun::Nobody(message) | CannotRun::ThisItem(message) => {
            LineEnd::Outcome(Outcome::NotStarted { message: message.clone() })
        }
        CannotRun::ThisWorker(message) => LineEnd::NotBegun(message.clone()),
    }
}

/// One line: index, attempt and item, and the directory for the attempt's files if it has one.
fn feed(lines: &mut Vec<u8>, grant: &Grant, artifacts: Option<&str>) {
    let AttemptId(index, attempt) = grant.id;
    lines.extend_from_slice(format!("{{\"index\":{index},\"attempt\":{attempt},\"item\":").as_bytes());
    // White space between tokens may be a line end, inside of strings it can't.
    lines.extend(grant.item.get().bytes().map(|byte| if byte == b'\n' || byte == b'\r' { b' ' } else { byte }));
    if let Some(path) = artifacts {
        lines.extend_from_slice(format!(",\"artifacts\":{}", serde_json::Value::from(path)).as_bytes());
    }
    lines.extend_from_slice(b"}\n");
}
