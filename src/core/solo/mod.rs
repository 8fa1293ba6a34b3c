//! A run of one pod beside those of the items: of the reduce, or of the list. Its pod lives as that of an item does: it
//! is a run with a list of one.

mod gather;
mod listing;
mod reach;

use std::sync::Arc;

use crate::api::reasons::ConditionReason;
use crate::api::status::{ReducePhase, ReduceStatus};
use crate::core::failures::{Failed, Failures};
use crate::core::ids::{Attempt, ItemCount, Time};
use crate::core::phases::{Attempts, ItemPhase, Phases, Raises, Tries};
use crate::core::record::{meta_time, number};
use crate::core::revision::Revision;
use crate::core::run::Run;
use crate::core::spec::AcceptedSpec;
use crate::core::spec::outcome::{FailReason, Outcome};
use crate::core::spec::reduce::SELF;

pub use gather::{Heard, complete};
pub use listing::{Listing, why_list_failed};

/// A run of one pod.
#[derive(Debug)]
pub struct Solo {
    /// Its only item is the pod's work.
    run: Run,
    start: Time,
    deadline_millis: Option<u64>,
}

/// What was before a run of one pod.
#[derive(Clone, Copy, Debug)]
pub struct Former {
    /// The number of its attempts, of all reruns: numbers continue.
    pub attempts: u32,
    /// Until when creates of an earlier operator or an earlier run may be carried out.
    pub all_indeterminate: Option<Time>,
}

impl Former {
    /// What the status says of an earlier one, if there was one.
    pub fn new(attempts: Option<i32>, all_indeterminate: Option<Time>) -> Self {
        Self { attempts: attempts.and_then(|n| u32::try_from(n).ok()).unwrap_or(0), all_indeterminate }
    }
}

impl Solo {
    /// It starts once this revision is recorded, and no create of an earlier run can come.
    pub fn begin(
        spec: AcceptedSpec,
        deadline_millis: Option<u64>,
        now: Time,
        former: Former,
        revision: Revision,
    ) -> Self {
        let Former { attempts, all_indeterminate } = former;
        let tries = Tries { attempt: Attempt(attempts + 1), ..Tries::default() };
        let mut run = run(spec, tries, ItemPhase::Pending, all_indeterminate);
        let free = all_indeterminate.filter(|_| attempts > 0).map_or(now, |until| until.max(now));
        run.start_after(revision, free);
        Self { run, start: now, deadline_millis }
    }

    /// Continues one from its record; `None` if it has ended. `stops`: pods are stopped since the task is suspended.
    pub fn resume(
        spec: AcceptedSpec,
        deadline_millis: Option<u64>,
        record: &ReduceStatus,
        all_indeterminate: Option<Time>,
        stops: bool,
    ) -> Option<Self> {
        let phase = recorded_phase(record.phase)?;
        let mut run = run(spec, recorded_tries(record), phase, all_indeterminate);
        run.items_mut().restore_failures(Failures::from_status(&record.failures));
        run.restore_suspension(stops);
        let start = Time(record.start_time.as_ref().map_or(0, |time| time.0.as_millisecond()));
        Some(Self { run, start, deadline_millis })
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The run, to be changed.
    pub fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Takes over what neither the record nor the pods say.
    pub fn take_over(&mut self, now: Time, old: Self) {
        self.run.take_over(now, old.run);
    }

    /// Its deadline counts from here.
    pub fn restart_clock(&mut self, now: Time) {
        self.start = now;
    }

    /// By when it must have ended.
    pub fn deadline(&self) -> Option<Time> {
        self.deadline_millis.map(|millis| self.start.plus_millis(millis))
    }

    /// The number of its current attempt.
    pub fn attempt(&self) -> Attempt {
        self.run.items().tries(SELF).attempt
    }

    /// As the status shows it.
    pub fn record(&self) -> ReduceStatus {
        let tries = self.run.items().tries(SELF);
        ReduceStatus {
            phase: phase(&self.run),
            attempt: number(tries.attempt.0),
            application_failures: number(tries.application),
            infrastructure_failures: number(tries.infrastructure),
            start_time: Some(meta_time(self.start)),
            failures: self.run.items().failures().to_status(),
        }
    }
}

/// Whether one with this phase in its record has yet to end.
pub fn is_open(phase: ReducePhase) -> bool {
    recorded_phase(phase).is_some()
}

/// A run whose only item has come so far.
fn run(spec: AcceptedSpec, tries: Tries, phase: ItemPhase, all_indeterminate: Option<Time>) -> Run {
    let (mut phases, mut attempts) = (Phases::new(ItemCount::ONE), Attempts::default());
    phases.set(SELF, phase);
    attempts.set(SELF, tries);
    Run::resume(Arc::new(spec), phases, attempts, all_indeterminate)
}

/// What the record says of its attempts. Its only item has been in all groups of failures.
fn recorded_tries(record: &ReduceStatus) -> Tries {
    let count = |n: i32| u32::try_from(n).unwrap_or(0);
    Tries {
        attempt: Attempt(count(record.attempt).max(1)),
        application: count(record.application_failures),
        infrastructure: count(record.infrastructure_failures),
        memory_raises: Raises::NONE,
        failure_groups: (1 << record.failures.len().min(31)) - 1,
    }
}

/// What the record says of its phase, if it has not ended.
fn recorded_phase(phase: ReducePhase) -> Option<ItemPhase> {
    match phase {
        ReducePhase::Pending => Some(ItemPhase::Pending),
        ReducePhase::Running => Some(ItemPhase::Running),
        ReducePhase::Succeeded | ReducePhase::Failed | ReducePhase::Cancelled => None,
    }
}

/// Its phase, for the status.
fn phase(run: &Run) -> ReducePhase {
    match run.items().phases().get(SELF) {
        Some(ItemPhase::Running) => ReducePhase::Running,
        Some(ItemPhase::Succeeded | ItemPhase::Cached) => ReducePhase::Succeeded,
        Some(ItemPhase::Failed) => ReducePhase::Failed,
        Some(ItemPhase::Cancelled) => ReducePhase::Cancelled,
        Some(ItemPhase::Pending) | None => ReducePhase::Pending,
    }
}

/// Of a reduce that did not succeed: the reason, what happened to it, and why, in words.
pub fn why_reduce_failed(run: &Run) -> (ConditionReason, &'static str, String) {
    let most_often = || run.items().failures().most_often(Failed::Reduce);
    let why = match run.outcome() {
        Some(Outcome::Failed(reason, message)) if *reason != FailReason::TooManyFailures => format!(": {message}"),
        _ => most_often().map_or(", which was stopped".to_owned(), |words| format!("; {words}")),
    };
    match run.outcome() {
        Some(Outcome::Failed(FailReason::Cancelled, _)) => (ConditionReason::Cancelled, "was stopped", why),
        _ => (ConditionReason::ReduceFailed, "failed", why),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::core::ids::{PodRole, TaskKey};
    use crate::core::run::Startable;
    use crate::core::spec::Given;

    fn spec() -> AcceptedSpec {
        let template = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
        let spec = json!({ "items": { "count": 3 }, "template": template, "reduce": { "template": template } });
        let spec = serde_json::from_value(spec).unwrap();
        let accepted = AcceptedSpec::accept(&TaskKey::new("ns", "t"), "u", &spec, Given::Inline).unwrap();
        accepted.reduce.unwrap().spec.clone()
    }

    fn record(phase: ReducePhase) -> ReduceStatus {
        ReduceStatus {
            phase,
            attempt: 4,
            application_failures: 2,
            infrastructure_failures: 1,
            start_time: Some(meta_time(Time(5_000))),
            failures: Vec::new(),
        }
    }

    #[test]
    fn one_continues_from_its_record_until_it_has_ended() {
        for phase in [ReducePhase::Pending, ReducePhase::Running] {
            let solo = Solo::resume(spec(), Some(1_000), &record(phase), None, false).unwrap();
            assert_eq!((solo.record(), solo.deadline()), (record(phase), Some(Time(6_000))));
            assert!(is_open(phase));
        }
        for phase in [ReducePhase::Succeeded, ReducePhase::Failed, ReducePhase::Cancelled] {
            assert!(Solo::resume(spec(), None, &record(phase), None, false).is_none() && !is_open(phase));
        }
    }

    #[test]
    fn attempts_continue_and_wait_for_creates_of_an_earlier_run() {
        let begin = |attempts, until| {
            let former = Former::new(attempts, until);
            let solo = Solo::begin(spec(), None, Time(10), former, Revision(2));
            (solo.attempt(), solo.run().not_before())
        };
        let until = Some(Time(70));
        assert_eq!(begin(None, until), (Attempt(1), Some((Revision(2), Time(10)))), "no name was used");
        assert_eq!(begin(Some(3), until), (Attempt(4), Some((Revision(2), Time(70)))));
        assert_eq!(begin(Some(3), Some(Time(5))), (Attempt(4), Some((Revision(2), Time(10)))));
    }

    #[test]
    fn a_create_on_its_way_is_taken_over() {
        let pending = || Solo::resume(spec(), None, &record(ReducePhase::Pending), None, false).unwrap();
        let (mut old, mut new) = (pending(), pending());
        old.run_mut().launch(Time(0), Startable::Item(SELF));
        new.take_over(Time(1), old);
        assert!(new.run().pods().is_create_pending(PodRole::Reduce(Attempt(4))));
    }
}
