//! The operator in the world: what it is shown, and what becomes of its requests.

use maptask::api::spec::Rerun;
use maptask::core::fleet::Fleet;
use maptask::core::ids::PodRole;
use maptask::core::limits::Limits;
use maptask::core::pod::PodSeen;
use maptask::core::pod::seen::PodStatus;
use maptask::core::port::{
    Action, Answer, CacheLookupOutcome, CheckOutcome, Create, CreateOutcome, DeleteOutcome, Event, GetPodOutcome,
    Write, WriteOutcome,
};

use crate::reach::Reach;
use crate::world::{Pod, World};

fn number(role: PodRole) -> u32 {
    match role {
        PodRole::Worker(number) => number,
        other => panic!("{other} is no worker"),
    }
}

impl World {
    pub fn list(&mut self) {
        self.task_events.clear();
        self.pod_events.clear();
        self.task_events.extend([Event::TasksListing, Event::Task(Box::new(self.task.clone())), Event::TasksListed]);
        self.pod_events.push_back(Event::PodsListing);
        self.pod_events.extend(self.pods.values().map(|pod| Event::Pod(pod.seen.clone())));
        self.pod_events.push_back(Event::PodsListed);
    }

    pub fn deliver_event(&mut self) {
        let tasks_first = self.random.chance(50);
        let (a, b) = (&mut self.task_events, &mut self.pod_events);
        let (first, second) = if tasks_first { (a, b) } else { (b, a) };
        if let Some(event) = first.pop_front().or_else(|| second.pop_front()) {
            self.reach.shown(self.now, &event);
            self.fleet.handle_event(self.now, event);
        }
    }

    pub fn deliver_answer(&mut self) {
        if !self.answers.is_empty() {
            let place = self.random.below(self.answers.len());
            let answer = self.answers.swap_remove(place);
            self.fleet.handle_answer(self.now, answer);
        }
    }

    pub fn edit(&mut self, change: impl FnOnce(&mut maptask::api::spec::MapTaskSpec)) {
        self.task.resource_version = self.next_version();
        self.task.generation += 1;
        change(&mut self.task.spec);
        self.task_events.push_back(Event::Task(Box::new(self.task.clone())));
    }

    /// Something goes wrong, or somebody changes his mind.
    pub fn misfortune(&mut self) {
        if self.faults == 0 {
            return;
        }
        match self.random.below(12) {
            0..4 => self.harm_pod(),
            4 => {
                self.say(|| "the operator dies".to_owned());
                let mut fleet = Fleet::new(Limits::DEFAULT, self.random.next());
                fleet.set_exchange(Some(crate::world::address()));
                let old = std::mem::replace(&mut self.fleet, fleet);
                self.reach = Reach::default();
                // Workers get no more answers from it, or still do.
                self.zombie = self.random.chance(40).then_some(old);
                if self.zombie.is_none() {
                    let kept: Vec<String> = std::mem::take(&mut self.kept).into_values().collect();
                    for pod in self.pods.values_mut().filter(|pod| kept.contains(&pod.seen.uid)) {
                        pod.worker.as_mut().into_iter().for_each(|worker| worker.news = true);
                    }
                }
                for pod in self.pods.values_mut() {
                    pod.known_to_zombie = pod.worker.is_some();
                }
                self.requests.clear();
                self.answers.clear();
                self.list();
            }
            5 => self.list(),
            6 => {
                let suspend = !self.task.spec.suspend;
                self.say(|| format!("suspend: {suspend}"));
                self.edit(|spec| spec.suspend = suspend);
            }
            7 if self.random.chance(20) => {
                self.say(|| "somebody else writes the status".to_owned());
                self.task.status.message = Some(format!("by hand {}", self.now.0));
                if self.random.chance(50) {
                    // What the operator would have written otherwise: it loads the task again.
                    self.task.status.observed_generation = Some(1);
                    self.reach = Reach::default();
                }
                self.edit(|_| {});
            }
            8 if self.task.spec.rerun.is_none() && self.count < 100 => {
                let items = ["All", "Failed", "0"][self.random.below(3)].to_owned();
                self.say(|| format!("rerun: {items}"));
                self.edit(|spec| spec.rerun = Some(Rerun { id: "1".to_owned(), items }));
            }
            _ => {}
        }
    }

    pub fn carry_out_request(&mut self) -> Result<(), String> {
        if self.requests.is_empty() {
            return Ok(());
        }
        let place = self.random.below(self.requests.len());
        let action = self.requests.swap_remove(place);
        let is_lost = self.random.chance(self.faults);
        let answer = match action {
            Action::Check(check) => Answer::Checked(check.key, check.uid, CheckOutcome::Good),
            Action::Create(create) => {
                let uid = create.blueprint.uid.clone();
                let outcome = if is_lost { self.lose_create(&create) } else { self.create(&create) };
                Answer::Created(create.id(), uid, outcome)
            }
            Action::Delete(delete) => {
                let number = number(delete.id.role);
                let is_it = |pod: &&Pod| pod.seen.uid == delete.uid;
                let outcome = match self.pods.get(&number).filter(is_it) {
                    Some(pod) if delete.version.is_some_and(|version| version != pod.seen.version) => {
                        DeleteOutcome::Changed
                    }
                    Some(pod) if pod.ended => {
                        let pod = self.pods.remove(&number).unwrap();
                        self.pod_events.push_back(Event::PodGone(pod.seen));
                        DeleteOutcome::Taken
                    }
                    Some(_) => {
                        self.delete_pod(number);
                        DeleteOutcome::Taken
                    }
                    None => DeleteOutcome::Taken,
                };
                Answer::Deleted(delete.id, delete.task_uid, if is_lost { DeleteOutcome::Failed } else { outcome })
            }
            Action::GetPod(id, uid) => {
                let pod = self.pods.get(&number(id.role));
                let found = pod.map_or(GetPodOutcome::NotFound, |pod| GetPodOutcome::Found(Box::new(pod.seen.clone())));
                Answer::GotPod(id, uid, if is_lost { GetPodOutcome::Indeterminate } else { found })
            }
            Action::Explain(explain) => {
                let outcome = maptask::core::port::ExplainOutcome::Said(Vec::new());
                Answer::Explained(explain.id, explain.task_uid, outcome)
            }
            Action::Write(write) => self.write(*write, is_lost)?,
            Action::Reread(_) => Answer::Reread(Box::new(self.task.clone())),
            Action::Note(note) => {
                let is_it = note.resource_version == self.task.resource_version;
                let outcome = if is_it {
                    self.task.resource_version = self.next_version();
                    self.task.status.waiting = Some(note.waiting);
                    self.task_events.push_back(Event::Task(Box::new(self.task.clone())));
                    WriteOutcome::Written { version: self.task.resource_version, rewritten: 0, uncached: None }
                } else {
                    WriteOutcome::Conflict
                };
                Answer::Noted(note.key, note.uid, outcome)
            }
            Action::CacheLookup(lookup) => {
                let entries = self.cache.iter().filter(|entry| lookup.wanted.has(&entry.key)).cloned().collect();
                let found = CacheLookupOutcome::Found { from: lookup.from, entries, damaged: 0, next: None };
                let outcome = if is_lost { CacheLookupOutcome::Indeterminate("timeout".to_owned()) } else { found };
                Answer::CacheLookedUp(lookup.task, lookup.uid, outcome)
            }
            Action::Fetch(_)
            | Action::StorePiece(_)
            | Action::Expire(_)
            | Action::EmitEvent(_)
            | Action::ChangeWorkload(_)
            | Action::ReadFlavors(_) => {
                return Ok(());
            }
        };
        self.answers.push(answer);
        Ok(())
    }

    /// Creates that got no answer are carried out.
    pub fn carry_out_late(&mut self) {
        let now = self.now;
        let (due, late) = std::mem::take(&mut self.late).into_iter().partition(|(at, _)| *at <= now);
        self.late = late;
        for (_, create) in due {
            self.say(|| format!("late: create {}", create.role));
            self.create(&create);
        }
    }

    fn lose_create(&mut self, create: &Create) -> CreateOutcome {
        match self.random.below(4) {
            3 => {
                let at = self.now.plus_millis(self.random.below(60_000) as u64);
                self.late.push((at, create.clone()));
                CreateOutcome::Indeterminate
            }
            0 => CreateOutcome::Throttled(Some(500)),
            1 => {
                self.create(create);
                CreateOutcome::Indeterminate
            }
            _ => CreateOutcome::Failed { message: "webhook".to_owned(), may_exist: false },
        }
    }

    fn create(&mut self, create: &Create) -> CreateOutcome {
        let number = number(create.role);
        if self.pods.contains_key(&number) {
            return CreateOutcome::Created;
        }
        let version = self.next_version();
        let seen = PodSeen {
            namespace: "ns".into(),
            name: create.id().pod_name(),
            uid: format!("pod-{number}-{version}"),
            version,
            task: "t".into(),
            labelled: true,
            owner_uid: Some(self.task.uid.clone()),
            created: Some(self.now),
            deleted: None,
            memory_raises: create.memory_raises,
            node: Some(format!("node-{}", number % 3).into()),
            gating: maptask::core::pod::Gating::Never,
            status: PodStatus { phase: Some("Pending".to_owned()), ..PodStatus::default() },
        };
        self.pod_events.push_back(Event::Pod(seen.clone()));
        let slots = self.task.spec.workers.as_ref().unwrap().slots as usize;
        let pod = Pod {
            seen,
            slots,
            epoch: create.epoch.expect("every pod is a worker"),
            worker: None,
            ended: false,
            cut_off: false,
            known_to_zombie: false,
            reported_at: None,
            of_run_before: false,
        };
        self.pods.insert(number, pod);
        CreateOutcome::Created
    }

    fn write(&mut self, write: Write, is_lost: bool) -> Result<Answer, String> {
        let fails = is_lost && self.random.chance(50);
        if fails {
            return Ok(Answer::Written(write.key, write.uid, WriteOutcome::Failed("timeout".to_owned())));
        }
        for shard in &write.results {
            for (place, line) in &shard.lines {
                self.lines.insert(shard.first + place, line.clone());
            }
        }
        for entry in write.cache.into_iter().flat_map(|(_, entries)| entries) {
            self.cache.retain(|old| old.key != entry.key);
            self.cache.push(entry);
        }
        if write.resource_version != self.task.resource_version {
            return Ok(Answer::Written(write.key, write.uid, WriteOutcome::Conflict));
        }
        if write.status.rerun.as_ref().is_some_and(|rerun| rerun.items > 0) && self.task.status.rerun.is_none() {
            self.truth.begin_again();
            self.pods.values_mut().for_each(|pod| pod.of_run_before = true);
        }
        self.truth.check_write(&write.status)?;
        self.task.resource_version = self.next_version();
        self.task.status = write.status;
        self.task_events.push_back(Event::Task(Box::new(self.task.clone())));
        let outcome = if is_lost {
            WriteOutcome::Failed("timeout".to_owned())
        } else {
            WriteOutcome::Written { version: self.task.resource_version, rewritten: 0, uncached: None }
        };
        Ok(Answer::Written(write.key, write.uid, outcome))
    }
}
