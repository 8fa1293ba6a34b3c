//! Pods that have not started for ten seconds and do not say why: looked into one at a time, by the Events about them.

use std::collections::BTreeSet;

use crate::core::ids::{Attempt, Index, TaskKey, Time, doubled};
use crate::core::pod::explain::{explain, together};
use crate::core::pod::{Stall, StallKind};
use crate::core::port::{Action, Explain, ExplainOutcome, PodId};
use crate::core::task::Task;
use crate::core::task::run::Run;

/// A pod may take this many milliseconds to start before it is looked into.
pub const PATIENCE_MILLIS: u64 = 10_000;
/// The delay between two looks of a task in milliseconds, doubling up to [`MAX_AGAIN_MILLIS`]: what is wrong with one pod is mostly
/// wrong with all, and each look has the API server read the Events of a namespace.
const AGAIN_MILLIS: u64 = 5_000;
/// The longest delay.
const MAX_AGAIN_MILLIS: u64 = 30_000;
/// The delay after the API server has said that we have no right to look.
const DENIED_MILLIS: u64 = 600_000;

/// Pods that have yet to start.
#[derive(Debug, Default)]
pub struct Explaining {
    /// When the patience with each ends.
    patience: BTreeSet<(Time, Index)>,
    /// It has ended with these.
    silent: BTreeSet<Index>,
    /// The look that is on its way.
    asked: Option<(Index, Attempt)>,
    last: Option<Index>,
    not_before: Option<Time>,
    looks: u32,
    /// What was last found to be wrong with the template of all pods.
    pub(super) of_template: Option<Stall>,
}

impl Explaining {
    /// The pod starts, is gone, or has said itself what holds it up.
    pub fn forget(&mut self, index: Index, patience: Option<Time>) {
        if let Some(time) = patience {
            self.patience.remove(&(time, index));
        }
        if self.silent.remove(&index) && self.silent.is_empty() {
            (self.looks, self.not_before) = (0, None);
        }
    }

    /// The pod has not started, and does not say why.
    pub fn watch(&mut self, index: Index, until: Time) {
        self.patience.insert((until, index));
    }

    fn next_wake(&self) -> Option<Time> {
        let patience = self.patience.first().map(|(time, _)| *time);
        let look = self.not_before.filter(|_| self.asked.is_none() && !self.silent.is_empty());
        [patience, look].into_iter().flatten().min()
    }
}

impl Run {
    /// How long a pod may take to start before it is looked into: no longer than half of the time that it has.
    pub(super) fn patience_millis(&self) -> u64 {
        self.job.start_deadline_millis.map_or(PATIENCE_MILLIS, |millis| PATIENCE_MILLIS.min(millis / 2))
    }

    /// When a pod has to be looked into though nothing happens.
    pub(super) fn next_look(&self) -> Option<Time> {
        self.explaining.next_wake()
    }

    /// Ends the patience with pods, and looks into one.
    pub(super) fn poll_explain(&mut self, now: Time, key: &TaskKey, actions: &mut Vec<Action>) {
        while let Some(&(time, index)) = self.explaining.patience.first().filter(|(time, _)| *time <= now) {
            self.explaining.patience.remove(&(time, index));
            self.explaining.silent.insert(index);
            let seconds = self.patience_millis() / 1_000;
            let before = self.flights.get(index).and_then(|flight| flight.told.as_ref());
            let words = before.map(|stall| format!(": {}", stall.message)).unwrap_or_default();
            let message = format!("no container of it has run for {seconds} s{words}");
            self.set_explained(index, Some(Stall { kind: StallKind::Silent, message }));
            self.explaining.not_before.get_or_insert(now);
        }
        let Explaining { silent, asked, last, not_before, looks, .. } = &mut self.explaining;
        if asked.is_some() || not_before.is_none_or(|time| time > now) {
            return;
        }
        let after = last.map_or(Index(0), Index::next);
        let Some(index) = silent.range(after..).next().or_else(|| silent.first()).copied() else { return };
        let Some(flight) = self.flights.get(index) else { return };
        let Some(uid) = flight.pod_uid.clone() else { return };
        *last = Some(index);
        *asked = Some((index, flight.attempt));
        *not_before = Some(now.plus_millis(doubled(AGAIN_MILLIS, *looks, MAX_AGAIN_MILLIS)));
        *looks += 1;
        let id = PodId { key: key.clone(), index: self.job.shown(index), attempt: flight.attempt };
        let of_claims = flight.told.as_ref().is_some_and(|stall| stall.kind == StallKind::Volume);
        let claims = if of_claims { self.job.template.claims(&id.pod_name()) } else { Vec::new() };
        actions.push(Action::Explain(Explain { id, task_uid: self.job.uid.clone(), uid, claims }));
    }

    /// What the Events about a pod say holds it up.
    pub(super) fn set_explained(&mut self, index: Index, explained: Option<Stall>) {
        if let Some(flight) = self.flights.get_mut(index).filter(|flight| flight.starting.is_some()) {
            flight.explained = explained;
            let stall = together(flight.told.as_ref(), flight.explained.as_ref());
            self.set_stall(index, stall);
        }
    }

    /// What holds up the start of a pod, as far as is known.
    pub(super) fn set_stall(&mut self, index: Index, stall: Option<Stall>) {
        let Some(flight) = self.flights.get_mut(index) else { return };
        if flight.stall.is_some() || stall.is_some() {
            let id = PodId { key: self.job.key.clone(), index: self.job.shown(index), attempt: flight.attempt };
            let before = flight.stall.as_ref().map(|stall| stall.kind);
            self.stalls.change(&id.pod_name(), before, stall.as_ref());
            flight.stall = stall;
        }
    }

    /// What held up a pod until its time was over. One that never told is taken to be like one of the same template that did.
    pub(super) fn last_stall(&mut self, index: Index) -> StallKind {
        let known = self.flights.get(index).and_then(|flight| flight.stall.as_ref()).map(|stall| stall.kind);
        match known {
            Some(kind) if !matches!(kind, StallKind::Other | StallKind::Silent) => kind,
            _ => match self.explaining.of_template.clone() {
                Some(stall) => {
                    let kind = stall.kind;
                    self.set_stall(index, Some(stall));
                    kind
                }
                None => StallKind::Other,
            },
        }
    }
}

impl Task {
    /// The Events about a pod were read, or could not be.
    pub fn handle_explained(&mut self, now: Time, index: Index, attempt: Attempt, outcome: &ExplainOutcome) {
        let Some(index) = self.local(index) else { return };
        let Some(run) = self.active_mut() else { return };
        if run.explaining.asked != Some((index, attempt)) {
            return;
        }
        run.explaining.asked = None;
        match outcome {
            ExplainOutcome::Said(said) => {
                let stall = explain(said);
                let is_current = run.flights.get(index).is_some_and(|flight| flight.attempt == attempt);
                if is_current && stall.is_some() && run.explaining.silent.contains(&index) {
                    run.explaining.of_template = stall.clone().filter(|stall| stall.kind == StallKind::Config);
                    run.set_explained(index, stall);
                }
            }
            ExplainOutcome::Denied => run.explaining.not_before = Some(now.plus_millis(DENIED_MILLIS)),
            ExplainOutcome::Unclear => {}
        }
    }
}
