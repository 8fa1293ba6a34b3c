//! The way in for what the watches show.

use super::Fleet;
use crate::core::ids::Time;
use crate::core::port::Event;

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
