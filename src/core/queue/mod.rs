//! Who may start next? Fair between tasks, within the operator's limits, and no knocking at a full namespace.

pub mod hold;
pub mod pace;
pub mod quota;
pub mod window;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use crate::api::status::WaitingReason;
use crate::core::fleet::Limits;
use crate::core::ids::{TaskKey, Time};
use crate::core::queue::hold::Hold;
use crate::core::queue::pace::Pace;
use crate::core::queue::window::Window;

/// What limits the start of items across tasks.
#[derive(Debug)]
pub struct Queue {
    /// Items in flight at most, over all tasks.
    max_pods: usize,
    /// The same in each namespace.
    max_pods_per_namespace: Option<usize>,
    /// Creates in a second.
    pace: Option<Pace>,
    /// Creates on their way.
    pub window: Window,
    holds: BTreeMap<Arc<str>, Hold>,
}

/// Why an item may not start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// As many creates are on their way as the API server takes; the next answer makes room.
    Busy,
    /// Worth telling the user, with the API server's words.
    Waiting(WaitingReason, Option<String>),
}

/// The order of tasks that have items to start: highest priority first, then fewest in flight, then by name.
#[derive(Debug, Default)]
pub struct Line(BinaryHeap<(i32, Reverse<(usize, TaskKey)>)>);

impl Line {
    /// Adds a task of this priority with so many items in flight.
    pub fn push(&mut self, priority: i32, in_flight: usize, key: TaskKey) {
        self.0.push((priority, Reverse((in_flight, key))));
    }

    /// Takes out the task whose turn it is.
    pub fn pop(&mut self) -> Option<TaskKey> {
        self.0.pop().map(|(_, Reverse((_, key)))| key)
    }
}

impl Queue {
    /// A queue within these limits.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_pods: limits.max_pods,
            max_pods_per_namespace: limits.max_pods_per_namespace,
            pace: limits.pods_per_second.map(Pace::new),
            window: Window::new(limits.creates_in_flight),
            holds: BTreeMap::new(),
        }
    }

    /// Why no item of this namespace may start now; `None` if one may. Items are counted that would then be in flight,
    /// over all namespaces and in this one.
    pub fn denies(&self, now: Time, namespace: &str, (in_all, here): (usize, usize)) -> Option<Denial> {
        if let Some(hold) = self.holds.get(namespace).filter(|hold| !hold.is_open(now)) {
            return Some(Denial::Waiting(WaitingReason::Quota, Some(hold.message().to_owned())));
        }
        let limited = |name: &str, limit: String| {
            Some(Denial::Waiting(WaitingReason::OperatorLimit, Some(format!("{name} of the operator is {limit}"))))
        };
        if in_all > self.max_pods {
            return limited("maxPods", self.max_pods.to_string());
        }
        if let Some(most) = self.max_pods_per_namespace.filter(|most| here > *most) {
            return limited("maxPodsPerNamespace", most.to_string());
        }
        if let Some(pace) = self.pace.as_ref().filter(|pace| !pace.is_open(now)) {
            return limited("podsPerSecond", pace.per_second().to_string());
        }
        if self.window.is_paused(now) {
            return Some(Denial::Waiting(WaitingReason::Throttled, None));
        }
        (!self.window.is_open(now)).then_some(Denial::Busy)
    }

    /// A create goes out.
    pub fn begin(&mut self, now: Time, namespace: &str) {
        self.window.begin(now);
        if let Some(pace) = &mut self.pace {
            pace.begin(now);
        }
        if let Some(hold) = self.holds.get_mut(namespace) {
            hold.begin();
        }
    }

    /// A create was answered, and the API server had no complaint about load.
    pub fn answered(&mut self, namespace: &str, created: bool) {
        self.window.good();
        self.hold_answered(namespace, created);
    }

    /// A create met the API server's limits, or found no answer.
    pub fn complained(&mut self, now: Time, namespace: &str, pause_millis: Option<u64>) {
        self.window.bad(now, pause_millis);
        self.hold_answered(namespace, false);
    }

    /// A create met the namespace's quota.
    pub fn quota(&mut self, now: Time, namespace: &Arc<str>, message: String) {
        self.window.good();
        match self.holds.get_mut(namespace) {
            Some(hold) => hold.refused(now, message),
            None => drop(self.holds.insert(Arc::clone(namespace), Hold::new(now, message))),
        }
    }

    /// A pod of the namespace has ended or gone.
    pub fn room(&mut self, namespace: &str) {
        if let Some(hold) = self.holds.get_mut(namespace) {
            hold.room();
        }
    }

    /// Whether the namespace is on hold for a quota that counts finished pods, too.
    pub fn counts_finished(&self, namespace: &str) -> bool {
        self.holds.get(namespace).is_some_and(|hold| quota::counts_finished(hold.message()))
    }

    /// Namespaces on hold.
    pub fn held(&self) -> usize {
        self.holds.len()
    }

    /// When an item may start that may not now.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        let times = self.holds.values().filter_map(Hold::next_wake).chain(self.window.paused_until());
        let times = times.chain(self.pace.as_ref().map(Pace::open_at));
        times.filter(|time| *time > now).min()
    }

    fn hold_answered(&mut self, namespace: &str, created: bool) {
        let Some(hold) = self.holds.get_mut(namespace) else { return };
        hold.answered(created);
        if hold.is_over() {
            self.holds.remove(namespace);
        }
    }
}
