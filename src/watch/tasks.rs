//! The MapTasks themselves.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::{DeserializeGuard, PartialObjectMeta, error_boundary::InvalidObject};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::api::MapTask;
use crate::core::ids::TaskKey;
use crate::core::port::{Event, TaskSeen};
use crate::core::workload::{PREBUILT_WORKLOAD, QUEUE_NAME};

/// A task, or why it can't be read.
///
/// kube's own guard reads an object into a tree first, in which the text of its numbers is lost.
#[derive(Clone, Debug)]
pub struct GuardedTask(DeserializeGuard<MapTask>);

impl<'de> Deserialize<'de> for GuardedTask {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        let task = match serde_json::from_str(raw.get()) {
            Ok(task) => Ok(task),
            Err(error) => {
                let partial: PartialObjectMeta<MapTask> = serde_json::from_str(raw.get()).map_err(D::Error::custom)?;
                Err(InvalidObject { error: error.to_string(), metadata: partial.metadata })
            }
        };
        Ok(Self(DeserializeGuard(task)))
    }
}

impl Resource for GuardedTask {
    type DynamicType = ();
    type Scope = <MapTask as Resource>::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        MapTask::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        MapTask::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        MapTask::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        MapTask::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        self.0.meta()
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        self.0.meta_mut()
    }
}

/// A task for the core; `None` if the API server left out what it never leaves out.
pub fn seen(task: MapTask) -> Option<TaskSeen> {
    let MapTask { mut metadata, spec, status } = task;
    let mut label = |name| metadata.labels.as_mut()?.remove(name).filter(|value| !value.is_empty());
    Some(TaskSeen {
        key: TaskKey::new(metadata.namespace?, metadata.name?),
        uid: metadata.uid?,
        resource_version: metadata.resource_version?.parse().ok()?,
        generation: metadata.generation.unwrap_or(0),
        deleting: metadata.deletion_timestamp.is_some(),
        queue: label(QUEUE_NAME),
        prebuilt: label(PREBUILT_WORKLOAD),
        spec,
        status: status.unwrap_or_default(),
    })
}

/// What the watch says, for the core. An object that can't be read is logged and otherwise left alone:
/// the schema lets none in, but one may be older than the schema.
pub(crate) fn translate(event: watcher::Event<GuardedTask>) -> Option<Event> {
    match event {
        watcher::Event::Apply(task) | watcher::Event::InitApply(task) => match task.0.0 {
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

fn key(task: &GuardedTask) -> Option<TaskKey> {
    Some(TaskKey::new(task.namespace()?, task.meta().name.clone()?))
}

#[cfg(test)]
mod tests {
    use kube::core::WatchEvent;

    use super::*;

    fn read(spec: &str) -> GuardedTask {
        let object = format!(
            r#"{{"apiVersion":"maptask.dev/v1alpha1","kind":"MapTask","metadata":{{"name":"t","namespace":"ns","uid":"u",
            "resourceVersion":"7","generation":2}},"spec":{spec}}}"#
        );
        match serde_json::from_str(&format!(r#"{{"type":"ADDED","object":{object}}}"#)).unwrap() {
            WatchEvent::Added(task) => task,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn numbers_of_a_watched_task_keep_their_text() {
        let task = read(r#"{"items":{"values":[1.8446744073709552e+19,{"v":3.10}]},"template":{},"retries":2}"#);
        let task = seen(task.0.0.unwrap()).unwrap();
        let values = task.spec.items.values.unwrap();
        assert_eq!(
            values.iter().map(crate::api::Json::text).collect::<Vec<_>>(),
            ["1.8446744073709552e+19", r#"{"v":3.10}"#]
        );
        assert_eq!((task.resource_version, task.generation, task.spec.retries), (7, 2, 2));
    }

    #[test]
    fn a_task_that_can_not_be_read_still_has_its_name() {
        let task = read(r#"{"items":7,"template":{}}"#);
        assert!(task.0.0.is_err());
        assert_eq!(key(&task), Some(TaskKey::new("ns", "t")));
    }
}
