//! Who may start next? Fair between tasks, within the operator's limits, and no knocking at a full namespace or at one
//! whose creates fail.

pub mod failing;
pub mod hold;
pub mod on_the_way;
pub mod pace;
pub mod quota;
pub mod window;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use crate::api::status::WaitingReason;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::limits::Limits;
use crate::core::queue::failing::Failing;
use crate::core::queue::hold::{Answer, Hold, MAX_QUOTA_PROBE_MILLIS};
use crate::core::queue::on_the_way::OnTheWay;
use crate::core::queue::pace::Pace;
use crate::core::queue::window::Window;

/// What limits the start of items across tasks.
#[derive(Debug)]
pub struct Queue {
    /// Items in flight at most, over all tasks.
    max_pods: usize,
    /// Items in flight at most in each namespace.
    max_pods_per_namespace: Option<usize>,
    /// Creates in a second.
    pace: Option<Pace>,
    /// How many creates may be on their way.
    pub window: Window,
    /// Creates that are on their way.
    creates: OnTheWay,
    /// The task that had the latest good answer, and the latest one of any other task: proof that the server is well.
    served: [Option<(TaskKey, Time)>; 2],
    holds: BTreeMap<Arc<str>, Hold>,
    failing: Failing,
}

/// Why an item may not start now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// As many creates are on their way as the API server takes; the next answer makes room.
    Busy,
    /// Worth telling the user, with the API server's words.
    Waiting(WaitingReason, Option<String>),
}

/// Which create was answered, by its task and pod.
pub type CreateId<'a> = (&'a TaskKey, PodRole);

/// The order of tasks that have items to start: highest priority first, then fewest in flight, then by name.
#[derive(Debug, Default)]
pub struct Line(BinaryHeap<(i32, Reverse<(usize, TaskKey)>)>);

impl Line {
    /// Adds a task of this priority with this many items in flight.
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
            creates: OnTheWay::new(limits.creates_in_flight as usize),
            served: [None, None],
            holds: BTreeMap::new(),
            failing: Failing::default(),
        }
    }

    /// Time has passed. To be called before [`Self::denies`] is asked at this time.
    pub fn advance(&mut self, now: Time) {
        self.creates.advance(now);
        self.holds.retain(|_, hold| hold.ends_at() > now);
    }

    /// Why no item of this task may start now; `None` if one may. Items are counted that would then be in flight, over
    /// all namespaces and in this one.
    pub fn denies(&self, now: Time, task: &TaskKey, (in_all, here): (usize, usize)) -> Option<Denial> {
        let waits = |reason, hold: &Hold| Some(Denial::Waiting(reason, Some(hold.message().to_owned())));
        if let Some(hold) = self.holds.get(&task.namespace).filter(|hold| !hold.is_open(now)) {
            return waits(WaitingReason::Quota, hold);
        }
        if let Some(hold) = self.failing.hold(task).filter(|hold| !hold.is_open(now)) {
            return waits(WaitingReason::FailedCreate, hold);
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
        let most = self.window.size();
        let may_try = !self.window.is_congested(now);
        let room = if may_try { self.creates.room_or_trial(task, most) } else { self.creates.room(task, most) };
        (room == 0).then_some(Denial::Busy)
    }

    /// A create goes out.
    pub fn begin(&mut self, now: Time, (task, pod): CreateId<'_>) {
        self.window.begin(now);
        self.creates.begin(now, task, pod);
        if let Some(pace) = &mut self.pace {
            pace.begin(now);
        }
        if let Some(hold) = self.holds.get_mut(&task.namespace) {
            hold.begin();
        }
        self.failing.begin(task);
    }

    /// A create was carried out.
    pub fn created(&mut self, now: Time, (task, pod): CreateId<'_>) {
        self.creates.end(now, task, pod);
        self.window.on_success();
        if self.served[0].as_ref().is_some_and(|(last, _)| last != task) {
            self.served.swap(0, 1);
        }
        self.served[0] = Some((task.clone(), now));
        self.hold_answered(&task.namespace, Answer::Created);
        self.failing.answered(task, Answer::Created);
    }

    /// A create was answered well, but made no pod: its name is taken, or another create was faster.
    pub fn passed(&mut self, now: Time, (task, pod): CreateId<'_>) {
        self.creates.end(now, task, pod);
        self.window.on_success();
        self.hold_answered(&task.namespace, Answer::NotCreated);
        self.failing.answered(task, Answer::NotCreated);
    }

    /// The API server refused a create, or failed at it: the trouble is its task's, and says nothing about load.
    pub fn failed(&mut self, now: Time, (task, pod): CreateId<'_>, message: &str) {
        self.creates.end(now, task, pod);
        self.window.neutral();
        self.hold_answered(&task.namespace, Answer::NotCreated);
        self.failing.failed(now, task, message);
    }

    /// A create met the API server's limits.
    pub fn throttled(&mut self, now: Time, (task, pod): CreateId<'_>, pause_millis: Option<u64>) {
        self.creates.end(now, task, pod);
        self.window.on_congestion(now, pause_millis);
        self.hold_answered(&task.namespace, Answer::NotCreated);
        self.failing.answered(task, Answer::NotCreated);
    }

    /// A create found no answer. Where other tasks were served in the meantime, that is its task's trouble and not
    /// load. Answers whether it is.
    pub fn unanswered(&mut self, now: Time, (task, pod): CreateId<'_>) -> bool {
        let since = self.creates.end(now, task, pod).unwrap_or(now);
        let is_well = self.served.iter().flatten().any(|(other, time)| other != task && *time > since);
        self.hold_answered(&task.namespace, Answer::NotCreated);
        if is_well {
            self.window.neutral();
            self.failing.failed(now, task, "the API server did not answer in time");
        } else {
            self.window.on_congestion(now, None);
            self.failing.answered(task, Answer::NotCreated);
        }
        is_well
    }

    /// A create met the namespace's quota.
    pub fn quota(&mut self, now: Time, (task, pod): CreateId<'_>, message: String) {
        self.creates.end(now, task, pod);
        self.window.on_success();
        self.failing.answered(task, Answer::NotCreated);
        if let Some(hold) = self.holds.get_mut(&task.namespace) {
            hold.refused(now, message);
        } else {
            let hold = Hold::new(now, message, MAX_QUOTA_PROBE_MILLIS);
            self.holds.insert(Arc::clone(&task.namespace), hold);
        }
    }

    /// A pod of the namespace has ended or gone.
    pub fn room(&mut self, namespace: &str) {
        if let Some(hold) = self.holds.get_mut(namespace) {
            hold.room();
        }
    }

    /// The task is gone; another one of its name begins without its history.
    pub fn forget(&mut self, task: &TaskKey) {
        self.creates.forget(task);
        self.failing.forget(task);
    }

    /// Whether the namespace is on hold for a quota that counts finished pods, too.
    pub fn counts_finished(&self, namespace: &str) -> bool {
        self.holds.get(namespace).is_some_and(|hold| quota::counts_finished(hold.message()))
    }

    /// Namespaces on hold.
    pub fn held(&self) -> usize {
        self.holds.len()
    }

    /// Tasks on hold, since their creates fail.
    pub fn failing(&self) -> usize {
        self.failing.held()
    }

    /// When an item may start that may not now.
    pub fn next_wake(&self, now: Time) -> Option<Time> {
        let probes = self.holds.values().filter_map(Hold::next_wake);
        let ends = self.holds.values().map(Hold::ends_at);
        let times = probes.chain(ends).chain(self.window.paused_until());
        let times = times.chain(self.pace.as_ref().map(Pace::open_at)).chain(self.failing.wakes());
        times.filter(|time| *time > now).chain(self.creates.next_wake(now)).min()
    }

    fn hold_answered(&mut self, namespace: &str, answer: Answer) {
        let Some(hold) = self.holds.get_mut(namespace) else { return };
        hold.answered(answer);
        if hold.is_over() {
            self.holds.remove(namespace);
        }
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
