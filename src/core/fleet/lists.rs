//! How much memory do the lists take that were read? What is over the limit is read once other tasks have ended.

use std::collections::BTreeMap;

use crate::core::ids::TaskKey;

/// Bytes of lists, by task. Those of a spec are not counted: its object is in memory anyway.
#[derive(Debug, Default)]
pub(super) struct Lists {
    of: BTreeMap<TaskKey, u64>,
    total: u64,
}

impl Lists {
    /// The list of a task takes so much.
    pub(super) fn note(&mut self, key: &TaskKey, bytes: u64) {
        let before = match bytes {
            0 => self.of.remove(key),
            _ => self.of.insert(key.clone(), bytes),
        };
        self.total = (self.total + bytes).saturating_sub(before.unwrap_or(0));
    }

    /// What the lists of all tasks take.
    pub(super) fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_lists_add_up_and_go_with_their_tasks() {
        let [one, two] = ["one", "two"].map(|name| TaskKey::new("ns", name));
        let mut lists = Lists::default();
        lists.note(&one, 5);
        lists.note(&two, 7);
        lists.note(&one, 6);
        assert_eq!(lists.total(), 13);
        lists.note(&two, 0);
        lists.note(&two, 0);
        assert_eq!((lists.total(), lists.of.len()), (6, 1));
    }
}
