//! Items of a finished task start again, once for each id.

use std::collections::BTreeSet;

use crate::api::conditions::ConditionType;
use crate::api::reasons::{ConditionReason, EventReason};
use crate::api::spec::Rerun;
use crate::api::status::RerunDone;
use crate::core::ids::{Index, PodRole, Time};
use crate::core::pod::EventType;
use crate::core::record::meta_time;
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::outcome::Outcome;
use crate::core::spec::selection::{REDUCE, Selection};
use crate::core::task::{Stage, Task};

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
        Ok(Selection::of(rerun, run.spec())?.items(run.items().phases()))
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
