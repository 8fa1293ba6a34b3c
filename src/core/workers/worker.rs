//! One worker: how it stands with the exchange.

use maptask_exchange::{AttemptId, Grant};

use crate::core::ids::Time;
use crate::core::phases::Raises;
use crate::core::revision::Revision;
use crate::core::workers::luck::Row;
use crate::core::workers::session::Session;

/// One worker.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or not whatever the others are")]
pub struct Worker {
    pub(super) session: Session,
    /// The UID of its pod, once that was shown.
    pub(super) uid: Option<String>,
    /// The node of its pod, once that was shown.
    pub(super) node: Option<String>,
    /// When it was requested, or found.
    pub(super) since: Time,
    /// Its failures since the last success.
    pub(super) row: Row,
    /// Since when its program runs, as far as was shown.
    pub(super) runs_since: Option<Time>,
    /// A request that is kept until there is something to say.
    pub(super) parked: Option<Parked>,
    /// When it last spoke, or since when it could have.
    pub(super) heard: Time,
    /// Whether all that it holds is known: it was made by this leader, or has spoken to it.
    pub(super) announced: bool,
    /// How many programs it may run at the same time.
    pub(super) slots: usize,
    /// Why it is to end, once nothing more is for it.
    pub(super) stop: Option<&'static str>,
    /// It takes nothing more.
    pub(super) leaving: bool,
    /// It was silent for so long that it may begin nothing, unless another leader answers it: this revision, once it is
    /// written, rules that out.
    pub(super) silent: Option<Revision>,
    /// It has run for so long without a word that it is reported.
    pub(super) unheard: bool,
    /// It was silent for so long that its pod is given up.
    pub(super) lost: bool,
    /// Since when it holds nothing.
    pub(super) idle_since: Option<Time>,
    /// What it holds though it is not its own.
    pub(super) revoked: Vec<AttemptId>,
    /// What it is asked to give back.
    pub(super) recalled: Vec<AttemptId>,
    /// What it gets with the next answer.
    pub(super) grants: Vec<Grant>,
    /// It runs one suspect and nothing else.
    pub(super) alone: bool,
    /// How often the memory of its containers was raised: as its create said, then as its pod says.
    pub(super) memory: Raises,
}

/// What a worker holds whose pod is about to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holdings {
    /// Nothing.
    None,
    /// What another leader may have granted to it, which it is yet to say.
    Unknown,
}

/// What runs beside an attempt in its worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Nothing.
    Alone,
    /// Other attempts, if there are slots.
    Shared,
}

/// A request that is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parked {
    pub(super) ticket: u64,
    pub(super) until: Time,
}

impl Worker {
    /// It holds nothing that is known here.
    pub(super) fn new(now: Time, holdings: Holdings) -> Self {
        Self {
            session: Session::default(),
            uid: None,
            node: None,
            since: now,
            row: Row::default(),
            runs_since: None,
            parked: None,
            heard: now,
            announced: holdings == Holdings::None,
            slots: 0,
            stop: None,
            leaving: false,
            silent: None,
            unheard: false,
            lost: false,
            idle_since: None,
            revoked: Vec::new(),
            recalled: Vec::new(),
            grants: Vec::new(),
            alone: false,
            memory: Raises::NONE,
        }
    }

    /// What it holds, and what it has reported.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// The node of its pod, once that was shown.
    pub fn node(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// When it was requested, or found.
    pub fn since(&self) -> Time {
        self.since
    }

    /// How many programs it may run at the same time.
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// Whether it takes what is granted to it, now. One that was silent first has to say what it still holds.
    pub fn is_open(&self) -> bool {
        self.parked.is_some() && self.stop.is_none() && !self.leaving && self.announced && self.silent.is_none()
    }

    /// Whether it counts for what is to be done: it is not about to end.
    pub fn stays(&self) -> bool {
        self.stop.is_none() && !self.leaving
    }

    /// Whether it has ever spoken.
    pub fn has_spoken(&self) -> bool {
        !self.session.name().is_empty()
    }

    /// Since when it holds nothing.
    pub fn idle_since(&self) -> Option<Time> {
        self.idle_since
    }

    /// Whether what it was granted last is a suspect, which runs alone.
    pub fn is_alone(&self) -> bool {
        self.alone
    }

    /// Whether it holds a suspect, and runs nothing beside it.
    pub fn runs_alone(&self) -> bool {
        self.alone && self.session.holds() > 0
    }

    /// Whether nothing has run in it, and it holds nothing.
    pub fn is_fresh(&self) -> bool {
        self.session.begun() == 0 && self.session.holds() == 0
    }

    /// How often the memory of its containers was raised.
    pub fn memory(&self) -> Raises {
        self.memory
    }

    /// Whether it certainly has this memory. More than that of the template can't be too little; else its pod has to be
    /// shown: under its name there may be one that an earlier leader has made.
    pub fn has_memory(&self, memory: Raises) -> bool {
        self.memory == memory && (memory.is_none() || self.uid.is_some())
    }

    /// Whether nothing but the attempt that it runs, or has just run, can have taken memory in it.
    pub fn ran_one(&self) -> bool {
        self.alone || self.session.begun() <= 1
    }

    /// Slots for which it holds nothing.
    pub fn free(&self) -> usize {
        self.slots.saturating_sub(self.session.holds())
    }
}
