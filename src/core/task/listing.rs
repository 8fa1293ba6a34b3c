//! Before the map: one pod computes the list. It lives as an item does, in a run of its own with a list of one, and
//! what it writes arrives in pieces (see `gather`).

use std::sync::Arc;

use crate::api::listing::{ListingStatus, StoredList};
use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::spec::MapTaskSpec;
use crate::api::status::ReducePhase;
use crate::core::failures::{Failed, Failures};
use crate::core::ids::{PodRole, Time};
use crate::core::items::Gathering;
use crate::core::phases::{ItemPhase, Tries};
use crate::core::port::{ExchangeRefusal, Reply, StorePiece};
use crate::core::record::{meta_time, number};
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::lister::Lister;
use crate::core::spec::outcome::{FailReason, Outcome};
use crate::core::spec::reduce::SELF;
use crate::core::spec::{AcceptedSpec, Given, Refusal};
use crate::core::task::reach::Reach;
use crate::core::task::templates::with_stand_ins;
use crate::core::task::{PollContext, Stage, Task, solo};

/// What a pod lacks that succeeds before its list is recorded as whole.
const NO_LIST: &str = "the pod has ended before its list had arrived whole: is its command run by something other than the \
                       worker program?";

/// A list that is being computed.
#[derive(Debug)]
pub(super) struct Listing {
    /// Its only item.
    pub(super) run: Run,
    pub(super) lister: Arc<Lister>,
    start: Time,
    /// What has arrived of the current attempt.
    pub(super) gathering: Option<Gathering>,
    /// The piece to be stored next.
    pub(super) to_store: Option<StorePiece>,
    /// The request that waits until its piece is stored, or the list is recorded.
    pub(super) ticket: Option<u64>,
    /// Why a piece was not stored.
    pub(super) problem: Option<String>,
    /// The whole list, and what records it.
    pub(super) list: Option<(StoredList, Revision)>,
    /// Whether its pod is heard.
    pub(super) reach: Reach,
}

impl Listing {
    fn begin(
        lister: Arc<Lister>,
        start: Time,
        tries: Tries,
        phase: ItemPhase,
        all_indeterminate: Option<Time>,
    ) -> Self {
        let mut run = solo::run(lister.spec.clone(), tries, phase, all_indeterminate);
        run.set_lacking(Some(NO_LIST));
        Self {
            run,
            lister,
            start,
            gathering: None,
            to_store: None,
            ticket: None,
            problem: None,
            list: None,
            reach: Reach::default(),
        }
    }

    /// The list is whole, and is recorded with this revision.
    pub(super) fn complete(&mut self, list: StoredList, revision: Revision) {
        self.list = Some((list, revision));
        self.run.set_lacking(None);
        self.problem = None;
    }

    /// Its deadline counts from here.
    pub(super) fn restart_clock(&mut self, now: Time) {
        self.start = now;
    }

    /// As the status shows it.
    fn record(&self) -> ListingStatus {
        let tries = self.run.items().tries(SELF);
        ListingStatus {
            phase: solo::phase(&self.run),
            attempt: number(tries.attempt.0),
            application_failures: number(tries.application),
            infrastructure_failures: number(tries.infrastructure),
            start_time: Some(meta_time(self.start)),
            failures: self.run.items().failures().to_status(),
            list: self.list.as_ref().map(|(list, _)| list.clone()),
        }
    }

    /// Notes whether the pod that runs, and has yet to send its list, is heard.
    pub(super) fn note_silence(&mut self, now: Time) {
        let pods = self.run.pods();
        let runs = self.list.is_none() && pods.has_started();
        let pod = pods.get(self.role()).filter(|_| runs);
        self.reach.note(now, pod.and_then(|pod| pod.uid()));
    }

    /// The pod of the current attempt.
    pub(super) fn role(&self) -> PodRole {
        PodRole::List(self.run.items().tries(SELF).attempt)
    }

    /// Answers the request that waits, that it has to come again or is not wanted.
    pub(super) fn close(&mut self, refusal: ExchangeRefusal) -> Option<Reply> {
        self.ticket.take().map(|ticket| Reply::refused(ticket, refusal))
    }
}

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
        let is_open = |listing: &ListingStatus| solo::recorded_phase(listing.phase).is_some();
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
        let before = self.summary.listing.as_ref().and_then(|record| u32::try_from(record.attempt).ok()).unwrap_or(0);
        let tries = solo::tries_after(before);
        self.summary.start_time.get_or_insert_with(|| meta_time(now));
        self.summary.message = None;
        self.summary.template_hash = Some(lister.spec.template_hash.clone());
        let mut listing = Listing::begin(lister, now, tries, ItemPhase::Pending, self.all_indeterminate);
        let free = if before == 0 { now } else { self.all_indeterminate.map_or(now, |until| until.max(now)) };
        listing.run.start_after(self.writer.change_urgently(), free);
        self.summary.waiting = None;
        self.stage = Stage::Listing(Box::new(listing));
    }

    /// A listing that the record says is under way.
    fn resume_listing(&mut self, lister: Arc<Lister>, record: &ListingStatus) {
        let counts = [record.attempt, record.application_failures, record.infrastructure_failures];
        let tries = solo::recorded_tries(counts, record.failures.len());
        let start = Time(record.start_time.as_ref().map_or(0, |time| time.0.as_millisecond()));
        let phase = solo::recorded_phase(record.phase).unwrap_or(ItemPhase::Pending);
        let mut listing = Listing::begin(lister, start, tries, phase, self.all_indeterminate);
        listing.run.items_mut().restore_failures(Failures::from_status(&record.failures));
        listing.run.restore_suspension(self.mutable.stops());
        if let Some(list) = record.list.clone() {
            listing.complete(list, Revision::default());
        }
        self.stage = Stage::Listing(Box::new(listing));
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
        if listing.lister.spec.template_hash != lister.spec.template_hash {
            listing.run.set_spec(lister.spec.clone());
            listing.lister = lister;
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
            new.run.take_over(poll.now, old.run);
        }
    }

    /// By when the listing must have ended. Time in suspension does not count.
    pub(super) fn listing_deadline(&self) -> Option<Time> {
        let Stage::Listing(listing) = &self.stage else { return None };
        let millis = listing.lister.deadline_millis.filter(|_| !self.mutable.suspend);
        millis.map(|millis| listing.start.plus_millis(millis))
    }

    /// When the pod of the list will have been silent for too long.
    pub(super) fn next_silence(&self) -> Option<Time> {
        let Stage::Listing(listing) = &self.stage else { return None };
        listing.reach.next_wake()
    }

    /// Ends the listing once its pod is over. `late`: why the task may not go on.
    pub(super) fn decide_listing(&mut self, now: Time, late: Option<String>, waited: &str) {
        let cancelled = self.cancels_solo();
        let too_long = self.listing_deadline().filter(|deadline| *deadline <= now);
        let too_long = too_long
            .map(|_| format!("the listing has run for longer than spec.items.pod.activeDeadlineSeconds{waited}"));
        let Stage::Listing(listing) = &self.stage else { return };
        let has_list = listing.list.is_some();
        let late = late.or(too_long).map(|message| (FailReason::DeadlineExceeded, message));
        let stop = cancelled.or(late);
        // The list is for the templates that it was accepted with.
        let is_held = has_list && self.templates.problem.is_some() && stop.is_none();
        let (Some(run), mut context) = self.context(now) else { return };
        if let Some((reason, message)) = stop {
            run.force_end(reason, message);
        }
        run.decide();
        if has_list || !run.remainder().starts() {
            run.cancel_pending(&mut context);
        }
        if run.is_busy() || is_held {
            return;
        }
        let why = (!has_list).then(|| why_failed(run));
        self.end_listing(now, why);
    }

    fn end_listing(&mut self, now: Time, why: Option<(ConditionReason, String)>) {
        let Some(mut listing) = self.take_listing() else { return };
        self.replies.extend(listing.close(ExchangeRefusal::NotAWorker));
        self.all_indeterminate = self.all_indeterminate.max(listing.run.pods().indeterminate().until_all());
        let mut record = listing.record();
        if why.is_none() {
            // Whatever became of its pod since.
            record.phase = ReducePhase::Succeeded;
        }
        let attempt = record.attempt;
        self.summary.listing = Some(record);
        self.writer.change_urgently();
        let Some((reason, why)) = why else {
            self.stage = Stage::Fetching(Box::new(self.with_list(&listing.lister.task)));
            return;
        };
        let message = format!("the pod of spec.items.pod {why} in attempt {attempt}: there are no items");
        self.fail_unaccepted(now, reason, EventReason::Failed, &message);
    }

    /// How it goes with the list, or went.
    pub(super) fn listing_status(&self) -> Option<ListingStatus> {
        match &self.stage {
            Stage::Listing(listing) => Some(listing.record()),
            _ => self.summary.listing.clone(),
        }
    }
}

/// Of a listing without a list: the reason, and what happened, in words.
fn why_failed(run: &Run) -> (ConditionReason, String) {
    let most_often = || run.items().failures().most_often(Failed::Reduce);
    match run.outcome() {
        Some(Outcome::Failed(FailReason::Cancelled, message)) => {
            (ConditionReason::Cancelled, format!("was stopped ({message})"))
        }
        Some(Outcome::Failed(reason, message)) if *reason != FailReason::TooManyFailures => {
            (reason.condition(), format!("was stopped ({message})"))
        }
        _ => {
            let why = most_often().map_or(String::new(), |words| format!(" ({words})"));
            (ConditionReason::ItemsPodFailed, format!("failed{why}"))
        }
    }
}
