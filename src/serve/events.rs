//! Kubernetes Events on a task: few, of its turns only, never of a pod.

use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};

use crate::core::pod;
use crate::core::port::EmitEvent;

/// Publishes Events.
#[derive(Clone)]
pub struct Events {
    recorder: Recorder,
}

impl Events {
    /// Events in the name of this instance of the operator.
    pub fn new(client: Client, instance: String) -> Self {
        let reporter = Reporter { controller: "maptask-operator".to_owned(), instance: Some(instance) };
        Self { recorder: Recorder::new(client, reporter) }
    }

    /// Publishes one.
    ///
    /// # Errors
    ///
    /// What the API server or the way to it had against it.
    pub async fn emit(&self, event: &EmitEvent) -> Result<(), kube::Error> {
        let published = Event {
            type_: match event.type_ {
                pod::EventType::Normal => EventType::Normal,
                pod::EventType::Warning => EventType::Warning,
            },
            reason: event.reason.as_str().to_owned(),
            note: Some(event.note.clone()),
            action: event.reason.as_str().to_owned(),
            secondary: None,
        };
        let reference = ObjectReference {
            api_version: Some("maptask.dev/v1alpha1".to_owned()),
            kind: Some("MapTask".to_owned()),
            name: Some(event.key.name.to_string()),
            namespace: Some(event.key.namespace.to_string()),
            uid: Some(event.uid.clone()),
            ..ObjectReference::default()
        };
        self.recorder.publish(&published, &reference).await
    }
}
