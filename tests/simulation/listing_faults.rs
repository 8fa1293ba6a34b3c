//! What users and a slow network do to a list and its task.

use maptask::api::spec::{MapTaskSpec, Rerun};
use maptask::core::port::Event;

use crate::listing::World;

impl World {
    pub fn edit(&mut self, change: impl FnOnce(&mut MapTaskSpec)) {
        change(&mut self.task.spec);
        self.task.generation += 1;
        self.task.resource_version = self.next_version();
        self.events.push_back(Event::Task(Box::new(self.task.clone())));
    }

    pub fn ask_for_another(&mut self) {
        let id = self.version.to_string();
        self.edit(|spec| spec.rerun = Some(Rerun { id, items: "List".to_owned() }));
    }

    pub fn write_late(&mut self) {
        if let Some((name, text)) = self.late.pop() {
            self.maps.insert(name, text);
        }
    }

    /// Somebody edits a piece that is stored, or puts it back.
    pub fn edit_or_put_back(&mut self) {
        if let Some((name, text)) = self.edited.take() {
            self.maps.insert(name, text);
            return;
        }
        let recorded = self.task.status.listing.as_ref().and_then(|listing| listing.list.as_ref());
        let Some(list) = recorded.filter(|list| list.pieces > 0) else { return };
        let name = format!("{}0", list.config_map_prefix);
        self.edited = self.maps.insert(name.clone(), "somebody's\n".to_owned()).map(|text| (name, text));
    }
}
