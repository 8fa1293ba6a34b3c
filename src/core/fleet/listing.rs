//! Pods that compute lists.

use super::Fleet;
use crate::core::ids::{PodRole, TaskKey, Time};
use crate::core::pod::parse_pod_name;
use crate::core::port::{Listed, PieceId, PieceOutcome, Reply};

impl Fleet {
    /// The pod of a list speaks.
    pub fn handle_listed(&mut self, now: Time, listed: Listed) {
        let refusal = self.refusal_without_task(&listed.namespace);
        let list = list_of(&listed).filter(|_| self.is_synced());
        match list.and_then(|(key, role)| Some((self.task_mut(&key)?, role))) {
            Some((task, role)) => task.handle_listed(now, role, listed),
            None => self.replies.push(Reply::refused(listed.ticket, refusal)),
        }
    }

    /// [`Action::StorePiece`](crate::core::port::Action::StorePiece) was answered.
    pub fn handle_piece_stored(&mut self, id: &PieceId, uid: &str, outcome: PieceOutcome) {
        if let Some(task) = self.task_mut(&id.key).filter(|task| task.uid() == uid) {
            task.handle_piece_stored(id, outcome);
        }
    }
}

/// The task and role of the pod of a list, by its name.
fn list_of(listed: &Listed) -> Option<(TaskKey, PodRole)> {
    let (task, _) = listed.pod.rsplit_once("-list-")?;
    let role = parse_pod_name(task, &listed.pod).filter(|role| role.is_list())?;
    Some((TaskKey::new(listed.namespace.clone(), task), role))
}
