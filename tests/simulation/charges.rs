//! What must hold of budgets and of the digest of failures: each end is charged to whom it belongs, neither more nor
//! less.

use std::collections::BTreeMap;

use maptask::api::spec::SuspendPolicy;
use maptask::api::status::MapTaskStatus;
use maptask::core::ids::{Attempt, Index, Time};
use maptask::core::phases::{Attempts, ItemPhase, Phases};
use maptask::core::port::TaskSeen;

use crate::check::number;
use crate::specs;
use crate::truth::Truth;

/// How an attempt ended, as the first thing that happened to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Succeeded,
    /// By itself, with this exit code.
    Failed(i32),
    /// It ran, and was evicted or vanished.
    Lost,
    /// Stopped, or lost before it ran: whether that costs anything is for the operator to know.
    Unsure,
}

/// How and when the attempts of an item ended, since its last rerun.
pub type Ends = BTreeMap<Attempt, (End, Time)>;

impl Truth {
    /// SAFETY: what an item has spent is what its attempts before the current one cost: one retry for each that failed
    /// by itself, unless a rule makes it free; an infrastructure retry for each that ran and was lost. What is stopped,
    /// by the operator or by its start deadline, and what is gone while that was on its way, is not asked for here; nor
    /// is it known what a pod that vanished has cost, where a suspension may have stopped it (known gaps of
    /// docs/architecture/design.md).
    pub fn check_charges(&self, task: &TaskSeen, tries: &Attempts) -> Result<(), String> {
        let free = |code: i32| code == specs::IGNORED && !task.spec.retry_policy.rules.is_empty();
        // A pod of a former list may come late.
        let first = Attempt::first_after(task.status.attempt_base);
        for (index, tries) in tries.iter() {
            let Some(ends) = self.ends.get(&(task.uid.clone(), index)) else { continue };
            let of = |which: &dyn Fn(End) -> bool| {
                ends.range(first..tries.attempt).filter(|(_, (end, _))| which(*end)).count() as u32
            };
            let own = of(&|end| matches!(end, End::Failed(code) if !free(code)));
            let lost = of(&|end| end == End::Lost);
            let may_be_stopped = task.spec.suspend_policy == SuspendPolicy::Stop
                || task.spec.start_deadline_seconds.is_some()
                || task.queue.is_some();
            if tries.application < own || !may_be_stopped && tries.infrastructure < lost {
                return Err(format!("{} item {index}: {tries:?}, but {own} failed and {lost} were lost", task.key));
            }
        }
        Ok(())
    }

    /// SAFETY: the attempt that is recorded as the item's success is one that succeeded.
    pub fn check_successes(&self, task: &TaskSeen, phases: &Phases, tries: &Attempts) -> Result<(), String> {
        for index in phases.iter_in(ItemPhase::Succeeded) {
            let attempt = tries.get(index).attempt;
            let end = self.ends.get(&(task.uid.clone(), index)).and_then(|ends| ends.get(&attempt));
            if end.is_none_or(|(end, _)| *end != End::Succeeded) {
                return Err(format!("{} item {index}: attempt {attempt} counts as its success: {end:?}", task.key));
            }
        }
        Ok(())
    }

    /// SAFETY: before any rerun, `failures` add up to the attempts that did not succeed: those before the current one
    /// of each item, the last of each failed one, and maybe that of a cancelled one. An attempt that a suspension
    /// stopped is no failure.
    pub fn check_failures(
        &self,
        task: &TaskSeen,
        new: &MapTaskStatus,
        phases: &Phases,
        tries: &Attempts,
    ) -> Result<(), String> {
        if new.rerun.is_some() || task.status.rerun.is_some() || new.reduce.is_some() {
            return Ok(());
        }
        let told: u32 = new.failures.iter().map(|group| number(group.attempts)).sum();
        let before: u32 = tries.iter().map(|(_, tries)| tries.attempt.0 - 1).sum();
        let most = before + phases.counts().failed + phases.counts().cancelled;
        let stops = task.spec.suspend_policy == SuspendPolicy::Stop || task.queue.is_some();
        let least = if stops { phases.counts().failed } else { before + phases.counts().failed };
        if told < least || told > most {
            return Err(format!(
                "{}: failures tell of {told} attempts, of {least} to {most}: {:?}",
                task.key, new.failures
            ));
        }
        // Each item counts once in a group, whatever came in between: the groups of attempts before the current one are
        // with its tries, that of the last one is of a failed item or a cancelled one.
        let items: u32 = new.failures.iter().map(|group| number(group.items)).sum();
        let before: u32 = tries.iter().map(|(_, tries)| tries.failure_groups.count_ones()).sum();
        let most = before + phases.counts().failed + phases.counts().cancelled;
        let is_whole = new.failures.iter().all(|group| (1..=group.attempts).contains(&group.items));
        if !is_whole || items < before || items > most {
            return Err(format!("{}: {items} items in groups, of {before} to {most}: {:?}", task.key, new.failures));
        }
        Ok(())
    }

    /// SAFETY: after an attempt that failed by itself the next one waits for half of `backoffSeconds` at least.
    pub fn check_backoff(&self, now: Time, task: &TaskSeen, index: Index, attempt: Attempt) -> Result<(), String> {
        let Some(ends) = self.ends.get(&(task.uid.clone(), index)) else { return Ok(()) };
        let before = ends.range(..attempt).next_back().filter(|(_, (end, _))| matches!(end, End::Failed(_)));
        let least = u64::from(number(task.spec.retry_policy.backoff_seconds)) * 500;
        match before {
            Some((_, (end, time))) if now.millis_since(*time) < least => Err(format!(
                "{} item {index}: attempt {attempt} after {} ms: {end:?}",
                task.key,
                now.millis_since(*time)
            )),
            _ => Ok(()),
        }
    }
}
