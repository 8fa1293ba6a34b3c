//! One task's life: checked, accepted, run, decided, ended.

mod admission;
mod answers;
pub mod cache_lookup;
mod cancel;
mod compose;
mod damage;
mod decide;
mod explain;
mod finished_pods;
mod inputs;
mod listing;
mod load;
mod observe;
mod poll;
mod recheck;
mod reduce;
mod relist;
mod reload;
mod rerun;
mod templates;
mod unstored;
mod workers;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::api::reasons::EventReason;
use crate::api::spec::MapTaskSpec;
use crate::api::status::{TaskPhase, Waiting};
use crate::core::admission::Admission;
use crate::core::attempts::Outcomes;
use crate::core::attempts::lookup_state::LookupRequest;
use crate::core::backoff::RetriedRequest;
use crate::core::ids::{Index, TaskKey, Time};
use crate::core::items::Fetching;
use crate::core::limits::ListMemory;
use crate::core::pod::EventType;
use crate::core::pods::retention::{Keeping, Retention};
use crate::core::port::{EmitEvent, Reply};
use crate::core::record::status_summary::StatusSummary;
use crate::core::record::status_writer::StatusWriter;
use crate::core::record::unstored::Unstored;
use crate::core::results::KnownDamage;
use crate::core::revision::Revision;
use crate::core::run::{Context, Run};
use crate::core::solo::{Listing, Solo};
use crate::core::spec::AcceptedSpec;
use crate::core::spec::main_containers::MainContainers;
use crate::core::spec::mutable::MutableSpec;
use crate::core::spec::template_state::Templates;
use crate::core::workload::Queueing;

/// What is the same for all tasks in one round.
#[derive(Clone, Copy, Debug)]
pub struct PollContext {
    /// The time.
    pub now: Time,
    /// The number of the pod resync that is complete or under way.
    pub epoch: u32,
    /// What stays of finished pods.
    pub keeping: Keeping,
    /// Writes without an answer that each task remembers.
    pub attempted_writes: usize,
    /// Tasks are loaded that an earlier operator may have worked on.
    pub restart: bool,
    /// Whether workers can reach the operator.
    pub takes_workers: bool,
    /// Whether tasks with a queue wait for Kueue.
    pub queueing: Queueing,
    /// The operator's own limit on pods.
    pub max_pods: usize,
    /// The memory that lists take, and may.
    pub lists: ListMemory,
}

/// One task.
#[derive(Debug)]
pub struct Task {
    key: TaskKey,
    uid: String,
    seed: u64,
    deleting: bool,
    mutable: MutableSpec,
    summary: StatusSummary,
    stage: Stage,
    /// The reduce, while it is under way; the stage is that of the map, which is idle.
    reduction: Option<Box<Solo>>,
    writer: StatusWriter,
    retention: Retention,
    /// Events to publish, each not before this revision is recorded.
    events: VecDeque<(Revision, EmitEvent)>,
    /// Why results or the status can't be stored, as long as that is so.
    unstored: Option<Unstored>,
    /// The state of reading the items.
    fetching: Fetching,
    lookup_request: LookupRequest,
    templates: Templates,
    /// The deletion of the task itself, at the end of its time: on its way, or not to be sent before.
    expiring: Option<Time>,
    /// When an Event last said that the task is held back.
    last_blocked: Option<Time>,
    /// Until when another object has the name of a pod, as far as is known.
    name_taken: Option<(Time, String)>,
    /// Until when an item waits whose create failed, and the API server's words.
    create_failed: Option<(Time, String)>,
    /// Until when creates of an operator before this one may still be carried out.
    all_indeterminate: Option<Time>,
    /// The spec of a task that was never accepted, if it is to be checked again.
    unchecked: Option<Box<MapTaskSpec>>,
    /// Nothing is asked about the spec before this revision is recorded.
    check_after: Revision,
    /// Results that somebody has changed or deleted, as far as is known.
    damage: KnownDamage,
    /// What attempts end with, though the spec is not at hand any more.
    main_containers: MainContainers,
    /// How attempts ended since they were last asked for.
    outcomes: Outcomes,
    /// The results in the write that is on its way.
    storing: BTreeMap<Index, String>,
    /// Nothing is left of a former list's results once the write on its way is done.
    emptying: bool,
    /// To workers, with the next plan.
    replies: Vec<Reply>,
    /// Whether workers can reach the operator.
    takes_workers: bool,
    /// What Kueue says of it, if it has a queue.
    admission: Admission,
}

#[derive(Debug)]
enum Stage {
    /// The pod of the list runs, or may start.
    Listing(Box<Listing>),
    /// The ConfigMap of the items has yet to be read.
    Fetching(Box<MapTaskSpec>),
    /// The spec is good; the API server has yet to say so of the first pod.
    Checking { spec: Arc<AcceptedSpec>, request: RetriedRequest, problem: Option<String> },
    /// Accepted.
    Running(Box<Run>),
    /// Ended; the run stays until it is written.
    Ended { phase: TaskPhase, run: Option<Box<Run>> },
}

impl Task {
    /// The task's UID.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Items in flight.
    pub fn in_flight(&self) -> usize {
        self.active().map_or(0, Run::in_flight)
    }

    /// How attempts ended since this was last asked, by the word for the outcome.
    pub fn drain_outcomes(&mut self) -> impl Iterator<Item = &'static str> {
        self.outcomes.drain()
    }

    /// Finished pods that are to go later.
    pub fn lingering(&self) -> usize {
        self.retention.lingering()
    }

    /// Before which tasks its items start.
    pub fn priority(&self) -> i32 {
        self.mutable.priority
    }

    /// Why nothing more starts now.
    pub fn waiting(&self) -> Option<&Waiting> {
        self.summary.waiting.as_ref()
    }

    /// Whether nothing is left to do until something happens.
    pub fn is_settled(&self) -> bool {
        matches!(self.stage, Stage::Ended { .. }) && self.writer.is_clean()
    }

    /// The phase as of now.
    pub fn phase(&self) -> TaskPhase {
        match &self.stage {
            Stage::Fetching(_) | Stage::Checking { .. } => TaskPhase::Pending,
            Stage::Running(_) | Stage::Listing(_) if self.mutable.suspend && !self.mutable.cancel => {
                TaskPhase::Suspended
            }
            Stage::Listing(_) => TaskPhase::Listing,
            Stage::Running(_) if self.reduction.is_some() => TaskPhase::Reducing,
            Stage::Running(_) => TaskPhase::Running,
            Stage::Ended { phase, .. } => *phase,
        }
    }

    /// The items, once accepted and until the end is written.
    pub fn map(&self) -> Option<&Run> {
        match &self.stage {
            Stage::Running(run) => Some(run),
            Stage::Ended { run, .. } => run.as_deref(),
            Stage::Listing(_) | Stage::Fetching(_) | Stage::Checking { .. } => None,
        }
    }

    /// What runs: the pod of the list, the items, or then the reduce.
    pub fn active(&self) -> Option<&Run> {
        match (&self.stage, &self.reduction) {
            (Stage::Listing(listing), _) => Some(listing.run()),
            (Stage::Running(_), Some(reduction)) => Some(reduction.run()),
            (Stage::Running(run), None) => Some(run),
            _ => None,
        }
    }

    fn active_mut(&mut self) -> Option<&mut Run> {
        match (&mut self.stage, &mut self.reduction) {
            (Stage::Listing(listing), _) => Some(listing.run_mut()),
            (Stage::Running(_), Some(reduction)) => Some(reduction.run_mut()),
            (Stage::Running(run), None) => Some(run),
            _ => None,
        }
    }

    fn context(&mut self, now: Time) -> (Option<&mut Run>, Context<'_>) {
        let run = match (&mut self.stage, &mut self.reduction) {
            (Stage::Listing(listing), _) => Some(listing.run_mut()),
            (Stage::Running(_), Some(reduction)) => Some(reduction.run_mut()),
            (Stage::Running(run), None) => Some(&mut **run),
            _ => None,
        };
        let Self { seed, writer, retention, outcomes, .. } = self;
        (run, Context { now, seed: *seed, writer, retention, outcomes })
    }

    fn emit(&mut self, reason: EventReason, type_: EventType, note: &str) {
        self.emit_after(Revision::default(), reason, type_, note);
    }

    /// Tells of a turn of the task, once the status that says the same is recorded: until then it is not yet true.
    fn emit_recorded(&mut self, reason: EventReason, type_: EventType, note: &str) {
        let revision = self.writer.change_urgently();
        self.emit_after(revision, reason, type_, note);
    }

    fn emit_after(&mut self, revision: Revision, reason: EventReason, type_: EventType, note: &str) {
        let note = crate::text::cut(note, 1_000);
        let event = EmitEvent { key: self.key.clone(), uid: self.uid.clone(), type_, reason, note };
        self.events.push_back((revision, event));
    }
}
