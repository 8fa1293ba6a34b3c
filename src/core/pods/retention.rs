//! Which finished pods stay for `kubectl logs`, and which go?

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use crate::core::failures::Alike;
use crate::core::ids::{Lineage, PodRole, Time};
use crate::core::pods::news::News;
use crate::core::port::DeleteOutcome;
use crate::core::revision::Revision;

/// A pod that has ended, of an attempt that counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedPod {
    /// What it was to the task.
    pub role: PodRole,
    /// Its UID.
    pub uid: String,
    /// The version of the pod that was seen. A GET may be ahead of the watch, which then has stale news, also of a pod
    /// that had the name before.
    pub version: u64,
    /// Whether it has ended; one that has not should not be alive, or not for long.
    pub ended: bool,
    /// How its attempt failed, if it did: such pods are worth more, and those that failed otherwise most.
    pub failure: Option<Alike>,
    /// Not deleted before: a repeated create could still be on its way and would bring it back.
    pub not_before: Time,
}

/// What stays of the finished pods of a task.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keeping {
    /// The number that stays as long as its task, unless the spec gives another.
    pub count: usize,
    /// The limit for the number that a spec gives.
    pub most: usize,
    /// Milliseconds that each of the others stays after its end was recorded: creates go first.
    pub linger_millis: u64,
    /// The number of the others that are too many: the oldest are deleted at once.
    pub excess: usize,
}

impl Keeping {
    /// With the number that a spec asks for.
    #[must_use]
    pub fn asked_for(self, count: Option<usize>) -> Self {
        Self { count: count.map_or(self.count, |count| count.min(self.most)), ..self }
    }
}

/// The finished pods of one task.
#[derive(Debug, Default)]
pub struct Retention {
    /// Where each of them is.
    places: HashMap<PodRole, Place>,
    /// Their end is not yet in the status; in order of revision.
    unrecorded: VecDeque<(Revision, FinishedPod)>,
    /// They stay; oldest first, each with the time until which it would linger.
    kept: VecDeque<(Time, FinishedPod)>,
    /// They stay until their time, unless there are too many.
    lingering: BTreeMap<(Time, PodRole), FinishedPod>,
    /// They go, but none before its time.
    deletable: BTreeMap<(Time, PodRole), FinishedPod>,
    /// Their deletion is on its way or done; with the version that it names.
    deleting: HashMap<PodRole, (u64, FinishedPod)>,
    /// The version that a deletion named in vain, since the pod had a newer one.
    overtaken: HashMap<PodRole, u64>,
    /// Those to be deleted that had not ended. One that ends before is like any other: its end is to be recorded first.
    deleted_alive: HashSet<PodRole>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Unrecorded,
    Kept,
    Lingering(Time),
    Deletable(Time),
    Deleting,
}

impl Retention {
    /// Takes a pod whose end is part of this revision.
    pub fn put(&mut self, revision: Revision, pod: FinishedPod) {
        let role = pod.role;
        match self.get(role) {
            Some(known) if !is_news(&pod, known) || known.ended && known.uid == pod.uid => {}
            // It lives on while it waits for its end to be recorded, or for its deletion, which names the version.
            Some(known) if known.uid == pod.uid && !pod.ended && !self.deleted_alive.contains(&role) => {
                let not_before = known.not_before;
                self.renew(FinishedPod { not_before, ..pod });
            }
            known => {
                if known.is_some() {
                    self.forget(role);
                }
                self.places.insert(role, Place::Unrecorded);
                self.unrecorded.push_back((revision, pod));
            }
        }
    }

    /// The newest version that is known of the pod of this name.
    pub fn version(&self, role: PodRole) -> Option<u64> {
        self.get(role).map(|pod| pod.version)
    }

    /// Whether a pod of these runs on that is to go, such as one that a late create has made again.
    pub fn is_alive(&self, lineage: Lineage) -> bool {
        self.deleted_alive.iter().any(|role| role.lineage() == lineage)
    }

    /// All of them.
    pub fn roles(&self) -> impl Iterator<Item = PodRole> {
        self.places.keys().copied()
    }

    /// What is known of a pod that stays where it is.
    fn renew(&mut self, pod: FinishedPod) {
        let role = pod.role;
        match self.places.get(&role) {
            Some(Place::Unrecorded) => {
                let mut known = self.unrecorded.iter_mut().filter(|(_, known)| known.role == role);
                known.next().into_iter().for_each(|(_, known)| *known = pod.clone());
            }
            Some(Place::Deletable(time)) => drop(self.deletable.insert((*time, role), pod)),
            Some(Place::Deleting) => self.renew_deleting(pod),
            // What lingers or is kept has ended.
            Some(Place::Kept | Place::Lingering(_)) | None => {}
        }
    }

    /// What is known of a pod whose deletion is on its way.
    fn renew_deleting(&mut self, pod: FinishedPod) {
        if let Some((_, known)) = self.deleting.get_mut(&pod.role) {
            *known = pod;
        }
    }

    /// Deletes a pod as soon as possible that should not be alive.
    pub fn delete_now(&mut self, pod: FinishedPod) {
        let role = pod.role;
        match self.get(role) {
            Some(known) if !is_news(&pod, known) => {}
            // Sent again if it fails, then of what is known now.
            Some(known) if known.uid == pod.uid && self.deleting.contains_key(&role) => {
                self.renew_deleting(pod);
            }
            _ => {
                self.forget(role);
                self.make_deletable(pod);
                self.deleted_alive.insert(role);
            }
        }
    }

    /// Moves on those whose end is recorded, keeping some of them for good: the newest of each failure group first,
    /// then other failed ones, then the newest.
    pub fn sort(&mut self, now: Time, written: Revision, keeping: Keeping) {
        let Keeping { count, linger_millis, mut excess, .. } = keeping;
        while self.unrecorded.front().is_some_and(|(revision, _)| *revision <= written) {
            let Some((_, pod)) = self.unrecorded.pop_front() else { break };
            if !pod.ended {
                self.make_deletable(pod);
                continue;
            }
            self.places.insert(pod.role, Place::Kept);
            self.kept.push_back((now.plus_millis(linger_millis), pod));
            self.keep(count);
        }
        self.keep(count);
        while let Some(oldest) = self.lingering.first_entry().filter(|entry| entry.key().0 <= now || excess > 0) {
            excess = excess.saturating_sub(1);
            let pod = oldest.remove();
            self.make_deletable(pod);
        }
    }

    /// Keeps at most this number for good.
    fn keep(&mut self, count: usize) {
        while self.kept.len() > count {
            if let Some((time, pod)) = self.kept.remove(self.least_worth()) {
                self.places.insert(pod.role, Place::Lingering(time));
                self.lingering.insert((time, pod.role), pod);
            }
        }
    }

    /// The place of the pod that goes first among those that are kept.
    fn least_worth(&self) -> usize {
        let oldest_success = self.kept.iter().position(|(_, pod)| pod.failure.is_none());
        // The oldest that failed in the same way as a newer one.
        let repeated = || {
            let mut newer = HashSet::new();
            let places = self.kept.iter().enumerate().rev();
            places.filter(|(_, (_, pod))| !newer.insert(pod.failure)).last().map(|(place, _)| place)
        };
        oldest_success.or_else(repeated).unwrap_or(0)
    }

    /// Pods that would stay if there were not too many.
    pub fn lingering(&self) -> usize {
        self.lingering.len()
    }

    /// The next pod to delete, which is then taken to be on its way out.
    pub fn next_delete(&mut self, now: Time) -> Option<FinishedPod> {
        let due = self.deletable.first_entry().filter(|entry| entry.key().0 <= now)?;
        let pod = due.remove();
        self.places.insert(pod.role, Place::Deleting);
        self.deleting.insert(pod.role, (pod.version, pod.clone()));
        Some(pod)
    }

    /// The version that the deletion of a pod names. One that has ended can't change any more. One whose version was in
    /// vain though no watch shows a newer one has lost its label: it goes as it is.
    pub fn precondition(&self, pod: &FinishedPod) -> Option<u64> {
        let is_overtaken = self.overtaken.get(&pod.role) == Some(&pod.version);
        (!pod.ended && !is_overtaken).then_some(pod.version)
    }

    /// When the next pod may be deleted, or is to be.
    pub fn next_wake(&self) -> Option<Time> {
        let first = |pods: &BTreeMap<(Time, PodRole), FinishedPod>| pods.keys().next().map(|(time, _)| *time);
        [first(&self.lingering), first(&self.deletable)].into_iter().flatten().min()
    }

    /// The deletion did not work and is to be tried again.
    pub fn delete_failed(&mut self, role: PodRole, not_before: Time, outcome: DeleteOutcome) {
        if let Some((named, pod)) = self.deleting.remove(&role) {
            if outcome == DeleteOutcome::Changed {
                self.overtaken.insert(role, named);
            }
            self.make_deletable(FinishedPod { not_before, ..pod });
        }
    }

    /// The pod of this UID is gone.
    pub fn gone(&mut self, role: PodRole, uid: &str) {
        if self.get(role).is_some_and(|known| known.uid == uid) {
            self.forget(role);
        }
    }

    /// Forgets those whose end is not recorded: another's record counts, and they are seen to have ended once more.
    pub fn forget_unrecorded(&mut self) {
        for (_, pod) in self.unrecorded.drain(..) {
            self.places.remove(&pod.role);
        }
    }

    fn make_deletable(&mut self, pod: FinishedPod) {
        self.places.insert(pod.role, Place::Deletable(pod.not_before));
        self.deletable.insert((pod.not_before, pod.role), pod);
    }

    fn get(&self, role: PodRole) -> Option<&FinishedPod> {
        match self.places.get(&role)? {
            Place::Unrecorded => self.unrecorded.iter().map(|(_, pod)| pod).find(|pod| pod.role == role),
            Place::Kept => self.kept.iter().map(|(_, pod)| pod).find(|pod| pod.role == role),
            Place::Lingering(time) => self.lingering.get(&(*time, role)),
            Place::Deletable(time) => self.deletable.get(&(*time, role)),
            Place::Deleting => self.deleting.get(&role).map(|(_, pod)| pod),
        }
    }

    /// Forgets the pod of this name, such as one that counts again and is not to go.
    pub fn forget(&mut self, role: PodRole) {
        self.deleted_alive.remove(&role);
        self.overtaken.remove(&role);
        match self.places.remove(&role) {
            Some(Place::Unrecorded) => self.unrecorded.retain(|(_, pod)| pod.role != role),
            Some(Place::Kept) => self.kept.retain(|(_, pod)| pod.role != role),
            Some(Place::Lingering(time)) => drop(self.lingering.remove(&(time, role))),
            Some(Place::Deletable(time)) => drop(self.deletable.remove(&(time, role))),
            Some(Place::Deleting) => drop(self.deleting.remove(&role)),
            None => {}
        }
    }
}

/// Whether this is newer than what is known of the name.
fn is_news(pod: &FinishedPod, known: &FinishedPod) -> bool {
    News::of(pod.version, Some(known.version)) == News::New
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
