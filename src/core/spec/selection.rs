//! Which items does `spec.rerun.items` select?

use std::collections::BTreeSet;

use crate::api::spec::Rerun;
use crate::core::ids::{Index, ItemCount};
use crate::core::phases::{ItemPhase, Phases};
use crate::core::ranges::range;
use crate::core::spec::AcceptedSpec;

/// What `spec.rerun.items` says to run the reduce alone.
pub const REDUCE: &str = "Reduce";
/// What it says to read or compute the list again.
pub const LIST: &str = "List";

/// Which items a rerun starts again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    phases: BTreeSet<ItemPhase>,
    all: bool,
    ranges: Vec<(u32, u32)>,
}

impl Selection {
    /// What a rerun of a task with this spec selects. One of the list selects nothing: there is another list first, or
    /// none.
    pub fn of(rerun: &Rerun, spec: &AcceptedSpec) -> Result<Self, String> {
        if rerun.items == LIST {
            return Err("the list is in the task itself and never changes: give All, or create another task".to_owned());
        }
        Self::parse(&rerun.items, spec.count())
    }

    fn parse(text: &str, count: ItemCount) -> Result<Self, String> {
        let mut selection = Self::default();
        for part in text.split(',') {
            match part {
                "All" => selection.all = true,
                "Failed" => drop(selection.phases.insert(ItemPhase::Failed)),
                "Cancelled" => drop(selection.phases.insert(ItemPhase::Cancelled)),
                indexes => match range(indexes) {
                    Some((_, last)) if last >= count.get() => {
                        return Err(format!(
                            "spec.rerun.items names {indexes}, but the task has only {} items: give indexes from 0 to {}",
                            count.get(),
                            count.get().saturating_sub(1)
                        ));
                    }
                    Some(range) => selection.ranges.push(range),
                    None => {
                        return Err(format!(
                            "spec.rerun.items contains {indexes:?}: use Failed, Cancelled, All, indexes such as 3,17-19, or only Reduce or List"
                        ));
                    }
                },
            }
        }
        Ok(selection)
    }

    /// The items, given their phases.
    pub fn items(&self, phases: &Phases) -> BTreeSet<Index> {
        if self.all {
            return phases.count().indexes().collect();
        }
        let by_phase = self.phases.iter().flat_map(|phase| phases.iter_in(*phase));
        let by_index = self.ranges.iter().flat_map(|(first, last)| (*first..=*last).map(Index));
        by_phase.chain(by_index).collect()
    }
}

/// Why a rerun can't be done, as far as its text tells.
pub fn problem(rerun: &Rerun, spec: &AcceptedSpec) -> Option<String> {
    if rerun.items == REDUCE {
        return spec.reduce.is_none().then(|| "the task has no spec.reduce".to_owned());
    }
    if rerun.items == LIST && spec.source.is_some() {
        return None;
    }
    Selection::of(rerun, spec).err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(text: &str) -> Result<Vec<u32>, String> {
        let mut phases = Phases::new(ItemCount::new(8).unwrap());
        for (index, phase) in [ItemPhase::Succeeded, ItemPhase::Failed, ItemPhase::Cancelled].into_iter().enumerate() {
            phases.set(Index(u32::try_from(index).unwrap()), phase);
        }
        let selection = Selection::parse(text, phases.count())?;
        Ok(selection.items(&phases).into_iter().map(|index| index.0).collect())
    }

    #[test]
    fn a_rerun_selects_items_by_phase_and_by_index() {
        assert_eq!(select("Failed"), Ok(vec![1]));
        assert_eq!(select("Failed,Cancelled"), Ok(vec![1, 2]));
        assert_eq!(select("7,0-1"), Ok(vec![0, 1, 7]));
        assert_eq!(select("All").unwrap().len(), 8);
        assert!(select("5-8").unwrap_err().contains("from 0 to 7"));
        assert!(select("4-2").unwrap_err().contains("\"4-2\""));
    }
}
