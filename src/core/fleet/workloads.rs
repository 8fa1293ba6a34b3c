//! Workloads of Kueue: which belongs to which task.

use std::collections::BTreeSet;

use super::{Fleet, TaskEntry};
use crate::core::ids::{TaskKey, Time};
use crate::core::port::{FlavorsOutcome, WorkloadOutcome};
use crate::core::workload::{Queueing, WorkloadSeen};

impl Fleet {
    /// Tasks with a queue wait for Kueue from now on, or not.
    pub fn set_queueing(&mut self, queueing: Queueing) {
        self.queueing = queueing;
    }

    /// The Workload of a task was created or changed, or is part of the list.
    pub fn handle_workload(&mut self, seen: WorkloadSeen) {
        let entry = self.entries.entry(seen.task.clone()).or_default();
        entry.workloads_marked.insert(seen.uid.clone());
        let known = entry.workloads.get(&seen.task_uid).filter(|known| known.uid == seen.uid);
        if known.is_none_or(|known| known.version < seen.version) {
            self.dirty.insert(seen.task.clone());
            entry.workloads.insert(seen.task_uid.clone(), seen);
        }
    }

    /// A Workload is gone.
    pub fn handle_workload_gone(&mut self, seen: &WorkloadSeen) {
        let Some(entry) = self.entries.get_mut(&seen.task) else { return };
        entry.workloads.retain(|_, known| known.uid != seen.uid);
        self.dirty.insert(seen.task.clone());
    }

    /// A list of all Workloads begins.
    pub fn handle_workloads_listing(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.workloads_marked.clear());
    }

    /// The list of all Workloads is complete: those that it did not show are gone.
    pub fn handle_workloads_listed(&mut self) {
        if self.queueing == Queueing::Unknown {
            self.queueing = Queueing::Known;
        }
        for (key, entry) in &mut self.entries {
            let TaskEntry { workloads, workloads_marked, .. } = entry;
            let marked: &BTreeSet<String> = workloads_marked;
            workloads.retain(|_, known| marked.contains(&known.uid));
            self.dirty.insert(key.clone());
        }
    }

    /// [`Action::ChangeWorkload`](crate::core::port::Action::ChangeWorkload) was answered.
    pub fn handle_workload_changed(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: WorkloadOutcome) {
        if let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) {
            return task.handle_workload_changed(now, outcome);
        }
        let remote = self.entries.get_mut(key).and_then(|entry| entry.remote.as_mut());
        if let Some(remote) = remote.filter(|remote| remote.uid() == uid) {
            self.dirty.insert(key.clone());
            remote.handle_workload_changed(now, outcome);
        }
    }

    /// [`Action::ReadFlavors`](crate::core::port::Action::ReadFlavors) was answered.
    pub fn handle_flavors_read(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: FlavorsOutcome) {
        if let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) {
            task.handle_flavors_read(now, outcome);
        }
    }
}
