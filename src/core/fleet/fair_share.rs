//! Tasks with workers keep their pods as long as they have items. So that other tasks get theirs, one that has more
//! than its share gives pods up while another waits for a pod. What runs is not stopped for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::api::status::WaitingReason;
use crate::core::fleet::{Fleet, TaskEntry};
use crate::core::ids::{TaskKey, Time};
use crate::core::queue::Denial;
use crate::core::run::{Run, TURN_MILLIS};

/// A limit on pods, and those that it binds.
struct Scope {
    /// All namespaces, unless it is one.
    namespace: Option<Arc<str>>,
    /// Pods at most.
    limit: usize,
    /// Pods that there are.
    in_flight: usize,
}

impl Scope {
    fn has(&self, key: &TaskKey) -> bool {
        self.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
    }
}

fn run(entry: &TaskEntry) -> Option<&Run> {
    entry.task.as_ref()?.active()
}

impl Fleet {
    /// Asks tasks that have more than their share of the pods to give workers up for those that wait for one. `denied`:
    /// what the queue said to tasks that have something to start.
    pub(super) fn share_pods(&mut self, now: Time, denied: &BTreeMap<TaskKey, Denial>) {
        let mut scopes: BTreeMap<Option<Arc<str>>, (Scope, Vec<TaskKey>)> = BTreeMap::new();
        for (key, denial) in denied {
            if let Some(scope) = self.scope(key, denial) {
                scopes.entry(scope.namespace.clone()).or_insert((scope, Vec::new())).1.push(key.clone());
            }
        }
        for (scope, hungry) in scopes.into_values() {
            self.share(now, &scope, &hungry);
        }
    }

    /// The limit that keeps the task from starting a pod, if it is one on their number.
    fn scope(&self, key: &TaskKey, denial: &Denial) -> Option<Scope> {
        let here = self.in_namespaces.get(&key.namespace).copied().unwrap_or(0);
        let namespace = Some(Arc::clone(&key.namespace));
        match denial {
            Denial::Waiting(WaitingReason::Quota, _) => Some(Scope { namespace, limit: here, in_flight: here }),
            Denial::Waiting(WaitingReason::OperatorLimit, _) if self.in_flight >= self.limits.max_pods => {
                Some(Scope { namespace: None, limit: self.limits.max_pods, in_flight: self.in_flight })
            }
            Denial::Waiting(WaitingReason::OperatorLimit, _) => {
                let limit = self.limits.max_pods_per_namespace.filter(|limit| here >= *limit)?;
                Some(Scope { namespace, limit, in_flight: here })
            }
            _ => None,
        }
    }

    fn share(&mut self, now: Time, scope: &Scope, hungry: &[TaskKey]) {
        let inside = || self.entries.iter().filter(|(key, _)| scope.has(key));
        let contenders: BTreeSet<&TaskKey> =
            inside().filter(|(_, entry)| entry.in_flight > 0).map(|(key, _)| key).chain(hungry).collect();
        let share = scope.limit / contenders.len().max(1);
        let leaving: usize = inside().filter_map(|(_, entry)| run(entry)).map(Run::leaving_workers).sum();
        // What is free, or will be soon.
        let mut supply = scope.limit.saturating_sub(scope.in_flight) + leaving;
        for key in hungry {
            let Some((has, wants, priority)) = self.hunger(key) else { continue };
            let needs = share.max(1).saturating_sub(has).min(wants);
            let short = needs.saturating_sub(supply);
            supply = supply.saturating_sub(needs);
            for _ in 0..short {
                let Some(victim) = self.most_beyond(scope, key, has, share, priority) else { break };
                if !self.give_up(now, &victim, share) {
                    break;
                }
            }
        }
    }

    /// The pods that a task has, how many more it wants, and its priority.
    fn hunger(&self, key: &TaskKey) -> Option<(usize, usize, i32)> {
        let entry = self.entries.get(key)?;
        let run = run(entry)?;
        Some((
            entry.in_flight.saturating_sub(run.leaving_workers()),
            run.pods_wanted(),
            entry.task.as_ref()?.priority(),
        ))
    }

    /// The task that has most workers beyond its share, and no higher priority.
    fn most_beyond(&self, scope: &Scope, key: &TaskKey, has: usize, share: usize, priority: i32) -> Option<TaskKey> {
        let others = self.entries.iter().filter(|(other, _)| scope.has(other) && *other != key);
        let staying = others.filter_map(|(other, entry)| {
            let is_above = entry.task.as_ref().is_some_and(|task| task.priority() > priority);
            Some((run(entry).filter(|_| !is_above)?.staying_workers(), other))
        });
        let (_, victim) =
            staying.filter(|(workers, _)| *workers > share.max(has)).max_by_key(|(workers, _)| *workers)?;
        Some(victim.clone())
    }

    fn give_up(&mut self, now: Time, key: &TaskKey, share: usize) -> bool {
        let min_age = if share == 0 { TURN_MILLIS } else { 0 };
        let task = self.entries.get_mut(key).and_then(|entry| entry.task.as_mut());
        let gives = task.is_some_and(|task| task.give_up_worker(now, min_age));
        if gives {
            self.dirty.insert(key.clone());
        }
        gives
    }
}
