//! The pieces of a list arrive from the pod that computes it. Each is acknowledged once it is stored, and the end of
//! the list once it is recorded: a map never runs on half of one.

use crate::api::listing::StoredList;
use crate::core::ids::{Attempt, PodRole, Time};
use crate::core::items::{Gathering, Next, list_prefix};
use crate::core::port::{
    Action, ExchangeRefusal, ListAnswer, ListEnd, ListPart, Listed, PieceId, PieceOutcome, Reply, Said, StorePiece,
};
use crate::core::record::number;
use crate::core::revision::Revision;
use crate::core::solo::listing::Listing;

/// Most characters of why a piece is not stored.
const PROBLEM_LIMIT: usize = 400;

/// What follows from a request of the pod.
#[derive(Debug, Default)]
pub struct Heard {
    /// What is answered now.
    pub replies: Vec<Reply>,
    /// The whole list, which is to be recorded.
    pub list: Option<StoredList>,
}

impl Listing {
    /// A pod of this role says something.
    pub fn hear(&mut self, now: Time, role: PodRole, listed: Listed) -> Heard {
        let Listed { ticket, pod_uid, part, .. } = listed;
        if let Err(refusal) = self.admit(role, &pod_uid) {
            return Heard { replies: vec![Reply { ticket, result: Err(refusal) }], list: None };
        }
        self.reach.heard(now, &pod_uid);
        // One process speaks, and waits for its answer: what it asked before, it has given up.
        let mut heard = Heard { replies: self.close(ExchangeRefusal::Superseded).into_iter().collect(), list: None };
        if self.list.is_some() {
            self.ticket = Some(ticket);
            return heard;
        }
        if self.gathering.as_ref().is_none_or(|gathering| gathering.pod_uid != pod_uid) {
            self.gathering = Some(Gathering::new(pod_uid));
            self.to_store = None;
        }
        self.gather(role.attempt(), ticket, part, &mut heard);
        heard
    }

    fn gather(&mut self, attempt: Attempt, ticket: u64, part: ListPart, heard: &mut Heard) {
        let Some(gathering) = &mut self.gathering else { return };
        match part {
            ListPart::Piece { number, digest, data } => match gathering.take(number, digest) {
                Next::ReportProgress => heard.replies.push(Reply { ticket, result: Ok(stored(gathering)) }),
                next => {
                    self.ticket = Some(ticket);
                    if next == Next::Store {
                        let of = &self.solo.run().spec().blueprint;
                        let (key, uid, pod_uid) = (of.key.clone(), of.uid.clone(), gathering.pod_uid.clone());
                        let id = PieceId { key, attempt, number };
                        self.to_store = Some(StorePiece { id, uid, pod_uid, data });
                    }
                }
            },
            ListPart::Running => heard.replies.push(Reply { ticket, result: Ok(stored(gathering)) }),
            // The pod says that these were all pieces: the list is recorded, or some of them are asked for again.
            ListPart::End(end) if gathering.is_whole(end.pieces, &end.hash) => {
                let pod_uid = gathering.pod_uid.clone();
                self.ticket = Some(ticket);
                heard.list = Some(self.record_of(attempt, pod_uid, end));
            }
            ListPart::End(end) => {
                if gathering.stored() >= end.pieces {
                    // These are not the pieces of that list.
                    gathering.restart();
                }
                heard.replies.push(Reply { ticket, result: Ok(stored(gathering)) });
            }
        }
    }

    fn record_of(&self, attempt: Attempt, pod_uid: String, end: ListEnd) -> StoredList {
        StoredList {
            config_map_prefix: list_prefix(&self.solo.run().spec().blueprint.key.name, attempt.0),
            pieces: number(end.pieces),
            items: number(end.items),
            bytes: i64::try_from(end.bytes).unwrap_or(i64::MAX),
            hash: end.hash,
            attempt: number(attempt.0),
            pod_uid,
        }
    }

    /// Whether the pod with this UID is the one of the current attempt.
    fn admit(&self, role: PodRole, uid: &str) -> Result<(), ExchangeRefusal> {
        if self.list.as_ref().is_some_and(|(list, _)| list.pod_uid == uid) {
            return Ok(());
        }
        let run = self.solo.run();
        if role.attempt() < self.solo.attempt() || run.outcome().is_some() || self.list.is_some() {
            return Err(ExchangeRefusal::NotAWorker);
        }
        match run.pods().get(role).and_then(|pod| pod.uid()) {
            Some(known) if known == uid => Ok(()),
            Some(_) => Err(ExchangeRefusal::NotAWorker),
            // It was not shown yet.
            None => Err(ExchangeRefusal::NotReady),
        }
    }

    /// Sends a piece to be stored, and says that the list is whole once that is recorded.
    pub fn poll(&mut self, now: Time, written: Revision, actions: &mut Vec<Action>) -> Option<Reply> {
        self.note_silence(now);
        actions.extend(self.to_store.take().map(|piece| Action::StorePiece(Box::new(piece))));
        let (list, _) = self.list.as_ref().filter(|(_, revision)| *revision <= written)?;
        let ticket = self.ticket.take()?;
        Some(Reply { ticket, result: Ok(complete(list.pieces)) })
    }

    /// A piece was stored, or could not be.
    pub fn piece_stored(&mut self, id: &PieceId, outcome: PieceOutcome) -> Option<Reply> {
        let attempt = self.solo.attempt();
        let gathering = self.gathering.as_mut().filter(|_| attempt == id.attempt)?;
        gathering.settle(id.number, outcome == PieceOutcome::Stored);
        let result = match outcome {
            PieceOutcome::Stored => {
                self.problem = None;
                Ok(stored(gathering))
            }
            PieceOutcome::Failed(message) => {
                self.problem = Some(crate::text::cut(&message, PROBLEM_LIMIT));
                Err(ExchangeRefusal::NotStored)
            }
        };
        self.ticket.take().map(|ticket| Reply { ticket, result })
    }
}

fn stored(gathering: &Gathering) -> Said {
    Said::List(ListAnswer { stored: gathering.stored(), complete: false })
}

/// The list of this many pieces is recorded.
pub fn complete(pieces: i32) -> Said {
    Said::List(ListAnswer { stored: u32::try_from(pieces).unwrap_or(0), complete: true })
}
