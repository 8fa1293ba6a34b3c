//! What computes the list of a task: the accepted part of `spec.items.pod`.

use crate::api::spec::{MapTaskSpec, PodItems};
use crate::core::blueprint::Purpose;
use crate::core::ids::TaskKey;
use crate::core::pod::{ListSpec, PodTemplate};
use crate::core::spec::{AcceptedSpec, Refusal, seconds, solo};

/// What computes the list of a task.
#[derive(Clone, Debug)]
pub struct Lister {
    /// What its pods are made from.
    pub spec: AcceptedSpec,
    /// How long it may take over all its attempts.
    pub deadline_millis: Option<u64>,
    /// The spec of the task, which is accepted once the list is there.
    pub task: Box<MapTaskSpec>,
}

impl Lister {
    /// Checks what the API server's dry run can't know.
    pub fn accept(key: &TaskKey, uid: &str, task: &MapTaskSpec, wanted: &PodItems) -> Result<Self, Refusal> {
        let mut template = PodTemplate::accept(&wanted.template, wanted.container.as_deref()).map_err(Refusal::List)?;
        template.check_workers().map_err(Refusal::List)?;
        template.complete_with(task.completion);
        let purpose = Purpose::List(ListSpec { format: wanted.format });
        let spec = solo::accept(key, uid, task, template, purpose, wanted.retries, wanted.start_deadline_seconds)?;
        let deadline_millis = seconds(wanted.active_deadline_seconds);
        Ok(Self { spec, deadline_millis, task: Box::new(task.clone()) })
    }
}
