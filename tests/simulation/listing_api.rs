//! The API server of the world of a list.

use maptask::api::MapTaskStatus;
use maptask::core::items::list_prefix;
use maptask::core::items::{Location, Part};
use maptask::core::phases::Raises;
use maptask::core::pod::{Gating, PodSeen, WorkerHome};
use maptask::core::port::{
    Action, Answer, CheckOutcome, Create, CreateOutcome, DeleteOutcome, Event, ExplainOutcome, FetchOutcome,
    GetPodOutcome, PieceOutcome, WriteOutcome,
};

use crate::listing::{Pod, Process, World, address, end_of};
use crate::specs::{ended, running};

impl World {
    pub fn carry_out(&mut self, action: Action) -> Result<Option<Answer>, String> {
        let fails = self.faults && self.random.chance(15);
        Ok(Some(match action {
            Action::Check(check) => Answer::Checked(check.key, check.uid, CheckOutcome::Good),
            Action::Create(create) => {
                let outcome = if fails { CreateOutcome::Indeterminate } else { CreateOutcome::Created };
                if !fails || self.random.chance(50) {
                    self.create(&create)?;
                }
                Answer::Created(create.id(), create.blueprint.uid.clone(), outcome)
            }
            Action::Delete(delete) => {
                let name = delete.id.pod_name();
                if self.pods.get(&name).is_some_and(|pod| pod.seen.uid == delete.uid) {
                    self.remove(&name);
                }
                Answer::Deleted(delete.id, delete.task_uid, DeleteOutcome::Taken)
            }
            Action::GetPod(id, uid) => {
                let pod = self.pods.get(&id.pod_name());
                let outcome = pod.map(|pod| GetPodOutcome::Found(Box::new(pod.seen.clone())));
                Answer::GotPod(id, uid, outcome.unwrap_or(GetPodOutcome::NotFound))
            }
            Action::Explain(explain) => Answer::Explained(explain.id, explain.task_uid, ExplainOutcome::Denied),
            Action::Write(write) => {
                let outcome = if write.resource_version != self.task.resource_version {
                    WriteOutcome::Conflict
                } else if fails && self.random.chance(50) {
                    WriteOutcome::Failed("timeout".to_owned())
                } else {
                    let version = self.next_version();
                    self.check_write(&write.status)?;
                    let listing = write.status.listing.as_ref();
                    self.recorded.extend(listing.and_then(|listing| Some(listing.list.as_ref()?.pod_uid.clone())));
                    (self.task.status, self.task.resource_version) = (write.status, version);
                    self.events.push_back(Event::Task(Box::new(self.task.clone())));
                    if fails {
                        WriteOutcome::Failed("timeout".to_owned())
                    } else {
                        WriteOutcome::Written { version, rewritten: 0, uncached: None }
                    }
                };
                Answer::Written(write.key, write.uid, outcome)
            }
            Action::Note(note) => Answer::Noted(note.key, note.uid, WriteOutcome::Conflict),
            Action::Reread(_) => Answer::Reread(Box::new(self.task.clone())),
            Action::Fetch(fetch) => {
                let Location::ConfigMaps { names, .. } = fetch.source.location() else {
                    return Err("not its list".to_owned());
                };
                let part = |name: &String| self.maps.get(name).map(|text| Part::new(name.as_str(), text.as_str()));
                let parts: Option<Vec<Part>> = names.iter().map(part).collect();
                let outcome = match parts.map(|parts| fetch.source.read(&parts)) {
                    _ if fails => FetchOutcome::Indeterminate("timeout".to_owned()),
                    Some(Ok(list)) => FetchOutcome::Found(list),
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Err("a piece of a recorded list is not there".to_owned()),
                };
                Answer::Fetched(fetch.task, fetch.uid, outcome)
            }
            Action::StorePiece(piece) => {
                if !fails || self.random.chance(50) {
                    let name = format!("{}{}", list_prefix("t", piece.id.attempt.0), piece.id.number);
                    self.maps.insert(name, piece.data.to_string());
                }
                // The connection breaks off, and what was sent is carried out later.
                if fails && self.random.chance(50) {
                    let name = format!("{}{}", list_prefix("t", piece.id.attempt.0), piece.id.number);
                    self.late.push((name, piece.data.to_string()));
                }
                let failed = || PieceOutcome::Failed("timeout".to_owned());
                Answer::PieceStored(piece.id, piece.uid, if fails { failed() } else { PieceOutcome::Stored })
            }
            Action::CacheLookup(_)
            | Action::Expire(_)
            | Action::EmitEvent(_)
            | Action::ChangeWorkload(_)
            | Action::ReadFlavors(_) => return Ok(None),
        }))
    }

    /// SAFETY: what is recorded is a whole list of one pod, whose pieces are stored, and it stays the same.
    fn check_write(&self, status: &MapTaskStatus) -> Result<(), String> {
        let list = |status: &MapTaskStatus| status.listing.as_ref().and_then(|listing| listing.list.clone());
        let Some(new) = list(status) else { return Ok(()) };
        if let Some(old) = list(&self.task.status) {
            let changed = || Err(format!("the recorded list has changed to {new:?}"));
            return if old == new { Ok(()) } else { changed() };
        }
        let pieces = self.truth.get(&new.pod_uid).ok_or("a list of nobody is recorded")?;
        let stored = |number| self.maps.get(&format!("{}{number}", new.config_map_prefix));
        let is_there = (0..pieces.len()).all(|number| stored(number) == Some(&pieces[number]));
        if !is_there || end_of(pieces).hash != new.hash || usize::try_from(new.pieces).ok() != Some(pieces.len()) {
            return Err(format!("half a list is recorded: {new:?}"));
        }
        Ok(())
    }

    /// SAFETY: no two pods of the list at once.
    pub fn create(&mut self, create: &Create) -> Result<(), String> {
        let name = create.id().pod_name();
        if self.pods.contains_key(&name) {
            return Ok(());
        }
        let lives = |pod: &Pod| pod.role.is_list() && pod.seen.status.phase.as_deref() == Some("Running");
        if create.role.is_list() && self.pods.values().any(lives) {
            return Err(format!("{name} is created, and another pod of the list lives"));
        }
        let home = WorkerHome { address: address(), image: "i".to_owned(), pull_policy: "Always".to_owned() };
        let object = create.blueprint.pod_at(create.role, Raises::NONE, Some(&home), None);
        let version = self.next_version();
        let uid = format!("{name}-{version}");
        let lists = create.role.is_list().then(|| {
            let line = |piece: usize, n: usize| format!("{uid} {piece} {n}\n");
            let lines = |piece, n: usize| (0..n).map(|n| line(piece, n)).collect::<Vec<_>>().concat();
            let number = self.random.below(4);
            let pieces = (0..number).map(|piece| lines(piece, 1 + self.random.below(3))).collect();
            Process { pieces, next: 0, ticket: None, done: false }
        });
        if let Some(process) = &lists {
            assert!(object["spec"]["containers"][0]["command"][1] == "list", "{object}");
            self.truth.insert(uid.clone(), process.pieces.clone());
        }
        let seen = PodSeen {
            namespace: "ns".into(),
            name: name.clone(),
            uid,
            task: "t".into(),
            version,
            owner_uid: Some("u".to_owned()),
            labelled: true,
            created: Some(self.now),
            deleted: None,
            memory_raises: Raises::NONE,
            node: None,
            gating: Gating::Never,
            status: running(),
        };
        self.events.push_back(Event::Pod(seen.clone()));
        self.pods.insert(name, Pod { seen, role: create.role, lists });
        Ok(())
    }

    pub fn remove(&mut self, name: &str) {
        if let Some(pod) = self.pods.remove(name) {
            self.events.push_back(Event::PodGone(pod.seen));
        }
    }

    pub fn end(&mut self, name: &str, code: i32) {
        let version = self.next_version();
        let Some(pod) = self.pods.get_mut(name) else { return };
        let phase = if code == 0 { "Succeeded" } else { "Failed" };
        (pod.seen.status, pod.seen.version) = (ended(phase, code, None, Some("7")), version);
        self.events.push_back(Event::Pod(pod.seen.clone()));
    }
}
