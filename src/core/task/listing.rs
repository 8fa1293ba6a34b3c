//! Before the map: one pod computes the list. What the task does before and after, and what it is asked and answered in
//! between; the rest is `solo`'s.

use std::sync::Arc;

use crate::api::listing::ListingStatus;
use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::spec::MapTaskSpec;
use crate::api::status::ReducePhase;
use crate::core::ids::{PodRole, Time};
use crate::core::pod::EventType;
use crate::core::port::{Action, ExchangeRefusal, Listed, PieceId, PieceOutcome, Reply};
use crate::core::record::meta_time;
use crate::core::solo::{self, Former, Heard, Listing, complete, why_list_failed};
use crate::core::spec::lister::Lister;
use crate::core::spec::outcome::FailReason;
use crate::core::spec::templates::with_stand_ins;
use crate::core::spec::{AcceptedSpec, Given, Refusal};
use crate::core::task::{PollContext, Stage, Task};

impl Task {
    /// Whether the list is being computed.
    pub(super) fn is_listing(&self) -> bool {
        matches!(self.stage, Stage::Listing(_))
    }

    /// The spec with where the list of its pod is stored, as far as that is recorded.
    pub(super) fn with_list(&self, spec: &MapTaskSpec) -> MapTaskSpec {
        let mut spec = spec.clone();
        if let Some(pod) = &mut spec.items.pod {
            pod.stored = self.summary.listing.as_ref().and_then(|listing| listing.list.clone());
        }
        spec
    }

    /// The spec of a task whose list a pod is yet to compute, checked as far as it can be without the list.
    pub(super) fn accept_unlisted(&self, spec: &MapTaskSpec) -> Result<AcceptedSpec, Refusal> {
        let wanted = spec.items.pod.clone().unwrap_or_default();
        let lister = Arc::new(Lister::accept(&self.key, &self.uid, spec, &wanted)?);
        AcceptedSpec::accept(&self.key, &self.uid, spec, Given::Listed(&lister))
    }

    /// A task with a pod for its list, before it is accepted: its pod runs, or has run.
    pub(super) fn accept_with_pod(&mut self, now: Time, spec: &MapTaskSpec) {
        let recorded = self.summary.listing.clone();
        let is_open = |listing: &ListingStatus| solo::is_open(listing.phase);
        if recorded.as_ref().is_some_and(|listing| listing.list.is_some() && !is_open(listing)) {
            self.stage = Stage::Fetching(Box::new(self.with_list(spec)));
            return;
        }
        // What was accepted once is not refused: it waits until its templates are put back.
        let is_changed = recorded.as_ref().is_some_and(is_open) && !self.has_its_templates(spec);
        let stand_ins = is_changed.then(|| with_stand_ins(spec));
        match (self.accept_unlisted(stand_ins.as_ref().unwrap_or(spec)), recorded.filter(is_open)) {
            (Err(refusal), _) => self.refuse(now, refusal.reason(), &refusal.to_string()),
            (Ok(AcceptedSpec { lister: Some(lister), .. }), Some(recorded)) => self.resume_listing(lister, &recorded),
            (Ok(spec), _) => self.check_or_accept(now, Arc::new(spec)),
        }
    }

    /// The pod of the list may start, once that is recorded.
    pub(super) fn begin_listing(&mut self, now: Time, lister: Arc<Lister>) {
        let former = Former::new(self.summary.listing.as_ref().map(|record| record.attempt), self.all_indeterminate);
        self.summary.start_time.get_or_insert_with(|| meta_time(now));
        self.summary.message = None;
        self.summary.template_hash = Some(lister.spec.template_hash.clone());
        let listing = Listing::begin(lister, now, former, self.writer.change_urgently());
        self.summary.waiting = None;
        self.stage = Stage::Listing(Box::new(listing));
    }

    /// A listing that the record says is under way.
    fn resume_listing(&mut self, lister: Arc<Lister>, record: &ListingStatus) {
        let listing = Listing::resume(lister, record, self.all_indeterminate, self.mutable.stops());
        if let Some(listing) = listing {
            self.stage = Stage::Listing(Box::new(listing));
        }
    }

    /// The pod of a list says something.
    pub fn handle_listed(&mut self, now: Time, role: PodRole, listed: Listed) {
        let (ticket, known) = (listed.ticket, self.summary.listing.as_ref().and_then(|listing| listing.list.as_ref()));
        let result = match &mut self.stage {
            _ if self.deleting => Err(ExchangeRefusal::NotAWorker),
            Stage::Listing(listing) => {
                let heard = listing.hear(now, role, listed);
                return self.take_in(heard);
            }
            // The answer that said so was lost.
            _ if known.is_some_and(|list| list.pod_uid == listed.pod_uid) => {
                Ok(complete(known.map_or(0, |list| list.pieces)))
            }
            _ => Err(ExchangeRefusal::NotAWorker),
        };
        self.replies.push(Reply { ticket, result });
    }

    fn take_in(&mut self, heard: Heard) {
        self.replies.extend(heard.replies);
        let (Stage::Listing(listing), Some(list)) = (&mut self.stage, heard.list) else { return };
        let note = format!("attempt {} of spec.items.pod has listed {} items", list.attempt, list.items);
        listing.complete(list, self.writer.change_urgently());
        self.emit_recorded(EventReason::Listed, EventType::Normal, &note);
    }

    /// Sends a piece to be stored, and says that the list is whole once that is recorded.
    pub(super) fn poll_listing(&mut self, now: Time, actions: &mut Vec<Action>) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        self.replies.extend(listing.poll(now, self.writer.written(), actions));
    }

    /// A piece was stored, or could not be.
    pub fn handle_piece_stored(&mut self, id: &PieceId, outcome: PieceOutcome) {
        let Stage::Listing(listing) = &mut self.stage else { return };
        self.replies.extend(listing.piece_stored(id, outcome));
    }

    /// Whether a list that a pod has computed is recorded.
    pub(super) fn has_recorded_list(&self) -> bool {
        self.summary.listing.as_ref().is_some_and(|listing| listing.list.is_some())
    }

    /// The templates are those of the acceptance, though they were others when the task was loaded.
    pub(super) fn restore_lister(&mut self, spec: &MapTaskSpec) {
        let accepted = self.accept_unlisted(spec);
        let Stage::Listing(listing) = &mut self.stage else { return };
        // What was accepted once is not refused.
        let Ok(AcceptedSpec { lister: Some(lister), .. }) = accepted else { return };
        if listing.lister().spec.template_hash != lister.spec.template_hash {
            listing.set_lister(lister);
        }
    }

    /// Takes the listing away, when the task is loaded again.
    pub(super) fn take_listing(&mut self) -> Option<Box<Listing>> {
        match self.take_stage() {
            Stage::Listing(mut listing) => {
                self.replies.extend(listing.close(ExchangeRefusal::NotReady));
                Some(listing)
            }
            other => {
                self.stage = other;
                None
            }
        }
    }

    /// What is known of the listing before the task was loaded again, that the record does not say.
    pub(super) fn continue_listing(&mut self, poll: &PollContext, old: Option<Box<Listing>>) {
        if let (Stage::Listing(new), Some(old)) = (&mut self.stage, old) {
            new.solo_mut().take_over(poll.now, old.into_solo());
        }
    }

    /// By when the listing must have ended. Time in suspension does not count.
    pub(super) fn listing_deadline(&self) -> Option<Time> {
        let Stage::Listing(listing) = &self.stage else { return None };
        listing.solo().deadline().filter(|_| !self.mutable.suspend)
    }

    /// When the pod of the list will have been silent for too long.
    pub(super) fn next_silence(&self) -> Option<Time> {
        let Stage::Listing(listing) = &self.stage else { return None };
        listing.next_silence()
    }

    /// Ends the listing once its pod is over. `late`: why the task may not go on.
    pub(super) fn decide_listing(&mut self, now: Time, late: Option<String>, waited: &str) {
        let cancelled = self.cancels_solo();
        let too_long = self.listing_deadline().filter(|deadline| *deadline <= now);
        let too_long = too_long
            .map(|_| format!("the listing has run for longer than spec.items.pod.activeDeadlineSeconds{waited}"));
        let Stage::Listing(listing) = &self.stage else { return };
        let has_list = listing.has_list();
        let late = late.or(too_long).map(|message| (FailReason::DeadlineExceeded, message));
        let stop = cancelled.or(late);
        // The list is for the templates that it was accepted with.
        let is_held = has_list && self.templates.problem().is_some() && stop.is_none();
        let Some(run) = self.settle_solo(now, stop).filter(|_| !is_held) else { return };
        let why = (!has_list).then(|| why_list_failed(run));
        self.end_listing(now, why);
    }

    fn end_listing(&mut self, now: Time, why: Option<(ConditionReason, String)>) {
        let Some(mut listing) = self.take_listing() else { return };
        self.replies.extend(listing.close(ExchangeRefusal::NotAWorker));
        self.all_indeterminate = self.all_indeterminate.max(listing.run().pods().indeterminate().until_all());
        let mut record = listing.record();
        if why.is_none() {
            // Whatever became of its pod since.
            record.phase = ReducePhase::Succeeded;
        }
        let attempt = record.attempt;
        self.summary.listing = Some(record);
        self.writer.change_urgently();
        let Some((reason, why)) = why else {
            self.stage = Stage::Fetching(Box::new(self.with_list(&listing.lister().task)));
            return;
        };
        let message = format!("the pod of spec.items.pod {why} in attempt {attempt}: there are no items");
        self.fail_unaccepted(now, reason, EventReason::Failed, &message);
    }

    /// The record of the list, current or past.
    pub(super) fn listing_status(&self) -> Option<ListingStatus> {
        match &self.stage {
            Stage::Listing(listing) => Some(listing.record()),
            _ => self.summary.listing.clone(),
        }
    }
}
