//! A task that MultiKueue runs in another cluster. Here it is a Workload and nothing else: MultiKueue writes the
//! status.

use serde_json::{Value, json};

use super::requests::{WorkloadRequests, to_known};
use crate::api::TaskPhase;
use crate::api::reasons::EventReason;
use crate::core::ids::Time;
use crate::core::items::ItemList;
use crate::core::pod::EventType;
use crate::core::port::{Action, EmitEvent, Expire, TaskSeen, WorkloadChange, WorkloadOutcome};
use crate::core::spec::mutable::MutableSpec;
use crate::core::workload::{
    Need, Queueing, REDUCE, Step, Wanted, WantedSet, WorkloadSeen, manifest, name, next_remote_step,
};

/// One task that runs in another cluster.
#[derive(Debug)]
pub struct RemoteTask {
    seen: TaskSeen,
    mutable: MutableSpec,
    /// How many items it has, if the task itself says so.
    items: Option<usize>,
    requests: WorkloadRequests,
    /// A request was refused for this reason, which is yet to be reported.
    report: Option<String>,
    expiring: Option<Time>,
}

impl RemoteTask {
    /// The task as the watch shows it.
    pub fn new(seen: TaskSeen) -> Self {
        let list = (!seen.spec.items.are_elsewhere()).then(|| ItemList::accept(&seen.spec.items).ok()).flatten();
        let items = list.map(|list| list.count().get() as usize);
        let mutable = MutableSpec::of(&seen.spec);
        Self { seen, mutable, items, requests: WorkloadRequests::default(), report: None, expiring: None }
    }

    /// Its UID.
    pub fn uid(&self) -> &str {
        &self.seen.uid
    }

    /// The watch shows it again.
    pub fn handle_seen(&mut self, seen: TaskSeen) {
        if seen.resource_version > self.seen.resource_version {
            self.mutable = MutableSpec::of(&seen.spec);
            self.seen = seen;
        }
    }

    /// A request about its Workload was answered.
    pub fn handle_workload_changed(&mut self, now: Time, outcome: WorkloadOutcome) {
        if let WorkloadOutcome::Refused(problem) = &outcome {
            self.report = (self.requests.problem() != Some(problem)).then(|| problem.clone());
        }
        self.requests.answered(now, outcome);
    }

    /// When something may be due though nothing happens.
    pub fn wakes(&self) -> impl Iterator<Item = Time> {
        [self.requests.next_wake(), self.expiry()].into_iter().flatten()
    }

    /// What is to be done now.
    pub fn poll(
        &mut self,
        now: Time,
        queueing: Queueing,
        max_pods: usize,
        seen: Option<&WorkloadSeen>,
        actions: &mut Vec<Action>,
    ) {
        if queueing != Queueing::Known || self.seen.deleting {
            return;
        }
        if self.expiry().is_some_and(|time| time <= now) {
            self.expiring = Some(now.plus_millis(Expire::AGAIN_MILLIS));
            let TaskSeen { key, uid, resource_version, .. } = &self.seen;
            let (key, uid, resource_version) = (key.clone(), uid.clone(), *resource_version);
            actions.push(Action::Expire(Expire { key, uid, resource_version }));
        }
        if let Some(problem) = self.report.take() {
            let (key, uid) = (self.seen.key.clone(), self.seen.uid.clone());
            let note = format!("waits for its admission by Kueue: {problem}");
            let (type_, reason) = (EventType::Warning, EventReason::Blocked);
            actions.push(Action::EmitEvent(EmitEvent { key, uid, type_, reason, note }));
        }
        if !self.requests.are_due(now) || self.requests.are_on_their_way() {
            return;
        }
        let wanted = self.wanted(max_pods);
        let step = next_remote_step(now, seen, &wanted);
        if let Some(change) = step.and_then(|step| self.change(&wanted, seen, step)) {
            let TaskSeen { key, uid, .. } = &self.seen;
            actions.push(self.requests.begin(key, uid, name(key, uid), None, change));
        }
    }

    fn is_over(&self) -> bool {
        let TaskSeen { spec, status, .. } = &self.seen;
        status.phase.is_some_and(TaskPhase::is_terminal) && spec.pending_rerun(status).is_none()
    }

    fn expiry(&self) -> Option<Time> {
        let end = self.seen.status.completion_time.as_ref().filter(|_| self.is_over())?;
        let time = Time(end.0.as_millisecond()).plus_millis(self.mutable.ttl_millis?);
        Some(time.max(self.expiring.unwrap_or(time)))
    }

    fn wanted(&self, max_pods: usize) -> Wanted {
        let status = &self.seen.status;
        let has_run = status.counts.is_some_and(|counts| counts.running + counts.succeeded + counts.failed > 0);
        let need = match &self.seen.queue {
            // Words and success are for MultiKueue to report.
            _ if self.is_over() => Need::Ended { success: true, message: String::new() },
            Some(_) if !self.mutable.suspend && !self.mutable.cancel => Need::Pods(self.sets(max_pods)),
            _ => Need::Nothing,
        };
        Wanted {
            queue: self.seen.queue.clone().unwrap_or_default(),
            priority: self.mutable.priority,
            rerun: self.seen.spec.pending_rerun(status).map(|rerun| rerun.id.clone()),
            need,
            alive: 0,
            started: has_run,
        }
    }

    /// What it asks for: the same as in a cluster that would run it from its beginning.
    fn sets(&self, max_pods: usize) -> Vec<WantedSet> {
        let slots = self.seen.spec.workers.as_ref().map_or(1, |workers| usize::try_from(workers.slots).unwrap_or(1));
        let pods_of = |items: usize| u32::try_from(items.div_ceil(slots.max(1)).min(max_pods)).unwrap_or(u32::MAX);
        let most = pods_of(self.mutable.concurrency.unwrap_or(usize::MAX));
        // Without items it has to run, too: that it has succeeded is for the other cluster to say.
        let left = self.items.map_or(most, |items| pods_of(items.max(1)));
        let least = self.mutable.min_concurrency.map(pods_of);
        WantedSet::of_task(most, left, least, self.seen.spec.reduce.is_some())
    }

    /// The request for a step.
    fn change(&self, wanted: &Wanted, seen: Option<&WorkloadSeen>, step: Step) -> Option<WorkloadChange> {
        match step {
            Step::Delete | Step::Patch(_) => to_known(seen?, step),
            Step::Create => {
                let Need::Pods(sets) = &wanted.need else { return None };
                let sets: Vec<_> = sets.iter().map(|set| (set, self.pod(set))).collect();
                Some(WorkloadChange::Create(manifest(&self.seen.key, &self.seen.uid, wanted, &sets)))
            }
        }
    }

    /// A pod as the template has it: whether that is acceptable is for the other cluster to say.
    fn pod(&self, set: &WantedSet) -> Value {
        let reduce = self.seen.spec.reduce.as_ref().filter(|_| set.name == REDUCE);
        let template = reduce.map_or(&self.seen.spec.template, |reduce| &reduce.template);
        json!({ "spec": template["spec"] })
    }
}
