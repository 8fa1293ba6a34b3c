//! The pods of workers, and what goes wrong with them.

use maptask::core::pod::seen::{ContainerState, ContainerStatus, PodStatus, Running, Terminated};
use maptask::core::port::Event;
use maptask_exchange::Record;

use crate::truth::Truth;
use crate::worker::Worker;
use crate::world::{Message, World};

fn status(phase: &str, state: ContainerState) -> PodStatus {
    let container = ContainerStatus { name: "main".to_owned(), state: Some(state), ..ContainerStatus::default() };
    PodStatus { phase: Some(phase.to_owned()), container_statuses: Some(vec![container]), ..PodStatus::default() }
}

fn terminated(phase: &str, exit_code: i32, reason: Option<&str>, message: Option<String>) -> PodStatus {
    let terminated = Terminated { exit_code, reason: reason.map(str::to_owned), message, finished_at: None };
    status(phase, ContainerState { terminated: Some(terminated), ..ContainerState::default() })
}

impl World {
    fn pick(&mut self, which: impl Fn(&crate::world::Pod) -> bool) -> Option<u32> {
        let numbers: Vec<u32> = self.pods.iter().filter(|(_, pod)| which(pod)).map(|(number, _)| *number).collect();
        (!numbers.is_empty()).then(|| numbers[self.random.below(numbers.len())])
    }

    /// A container begins to run.
    pub fn pod_starts(&mut self) {
        let Some(number) = self.pick(|pod| pod.worker.is_none() && !pod.ended) else { return };
        let version = self.next_version();
        let pod = self.pods.get_mut(&number).unwrap();
        pod.seen.version = version;
        if pod.seen.deleted.is_some() {
            pod.ended = true;
            pod.seen.status = PodStatus { phase: Some("Failed".to_owned()), ..PodStatus::default() };
        } else {
            // A program may speak for some seconds before the kubelet reports that it runs.
            let millis = if self.faults > 0 && self.random.chance(50) { self.random.below(20_000) } else { 0 };
            pod.reported_at = Some(self.now.plus_millis(millis as u64));
            let memory = self.grows.then(|| pod.seen.memory_raises.of(0));
            pod.worker = Some(Worker::new(&mut self.random, pod.epoch, pod.slots, memory));
        }
        if self.pods[&number].ended {
            self.pod_events.push_back(Event::Pod(self.pods[&number].seen.clone()));
        }
        self.report_starts();
    }

    /// The kubelets report what has begun to run. What is late by more than half a minute would be taken to hold
    /// nothing, so that the watch shows it before that.
    pub fn report_starts(&mut self) {
        let now = self.now;
        let mut is_late = false;
        let due: Vec<u32> =
            self.pods.iter().filter(|(_, pod)| pod.reported_at.is_some_and(|at| at <= now)).map(|(n, _)| *n).collect();
        for number in due {
            let version = self.next_version();
            let pod = self.pods.get_mut(&number).unwrap();
            is_late |= pod.reported_at.take().is_some_and(|at| now.millis_since(at) > 5_000);
            if pod.worker.is_some() {
                pod.seen.version = version;
                pod.seen.status =
                    status("Running", ContainerState { running: Some(Running {}), ..ContainerState::default() });
                self.pod_events.push_back(Event::Pod(pod.seen.clone()));
            }
        }
        while is_late && !self.pod_events.is_empty() {
            self.deliver_event();
        }
    }

    /// A worker takes a step.
    pub fn worker_lives(&mut self) -> Result<(), String> {
        let Some(number) = self.pick(|pod| pod.worker.is_some() && !pod.ended) else { return Ok(()) };
        let known_to_zombie = self.pods[&number].known_to_zombie;
        let memory = self.pods[&number].seen.memory_raises;
        let pod = &self.pods[&number];
        let (uid, is_deleted, cut_off) = (pod.seen.uid.clone(), pod.seen.deleted.is_some(), pod.cut_off);
        let choice = self.random.below(10);
        // A lease keeps an operator that was replaced from new pods.
        let to_zombie = self.zombie.is_some() && self.random.chance(30) && known_to_zombie;
        let Some((worker, now)) = self.worker(number) else { return Ok(()) };
        if is_deleted && worker.leaving != Some(maptask_exchange::Leaving::Terminated) {
            worker.terminate();
        }
        match choice {
            0..4 => {
                if worker.news || !worker.waits || worker.is_late(now) {
                    let request = worker.request(now);
                    self.wire.push(Message::Request { worker: number, uid, request, to_zombie });
                }
            }
            4..6 => {
                for id in worker.begin(now) {
                    self.say(|| format!("worker {number} begins {id:?}"));
                    self.truth.began(number, id)?;
                    Truth::check_memory(&self.task.status, id, memory)?;
                }
            }
            6..9 if !worker.running.is_empty() => {
                let place = self.random.below(self.pods[&number].worker.as_ref().unwrap().running.len());
                let ends_well = self.random.chance(60);
                let (worker, _) = self.worker(number).unwrap();
                let end = if is_deleted && !ends_well { worker.stop(place) } else { worker.end(place) };
                let begun = worker.begun;
                self.say(|| format!("worker {number}: {end:?}"));
                self.truth.ended(number, &end, begun);
            }
            _ => {
                let is_done = worker.is_done();
                if is_done || is_deleted && self.random.chance(5) && !cut_off {
                    let phase = if is_done { "Succeeded" } else { "Failed" };
                    let code = if is_done { 0 } else { 137 };
                    self.end_pod(number, phase, code, None, true);
                }
            }
        }
        Ok(())
    }

    /// The pod ends, and all that runs in it. `tells`: its record can be read.
    fn end_pod(&mut self, number: u32, phase: &str, exit_code: i32, reason: Option<&str>, tells: bool) {
        let version = self.next_version();
        let pod = self.pods.get_mut(&number).unwrap();
        let running: Vec<_> =
            pod.worker.as_ref().map(|worker| worker.running.iter().map(|p| p.id).collect()).unwrap_or_default();
        let begun = pod.worker.as_ref().map_or(0, |worker| worker.begun);
        let untold: Vec<u32> =
            pod.worker.iter().filter(|_| !tells).flat_map(|w| w.unacknowledged.iter().map(|end| end.id.0)).collect();
        let record = Record { version: 1, running: running.clone(), begun, ..Record::default() };
        let message = tells.then(|| serde_json::to_string(&record).unwrap());
        pod.seen.status = terminated(phase, exit_code, reason, message);
        pod.seen.version = version;
        (pod.ended, pod.worker) = (true, None);
        let seen = pod.seen.clone();
        self.say(|| format!("worker {number} ends: {phase} {exit_code} {reason:?}, ran {running:?}"));
        for id in untold {
            // Nobody knows that it had ended: it counts as having run.
            *self.truth.failed.entry(id).or_default() += 1;
        }
        for id in running {
            self.truth.gone(number, id);
            // Memory may have been short for what ran beside it or before.
            let is_short = reason == Some("OOMKilled");
            if is_short && begun > 1 {
                continue;
            }
            if phase == "Failed" && exit_code != 143 {
                *self.truth.short.entry(id.0).or_default() += u32::from(is_short);
                *self.truth.failed.entry(id.0).or_default() += 1;
            }
        }
        self.pod_events.push_back(Event::Pod(seen));
    }

    /// Something goes wrong with a pod.
    pub fn harm_pod(&mut self) {
        let Some(number) = self.pick(|pod| !pod.ended) else { return };
        match self.random.below(6) {
            0 => self.end_pod(number, "Failed", 137, Some("OOMKilled"), true),
            1 => self.end_pod(number, "Failed", 139, Some("Error"), self.random.clone().chance(50)),
            2 => {
                // Its node is gone, or somebody deletes it by force.
                let pod = self.pods.remove(&number).unwrap();
                self.say(|| format!("worker {number} vanishes"));
                for program in pod.worker.iter().flat_map(|worker| &worker.running) {
                    self.truth.gone(number, program.id);
                    *self.truth.failed.entry(program.id.0).or_default() += 1;
                }
                self.pod_events.push_back(Event::PodGone(pod.seen));
            }
            3 => self.delete_pod(number),
            4 => {
                let pod = self.pods.get_mut(&number).unwrap();
                pod.cut_off = !pod.cut_off;
                let cut_off = pod.cut_off;
                self.say(|| format!("worker {number} cut off: {cut_off}"));
            }
            _ => {}
        }
    }

    pub fn delete_pod(&mut self, number: u32) {
        let (version, now) = (self.next_version(), self.now);
        let Some(pod) = self.pods.get_mut(&number).filter(|pod| !pod.ended) else { return };
        pod.seen.deleted = Some(maptask::core::pod::Deletion { asked: now, last: false });
        pod.seen.version = version;
        let seen = pod.seen.clone();
        self.pod_events.push_back(Event::Pod(seen));
    }
}
