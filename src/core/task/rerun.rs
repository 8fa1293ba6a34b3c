//! Items of a finished task start again, once for each id.

use std::collections::BTreeSet;

use crate::api::conditions::ConditionType;
use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::spec::Rerun;
use crate::api::status::RerunDone;
use crate::core::ids::{Index, ItemCount, PodRole, Time};
use crate::core::phases::{ItemPhase, Phases};
use crate::core::pod::EventType;
use crate::core::ranges::range;
use crate::core::record::meta_time;
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::outcome::Outcome;
use crate::core::task::{Stage, Task};

/// Which items a rerun starts again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Selection {
    phases: BTreeSet<ItemPhase>,
    all: bool,
    ranges: Vec<(u32, u32)>,
}

impl Selection {
    /// What the rerun of this run selects. One of the list selects nothing: there is another list first, or none.
    fn of(rerun: &Rerun, run: &Run) -> Result<Self, String> {
        if rerun.items == LIST {
            return Err("the list is in the task itself and never changes: give All, or create another task".to_owned());
        }
        Self::parse(&rerun.items, run.spec().count())
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

    fn items(&self, phases: &Phases) -> BTreeSet<Index> {
        if self.all {
            return phases.count().indexes().collect();
        }
        let by_phase = self.phases.iter().flat_map(|phase| phases.iter_in(*phase));
        let by_index = self.ranges.iter().flat_map(|(first, last)| (*first..=*last).map(Index));
        by_phase.chain(by_index).collect()
    }
}

impl Task {
    /// The rerun that is asked for and has not been done.
    pub(super) fn pending_rerun(&self) -> Option<&Rerun> {
        Rerun::pending(self.mutable.rerun.as_ref(), self.summary.rerun.as_ref())
    }

    /// Whether a rerun starts as soon as the end is recorded. One of a cancelled task waits, perhaps for ever, and has
    /// no need of the items until then.
    pub(super) fn rerun_is_due(&self) -> bool {
        self.pending_rerun().is_some() && !self.mutable.cancel
    }

    /// Starts the items of a pending rerun, once the end of the task is recorded and its items are at hand.
    pub(super) fn poll_rerun(&mut self, now: Time) {
        if !matches!(self.stage, Stage::Ended { .. }) || !self.writer.is_clean() || self.mutable.cancel {
            return;
        }
        let Some(rerun) = self.pending_rerun().cloned() else { return };
        // Of a list that can't be read nobody knows which names its pods had.
        let is_readable = !self.summary.has_items || self.map().is_some();
        match self.unchecked.take().filter(|_| is_readable) {
            Some(spec) => return self.check_again(now, &rerun, &spec),
            None if rerun.items == REDUCE => return self.reduce_again(now, &rerun),
            None => {}
        }
        let (selected, problem) = match self.select(&rerun) {
            Ok(selected) => (selected, None),
            Err(problem) => (BTreeSet::new(), Some(problem)),
        };
        let items = i32::try_from(selected.len()).unwrap_or(i32::MAX);
        let explicit_selection = items > 0 && rerun.items != "All";
        self.summary.rerun =
            Some(RerunDone { id: rerun.id.clone(), items, explicit_selection, message: problem.clone() });
        let revision = self.writer.change_urgently();
        if let Some(problem) = problem {
            return self.emit_refused(&rerun, &problem);
        }
        let Stage::Ended { run, phase } = &mut self.stage else { return };
        let phase = *phase;
        // What is empty stays as it is, with its items: they are part of what is written next.
        let taken = if selected.is_empty() { None } else { run.take() };
        let Some(run) = taken else {
            let words = format!("rerun {} selects no items; the task stays {phase:?}", rerun.id);
            return self.emit_recorded(EventReason::Rerun, EventType::Normal, &words);
        };
        self.run_again(now, &rerun, run, &selected, revision);
    }

    /// These items of the run start again. That is part of this revision.
    fn run_again(
        &mut self,
        now: Time,
        rerun: &Rerun,
        mut run: Box<Run>,
        selected: &BTreeSet<Index>,
        revision: Revision,
    ) {
        // Those of before may have gone while nobody counted them: after the end of the items.
        if run.has_made_workers() {
            let (recorded, last) = (run.workers_status(), PodRole::Worker(run.last_worker()));
            self.renew_workers(&mut run, recorded, std::iter::once(last));
        }
        // Nothing starts before the status says that it is a rerun.
        let explicit_selection = self.summary.rerun.as_ref().is_some_and(|done| done.explicit_selection);
        run.start_again(now, selected, explicit_selection, revision);
        self.stage = Stage::Running(run);
        let what = format!("{} items", selected.len());
        self.begin_again(now, rerun, &what, &[ConditionType::SuccessCriteriaMet, ConditionType::FailureTarget]);
    }

    /// The items that a rerun selects.
    fn select(&self, rerun: &Rerun) -> Result<BTreeSet<Index>, String> {
        // A task without its items was loaded: see `load_for_rerun`.
        let run = self.map().ok_or("the status of the task can't be decoded")?;
        Ok(Selection::of(rerun, run)?.items(run.items().phases()))
    }

    /// The map stays as it ended, and its results are reduced again.
    fn reduce_again(&mut self, now: Time, rerun: &Rerun) {
        let Stage::Ended { run, .. } = &mut self.stage else { return };
        let reducer = match run.as_ref().map(|run| (run.outcome().cloned(), run.spec().reduce.clone())) {
            Some((Some(Outcome::Successful), Some(reducer))) => Ok(reducer),
            Some((_, None)) => Err("the task has no spec.reduce"),
            Some((_, Some(_))) => {
                Err("there is nothing to reduce, since too few items have succeeded: run the failed items again")
            }
            None => Err("the status of the task can't be decoded"),
        };
        let message = reducer.as_ref().err().map(|problem| (*problem).to_owned());
        self.summary.rerun = Some(RerunDone { id: rerun.id.clone(), items: 0, explicit_selection: false, message });
        self.writer.change_urgently();
        let (reducer, run) = match (reducer, run.take()) {
            (Ok(reducer), Some(run)) => (reducer, run),
            (Err(problem), kept) => {
                *run = kept;
                return self.emit_refused(rerun, problem);
            }
            (Ok(_), None) => return,
        };
        let counts = run.items().counts();
        self.stage = Stage::Running(run);
        self.begin_again(now, rerun, "the reduce", &[]);
        self.begin_reduction(now, &reducer, counts);
    }

    fn emit_refused(&mut self, rerun: &Rerun, problem: &str) {
        self.emit_recorded(EventReason::RerunRefused, EventType::Warning, &format!("rerun {}: {problem}", rerun.id));
    }

    /// The task has not ended any more, nor is it what the conditions say that are to be taken back.
    pub(super) fn begin_again(&mut self, now: Time, rerun: &Rerun, what: &str, taken_back: &[ConditionType]) {
        let summary = &mut self.summary;
        summary.start_time = Some(meta_time(now));
        summary.completion_time = None;
        summary.message = None;
        summary.result = None;
        summary.result_text = None;
        for type_ in taken_back.iter().chain(&[ConditionType::Complete, ConditionType::Failed, ConditionType::Finished])
        {
            summary.unset(now, *type_, ConditionReason::Rerun, &format!("rerun {} has started {what} again", rerun.id));
        }
        self.emit_recorded(EventReason::Rerun, EventType::Normal, &format!("rerun {} starts {what} again", rerun.id));
    }
}

/// Why a rerun can't be done, as far as its text tells.
pub(super) fn problem(rerun: &Rerun, run: &Run) -> Option<String> {
    if rerun.items == REDUCE {
        return run.spec().reduce.is_none().then(|| "the task has no spec.reduce".to_owned());
    }
    if rerun.items == LIST && run.spec().source.is_some() {
        return None;
    }
    Selection::of(rerun, run).err()
}

/// What `spec.rerun.items` says to run the reduce alone.
const REDUCE: &str = "Reduce";
/// What it says to read or compute the list again.
pub(super) const LIST: &str = "List";

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
