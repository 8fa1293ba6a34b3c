//! What has happened: events of the watches, and answers to a plan's actions.

use std::sync::Arc;

use super::settle::count_outcomes;
use super::{Fleet, TaskEntry};
use crate::core::admission::RemoteTask;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::pod::{PodSeen, parse_pod_name};
use crate::core::port::{
    Answer, CacheLookupOutcome, CheckOutcome, CreateOutcome, DeleteOutcome, Event, Exchange, ExplainOutcome,
    FetchOutcome, GetPodOutcome, PodId, Reply, TaskSeen, WriteOutcome,
};
use crate::core::spec::retry::mix;
use crate::core::task::{PollContext, Task};
use crate::core::workload::Queueing;

impl Fleet {
    /// A watch has shown something.
    pub fn handle_event(&mut self, now: Time, event: Event) {
        match event {
            Event::Task(task) => self.handle_task(now, *task),
            Event::TaskGone(key) => self.handle_task_gone(&key),
            Event::LeftOut(namespaces) => self.handle_left_out(namespaces),
            Event::TasksListing => self.handle_tasks_listing(),
            Event::TasksListed => self.handle_tasks_listed(now),
            Event::Pod(pod) => self.handle_pod(now, pod),
            Event::PodGone(pod) => self.handle_pod_gone(now, &pod),
            Event::PodsListing => self.handle_pods_listing(),
            Event::PodsListed => self.handle_pods_listed(now),
            Event::Workload(workload) => self.handle_workload(*workload),
            Event::WorkloadGone(workload) => self.handle_workload_gone(&workload),
            Event::WorkloadsListing => self.handle_workloads_listing(),
            Event::WorkloadsListed => self.handle_workloads_listed(),
            Event::Exchange(exchange) => self.handle_exchange(now, *exchange),
            Event::Listed(listed) => self.handle_listed(now, *listed),
        }
    }

    /// A MapTask was created or changed, or is part of the list.
    pub fn handle_task(&mut self, now: Time, seen: TaskSeen) {
        let key = seen.key.clone();
        self.show_task(now, seen);
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.task_marked = true;
        }
    }

    /// A MapTask is shown, by the watch or by an answer. An answer is no part of the list: it may be older.
    fn show_task(&mut self, now: Time, seen: TaskSeen) {
        if !seen.spec.is_ours() {
            return self.handle_foreign(seen);
        }
        let poll = self.poll_context(now);
        let seed = self.seed;
        let ready = self.is_synced();
        if self.task(&seen.key).is_some_and(|task| task.uid() != seen.uid) {
            // A list that comes after a gap shows the next one of the name, and not that this one is gone.
            self.forget(&seen.key);
        }
        let entry = self.entries.entry(seen.key.clone()).or_default();
        entry.remote = None;
        self.dirty.insert(seen.key.clone());
        match &mut entry.task {
            Some(task) if task.uid() == seen.uid => task.handle_seen(&poll, &seen, &entry.pods),
            _ if ready => {
                // One that an operator has seen before, such as in a namespace that was left out.
                let restart = seen.status.observed_generation.is_some_and(|generation| generation > 0);
                let poll = PollContext { restart, ..poll };
                entry.task = Some(Task::new(&poll, &seen, seed_of(seed, &seen.uid), &entry.pods));
            }
            // Until all pods have been listed, a task that is loaded would take them for lost.
            _ => {
                entry.unloaded = Some(seen);
                return;
            }
        }
        self.note_dependencies(&seen);
    }

    /// A task was created or changed that this operator does not run.
    fn handle_foreign(&mut self, seen: TaskSeen) {
        let known = self.entries.get(&seen.key).and_then(|entry| entry.remote.as_ref());
        if known.is_none_or(|known| known.uid() != seen.uid) {
            // The name may have been that of a task of ours.
            self.handle_task_gone(&seen.key);
        }
        if self.queueing == Queueing::Off || !seen.spec.is_of_multikueue() {
            return;
        }
        self.dirty.insert(seen.key.clone());
        let entry = self.entries.entry(seen.key.clone()).or_default();
        match &mut entry.remote {
            Some(known) => known.handle_seen(seen),
            None => entry.remote = Some(RemoteTask::new(seen)),
        }
    }

    /// A task was read again that somebody else had written. What became of its name since is for the watch to tell,
    /// which may be behind the answer or ahead of it.
    pub fn handle_reread(&mut self, now: Time, seen: TaskSeen) {
        if self.task(&seen.key).is_some_and(|task| task.uid() == seen.uid) {
            self.show_task(now, seen);
        }
    }

    /// A MapTask was deleted.
    pub fn handle_task_gone(&mut self, key: &TaskKey) {
        self.forget_dependencies(key);
        self.forget(key);
        let refusal = self.refusal_without_task(&key.namespace);
        if let Some(entry) = self.entries.get_mut(key) {
            let replies = entry.task.as_mut().map(|task| task.close_exchanges(refusal)).unwrap_or_default();
            self.replies.extend(replies);
            entry.task = None;
            entry.unloaded = None;
            entry.remote = None;
            self.dirty.insert(key.clone());
        }
    }

    /// A list of all MapTasks begins.
    pub fn handle_tasks_listing(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.task_marked = false);
    }

    /// The list of all MapTasks is complete: those it did not show are gone.
    pub fn handle_tasks_listed(&mut self, now: Time) {
        let unmarked = |(key, entry): (&TaskKey, &TaskEntry)| (!entry.task_marked).then(|| key.clone());
        let gone: Vec<TaskKey> = self.entries.iter().filter_map(unmarked).collect();
        for key in &gone {
            self.handle_task_gone(key);
        }
        self.tasks_synced = true;
        self.load_tasks(now);
    }

    /// A pod with the task label was created or changed, or is part of the list.
    pub fn handle_pod(&mut self, now: Time, pod: PodSeen) {
        let Some((key, role)) = identify(&pod) else { return };
        let poll = self.poll_context(now);
        let entry = self.entries.entry(key.clone()).or_default();
        if self.lists_pods {
            entry.pods_marked.insert(role);
        }
        if let Some(task) = &mut entry.task {
            task.handle_pod(&poll, role, &pod);
        }
        entry.pods.insert(role, pod);
        if count_outcomes(&mut self.outcomes, entry) {
            self.queue.room(&key.namespace);
        }
        self.dirty.insert(key);
    }

    /// A pod with the task label is gone; with its last state.
    pub fn handle_pod_gone(&mut self, now: Time, pod: &PodSeen) {
        let Some((key, role)) = identify(pod) else { return };
        let Some(entry) = self.entries.get_mut(&key) else { return };
        entry.pods.remove(&role);
        entry.pods_marked.remove(&role);
        if let Some(task) = &mut entry.task {
            task.handle_pod_gone(now, role, pod);
        }
        count_outcomes(&mut self.outcomes, entry);
        // Even one that ended before may have counted as an object against a quota until now.
        self.queue.room(&key.namespace);
        self.dirty.insert(key);
    }

    /// A list of all pods begins.
    pub fn handle_pods_listing(&mut self) {
        self.epoch += 1;
        self.lists_pods = true;
        self.entries.values_mut().for_each(|entry| entry.pods_marked.clear());
    }

    /// The list of all pods is complete: those it did not show are gone, or were made since.
    pub fn handle_pods_listed(&mut self, now: Time) {
        (self.pods_synced, self.lists_pods) = (true, false);
        let poll = self.poll_context(now);
        for (key, entry) in &mut self.entries {
            let marked = std::mem::take(&mut entry.pods_marked);
            let unmarked = |role: &PodRole| !marked.contains(role);
            let missing: Vec<_> = entry.pods.keys().copied().filter(unmarked).collect();
            for role in missing {
                entry.pods.remove(&role);
                if let Some(task) = &mut entry.task {
                    task.handle_pod_missed(role);
                }
            }
            if let Some(task) = &mut entry.task {
                task.handle_resync(&poll);
            }
            self.dirty.insert(key.clone());
        }
        self.load_tasks(now);
    }

    /// A worker speaks.
    pub fn handle_exchange(&mut self, now: Time, exchange: Exchange) {
        let refusal = self.refusal_without_task(&exchange.namespace);
        let poll = self.poll_context(now);
        let worker = worker_of(&exchange.namespace, &exchange.pod).filter(|_| self.is_synced());
        match worker.and_then(|(key, role)| Some((self.task_mut(&key)?, role))) {
            Some((task, role)) => task.handle_exchange(&poll, role, exchange),
            None => self.replies.push(Reply::refused(exchange.ticket, refusal)),
        }
    }

    /// An action of a plan was answered.
    pub fn handle_answer(&mut self, now: Time, answer: Answer) {
        match answer {
            Answer::Checked(key, uid, outcome) => self.handle_checked(now, &key, &uid, outcome),
            Answer::Created(id, uid, outcome) => self.handle_created(now, &id, &uid, outcome),
            Answer::Deleted(id, uid, outcome) => self.handle_deleted(now, &id, &uid, outcome),
            Answer::GotPod(id, uid, outcome) => self.handle_got_pod(now, &id, &uid, outcome),
            Answer::Explained(id, uid, outcome) => self.handle_explained(now, &id, &uid, &outcome),
            Answer::Written(key, uid, outcome) => self.handle_written(now, &key, &uid, &outcome),
            Answer::Noted(key, uid, outcome) => self.handle_noted(now, &key, &uid, &outcome),
            Answer::Reread(seen) => self.handle_reread(now, *seen),
            Answer::Fetched(key, uid, outcome) => self.handle_fetched(now, &key, &uid, outcome),
            Answer::CacheLookedUp(key, uid, outcome) => self.handle_cache_lookup(now, &key, &uid, outcome),
            Answer::WorkloadChanged(key, uid, outcome) => self.handle_workload_changed(now, &key, &uid, outcome),
            Answer::PieceStored(id, uid, outcome) => self.handle_piece_stored(&id, &uid, outcome),
            Answer::FlavorsRead(key, uid, outcome) => self.handle_flavors_read(now, &key, &uid, outcome),
        }
    }

    /// [`Action::Check`](crate::core::port::Action::Check) was answered.
    pub fn handle_checked(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: CheckOutcome) {
        if let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) {
            task.handle_checked(now, outcome);
        }
    }

    /// [`Action::Fetch`](crate::core::port::Action::Fetch) was answered.
    pub fn handle_fetched(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: FetchOutcome) {
        // One that ends has nobody to wait for.
        let cycle = matches!(outcome, FetchOutcome::Waits(_)).then(|| self.cycle(key)).flatten();
        let memory = self.list_memory();
        let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) else { return };
        match cycle {
            Some(names) => task.refuse_cycle(now, &names),
            None => task.handle_fetched(now, outcome, memory),
        }
        // The next list may come before this task is polled.
        self.settle(now, key);
    }

    /// [`Action::CacheLookup`](crate::core::port::Action::CacheLookup) was answered.
    pub fn handle_cache_lookup(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: CacheLookupOutcome) {
        if let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) {
            let found = task.handle_cache_lookup(now, outcome);
            self.cached += found;
        }
    }

    /// [`Action::Create`](crate::core::port::Action::Create) was answered.
    pub fn handle_created(&mut self, now: Time, id: &PodId, uid: &str, outcome: CreateOutcome) {
        let namespace = &id.key.namespace;
        let create = (&id.key, id.role);
        let mut outcome = outcome;
        match &outcome {
            CreateOutcome::Created => self.queue.created(now, create),
            CreateOutcome::NameTaken(_) | CreateOutcome::Contended => self.queue.passed(now, create),
            CreateOutcome::Refused(message)
            | CreateOutcome::Invalid(message)
            | CreateOutcome::Failed { message, .. } => self.queue.failed(now, create, message),
            CreateOutcome::Quota(message) => {
                self.queue.quota(now, create, message.clone());
                if self.queue.counts_finished(namespace) {
                    // Finished pods that were kept take the room of others.
                    self.dirty.extend(self.entries.keys().filter(|key| key.namespace == *namespace).cloned());
                }
            }
            CreateOutcome::Throttled(pause) => self.queue.throttled(now, create, *pause),
            CreateOutcome::Indeterminate => {
                if self.queue.unanswered(now, create) {
                    let message = "the API server did not answer in time, though it answers others".to_owned();
                    outcome = CreateOutcome::Failed { message, may_exist: true };
                }
            }
        }
        let poll = self.poll_context(now);
        self.dirty.insert(id.key.clone());
        let Some(entry) = self.entries.get_mut(&id.key) else { return };
        if let Some(task) = entry.task.as_mut().filter(|task| task.uid() == uid) {
            task.handle_created(&poll, id.role, outcome);
        }
        count_outcomes(&mut self.outcomes, entry);
    }

    /// [`Action::Delete`](crate::core::port::Action::Delete) was answered.
    pub fn handle_deleted(&mut self, now: Time, id: &PodId, uid: &str, outcome: DeleteOutcome) {
        self.deletes.end(now, &id.key, id.role);
        if let Some(task) = self.task_mut(&id.key).filter(|task| task.uid() == uid)
            && outcome != DeleteOutcome::Taken
        {
            task.handle_delete_failed(now, id.role, outcome);
        }
    }

    /// [`Action::GetPod`](crate::core::port::Action::GetPod) was answered.
    pub fn handle_got_pod(&mut self, now: Time, id: &PodId, uid: &str, outcome: GetPodOutcome) {
        self.gets.end(now, &id.key, id.role);
        let poll = self.poll_context(now);
        // An answer about a task of the same name that was there before says nothing about this one's pods.
        let task = self.task_mut(&id.key).filter(|task| task.uid() == uid);
        if let Some(task) = task {
            task.handle_got_pod(&poll, id.role, outcome);
        }
        self.count_ended_pods(&id.key);
    }

    /// [`Action::Explain`](crate::core::port::Action::Explain) was answered.
    pub fn handle_explained(&mut self, now: Time, id: &PodId, uid: &str, outcome: &ExplainOutcome) {
        if let Some(task) = self.task_mut(&id.key).filter(|task| task.uid() == uid) {
            task.handle_explained(now, id.role, outcome);
        }
    }

    /// [`Action::Write`](crate::core::port::Action::Write) was answered.
    pub fn handle_written(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: &WriteOutcome) {
        self.dirty.insert(key.clone());
        let Some(entry) = self.entries.get_mut(key) else { return };
        if let Some(task) = entry.task.as_mut().filter(|task| task.uid() == uid) {
            task.handle_written(now, outcome, &entry.pods);
        }
    }

    /// [`Action::Note`](crate::core::port::Action::Note) was answered.
    pub fn handle_noted(&mut self, now: Time, key: &TaskKey, uid: &str, outcome: &WriteOutcome) {
        if let Some(task) = self.task_mut(key).filter(|task| task.uid() == uid) {
            task.handle_noted(now, outcome);
        }
    }

    /// What was learnt of the task's requests says nothing of the next one of its name.
    fn forget(&mut self, key: &TaskKey) {
        self.queue.forget(key);
        self.deletes.forget(key);
        self.gets.forget(key);
    }

    pub(super) fn task_mut(&mut self, key: &TaskKey) -> Option<&mut Task> {
        self.dirty.insert(key.clone());
        self.entries.get_mut(key)?.task.as_mut()
    }

    /// Loads the tasks that were seen before all pods were.
    fn load_tasks(&mut self, now: Time) {
        if !self.is_synced() {
            return;
        }
        let poll = PollContext { restart: true, ..self.poll_context(now) };
        let mut loaded = Vec::new();
        for (key, entry) in &mut self.entries {
            if let Some(seen) = entry.unloaded.take() {
                let seed = seed_of(self.seed, &seen.uid);
                entry.task = Some(Task::new(&poll, &seen, seed, &entry.pods));
                loaded.push(seen);
            }
            self.dirty.insert(key.clone());
        }
        for seen in &loaded {
            self.note_dependencies(seen);
        }
    }
}

/// The task and role of a worker's pod, by its name.
fn worker_of(namespace: &Arc<str>, pod: &str) -> Option<(TaskKey, PodRole)> {
    let (task, _) = pod.rsplit_once("-worker-")?;
    let role = parse_pod_name(task, pod).filter(|role| role.is_worker())?;
    Some((TaskKey::new(Arc::clone(namespace), task), role))
}

fn identify(pod: &PodSeen) -> Option<(TaskKey, PodRole)> {
    let role = parse_pod_name(&pod.task, &pod.name)?;
    Some((TaskKey { namespace: pod.namespace.clone(), name: pod.task.clone() }, role))
}

/// Every task spreads its retries in its own way.
fn seed_of(fleet_seed: u64, uid: &str) -> u64 {
    let hash = uid.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
    mix(fleet_seed ^ hash)
}
