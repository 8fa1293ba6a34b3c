//! The world in words, for the problem that a seed has found.

use crate::world::World;

impl World {
    pub fn describe(&self) -> String {
        let tasks: Vec<_> = self
            .tasks
            .values()
            .map(|t| format!("{} {:?} {:?} {:?}", t.key, t.status.phase, t.status.counts, t.status.waiting))
            .collect();
        let pods: Vec<_> = self
            .pods
            .values()
            .map(|p| format!("{} {:?} {:?} deleted {:?}", p.seen.name, p.fate, p.life, p.seen.deleted))
            .collect();
        format!("{tasks:#?} {pods:#?} {}", self.operator.describe(self.now))
    }
}
