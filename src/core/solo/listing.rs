//! The list of a task while one pod computes it. What the pod writes arrives in pieces: see `gather`.

use std::sync::Arc;

use crate::api::listing::{ListingStatus, StoredList};
use crate::api::reasons::ConditionReason;
use crate::api::status::ReduceStatus;
use crate::core::failures::Failed;
use crate::core::ids::{PodRole, Time};
use crate::core::items::Gathering;
use crate::core::port::{ExchangeRefusal, Reply, StorePiece};
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::solo::reach::Reach;
use crate::core::solo::{Former, Solo};
use crate::core::spec::lister::Lister;
use crate::core::spec::outcome::{FailReason, Outcome};

/// What a pod lacks that succeeds before its list is recorded as whole.
const NO_LIST: &str = "the pod has ended before its list had arrived whole: is its command run by something other than the \
                       worker program?";

/// A list that is being computed.
#[derive(Debug)]
pub struct Listing {
    pub(super) solo: Solo,
    lister: Arc<Lister>,
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
    /// Its pod may start, once this revision is recorded and no create of an earlier run can come.
    pub fn begin(lister: Arc<Lister>, now: Time, former: Former, revision: Revision) -> Self {
        let solo = Solo::begin(lister.spec.clone(), lister.deadline_millis, now, former, revision);
        Self::new(lister, solo)
    }

    /// Continues one from its record; `None` if it has ended. `stops`: pods are stopped since the task is suspended.
    pub fn resume(
        lister: Arc<Lister>,
        record: &ListingStatus,
        all_indeterminate: Option<Time>,
        stops: bool,
    ) -> Option<Self> {
        let (spec, deadline_millis) = (lister.spec.clone(), lister.deadline_millis);
        let solo = Solo::resume(spec, deadline_millis, &without_list(record), all_indeterminate, stops)?;
        let mut listing = Self::new(lister, solo);
        if let Some(list) = record.list.clone() {
            listing.complete(list, Revision::default());
        }
        Some(listing)
    }

    fn new(lister: Arc<Lister>, mut solo: Solo) -> Self {
        solo.run_mut().set_lacking(Some(NO_LIST));
        Self {
            solo,
            lister,
            gathering: None,
            to_store: None,
            ticket: None,
            problem: None,
            list: None,
            reach: Reach::default(),
        }
    }

    /// Its run of one pod.
    pub fn solo(&self) -> &Solo {
        &self.solo
    }

    /// Its run of one pod, to be changed.
    pub fn solo_mut(&mut self) -> &mut Solo {
        &mut self.solo
    }

    /// Its run of one pod, without the list.
    pub fn into_solo(self) -> Solo {
        self.solo
    }

    /// The run of its pod.
    pub fn run(&self) -> &Run {
        self.solo.run()
    }

    /// The run of its pod, to be changed.
    pub fn run_mut(&mut self) -> &mut Run {
        self.solo.run_mut()
    }

    /// What its pods are made from.
    pub fn lister(&self) -> &Arc<Lister> {
        &self.lister
    }

    /// Its templates are those of this one.
    pub fn set_lister(&mut self, lister: Arc<Lister>) {
        self.run_mut().set_spec(lister.spec.clone());
        self.lister = lister;
    }

    /// The list is whole, and is recorded with this revision.
    pub fn complete(&mut self, list: StoredList, revision: Revision) {
        self.list = Some((list, revision));
        self.run_mut().set_lacking(None);
        self.problem = None;
    }

    /// Whether the list is whole.
    pub fn has_list(&self) -> bool {
        self.list.is_some()
    }

    /// As the status shows it.
    pub fn record(&self) -> ListingStatus {
        let ReduceStatus { phase, attempt, application_failures, infrastructure_failures, start_time, failures } =
            self.solo.record();
        let list = self.list.as_ref().map(|(list, _)| list.clone());
        ListingStatus { phase, attempt, application_failures, infrastructure_failures, start_time, failures, list }
    }

    /// Why a piece was not stored.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// The pod that runs and was not heard for too long.
    pub fn silent(&self) -> Option<PodRole> {
        self.reach.is_silent().then(|| self.role())
    }

    /// When its pod will have been silent for too long.
    pub fn next_silence(&self) -> Option<Time> {
        self.reach.next_wake()
    }

    /// Notes whether the pod that runs, and has yet to send its list, is heard.
    pub(super) fn note_silence(&mut self, now: Time) {
        let pods = self.solo.run().pods();
        let runs = self.list.is_none() && pods.has_started();
        let pod = pods.get(self.role()).filter(|_| runs);
        self.reach.note(now, pod.and_then(|pod| pod.uid()));
    }

    /// The pod of the current attempt.
    fn role(&self) -> PodRole {
        PodRole::List(self.solo.attempt())
    }

    /// Answers the request that waits, that it has to come again or is not wanted.
    pub fn close(&mut self, refusal: ExchangeRefusal) -> Option<Reply> {
        self.ticket.take().map(|ticket| Reply::refused(ticket, refusal))
    }
}

/// The record without the list: what it says of the pod.
fn without_list(record: &ListingStatus) -> ReduceStatus {
    let ListingStatus { phase, attempt, application_failures, infrastructure_failures, .. } = *record;
    let (start_time, failures) = (record.start_time.clone(), record.failures.clone());
    ReduceStatus { phase, attempt, application_failures, infrastructure_failures, start_time, failures }
}

/// Of a listing without a list: the reason, and what happened, in words.
pub fn why_list_failed(run: &Run) -> (ConditionReason, String) {
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
