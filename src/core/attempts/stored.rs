//! Which results are yet to be stored, and which are?

use std::collections::BTreeMap;

use crate::core::attempts::table::ItemTable;
use crate::core::ids::Index;
use crate::core::phases::ItemPhase;
use crate::core::results::Shard;
use crate::core::results::places::Places;

impl ItemTable {
    /// Lines to be stored with the next status write.
    pub fn results(&self) -> &BTreeMap<Index, String> {
        &self.results
    }

    /// These lines are in the API server.
    pub fn results_stored(&mut self, stored: &BTreeMap<Index, String>) {
        for (index, line) in stored {
            if self.results.get(index) == Some(line) {
                self.results.remove(index);
            }
        }
    }

    /// All lines are in the API server.
    pub fn all_results_stored(&mut self) {
        self.results.clear();
    }

    /// Places of a shard whose lines were stored by a write before.
    pub fn stored_places(&self, shard: &Shard) -> Places {
        let is_stored = |place: &u32| {
            let index = Index(shard.first + place);
            let succeeded = matches!(self.phases.get(index), Some(ItemPhase::Succeeded | ItemPhase::Cached));
            succeeded && !self.results.contains_key(&index)
        };
        (0..shard.lines_in_all).filter(is_stored).collect()
    }
}
