//! What does this worker hold, and what may it begin?

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use maptask_exchange::{
    Answer, AttemptId, BEGIN_WITHIN_MILLIS, CONFIRM_WITHIN_MILLIS, Grant, Leaving, MAX_MESSAGE_BYTES,
    MAX_REQUEST_BYTES, MAX_RUNNING, MAX_SLOTS, Outcome, Request, State,
};

use super::Outbox;

/// Requests without an answer that are remembered; answers to older ones say nothing of use.
const MAX_OPEN: usize = 8;
/// Bytes of a request besides its lists: a message, each byte of which may take six, and little more.
const ENVELOPE: usize = 8 * MAX_MESSAGE_BYTES;
/// Most bytes of `[4294967295,4294967295],`.
const ID_BYTES: usize = 24;

/// What a worker holds: what runs, what it may begin, and what it has to report.
#[derive(Debug)]
pub struct Ledger {
    session: String,
    number: u64,
    epoch: u64,
    slots: usize,
    stock: VecDeque<Grant>,
    /// What is in stock, since a stream takes thousands of grants a second.
    stocked: HashSet<AttemptId>,
    lines: usize,
    running: BTreeSet<AttemptId>,
    /// Of what runs: answered, and not reported yet.
    held_back: BTreeSet<AttemptId>,
    revoked: BTreeSet<AttemptId>,
    outbox: Outbox,
    /// Ends in the newest request, and most of one request.
    said: usize,
    most: usize,
    begun: u64,
    state: State,
    open: VecDeque<Sent>,
    /// When the newest request was sent that who leads has answered.
    answered: Option<Duration>,
    /// When the newest request was sent that any leader has answered.
    heard: Option<Duration>,
    /// What runs without an answer to a request that says so; with the first request that did, or 0.
    unconfirmed: BTreeMap<AttemptId, u64>,
    /// Whether the operator has heard that this worker leaves.
    farewell: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    number: u64,
    at: Duration,
    through: u64,
    leaving: bool,
}

/// What an answer asks the worker to do.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Programs to be killed: their attempts belong to others.
    pub kill: Vec<AttemptId>,
    /// There is something to say that no request has said.
    pub news: bool,
}

/// What became of an answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is the answer to the newest request.
    Newest(Effects),
    /// The next request had been sent: only what it acknowledges counts. Whether it would have granted something.
    Late {
        /// Grants, recalls, revocations or a stop were in it.
        granted: bool,
    },
    /// The operator that answered does not lead any more, or the answer belongs to no open request.
    Ignored,
}

impl Ledger {
    /// Nothing is held.
    /// `epoch`: nothing is taken from a lower one. `lines`: how many attempts a slot runs at once.
    pub fn new(session: String, epoch: u64, slots: u32, lines: u32) -> Self {
        Self {
            session,
            number: 0,
            epoch,
            slots: slots as usize,
            stock: VecDeque::new(),
            stocked: HashSet::new(),
            lines: lines.max(1) as usize,
            running: BTreeSet::new(),
            held_back: BTreeSet::new(),
            revoked: BTreeSet::new(),
            outbox: Outbox::new(),
            said: 0,
            most: usize::MAX,
            begun: 0,
            state: State::Working,
            open: VecDeque::new(),
            answered: None,
            heard: None,
            unconfirmed: BTreeMap::new(),
            farewell: false,
        }
    }

    /// The next request. It renounces the answer to the one before.
    pub fn request(&mut self, now: Duration) -> Request {
        self.number += 1;
        let number = self.number;
        self.unconfirmed.values_mut().filter(|said| **said == 0).for_each(|said| *said = number);
        let held = (self.running.len() + self.stock.len()) * ID_BYTES;
        let (ended, through) = self.outbox.to_send(MAX_REQUEST_BYTES.saturating_sub(ENVELOPE + held), self.most);
        self.said = ended.len();
        self.open.push_back(Sent { number: self.number, at: now, through, leaving: !self.takes_more() });
        if self.open.len() > MAX_OPEN {
            self.open.pop_front();
        }
        Request {
            session: self.session.clone(),
            number: self.number,
            epoch: self.epoch,
            running: self.running.iter().copied().collect(),
            stock: self.stock.iter().map(|grant| grant.id).collect(),
            ended,
            begun: self.begun,
            state: self.state.clone(),
        }
    }

    /// Takes an answer.
    pub fn take(&mut self, answer: Answer) -> Taken {
        let Some(sent) = self.open.iter().copied().find(|sent| sent.number == answer.number) else {
            return Taken::Ignored;
        };
        self.open.retain(|open| open.number > sent.number);
        if answer.epoch < self.epoch {
            return Taken::Ignored;
        }
        let mut effects = Effects::default();
        self.outbox.acknowledge(answer.acknowledged);
        if answer.epoch > self.epoch {
            // Another leader, which has taken nothing else of the request: it has yet to say which of the stock is
            // still here.
            self.epoch = answer.epoch;
            self.outbox.send_all_again();
            self.heard = self.heard.max(Some(sent.at));
            self.answered = None;
            return Taken::Newest(Effects { news: true, ..effects });
        }
        self.outbox.received(sent.through);
        effects.news = self.outbox.has_after(sent.through);
        self.farewell |= sent.leaving;
        self.answered = self.answered.max(Some(sent.at));
        self.heard = self.heard.max(self.answered);
        self.unconfirmed.retain(|_, said| *said == 0 || *said > sent.number);
        if answer.number != self.number {
            return Taken::Late {
                granted: !answer.grants.is_empty()
                    || !answer.recall.is_empty()
                    || !answer.revoked.is_empty()
                    || answer.stop.is_some(),
            };
        }
        self.slots = answer.slots.min(MAX_SLOTS) as usize;
        self.most = self.most.saturating_mul(2);
        if !answer.recall.is_empty() || !answer.revoked.is_empty() {
            self.stock.retain(|grant| !answer.recall.contains(&grant.id) && !answer.revoked.contains(&grant.id));
            self.stocked = self.stock.iter().map(|grant| grant.id).collect();
        }
        effects.kill = answer.revoked.into_iter().filter(|id| self.running.contains(id)).collect();
        self.revoked.extend(&effects.kill);
        for grant in answer.grants {
            if self.takes_more() && answer.stop.is_none() && !self.holds(grant.id) {
                self.stocked.insert(grant.id);
                self.stock.push_back(grant);
            }
        }
        if let Some(message) = answer.stop
            && self.takes_more()
        {
            self.leave(Leaving::Stopped, message);
            // Who says so knows it.
            self.farewell = true;
        }
        Taken::Newest(effects)
    }

    /// The newest request got no answer.
    pub fn failed(&mut self, number: u64) {
        // Nobody may be there any more to say it to.
        self.farewell |= self.open.iter().any(|sent| sent.number == number && sent.leaving);
        self.open.retain(|sent| sent.number != number);
    }

    /// The newest request was refused as too large, as by a proxy with a limit of its own: the next ones say less.
    pub fn was_too_large(&mut self) {
        self.most = (self.said / 2).max(1);
    }

    fn holds(&self, id: AttemptId) -> bool {
        self.running.contains(&id) || self.stocked.contains(&id) || self.outbox.holds(id)
    }

    /// Takes the oldest attempt of the stock to begin it, if one may begin now.
    pub fn begin(&mut self, now: Duration) -> Option<Grant> {
        if !self.may_begin(now) {
            return None;
        }
        let grant = self.stock.pop_front()?;
        self.stocked.remove(&grant.id);
        self.running.insert(grant.id);
        self.unconfirmed.insert(grant.id, 0);
        self.begun += 1;
        Some(grant)
    }

    /// Whether the oldest attempt of the stock may begin now.
    pub fn may_begin(&self, now: Duration) -> bool {
        let fresh = self.answered.is_some_and(|at| now.saturating_sub(at) < Duration::from_millis(BEGIN_WITHIN_MILLIS));
        fresh && !self.stock.is_empty() && self.has_free_slot() && self.takes_more() && !self.outbox.is_full()
    }

    /// An attempt that was begun has ended.
    pub fn ended(&mut self, id: AttemptId, micros: u64, mut outcome: Outcome) {
        bound(&mut outcome);
        self.running.remove(&id);
        self.unconfirmed.remove(&id);
        if !self.revoked.remove(&id) {
            self.outbox.push(id, micros, outcome);
        }
    }

    /// What is to be killed, since the operator may not know that it runs. It has no end, as what is revoked.
    pub fn take_unconfirmed(&mut self, now: Duration) -> Vec<AttemptId> {
        let within = Duration::from_millis(CONFIRM_WITHIN_MILLIS);
        if self.unconfirmed.is_empty() || self.heard.is_none_or(|at| now.saturating_sub(at) < within) {
            return Vec::new();
        }
        let late: Vec<AttemptId> = std::mem::take(&mut self.unconfirmed).into_keys().collect();
        self.revoked.extend(&late);
        late
    }

    /// An attempt could not be begun: it is no longer held, and the worker leaves.
    pub fn could_not_start(&mut self, id: AttemptId, message: String) {
        self.running.remove(&id);
        self.unconfirmed.remove(&id);
        self.revoked.remove(&id);
        self.begun = self.begun.saturating_sub(1);
        self.leave(Leaving::CannotStart, message);
    }

    /// An attempt that was begun is no longer held, and has no end: it was revoked, or is given back.
    pub fn given_back(&mut self, id: AttemptId) {
        self.running.remove(&id);
        self.unconfirmed.remove(&id);
        self.revoked.remove(&id);
    }

    /// An attempt is answered, and its end is not known for certain: it takes no place of another.
    pub fn hold(&mut self, id: AttemptId) {
        self.held_back.insert(id);
    }

    /// It takes its place again, or its end is known. Whether it took none.
    pub fn unhold(&mut self, id: AttemptId) -> bool {
        self.held_back.remove(&id)
    }

    /// The worker takes nothing more and gives back what has not begun. The first reason stays, but for SIGTERM.
    pub fn leave(&mut self, reason: Leaving, message: String) {
        self.stock.clear();
        self.stocked.clear();
        if self.takes_more() || reason == Leaving::Terminated {
            self.state = State::Leaving { reason, message: bounded(message) };
        }
    }

    /// The worker asks to be replaced.
    pub fn ask_for_replacement(&mut self, message: String) {
        if self.state == State::Working {
            self.state = State::Recycle { message: bounded(message) };
        }
    }

    /// Whether grants are taken.
    pub const fn takes_more(&self) -> bool {
        !matches!(self.state, State::Leaving { .. })
    }

    /// Whether nothing is held and everything is acknowledged.
    pub fn is_settled(&self) -> bool {
        self.stock.is_empty() && self.running.is_empty() && self.outbox.is_empty()
    }

    /// Whether the operator has heard that this worker leaves, or could not be reached to say so.
    pub const fn has_said_farewell(&self) -> bool {
        self.farewell
    }

    /// Why programs can't be started, if they can't.
    pub fn cannot_start(&self) -> Option<&str> {
        match &self.state {
            State::Leaving { reason: Leaving::CannotStart, message } => Some(message),
            _ => None,
        }
    }

    /// Whether a program could be started if there were an item.
    pub fn has_free_slot(&self) -> bool {
        self.running.len() - self.held_back.len() < (self.slots * self.lines).min(MAX_RUNNING as usize)
    }

    /// How many programs may run.
    pub const fn slots(&self) -> usize {
        self.slots
    }

    /// Whether the newest request is open.
    pub fn is_open(&self) -> bool {
        self.open.back().is_some_and(|sent| sent.number == self.number)
    }

    /// What runs.
    pub const fn running(&self) -> &BTreeSet<AttemptId> {
        &self.running
    }

    /// How many attempts have not begun.
    pub fn stock(&self) -> usize {
        self.stock.len()
    }

    /// How many attempts were begun.
    pub const fn begun(&self) -> u64 {
        self.begun
    }

    /// The number of the newest request.
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether it works, asks to be replaced, or leaves.
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// Whether the operator was ever heard.
    pub const fn was_answered(&self) -> bool {
        self.heard.is_some()
    }

    /// When the newest request was sent that has been answered.
    pub const fn answered(&self) -> Option<Duration> {
        self.answered
    }
}

/// A report that says too much is refused, and the worker with it.
fn bound(outcome: &mut Outcome) {
    match outcome {
        Outcome::Failed { message, .. }
        | Outcome::OutOfMemory { message, .. }
        | Outcome::Suspect { message, .. }
        | Outcome::Deadline { message }
        | Outcome::NotStarted { message } => *message = bounded(std::mem::take(message)),
        Outcome::Succeeded { .. } | Outcome::ResultTooLarge { .. } | Outcome::Stopped => {}
    }
}

fn bounded(mut message: String) -> String {
    message.truncate(message.floor_char_boundary(MAX_MESSAGE_BYTES));
    message
}
