//! What the simulated API server makes of a create request.

use maptask::core::ids::Attempt;
use maptask::core::pod::{Holder, PodSeen, PodStatus};
use maptask::core::port::{Create, CreateOutcome, Event, TaskSeen};

use crate::names::pod_key;
use crate::specs;
use crate::world::{Life, Pod, World};

impl World {
    /// The API server fails at a create, and may have made the pod, or make it later, all the same.
    pub fn fail_create(&mut self, create: &Create) -> CreateOutcome {
        let may_exist = self.random.chance(50);
        match self.random.below(4) {
            0 => return CreateOutcome::Contended,
            1 if may_exist => drop(self.create_pod(create)),
            2 if may_exist => {
                let late = self.now.plus_millis(self.random.below(60_000) as u64);
                self.faults.late.push((late, create.clone()));
            }
            3 if self.random.chance(5) => {
                self.truth.invalid(create);
                return CreateOutcome::Invalid("no".to_owned());
            }
            _ => {}
        }
        CreateOutcome::Failed { message: "no".to_owned(), may_exist }
    }

    pub fn create_pod(&mut self, create: &Create) -> CreateOutcome {
        let id = create.id();
        let key = pod_key(&id);
        if let Some(there) = self.pods.get(&key) {
            let ours = there.seen.owner_uid.as_ref() == Some(&create.blueprint.uid);
            return if ours { CreateOutcome::Created } else { CreateOutcome::NameTaken(Holder::default()) };
        }
        let live = self
            .pods
            .iter()
            .filter(|((k, ..), pod)| k.namespace == id.key.namespace && pod.life != Life::Ended)
            .count();
        if self.quota.get(&id.key.namespace).is_some_and(|room| live >= *room) {
            return CreateOutcome::Quota("exceeded quota".to_owned());
        }
        let seen = PodSeen {
            namespace: id.key.namespace.clone(),
            name: id.pod_name(),
            uid: format!("pod-{}", self.next_version()),
            version: self.next_version(),
            task: id.key.name.clone(),
            labelled: true,
            owner_uid: Some(create.blueprint.uid.clone()),
            created: Some(self.now),
            deleted: None,
            memory_raises: maptask::core::phases::Raises::NONE,
            node: None,
            gating: self.gates_of(create),
            status: PodStatus { phase: Some("Pending".to_owned()), ..PodStatus::default() },
        };
        let task = self.tasks.get(&id.key).filter(|task| task.uid == create.blueprint.uid);
        let pod = create.blueprint.pod(create.role, create.memory_raises);
        let is_judged = |task: &&TaskSeen| {
            let is_former =
                id.role.index().is_some() && id.role.attempt() < Attempt::first_after(task.status.attempt_base);
            task.status.template_hash.is_some() && !self.truth.turned_early.contains(&task.uid) && !is_former
        };
        let hashed = task.filter(is_judged);
        if hashed.is_some_and(|task| specs::is_of_other_templates(task, &pod)) {
            self.truth.problem = Some(format!("{id} is of another template than its task was accepted with"));
        }
        self.check_item(create, &pod);
        let fate = self.fate_of(create);
        self.pods.insert(key, Pod { seen: seen.clone(), fate, life: Life::Pending, late: false });
        self.operator.pod_events.push_back(Event::Pod(seen));
        CreateOutcome::Created
    }
}
