//! What computes the list of a task: the accepted part of `spec.items.pod`.

use std::sync::Arc;

use crate::api::spec::{Items, MapTaskSpec, PodItems};
use crate::core::blueprint::Blueprint;
use crate::core::ids::TaskKey;
use crate::core::items::ItemList;
use crate::core::pod::{ListSpec, PodTemplate};
use crate::core::spec::retry::Policy;
use crate::core::spec::{AcceptedSpec, Refusal, seconds, templates};

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
        let retries = u32::try_from(wanted.retries).unwrap_or(0);
        let spec = AcceptedSpec {
            blueprint: Arc::new(Blueprint {
                key: key.clone(),
                uid: uid.to_owned(),
                items: ItemList::accept(&Items { count: Some(1), ..Items::default() })?,
                template,
                reduces: None,
                lists: Some(ListSpec { format: wanted.format }),
                workers: None,
            }),
            required: 1,
            required_percent: "100".to_owned(),
            remaining_items: task.remaining_items,
            policy: Policy { retries, rules: Vec::new(), ..Policy::of(task) },
            start_deadline_millis: seconds(wanted.start_deadline_seconds),
            source: None,
            results: None,
            nameless_keys: None,
            template_hash: templates::hash(task),
            cache: None,
            reduce: None,
            lister: None,
        };
        let deadline_millis = seconds(wanted.active_deadline_seconds);
        Ok(Self { spec, deadline_millis, task: Box::new(task.clone()) })
    }
}
