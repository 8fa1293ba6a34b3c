//! Pods that have not started for ten seconds and do not say why: looked into one at a time, by the Events about them.

use crate::core::ids::{Index, TaskKey, Time};
use crate::core::pod::explain::together;
use crate::core::pod::{BlockerKind, StartBlocker};
use crate::core::pods::explaining::PATIENCE_MILLIS;
use crate::core::port::{Action, Explain, PodId};
use crate::core::run::Run;

impl Run {
    /// How long a pod may take to start before it is looked into: no longer than half of the time that it has.
    pub fn patience_millis(&self) -> u64 {
        self.spec.start_deadline_millis.map_or(PATIENCE_MILLIS, |millis| PATIENCE_MILLIS.min(millis / 2))
    }

    /// Ends the patience with pods, and looks into one.
    pub fn poll_explain(&mut self, now: Time, key: &TaskKey, actions: &mut Vec<Action>) {
        while let Some(index) = self.explaining.next_silent(now) {
            let seconds = self.patience_millis() / 1_000;
            let before = self.flights.get(index).and_then(|flight| flight.told.as_ref());
            let words = before.map(|blocker| format!(": {}", blocker.message)).unwrap_or_default();
            let message = format!("no container of it has run for {seconds} s{words}");
            self.set_explained(index, Some(StartBlocker { kind: BlockerKind::Silent, message }));
        }
        let Some(index) = self.explaining.next_look(now) else { return };
        let Some(flight) = self.flights.get(index) else { return };
        let Some(uid) = flight.pod_uid.clone() else { return };
        self.explaining.asked(now, index, flight.attempt);
        let id = PodId { key: key.clone(), role: self.spec.blueprint.role_of(index, flight.attempt) };
        let of_claims = flight.told.as_ref().is_some_and(|blocker| blocker.kind == BlockerKind::Volume);
        let claims = if of_claims { self.spec.blueprint.template.claims(&id.pod_name()) } else { Vec::new() };
        actions.push(Action::Explain(Explain { id, task_uid: self.spec.blueprint.uid.clone(), uid, claims }));
    }

    /// What the Events about a pod say holds it up.
    pub fn set_explained(&mut self, index: Index, explained: Option<StartBlocker>) {
        if let Some(flight) = self.flights.get_mut(index).filter(|flight| flight.starting.is_some()) {
            flight.explained = explained;
            let blocker = together(flight.told.as_ref(), flight.explained.as_ref());
            self.set_stall(index, blocker);
        }
    }

    /// What holds up the start of a pod, as far as is known.
    pub fn set_stall(&mut self, index: Index, blocker: Option<StartBlocker>) {
        let Some(flight) = self.flights.get_mut(index) else { return };
        if flight.blocker.is_some() || blocker.is_some() {
            let id = PodId {
                key: self.spec.blueprint.key.clone(),
                role: self.spec.blueprint.role_of(index, flight.attempt),
            };
            let before = flight.blocker.as_ref().map(|blocker| blocker.kind);
            self.blockers.change(&id.pod_name(), before, blocker.as_ref());
            flight.blocker = blocker;
        }
    }

    /// What held up a pod until its time was over. One that never told is taken to be like one of the same template that did.
    pub fn last_stall(&mut self, index: Index) -> BlockerKind {
        let known = self.flights.get(index).and_then(|flight| flight.blocker.as_ref()).map(|blocker| blocker.kind);
        match known {
            Some(kind) if !matches!(kind, BlockerKind::Other | BlockerKind::Silent) => kind,
            _ => match self.explaining.of_template.clone() {
                Some(blocker) => {
                    let kind = blocker.kind;
                    self.set_stall(index, Some(blocker));
                    kind
                }
                None => BlockerKind::Other,
            },
        }
    }
}
