//! What the watches show.

use super::Fleet;
use crate::core::ids::{TaskKey, Time};
use crate::core::pod::PodSeen;
use crate::core::task::TaskSeen;

/// What a watch shows.
#[derive(Clone, Debug)]
pub enum Event {
    /// A task, new or changed.
    Task(Box<TaskSeen>),
    /// A task is gone.
    TaskGone(TaskKey),
    /// A complete list of tasks begins.
    TasksListing,
    /// It is complete.
    TasksListed,
    /// A pod, new or changed.
    Pod(PodSeen),
    /// A pod is gone; its last state.
    PodGone(PodSeen),
    /// A complete list of pods begins.
    PodsListing,
    /// It is complete.
    PodsListed,
}

impl Fleet {
    /// A watch has shown something.
    pub fn handle_event(&mut self, now: Time, event: Event) {
        match event {
            Event::Task(task) => self.handle_task(now, *task),
            Event::TaskGone(key) => self.handle_task_gone(&key),
            Event::TasksListing => self.handle_tasks_listing(),
            Event::TasksListed => self.handle_tasks_listed(now),
            Event::Pod(pod) => self.handle_pod(now, pod),
            Event::PodGone(pod) => self.handle_pod_gone(now, &pod),
            Event::PodsListing => self.handle_pods_listing(),
            Event::PodsListed => self.handle_pods_listed(now),
        }
    }
}
