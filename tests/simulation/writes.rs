//! What must hold at every write of a status.

use crate::names::REDUCE;
use maptask::api::conditions::{ConditionType, is_true};
use maptask::api::status::MapTaskStatus;
use maptask::core::ids::Attempt;
use maptask::core::phases::ItemPhase;
use maptask::core::port::TaskSeen;

use crate::check::{decode, number, recorded};
use crate::reduce;
use crate::truth::{Item, Tally, Truth};

impl Truth {
    /// If the write gives the task another list, what happened to the items of the former one costs nothing more.
    fn note_other_list(&mut self, task: &TaskSeen, new: &MapTaskStatus) -> bool {
        if new.attempt_base == task.status.attempt_base {
            return false;
        }
        let first = Attempt::first_after(new.attempt_base);
        let is_of_task = |item: &Item| item.0 == task.uid && item.1 != REDUCE;
        self.tallies.retain(|item, _| !is_of_task(item));
        for (item, ends) in self.ends.iter_mut().filter(|(item, _)| is_of_task(item)) {
            ends.retain(|attempt, _| *attempt >= first);
            self.since.insert(item.clone(), first);
        }
        true
    }

    /// SAFETY: what a write may change: no end is taken back but by a rerun, no count is off, no budget overdrawn.
    pub fn check_write(&mut self, task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
        let key = &task.key;
        let old = &task.status;
        let attempt = |status: &MapTaskStatus| status.reduce.as_ref().map_or(0, |record| record.attempt);
        let reduces_again = attempt(new) > attempt(old);
        let has_other_list = self.note_other_list(task, new);
        let rerun = has_other_list
            || old.rerun != new.rerun
                && new.rerun.as_ref().is_some_and(|done| {
                    done.items > 0 || reduces_again && done.message.is_none() || old.phases.is_none()
                });
        if rerun {
            // A rerun has no backoff.
            let first = attempt(new).cast_unsigned() + u32::from(!reduces_again);
            let ends = self.ends.entry((task.uid.clone(), REDUCE)).or_default();
            ends.retain(|attempt, _| attempt.0 >= first);
        } else {
            check_end_stays(task, new)?;
        }
        crate::zero::check_write(task, new)?;
        crate::ends::check_write(task, new)?;
        crate::conditions::check_write(task, new)?;
        crate::progress::check_write(task, new, rerun)?;
        crate::cancel::check_write(task, new)?;
        let Some(decoded) = decode(new) else {
            return if decode(old).is_some() && old.attempt_base == new.attempt_base {
                Err(format!("{key}: phases are gone"))
            } else {
                Ok(())
            };
        };
        let (phases, tries) = decoded.map_err(|e| format!("{key}: unreadable status: {e}"))?;
        if let Some((before, tries_before)) = recorded(old) {
            for index in phases.count().indexes() {
                let (before, after) = (before.get(index), phases.get(index));
                // It may have been started and cancelled again since the last write.
                let again = rerun && tries.get(index).attempt > tries_before.get(index).attempt;
                if before.is_some_and(ItemPhase::is_terminal) && (before != after || again) {
                    if !rerun || !matches!(after, Some(ItemPhase::Pending | ItemPhase::Cancelled)) {
                        return Err(format!("{key} item {index}: {before:?} became {after:?}"));
                    }
                    let item = (task.uid.clone(), index);
                    self.tallies.remove(&item);
                    let since = tries.get(index).attempt;
                    self.ends.entry(item.clone()).or_default().retain(|attempt, _| *attempt >= since);
                    self.since.insert(item, since);
                }
            }
        }
        let retries = number(task.spec.retries);
        let policy = &task.spec.retry_policy;
        for (index, tries) in tries.iter() {
            let Tally { application, out_of_memory, side_out_of_memory, .. } = self.of(task, index);
            if tries.application > application
                || tries.application > retries
                || tries.infrastructure > number(policy.infrastructure_retries)
            {
                return Err(format!(
                    "{key} item {index}: {tries:?}, but {application} application failures and {retries} retries"
                ));
            }
            if policy.out_of_memory.is_none() && !tries.memory_raises.is_none()
                || task.spec.rerun.is_none()
                    && (tries.memory_raises.of(0) > out_of_memory || tries.memory_raises.of(1) > side_out_of_memory)
            {
                return Err(format!(
                    "{key} item {index}: {tries:?}, but was {out_of_memory} times out of memory, and its sidecar \
                     {side_out_of_memory} times"
                ));
            }
        }
        for index in phases.iter_in(ItemPhase::Succeeded) {
            if self.of(task, index).succeeded == 0 {
                return Err(format!("{key} item {index} recorded as succeeded, which it never did"));
            }
        }
        for index in phases.iter_in(ItemPhase::Failed) {
            let Tally { application, lost, fatal, .. } = self.of(task, index);
            let by_rule = fatal > 0 && !policy.rules.is_empty();
            if application <= retries && lost <= number(policy.infrastructure_retries) && !by_rule {
                return Err(format!(
                    "{key} item {index} failed after {application} of {retries} application failures and {lost} losses"
                ));
            }
        }
        self.check_charges(task, &tries)?;
        self.check_successes(task, &phases, &tries)?;
        self.check_failures(task, new, &phases, &tries)?;
        if phases.counts().total() != phases.count().get() {
            return Err(format!("{key}: {:?} of {}", phases.counts(), phases.count().get()));
        }
        if rerun {
            self.tallies.remove(&(task.uid.clone(), REDUCE));
        }
        let Tally { succeeded, application, .. } = self.of(task, REDUCE);
        reduce::check_write(task, new, &phases, (succeeded, application))?;
        if new.failures.len() > 10 {
            return Err(format!("{key}: {} groups of failures", new.failures.len()));
        }
        Ok(())
    }
}

/// SAFETY: what was decided stays so.
fn check_end_stays(task: &TaskSeen, new: &MapTaskStatus) -> Result<(), String> {
    let (key, old) = (&task.key, &task.status);
    if let Some(phase) = old.phase.filter(|phase| phase.is_terminal())
        && new.phase != Some(phase)
    {
        return Err(format!("{key}: {phase:?} became {:?}", new.phase));
    }
    for type_ in [ConditionType::SuccessCriteriaMet, ConditionType::FailureTarget] {
        if is_true(&old.conditions, type_) != is_true(&new.conditions, type_) && is_true(&old.conditions, type_) {
            return Err(format!("{key}: {type_:?} is taken back"));
        }
    }
    Ok(())
}
