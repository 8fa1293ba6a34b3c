//! Templates that somebody has changed are put back once nothing else goes wrong.

use maptask::core::port::TaskSeen;

use crate::specs;
use crate::world::World;

impl World {
    /// In the end nobody leaves a task with other templates than it was accepted with.
    pub fn put_templates_back(&mut self) {
        if !self.calm {
            return;
        }
        // A hash of templates costs more than a step, so that each version of a task is looked at once.
        let is_new = |task: &&TaskSeen| task.resource_version > self.templates_seen;
        let changed: Vec<&TaskSeen> = self.tasks.values().filter(is_new).collect();
        let Some(newest) = changed.iter().map(|task| task.resource_version).max() else { return };
        let other = changed.iter().find(|task| !specs::has_its_templates(task));
        match other.map(|task| (task.key.clone(), specs::as_accepted(task))) {
            Some((key, accepted)) => self.edit(&key, |spec| *spec = accepted),
            None => self.templates_seen = newest,
        }
    }
}
