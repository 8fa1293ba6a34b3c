//! The pieces of a list arrive from the pod that computes it. Each is acknowledged once it is stored, and the end of
//! the list once it is recorded: a map never runs on half of one.

use crate::api::listing::StoredList;
use crate::api::reasons::EventReason;
use crate::core::ids::{PodRole, Time};
use crate::core::items::{Gathering, Next, list_prefix};
use crate::core::pod::EventType;
use crate::core::port::{
    Action, ExchangeRefusal, ListAnswer, ListEnd, ListPart, Listed, PieceId, PieceOutcome, Reply, Said, StorePiece,
};
use crate::core::record::number;
use crate::core::spec::reduce::SELF;
use crate::core::task::listing::Listing;
use crate::core::task::{Stage, Task};

/// Most characters of why a piece is not stored.
const PROBLEM_LIMIT: usize = 400;

impl Task {
    /// The pod of a list says something.
    pub fn handle_listed(&mut self, now: Time, role: PodRole, listed: Listed) {
        let Listed { ticket, pod_uid, part, .. } = listed;
        let known = self.summary.listing.as_ref().and_then(|listing| listing.list.as_ref());
        let result = match &mut self.stage {
            _ if self.deleting => Err(ExchangeRefusal::NotAWorker),
            Stage::Listing(listing) => match listing.admit(role, &pod_uid) {
                Ok(()) => {
                    listing.reach.heard(now, &pod_uid);
                    return self.gather(role, ticket, pod_uid, part);
                }
                Err(refusal) => Err(refusal),
            },
            // The answer that said so was lost.
            _ if known.is_some_and(|list| list.pod_uid == pod_uid) => Ok(complete(known.map_or(0, |list| list.pieces))),
            _ => Err(ExchangeRefusal::NotAWorker),
        };
        self.replies.push(Reply { ticket, result });
    }

    fn gather(&mut self, role: PodRole, ticket: u64, pod_uid: String, part: ListPart) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        // One process speaks, and waits for its answer: what it asked before, it has given up.
        let before = listing.close(ExchangeRefusal::Superseded);
        self.replies.extend(before);
        if listing.list.is_some() {
            listing.ticket = Some(ticket);
            return;
        }
        if listing.gathering.as_ref().is_none_or(|gathering| gathering.pod_uid != pod_uid) {
            listing.gathering = Some(Gathering::new(pod_uid));
            listing.to_store = None;
        }
        let Some(gathering) = &mut listing.gathering else { return };
        let attempt = role.attempt();
        match part {
            ListPart::Piece { number, digest, data } => match gathering.take(number, digest) {
                Next::ReportProgress => self.replies.push(Reply { ticket, result: Ok(stored(gathering)) }),
                next => {
                    listing.ticket = Some(ticket);
                    if next == Next::Store {
                        let (key, uid, pod_uid) = (self.key.clone(), self.uid.clone(), gathering.pod_uid.clone());
                        let id = PieceId { key, attempt, number };
                        listing.to_store = Some(StorePiece { id, uid, pod_uid, data });
                    }
                }
            },
            ListPart::Running => self.replies.push(Reply { ticket, result: Ok(stored(gathering)) }),
            ListPart::End(end) => self.end_list(ticket, attempt.0, end),
        }
    }

    /// The pod says that these were all pieces: the list is recorded, or some of them are asked for again.
    fn end_list(&mut self, ticket: u64, attempt: u32, end: ListEnd) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        let Some(gathering) = &mut listing.gathering else { return };
        if !gathering.is_whole(end.pieces, &end.hash) {
            if gathering.stored() >= end.pieces {
                // These are not the pieces of that list.
                gathering.restart();
            }
            return self.replies.push(Reply { ticket, result: Ok(stored(gathering)) });
        }
        listing.ticket = Some(ticket);
        let list = self.record_of(attempt, end);
        let note = format!("attempt {attempt} of spec.items.pod has listed {} items", list.items);
        let revision = self.writer.change_urgently();
        let Stage::Listing(listing) = &mut self.stage else { return };
        listing.complete(list, revision);
        self.emit_recorded(EventReason::Listed, EventType::Normal, &note);
    }

    fn record_of(&self, attempt: u32, end: ListEnd) -> StoredList {
        let pod_uid = match &self.stage {
            Stage::Listing(listing) => listing.gathering.as_ref().map(|gathering| gathering.pod_uid.clone()),
            _ => None,
        };
        StoredList {
            config_map_prefix: list_prefix(&self.key.name, attempt),
            pieces: number(end.pieces),
            items: number(end.items),
            bytes: i64::try_from(end.bytes).unwrap_or(i64::MAX),
            hash: end.hash,
            attempt: number(attempt),
            pod_uid: pod_uid.unwrap_or_default(),
        }
    }

    /// Sends a piece to be stored, and says that the list is whole once that is recorded.
    pub(super) fn poll_gather(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        listing.note_silence(now);
        actions.extend(listing.to_store.take().map(|piece| Action::StorePiece(Box::new(piece))));
        if let Some((list, revision)) = &listing.list
            && self.writer.is_written(*revision)
            && let Some(ticket) = listing.ticket.take()
        {
            self.replies.push(Reply { ticket, result: Ok(complete(list.pieces)) });
        }
    }

    /// A piece was stored, or could not be.
    pub fn handle_piece_stored(&mut self, id: &PieceId, outcome: PieceOutcome) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        let attempt = listing.run.items().tries(SELF).attempt;
        let Some(gathering) = listing.gathering.as_mut().filter(|_| attempt == id.attempt) else { return };
        gathering.settle(id.number, outcome == PieceOutcome::Stored);
        let result = match outcome {
            PieceOutcome::Stored => {
                listing.problem = None;
                Ok(stored(gathering))
            }
            PieceOutcome::Failed(message) => {
                listing.problem = Some(crate::text::cut(&message, PROBLEM_LIMIT));
                Err(ExchangeRefusal::NotStored)
            }
        };
        self.replies.extend(listing.ticket.take().map(|ticket| Reply { ticket, result }));
    }
}

impl Listing {
    /// Whether the pod with this UID is the one of the current attempt.
    fn admit(&self, role: PodRole, uid: &str) -> Result<(), ExchangeRefusal> {
        let attempt = self.run.items().tries(SELF).attempt;
        if self.list.as_ref().is_some_and(|(list, _)| list.pod_uid == uid) {
            return Ok(());
        }
        if role.attempt() < attempt || self.run.outcome().is_some() || self.list.is_some() {
            return Err(ExchangeRefusal::NotAWorker);
        }
        match self.run.pods().get(role).and_then(|pod| pod.uid()) {
            Some(known) if known == uid => Ok(()),
            Some(_) => Err(ExchangeRefusal::NotAWorker),
            // It was not shown yet.
            None => Err(ExchangeRefusal::NotReady),
        }
    }
}

fn stored(gathering: &Gathering) -> Said {
    Said::List(ListAnswer { stored: gathering.stored(), complete: false })
}

fn complete(pieces: i32) -> Said {
    Said::List(ListAnswer { stored: u32::try_from(pieces).unwrap_or(0), complete: true })
}
