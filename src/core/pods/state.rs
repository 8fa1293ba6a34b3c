//! One pod, from its create to its end: what is known of it, and what is wanted of it.

use crate::core::ids::Time;
use crate::core::pod::{Detail, PodEnd, PodOutcome, PodSeen, StopReason};
use crate::core::pods::start::Start;

/// One pod.
#[derive(Clone, Debug)]
pub struct PodState {
    existence: Existence,
    stop: Stop,
    /// A deletion for a suspension got no answer: it may be carried out, though the pod may run on by now.
    may_be_suspended: bool,
    start: Start,
    /// A GET of it has no answer yet. If the pod was shown since, the answer is older than what is known.
    get_pending: bool,
    /// The complete list of pods in which it was last known to exist.
    epoch: u32,
}

/// Whether the pod exists.
#[derive(Clone, Debug)]
enum Existence {
    /// A create request is on its way, and nothing has been seen of the pod.
    Requested,
    /// A create got no answer: the pod may exist, or may yet come. It is asked for by name.
    Unconfirmed(Ask),
    /// It exists, or has existed: an answer says so, or the record, or the watch.
    Present {
        /// As it was last seen, once it was.
        seen: Option<Seen>,
        /// The create request that it may come from has no answer yet.
        create_pending: bool,
        /// Why it may be gone, if it may.
        suspect: Option<Suspect>,
    },
}

#[derive(Clone, Debug)]
struct Seen {
    uid: String,
    version: u64,
}

/// A pod that should be there and was not shown.
#[derive(Clone, Debug)]
struct Suspect {
    ask: Ask,
    /// As the watch last showed it, if the watch says that it is gone: it may only have lost the label.
    last: Option<Box<PodSeen>>,
}

/// How far asking for the pod by name has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    /// Not before that time.
    NotBefore(Time),
    /// The request is on its way.
    Sent,
}

/// Whether the pod is to be stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stop {
    /// It is wanted.
    No,
    /// An operator before this one may have stopped it, since the task was suspended.
    Assumed,
    /// It is to be deleted, not before that time.
    Due { why: StopReason, not_before: Option<Time> },
    /// The deletion of the pod with this UID is on its way, or was accepted.
    Sent { why: StopReason, uid: Option<String> },
}

/// What is to be done about a pod that was not created.
#[derive(Clone, Debug)]
pub enum Absent {
    /// Nothing: another create of it is on its way.
    Requested,
    /// It was never there.
    NeverCreated,
    /// It was there; as the watch last showed it, if the watch did.
    Gone(Option<Box<PodSeen>>),
}

impl PodState {
    fn new(existence: Existence, since: Time) -> Self {
        let start = Start::new(Some(since));
        Self { existence, stop: Stop::No, may_be_suspended: false, start, get_pending: false, epoch: 0 }
    }

    /// A create request goes out.
    pub fn requested(now: Time) -> Self {
        Self::new(Existence::Requested, now)
    }

    /// Whether it exists is not known, and is asked for.
    pub fn unconfirmed(now: Time) -> Self {
        Self::new(Existence::Unconfirmed(Ask::NotBefore(now)), now)
    }

    /// It is about to be shown, and was created at that time.
    pub fn found(since: Time) -> Self {
        Self::new(Existence::Present { seen: None, create_pending: false, suspect: None }, since)
    }

    /// The record says that it runs, and no list has shown it. `suspended`: it may have been stopped for a suspension.
    pub fn recorded(now: Time, suspended: bool) -> Self {
        let suspect = Some(Suspect { ask: Ask::NotBefore(now), last: None });
        let state = Self::new(Existence::Present { seen: None, create_pending: false, suspect }, now);
        Self { stop: if suspended { Stop::Assumed } else { Stop::No }, ..state }
    }

    /// Forgets what was seen of the pod.
    #[must_use]
    pub fn unseen(mut self) -> Self {
        if let Existence::Present { seen, .. } = &mut self.existence {
            *seen = None;
        }
        self.start = Start::new(self.start.waiting_since);
        self
    }

    /// Whether a create request for it is on its way.
    pub fn is_create_pending(&self) -> bool {
        matches!(self.existence, Existence::Requested | Existence::Present { create_pending: true, .. })
    }

    /// Whether it exists, or has existed.
    pub fn is_present(&self) -> bool {
        matches!(self.existence, Existence::Present { .. })
    }

    /// Whether it may exist, and the watch has not shown it or shows it no more.
    pub fn is_unshown(&self) -> bool {
        match &self.existence {
            Existence::Requested => false,
            Existence::Unconfirmed(_) => true,
            Existence::Present { seen, suspect, .. } => seen.is_none() || suspect.is_some(),
        }
    }

    /// Its UID, once it was seen.
    pub fn uid(&self) -> Option<&str> {
        self.seen().map(|seen| seen.uid.as_str())
    }

    /// Its version, once it was seen.
    pub fn version(&self) -> Option<u64> {
        self.seen().map(|seen| seen.version)
    }

    fn seen(&self) -> Option<&Seen> {
        match &self.existence {
            Existence::Present { seen, .. } => seen.as_ref(),
            Existence::Requested | Existence::Unconfirmed(_) => None,
        }
    }

    pub(super) fn start(&self) -> &Start {
        &self.start
    }

    pub(super) fn start_mut(&mut self) -> &mut Start {
        &mut self.start
    }

    /// An answer says that it was created.
    pub fn confirm(&mut self, epoch: u32) {
        self.epoch = epoch;
        let (seen, suspect) = match std::mem::replace(&mut self.existence, Existence::Requested) {
            Existence::Requested => (None, None),
            Existence::Unconfirmed(ask) => (None, Some(Suspect { ask, last: None })),
            Existence::Present { seen, suspect, .. } => (seen, suspect),
        };
        self.existence = Existence::Present { seen, create_pending: false, suspect };
    }

    /// Its create request was answered, without a pod. Returns whether it is there all the same.
    pub fn settle_create(&mut self) -> bool {
        match &mut self.existence {
            Existence::Present { create_pending, .. } => {
                *create_pending = false;
                true
            }
            Existence::Requested | Existence::Unconfirmed(_) => false,
        }
    }

    /// Its create request got no answer that counts: it is asked for by name, from that time on.
    pub fn unconfirm(&mut self, ask_at: Time) {
        self.settle_create();
        self.ask_again(ask_at);
    }

    /// It is seen. Returns whether for the first time. A late create can have made another one after the pod that was
    /// seen before: that one was stopped, and this one was not, nor has it had time to start.
    pub fn sight(&mut self, pod: &PodSeen, epoch: u32) -> bool {
        let create_pending = self.is_create_pending();
        let is_another = self.is_another(&pod.uid);
        let first = self.uid().is_none() || is_another;
        match &self.stop {
            Stop::Assumed if first => self.stop = Stop::No,
            Stop::Sent { why, uid: Some(uid) } if *uid != pod.uid => {
                self.stop = Stop::Due { why: *why, not_before: None };
            }
            _ => {}
        }
        if is_another {
            self.start = Start::new(pod.created.or(self.start.waiting_since));
        }
        let seen = Some(Seen { uid: pod.uid.clone(), version: pod.version });
        self.existence = Existence::Present { seen, create_pending, suspect: None };
        self.epoch = epoch;
        first
    }

    /// Whether the pod of this UID is another one than that which was seen before.
    pub fn is_another(&self, uid: &str) -> bool {
        self.uid().is_some_and(|known| known != uid)
    }

    /// It is over, and the create on its way may make another one of its name: it is asked for by name, from that time
    /// on.
    pub fn put_off_end(&mut self, ask_at: Time) {
        if matches!(self.existence, Existence::Requested) {
            self.existence = Existence::Present { seen: None, create_pending: true, suspect: None };
        }
        self.ask_again(ask_at);
    }

    /// A list of this number has shown it, as it was before what is known of it.
    pub fn listed(&mut self, epoch: u32) {
        self.epoch = self.epoch.max(epoch);
    }

    /// It was not shown where it should have been: it is asked for by name, unless it is already.
    pub fn suspect(&mut self, now: Time) {
        if let Existence::Present { suspect: suspect @ None, .. } = &mut self.existence {
            *suspect = Some(Suspect { ask: Ask::NotBefore(now), last: None });
        }
    }

    /// Suspects the pod if no list since this epoch has shown it.
    pub fn suspect_before(&mut self, now: Time, epoch: u32) {
        if self.epoch < epoch {
            self.suspect(now);
        }
    }

    /// The watch says that it is gone, and was last seen like this.
    pub fn suspect_gone(&mut self, now: Time, last: &PodSeen) {
        if let Existence::Present { suspect, .. } = &mut self.existence {
            *suspect = Some(Suspect { ask: Ask::NotBefore(now), last: Some(Box::new(last.clone())) });
        }
    }

    /// It is asked for by name, from that time on.
    pub fn ask_again(&mut self, at: Time) {
        match &mut self.existence {
            Existence::Present { suspect: Some(Suspect { ask, .. }), .. } | Existence::Unconfirmed(ask) => {
                *ask = Ask::NotBefore(at);
            }
            Existence::Present { suspect: suspect @ None, .. } => {
                *suspect = Some(Suspect { ask: Ask::NotBefore(at), last: None });
            }
            Existence::Requested => self.existence = Existence::Unconfirmed(Ask::NotBefore(at)),
        }
    }

    fn ask(&self) -> Option<Ask> {
        match &self.existence {
            Existence::Present { suspect, .. } => suspect.as_ref().map(|suspect| suspect.ask),
            Existence::Unconfirmed(ask) => Some(*ask),
            Existence::Requested => None,
        }
    }

    /// A GET of it was answered. Returns whether the answer counts: it does not if the pod was shown since.
    pub fn answered(&mut self) -> bool {
        self.get_pending = false;
        self.ask() == Some(Ask::Sent)
    }

    /// Whether it is to be asked for by name now. One GET is on its way at a time, since answers may come in any order.
    pub fn is_ask_due(&self, now: Time) -> bool {
        !self.get_pending && matches!(self.ask(), Some(Ask::NotBefore(time)) if time <= now)
    }

    /// The request for it goes out.
    pub fn ask_sent(&mut self) {
        self.get_pending = true;
        match &mut self.existence {
            Existence::Present { suspect: Some(Suspect { ask, .. }), .. } | Existence::Unconfirmed(ask) => {
                *ask = Ask::Sent;
            }
            Existence::Present { suspect: None, .. } | Existence::Requested => {}
        }
    }

    /// It was asked for by name, and is not there.
    pub fn absent(&mut self) -> Absent {
        match &mut self.existence {
            Existence::Present { suspect, .. } => Absent::Gone(suspect.take().and_then(|suspect| suspect.last)),
            Existence::Unconfirmed(_) => Absent::NeverCreated,
            Existence::Requested => Absent::Requested,
        }
    }

    /// Why it is to be stopped, or was, as far as this operator knows.
    pub fn stop_reason(&self) -> Option<StopReason> {
        match self.stop {
            Stop::No => None,
            Stop::Assumed => Some(StopReason::Suspended),
            Stop::Due { why, .. } | Stop::Sent { why, .. } => Some(why),
        }
    }

    /// Whether its deletion was asked for.
    pub fn is_stop_sent(&self) -> bool {
        matches!(self.stop, Stop::Sent { .. } | Stop::Assumed)
    }

    /// It is to be stopped, unless it is already. The end of the task may be taken back, and other reasons stay.
    pub fn want_stopped(&mut self, why: StopReason) {
        match self.stop {
            Stop::No => self.stop = Stop::Due { why, not_before: None },
            Stop::Due { why: StopReason::Decided, not_before } => self.stop = Stop::Due { why, not_before },
            Stop::Due { .. } | Stop::Assumed | Stop::Sent { .. } => {}
        }
    }

    /// It is wanted after all. Returns whether it was to be stopped for this reason, and is not being stopped yet.
    pub fn unwant_stopped(&mut self, is_reason: impl Fn(StopReason) -> bool) -> bool {
        let is_due = matches!(self.stop, Stop::Due { why, .. } if is_reason(why));
        if is_due {
            self.stop = Stop::No;
        }
        is_due
    }

    /// Whether its deletion may be sent at this time, as far as an earlier try of it is concerned.
    pub fn may_stop(&self, now: Time) -> bool {
        match self.stop {
            Stop::No => true,
            Stop::Due { not_before, .. } => not_before.is_none_or(|time| time <= now),
            Stop::Assumed | Stop::Sent { .. } => false,
        }
    }

    /// Its deletion got no answer.
    pub fn stop_unanswered(&mut self) {
        self.may_be_suspended |= self.is_stop_sent() && self.stop_reason() == Some(StopReason::Suspended);
    }

    /// Its deletion is to wait until that time.
    pub fn put_off_stop(&mut self, until: Time) {
        let why = self.stop_reason().unwrap_or(StopReason::Decided);
        self.stop = Stop::Due { why, not_before: Some(until) };
    }

    /// Its deletion goes out.
    pub fn stop_sent(&mut self) {
        let uid = self.uid().map(str::to_owned);
        self.stop = Stop::Sent { why: self.stop_reason().unwrap_or(StopReason::Decided), uid };
    }

    /// When it needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        match (self.ask(), &self.stop) {
            (Some(Ask::NotBefore(time)), _) => Some(time).filter(|_| !self.get_pending),
            (None, &Stop::Due { not_before, .. }) => not_before,
            _ => None,
        }
    }

    /// It is over.
    pub fn end(self, outcome: PodOutcome, detail: Detail) -> PodEnd {
        let stop = self.stop_reason().filter(|_| self.is_stop_sent());
        let stop = stop.or(self.may_be_suspended.then_some(StopReason::Suspended));
        PodEnd { outcome, detail, started: self.start.waiting_since.is_none(), stop, blocker: self.start.blocker }
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
