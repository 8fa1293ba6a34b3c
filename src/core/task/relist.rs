//! A rerun may give a task another list of items. What is left of the former one is known by its number: attempts and
//! workers are numbered above those of all lists before, and results say which list they are of.

use crate::api::conditions::ConditionType;
use crate::api::reasons::ConditionReason;
use crate::core::ids::{Attempt, PodRole, Time};
use crate::core::port::ExchangeRefusal;
use crate::core::record::progress::Progress;
use crate::core::record::{number, result_shards};
use crate::core::results::Shard;
use crate::core::run::Run;
use crate::core::spec::selection::LIST;
use crate::core::task::{Stage, Task};

/// Whether a pod of this role runs an item, or items.
fn had_items(role: PodRole) -> bool {
    role.index().is_some() || role.is_worker()
}

impl Task {
    /// Whether a rerun is requested that gives the task another list.
    pub(super) fn awaits_list(&self) -> bool {
        self.pending_rerun().is_some_and(|rerun| rerun.items == LIST)
    }

    /// Forgets the items of the task, if it has any: another list replaces theirs. Their pods are finished pods now,
    /// and no pod of the next list has the name of one of them.
    pub(super) fn forget_list(&mut self, now: Time) -> bool {
        let Stage::Ended { run, .. } = &mut self.stage else { return false };
        let Some(mut run) = run.take() else { return false };
        self.let_go(&mut run, ExchangeRefusal::NotAWorker);
        let highest = run.items().all_tries().highest().max(Attempt(run.last_worker()));
        self.summary.attempt_base = Some(number(highest.0));
        self.summary.former_results = run.spec().results.map(|layout| result_shards(&self.key, layout));
        // Its items are not written as they were before any more.
        self.summary.unreadable = None;
        self.summary.has_items = false;
        self.summary.listed = None;
        self.summary.progress = Progress::default();
        self.damage.clear();
        let words = "they were of a former list";
        self.summary.unset(now, ConditionType::ResultsDamaged, ConditionReason::Rerun, words);
        true
    }

    /// Keeps of a run that is over what holds beyond it.
    pub(super) fn let_go(&mut self, run: &mut Run, refusal: ExchangeRefusal) {
        self.replies.extend(run.close_exchanges(refusal));
        self.all_indeterminate = self.all_indeterminate.max(run.pods().indeterminate().until_all());
        self.summary.workers = run.workers_status().or(self.summary.workers);
    }

    /// ConfigMaps of a former list that the current one does not use, once that is accepted and until they are emptied.
    pub(super) fn shards_to_empty(&self) -> Vec<Shard> {
        let layout = self.map().and_then(|run| run.spec().results);
        let former = self.summary.former_results.as_ref().and_then(|former| u32::try_from(former.shards).ok());
        let shards =
            layout.zip(former).map(|(layout, former)| layout.former_shards(former, self.first_attempt().0 - 1));
        shards.unwrap_or_default()
    }

    /// The first attempt of the items of the current list.
    pub(super) fn first_attempt(&self) -> Attempt {
        Attempt::first_after(self.summary.attempt_base)
    }

    /// A task whose acceptance was not recorded may have pods all the same, of templates that it may have no longer.
    /// They are pods of a former list, and their names are not given again.
    pub(super) fn disown_pods(&mut self) {
        let left = self.retention.roles().filter(|role| had_items(*role)).map(PodRole::attempt).max();
        self.summary.attempt_base = self.summary.attempt_base.max(left.map(|attempt| number(attempt.0)));
    }

    /// Whether this pod had an item of a former list, or items.
    pub(super) fn is_of_former_list(&self, role: PodRole) -> bool {
        had_items(role) && role.attempt() < self.first_attempt()
    }

    /// Until when creates for items of a former list may still be carried out.
    pub(super) fn former_list_until(&self) -> Option<Time> {
        self.all_indeterminate.filter(|_| self.summary.attempt_base.is_some())
    }
}
