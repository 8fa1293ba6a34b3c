//! The pods of a run, and which of them need a look in the next round: a round costs what has changed, and not what
//! exists.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::core::blueprint::Blueprint;
use crate::core::ids::{PodRole, RoleKey, Time};
use crate::core::pod::{Detail, PodEnd, PodOutcome, PodSeen};
use crate::core::pods::Pods;
use crate::core::pods::explaining::Explaining;
use crate::core::pods::indeterminate::Indeterminate;
use crate::core::pods::outlived::Outlived;
use crate::core::pods::start_blockers::StartBlockers;
use crate::core::pods::state::{Absent, PodState};
use crate::core::pods::timers::Timers;

/// The pods of a run, from create to deletion, whatever they run.
#[derive(Debug)]
pub struct PodTable {
    /// What they are made from.
    pub(super) blueprint: Arc<Blueprint>,
    /// Milliseconds from the creation of a pod until it must have started.
    pub(super) start_deadline_millis: Option<u64>,
    pub(super) pods: BTreeMap<RoleKey, Slot>,
    /// Changed since the last round, or waiting for a time.
    pub(super) restless: BTreeSet<RoleKey>,
    /// All were to be stopped in the last round.
    pub(super) stopping: bool,
    pub(super) timers: Timers<(RoleKey, PodTimer)>,
    /// What holds up the start of pods.
    pub(super) blockers: StartBlockers,
    /// Pods whose item's container has ended while others run.
    pub(super) outlived: Outlived,
    /// Pods that take long to start.
    pub(super) explaining: Explaining,
    /// Creates without an answer.
    pub(super) indeterminate: Indeterminate,
    /// Pods of items to be cancelled that were asked for, since a create got no answer.
    probed: BTreeSet<PodRole>,
}

/// The place of a pod in the table.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) pod: PodState,
    /// It is known to be among the restless, and need not be put there.
    pub(super) is_restless: bool,
}

/// What a pod's timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PodTimer {
    /// It must have started.
    StartDeadline,
    /// It has not started for so long that its Events are read.
    Silence,
    /// Other containers have run on for so long after the item's that it is reported.
    Outlived,
}

impl PodTable {
    /// No pods yet. Creates of an operator before this one may be carried out until `all_indeterminate`.
    pub fn new(blueprint: Arc<Blueprint>, start_deadline_millis: Option<u64>, all_indeterminate: Option<Time>) -> Self {
        Self {
            blueprint,
            start_deadline_millis,
            pods: BTreeMap::new(),
            restless: BTreeSet::new(),
            stopping: false,
            timers: Timers::default(),
            blockers: StartBlockers::default(),
            outlived: Outlived::default(),
            explaining: Explaining::default(),
            indeterminate: Indeterminate::new(all_indeterminate),
            probed: BTreeSet::new(),
        }
    }

    /// The pods are made from something else from now on.
    pub fn set_blueprint(&mut self, blueprint: Arc<Blueprint>) {
        self.blueprint = blueprint;
    }

    /// Number of pods that exist, or may.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// What is known of a pod.
    pub fn get(&self, role: PodRole) -> Option<&PodState> {
        self.pods.get(&role.into()).map(|slot| &slot.pod)
    }

    /// A pod to be changed. It is polled in the next round.
    pub(super) fn get_mut(&mut self, role: PodRole) -> Option<&mut PodState> {
        let key = role.into();
        let slot = self.pods.get_mut(&key)?;
        if !slot.is_restless {
            slot.is_restless = true;
            self.restless.insert(key);
        }
        Some(&mut slot.pod)
    }

    /// All of them, to be changed. Costs as much as there are, now and in the next round.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (PodRole, &mut PodState)> {
        self.restless.extend(self.pods.keys());
        self.pods.iter_mut().map(|(key, slot)| ((*key).into(), &mut slot.pod))
    }

    fn insert(&mut self, role: PodRole, pod: PodState) {
        self.restless.insert(role.into());
        self.pods.insert(role.into(), Slot { pod, is_restless: true });
    }

    /// Creates without an answer.
    pub fn indeterminate(&self) -> &Indeterminate {
        &self.indeterminate
    }

    /// A create request goes out.
    pub fn request(&mut self, now: Time, role: PodRole) {
        self.insert(role, PodState::requested(now));
    }

    /// A pod is about to be shown that was not known, and was created at that time.
    pub fn find(&mut self, since: Time, role: PodRole) {
        self.insert(role, PodState::found(since));
    }

    /// The record says that the pod runs, and no list has shown it. `suspended`: it may have been stopped for a
    /// suspension.
    pub fn expect(&mut self, now: Time, role: PodRole, suspended: bool) {
        self.insert(role, PodState::recorded(now, suspended));
    }

    /// Whether the pod has to be asked for by name before its item is cancelled: a create of it got no answer. Asks
    /// once.
    pub fn probe(&mut self, now: Time, role: PodRole) -> bool {
        let is_new = self.indeterminate.holds(now, role) && self.probed.insert(role);
        if is_new && self.get(role).is_none() {
            self.insert(role, PodState::unconfirmed(now));
        }
        is_new
    }

    /// Whether the create of this pod is on its way, and nothing of the pod was seen.
    pub fn is_requested(&self, role: PodRole) -> bool {
        self.get(role).is_some_and(|pod| pod.is_create_pending() && !pod.is_present())
    }

    /// Whether the create of this pod is on its way.
    pub fn is_create_pending(&self, role: PodRole) -> bool {
        self.get(role).is_some_and(PodState::is_create_pending)
    }

    /// A GET of the pod was answered. Returns whether the answer counts: it does not if the pod was shown since.
    pub fn answered(&mut self, role: PodRole) -> bool {
        self.get_mut(role).is_some_and(PodState::answered)
    }

    /// The create was carried out. Returns whether the pod was waited for.
    pub fn confirm(&mut self, role: PodRole, epoch: u32) -> bool {
        let pod = self.get_mut(role);
        pod.map(|pod| pod.confirm(epoch)).is_some()
    }

    /// The create was answered, without a pod. Returns whether the pod is there all the same.
    pub fn settle_create(&mut self, role: PodRole) -> bool {
        self.get_mut(role).is_some_and(PodState::settle_create)
    }

    /// Whether the pod exists is not known: it is asked for by name, from that time on.
    pub fn unconfirm(&mut self, role: PodRole, ask_at: Time) {
        if let Some(pod) = self.get_mut(role) {
            pod.unconfirm(ask_at);
        }
    }

    /// A create of this pod got no answer: it may still be carried out.
    pub fn note_indeterminate(&mut self, now: Time, role: PodRole) {
        self.indeterminate.add(now, role);
    }

    /// A complete list of pods was shown: those that it did not show are asked for.
    pub fn suspect_before(&mut self, now: Time, epoch: u32) {
        self.iter_mut().for_each(|(_, pod)| pod.suspect_before(now, epoch));
    }

    /// Pods that an answer, but not the watch, has reported are asked for again. The two come in any order, so an
    /// answer can be older than the list that did not show the pod.
    pub fn suspect_unseen(&mut self, now: Time, shown: &Pods) {
        self.iter_mut().filter(|(role, _)| !shown.contains_key(role)).for_each(|(_, pod)| pod.suspect(now));
    }

    /// The watch says that this pod is gone, and was last seen like this: it is asked for.
    pub fn suspect_gone(&mut self, now: Time, role: PodRole, last: &PodSeen) {
        if let Some(pod) = self.get_mut(role) {
            pod.suspect_gone(now, last);
        }
    }

    /// A list of this number has shown the pod, as it was before what is known of it.
    pub fn listed(&mut self, role: PodRole, uid: &str, epoch: u32) {
        if let Some(pod) = self.get_mut(role).filter(|pod| pod.uid() == Some(uid)) {
            pod.listed(epoch);
        }
    }

    /// The pod is asked for by name, from that time on.
    pub fn ask_again(&mut self, role: PodRole, at: Time) {
        if let Some(pod) = self.get_mut(role) {
            pod.ask_again(at);
        }
    }

    /// The pod was asked for by name, and is not there.
    pub fn absent(&mut self, role: PodRole) -> Option<Absent> {
        self.get_mut(role).map(PodState::absent)
    }

    /// Whether a create of this pod is on its way, and another one may have made the pod that was seen. Once that pod
    /// is gone, the create makes another one.
    pub fn may_be_made_again(&self, now: Time, role: PodRole) -> bool {
        self.is_create_pending(role) && self.indeterminate.may_have_made(now, role)
    }

    /// The end of this pod does not count before the create on its way is answered: it is asked for by name, from that
    /// time on.
    pub fn put_off_end(&mut self, role: PodRole, ask_at: Time) {
        if let Some(pod) = self.get_mut(role) {
            pod.put_off_end(ask_at);
        }
    }

    /// Takes out a pod that is over, with all that is noted about its start.
    pub fn end(&mut self, role: PodRole, outcome: PodOutcome, detail: Detail) -> Option<PodEnd> {
        self.remove(role).map(|pod| pod.end(outcome, detail))
    }

    /// Removes a pod that nothing is known about any more.
    pub fn remove(&mut self, role: PodRole) -> Option<PodState> {
        let Slot { pod, is_restless } = self.pods.remove(&role.into())?;
        if is_restless {
            self.restless.remove(&role.into());
        }
        self.timers.stop((role.into(), PodTimer::StartDeadline));
        self.forget_silence(role);
        self.forget_outlived(role);
        if let Some(blocker) = &pod.start().blocker {
            self.blockers.change("", Some(blocker.kind), None);
        }
        Some(pod)
    }

    /// Takes out the pods that no list can show: their creates are on their way, or the watch has yet to show them, or
    /// does not any more.
    pub fn take_unlisted(&mut self) -> Vec<(PodRole, PodState)> {
        let pods = std::mem::take(&mut self.pods);
        self.restless.clear();
        let unlisted = |pod: &PodState| pod.is_create_pending() || pod.is_unshown();
        pods.into_iter().map(|(key, slot)| (key.into(), slot.pod)).filter(|(_, pod)| unlisted(pod)).collect()
    }

    /// Takes over a pod from another table. Where the watch shows it, it does so once more: timers and counts begin
    /// with that.
    pub fn adopt(&mut self, role: PodRole, pod: PodState) {
        self.insert(role, pod.unseen());
    }

    /// Takes over what another table knows of creates without an answer.
    pub fn merge_indeterminate(&mut self, other: &Self) {
        self.indeterminate.merge(&other.indeterminate);
    }

    /// When a pod needs attention though nothing happens.
    pub fn next_wake(&self) -> Option<Time> {
        let pod = self.restless.iter().filter_map(|key| self.pods.get(key)?.pod.next_wake()).min();
        [pod, self.timers.next(), self.explaining.next_wake()].into_iter().flatten().min()
    }
}
