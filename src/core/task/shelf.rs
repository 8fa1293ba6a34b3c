//! Which finished pods stay for `kubectl logs`, and which go?

use std::collections::{BTreeMap, VecDeque};

use crate::core::ids::{Attempt, Index, Time};
use crate::core::task::ledger::{Ledger, Revision};

/// A pod that has ended, of an attempt that counts no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// Its item.
    pub index: Index,
    /// Its attempt.
    pub attempt: Attempt,
    /// Its UID.
    pub uid: String,
    /// Whether it has ended; one that has not should not be alive.
    pub ended: bool,
    /// Whether the attempt failed: such pods are worth more.
    pub failed: bool,
    /// Not deleted before: a repeated create could still be on its way and would bring it back.
    pub not_before: Time,
}

type Id = (Index, Attempt);

/// The finished pods of one task.
#[derive(Debug, Default)]
pub struct Shelf {
    /// Their end is not yet in the status; in order of revision.
    unrecorded: VecDeque<(Revision, Leftover)>,
    /// They stay; oldest first.
    kept: VecDeque<Leftover>,
    /// They go.
    doomed: BTreeMap<Id, Leftover>,
    /// Their deletion is on its way or done.
    deleting: BTreeMap<Id, Leftover>,
}

impl Shelf {
    /// Takes a pod whose end is part of this revision.
    pub fn put(&mut self, revision: Revision, pod: Leftover) {
        let id = (pod.index, pod.attempt);
        if !self.holds(id) {
            self.unrecorded.push_back((revision, pod));
        }
    }

    /// Condemns a pod at once that should not be alive. Ignores old news of one that is known to have ended.
    pub fn condemn(&mut self, pod: Leftover) {
        let id = (pod.index, pod.attempt);
        let has_ended = self.all().any(|known| known.uid == pod.uid && known.ended);
        if !has_ended && !self.deleting.contains_key(&id) {
            self.forget(id);
            self.doomed.insert(id, pod);
        }
    }

    /// Moves on those whose end is recorded, keeping `keep` of them: failed ones first, then the newest.
    pub fn sort(&mut self, ledger: &Ledger, keep: usize) {
        while self.unrecorded.front().is_some_and(|(revision, _)| ledger.is_written(*revision)) {
            self.kept.extend(self.unrecorded.pop_front().map(|(_, pod)| pod));
        }
        while self.kept.len() > keep {
            let oldest_success = self.kept.iter().position(|pod| !pod.failed);
            if let Some(pod) = self.kept.remove(oldest_success.unwrap_or(0)) {
                self.doomed.insert((pod.index, pod.attempt), pod);
            }
        }
    }

    /// The next pod to delete, which is then taken to be on its way out.
    pub fn next_delete(&mut self, now: Time) -> Option<Leftover> {
        let id = *self.doomed.iter().find(|(_, pod)| pod.not_before <= now)?.0;
        let pod = self.doomed.remove(&id)?;
        self.deleting.insert(id, pod.clone());
        Some(pod)
    }

    /// Whether a pod may be deleted now.
    pub fn has_due(&self, now: Time) -> bool {
        self.doomed.values().any(|pod| pod.not_before <= now)
    }

    /// When the next pod may be deleted.
    pub fn next_wake(&self) -> Option<Time> {
        self.doomed.values().map(|pod| pod.not_before).min()
    }

    /// The deletion did not work and is to be tried again.
    pub fn delete_failed(&mut self, id: Id, not_before: Time) {
        if let Some(mut pod) = self.deleting.remove(&id) {
            pod.not_before = not_before;
            self.doomed.insert(id, pod);
        }
    }

    /// The pod is gone.
    pub fn gone(&mut self, id: Id) {
        self.forget(id);
        self.deleting.remove(&id);
    }

    /// Whether the pod is known here.
    pub fn holds(&self, id: Id) -> bool {
        self.all().any(|pod| (pod.index, pod.attempt) == id)
    }

    fn all(&self) -> impl Iterator<Item = &Leftover> {
        let unrecorded = self.unrecorded.iter().map(|(_, pod)| pod);
        unrecorded.chain(&self.kept).chain(self.doomed.values()).chain(self.deleting.values())
    }

    fn forget(&mut self, id: Id) {
        self.unrecorded.retain(|(_, pod)| (pod.index, pod.attempt) != id);
        self.kept.retain(|pod| (pod.index, pod.attempt) != id);
        self.doomed.remove(&id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::status::MapTaskStatus;

    fn pod(index: u32, failed: bool) -> Leftover {
        Leftover {
            index: Index(index),
            attempt: Attempt(1),
            uid: index.to_string(),
            ended: true,
            failed,
            not_before: Time(0),
        }
    }

    fn ledger_with_all_written() -> Ledger {
        let mut ledger = Ledger::new(1, None);
        ledger.change();
        ledger.begin(Time(0), &MapTaskStatus::default());
        ledger.succeeded(2, 0);
        ledger
    }

    #[test]
    fn no_pod_goes_before_its_end_is_recorded() {
        let mut shelf = Shelf::default();
        let mut ledger = Ledger::new(1, None);
        let revision = ledger.change();
        shelf.put(revision, pod(0, false));
        shelf.sort(&ledger, 0);
        assert_eq!(shelf.next_delete(Time(0)), None);
        ledger.begin(Time(0), &MapTaskStatus::default());
        ledger.succeeded(2, 0);
        shelf.sort(&ledger, 0);
        assert_eq!(shelf.next_delete(Time(0)), Some(pod(0, false)));
        assert_eq!(shelf.next_delete(Time(0)), None);
    }

    #[test]
    fn failed_pods_stay_before_others_and_the_newest_of_each() {
        let mut shelf = Shelf::default();
        for (index, failed) in [(0, true), (1, false), (2, true), (3, false)] {
            shelf.put(Revision(1), pod(index, failed));
        }
        shelf.sort(&ledger_with_all_written(), 1);
        let gone: Vec<u32> = std::iter::from_fn(|| shelf.next_delete(Time(0))).map(|p| p.index.0).collect();
        assert_eq!(gone, [0, 1, 3], "the failed pod 2 stays");
    }

    #[test]
    fn a_failed_deletion_is_tried_again_later() {
        let mut shelf = Shelf::default();
        shelf.condemn(pod(0, false));
        assert!(shelf.next_delete(Time(0)).is_some());
        shelf.delete_failed((Index(0), Attempt(1)), Time(9));
        assert_eq!((shelf.next_delete(Time(8)), shelf.next_wake()), (None, Some(Time(9))));
        assert!(shelf.next_delete(Time(9)).is_some());
        shelf.gone((Index(0), Attempt(1)));
        assert!(!shelf.holds((Index(0), Attempt(1))));
    }
}
