//! The MapTasks themselves.

use kube::core::DeserializeGuard;
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};

use crate::api::MapTask;
use crate::core::fleet::Event;
use crate::core::ids::TaskKey;
use crate::core::task::TaskSeen;

/// A task for the core; `None` if the API server left out what it never leaves out.
pub fn seen(task: MapTask) -> Option<TaskSeen> {
    let MapTask { metadata, spec, status } = task;
    Some(TaskSeen {
        key: TaskKey::new(metadata.namespace?, metadata.name?),
        uid: metadata.uid?,
        resource_version: metadata.resource_version?.parse().ok()?,
        generation: metadata.generation.unwrap_or(0),
        deleting: metadata.deletion_timestamp.is_some(),
        spec,
        status: status.unwrap_or_default(),
    })
}

/// What the watch says, for the core. An object that can't be read is told in the log and otherwise left alone:
/// the schema lets none in, but one may be older than the schema.
pub(crate) fn translate(event: watcher::Event<DeserializeGuard<MapTask>>) -> Option<Event> {
    match event {
        watcher::Event::Apply(task) | watcher::Event::InitApply(task) => match task.0 {
            Ok(task) => seen(task).map(Box::new).map(Event::Task),
            Err(invalid) => {
                tracing::error!(name = invalid.metadata.name, error = %invalid.error, "MapTask can't be read");
                None
            }
        },
        watcher::Event::Delete(task) => Some(Event::TaskGone(key(&task)?)),
        watcher::Event::Init => Some(Event::TasksListing),
        watcher::Event::InitDone => Some(Event::TasksListed),
    }
}

fn key(task: &DeserializeGuard<MapTask>) -> Option<TaskKey> {
    Some(TaskKey::new(task.namespace()?, task.meta().name.clone()?))
}
