//! What of this task is in the API server for certain? One status write at a time, and what follows from its answer.

use crate::api::failures::FailureGroup;
use crate::api::listing::ListingStatus;
use crate::api::status::{MapTaskStatus, ReduceStatus, RerunDone, TaskPhase, WorkersStatus};
use crate::core::backoff::Backoff;
use crate::core::ids::Time;
use crate::core::limits::Limits;
use crate::core::revision::{Changes, Revision};

/// Least time between two status writes of a task, in milliseconds.
const INTERVAL_MILLIS: u64 = 1_000;
/// Each task that has items in flight adds this many milliseconds to it, so that many tasks write no more than a few
/// do…
const SHARE_MILLIS: u64 = 100;
/// …up to this: a further attempt waits until the last one is recorded.
const MAX_SHARED_MILLIS: u64 = 5_000;
/// Bytes of status that a task may write a second on average: larger ones are written less often.
const BYTES_PER_SECOND: u64 = 50_000;
/// Bytes of ConfigMaps that it may write again a second on average: each is written whole, however few of its lines are
/// new.
const REWRITTEN_BYTES_PER_SECOND: u64 = 100_000;
/// The longest time that ConfigMaps alone put a write off, in milliseconds: what has ended waits for it.
const MAX_REWRITTEN_MILLIS: u64 = 10_000;
/// The delay after a write that failed, in milliseconds, doubling up to [`MAX_RETRY_MILLIS`].
const RETRY_MILLIS: u64 = 500;
/// The longest delay after a write that failed.
const MAX_RETRY_MILLIS: u64 = 30_000;
/// How long to wait for the watch to show what another writer wrote, before asking for it.
const REREAD_MILLIS: u64 = 1_000;

/// The part of a status by which a write of ours is known again: all that something waits for until it is recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Fingerprint {
    observed_generation: Option<i64>,
    phase: Option<TaskPhase>,
    phases: Option<String>,
    attempts: Option<String>,
    conditions: Vec<(String, String)>,
    failures: Vec<FailureGroup>,
    rerun: Option<RerunDone>,
    reduce: Option<ReduceStatus>,
    items_hash: Option<String>,
    attempt_base: Option<i32>,
    template_hash: Option<String>,
    workers: Option<WorkersStatus>,
    listing: Option<Box<ListingStatus>>,
}

impl Fingerprint {
    fn of(status: &MapTaskStatus) -> Self {
        Self {
            observed_generation: status.observed_generation,
            phase: status.phase,
            phases: status.phases.clone(),
            attempts: status.attempts.clone(),
            failures: status.failures.clone(),
            rerun: status.rerun.clone(),
            reduce: status.reduce.clone(),
            items_hash: status.items_hash.clone(),
            attempt_base: status.attempt_base,
            template_hash: status.template_hash.clone(),
            workers: status.workers,
            listing: status.listing.clone().map(Box::new),
            conditions: status.conditions.iter().map(|c| (c.type_.clone(), c.status.clone())).collect(),
        }
    }
}

/// The bookkeeping of one task's status writes.
#[derive(Clone, Debug)]
pub struct StatusWriter {
    /// The newest resourceVersion known of the object.
    resource_version: u64,
    /// Grows with each change.
    revision: Revision,
    /// Every change up to here is in the API server.
    written: Revision,
    /// The status that the API server has at `resource_version`, if known from a write or from the watch.
    stored: Option<Fingerprint>,
    /// The write that is on its way, last, and before it those whose fate is not known.
    attempted: Vec<(Revision, Fingerprint)>,
    /// Maximum length of `attempted`.
    remembered: usize,
    in_flight: bool,
    /// The version that the last write named.
    named: u64,
    /// A change that should not wait for the interval.
    urgent: bool,
    last_write: Option<Time>,
    last_bytes: u64,
    last_rewritten: u64,
    /// Milliseconds between two writes that the other tasks ask for.
    shared: u64,
    /// Nothing is written before its time.
    again: Backoff,
    /// Another writer was faster: the newer object is awaited since then.
    stale_since: Option<Time>,
}

/// What the watch's view of the object means for us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing new.
    Stale,
    /// Newer, with the status that we know.
    Own,
    /// Newer, with a status that somebody else wrote.
    External,
}

impl Changes for StatusWriter {
    fn change(&mut self) -> Revision {
        Self::change(self)
    }
}

impl StatusWriter {
    /// For an object as first seen.
    pub fn new(resource_version: u64, status: Option<&MapTaskStatus>) -> Self {
        Self {
            resource_version,
            revision: Revision(0),
            written: Revision(0),
            stored: Some(Fingerprint::of(status.unwrap_or(&MapTaskStatus::default()))),
            attempted: Vec::new(),
            remembered: Limits::DEFAULT.attempted_writes,
            in_flight: false,
            named: 0,
            urgent: false,
            last_write: None,
            last_bytes: 0,
            last_rewritten: 0,
            shared: 0,
            again: Backoff::new(RETRY_MILLIS, MAX_RETRY_MILLIS),
            stale_since: None,
        }
    }

    /// The number of unanswered writes that are remembered, at least the one on its way.
    #[must_use]
    pub fn remembering(self, writes: usize) -> Self {
        Self { remembered: writes.max(1), ..self }
    }

    /// Notes a change and gives it a number.
    pub fn change(&mut self) -> Revision {
        self.revision.0 += 1;
        self.revision
    }

    /// Notes a change that is to be written at once.
    pub fn change_urgently(&mut self) -> Revision {
        self.urgent = true;
        self.change()
    }

    /// Nothing of what was changed so far is to be written any more.
    pub fn forget_changes(&mut self) {
        self.written = self.revision;
    }

    /// The number that the changes of now will be written under.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Every change up to here is in the API server.
    pub fn written(&self) -> Revision {
        self.written
    }

    /// Whether this change is in the API server.
    pub fn is_written(&self, revision: Revision) -> bool {
        revision <= self.written
    }

    /// The version that the next write names.
    pub fn resource_version(&self) -> u64 {
        self.resource_version
    }

    /// Whether all changes are written.
    pub fn is_clean(&self) -> bool {
        self.written == self.revision && !self.in_flight
    }

    /// Says how many tasks have items in flight.
    pub fn share(&mut self, busy: u32) {
        self.shared = (u64::from(busy) * SHARE_MILLIS).min(MAX_SHARED_MILLIS);
    }

    /// When the next write may go out; `None` when there is nothing to write or something must answer first.
    pub fn due(&self) -> Option<Time> {
        if self.in_flight || self.is_clean() || self.stale_since.is_some() {
            return None;
        }
        let spaced = self.last_write.filter(|_| !self.urgent).map(|last| {
            let rewritten = (self.last_rewritten * 1_000 / REWRITTEN_BYTES_PER_SECOND).min(MAX_REWRITTEN_MILLIS);
            let written = self.last_bytes * 1_000 / BYTES_PER_SECOND;
            last.plus_millis(INTERVAL_MILLIS.max(self.shared).max(written).max(rewritten))
        });
        // Where nothing puts it off, its time has come.
        Some(self.again.until().max(spaced).unwrap_or(Time(0)))
    }

    /// A write goes out with this status.
    pub fn begin(&mut self, now: Time, status: &MapTaskStatus) {
        let bytes = |text: &Option<String>| text.as_ref().map_or(0, |t| t.len() as u64);
        self.in_flight = true;
        self.named = self.resource_version;
        self.urgent = false;
        self.last_write = Some(now);
        self.last_bytes = bytes(&status.phases) + bytes(&status.attempts);
        if self.attempted.len() >= self.remembered {
            self.attempted.remove(0);
        }
        self.attempted.push((self.revision, Fingerprint::of(status)));
    }

    /// The write was carried out, together with this many bytes of ConfigMaps.
    pub fn succeeded(&mut self, resource_version: u64, rewritten: u64) {
        self.in_flight = false;
        self.last_rewritten = rewritten;
        self.again.reset();
        if resource_version >= self.resource_version {
            self.resource_version = resource_version;
            self.confirm(self.attempted.len().saturating_sub(1));
        }
    }

    /// The API server has a newer object than the write named.
    pub fn conflicted(&mut self, now: Time) {
        self.in_flight = false;
        self.urgent = true;
        // The watch may have shown the newer object while the write was on its way.
        if self.resource_version == self.named {
            self.stale_since = Some(now);
            // In case there is no newer object: a webhook or a gateway can answer so, too.
            self.back_off(now);
        }
    }

    /// The write failed, or its fate is not known: it is sent again later, naming the same version.
    pub fn failed(&mut self, now: Time) {
        self.in_flight = false;
        self.urgent = true;
        self.back_off(now);
    }

    /// The write was certainly not carried out: it is sent again later.
    pub fn not_sent(&mut self, now: Time) {
        self.attempted.pop();
        self.failed(now);
    }

    /// A write was certainly not carried out, and another one takes its place, as soon as one may.
    pub fn void(&mut self) {
        self.in_flight = false;
        self.attempted.pop();
    }

    /// Whether a note may go out, which records nothing: see [`Self::begin_note`].
    pub fn may_note(&self) -> bool {
        !self.in_flight && self.stale_since.is_none()
    }

    /// A note goes out: a write that changes nothing that is recorded, and confirms nothing. It counts as the one write
    /// in progress, and names the known version.
    pub fn begin_note(&mut self) {
        self.in_flight = true;
        self.named = self.resource_version;
    }

    /// The note was carried out, or not.
    pub fn noted(&mut self, resource_version: Option<u64>) {
        self.in_flight = false;
        self.resource_version = self.resource_version.max(resource_version.unwrap_or(0));
    }

    fn back_off(&mut self, now: Time) {
        self.again.failed(now);
    }

    /// How often in a row a write failed.
    pub fn failures(&self) -> u32 {
        self.again.failures()
    }

    /// When to ask for the newer object, if the watch does not show it.
    pub fn reread_due(&self) -> Option<Time> {
        self.stale_since.map(|since| since.plus_millis(REREAD_MILLIS))
    }

    /// The newer object has been asked for.
    pub fn reread_begun(&mut self, now: Time) {
        self.stale_since = Some(now);
    }

    /// The watch, or an answer, shows the object.
    pub fn seen(&mut self, resource_version: u64, status: &MapTaskStatus) -> Observed {
        if resource_version == self.resource_version {
            self.stale_since = None;
        }
        if resource_version <= self.resource_version {
            return Observed::Stale;
        }
        self.resource_version = resource_version;
        if self.stale_since.take().is_some() {
            self.again.reset();
        }
        let fingerprint = Fingerprint::of(status);
        // As it was: something else of the object has changed, such as its spec. That is no sign of a write of ours,
        // even if one on its way would look the same.
        if self.stored.as_ref() == Some(&fingerprint) {
            return Observed::Own;
        }
        if let Some(which) = self.attempted.iter().position(|(_, attempted)| *attempted == fingerprint) {
            self.confirm(which);
            return Observed::Own;
        }
        self.stored = Some(fingerprint);
        self.attempted.clear();
        Observed::External
    }

    /// This attempted write was carried out, and those before it will not be any more: the version has moved on.
    fn confirm(&mut self, which: usize) {
        if let Some((revision, fingerprint)) = self.attempted.drain(..(which + 1).min(self.attempted.len())).next_back()
        {
            self.written = self.written.max(revision);
            self.stored = Some(fingerprint);
        }
    }
}

#[cfg(test)]
#[path = "status_writer_tests.rs"]
mod tests;
