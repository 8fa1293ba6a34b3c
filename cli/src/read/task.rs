//! A MapTask as it is read. Words of a later version are kept as they are, so that an older client shows them.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ListMeta;
use kube::api::{ListParams, ObjectMeta};
use kube::{Resource, ResourceExt};
use maptask::api::{ItemCounts, MapTask, MapTaskSpec, MapTaskStatus};
use maptask::core::ids::{Attempt, ItemCount, TaskKey};
use maptask::core::phases::{self, Attempts, Phases};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::cluster::Session;
use crate::error::Failure;

/// Most objects in one answer of the API server.
pub const PAGE: u32 = 500;

/// What to ask for after this page of a list, unless it is the last.
pub fn next_page(params: ListParams, page: &ListMeta) -> Option<ListParams> {
    let token = page.continue_.as_deref().filter(|token| !token.is_empty())?;
    Some(params.continue_token(token))
}

/// A MapTask.
#[derive(Clone, Debug, Resource)]
#[resource(inherit = MapTask)]
pub struct Task {
    /// Its metadata.
    pub metadata: ObjectMeta,
    /// What was asked for.
    pub spec: MapTaskSpec,
    /// What the operator says. Empty before it has seen the task.
    pub status: MapTaskStatus,
    /// The word for the phase, also one that this version does not know.
    pub phase: String,
    /// Why nothing more starts, with any reason.
    pub waiting: Option<Waiting>,
}

/// Why nothing more starts.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Waiting {
    /// One word, also one that this version does not know.
    pub reason: String,
    /// Details.
    pub message: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}

impl<'de> Deserialize<'de> for Task {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;

        #[derive(Deserialize)]
        struct Parts {
            metadata: ObjectMeta,
            // As text: numbers of items stay as they were written.
            spec: Box<RawValue>,
            #[serde(default)]
            status: serde_json::Value,
        }

        let Parts { metadata, spec, mut status } = Parts::deserialize(deserializer)?;
        let spec = serde_json::from_str(spec.get()).map_err(|error| D::Error::custom(format!("spec: {error}")))?;
        let phase = status["phase"].as_str().unwrap_or("Pending").to_owned();
        let waiting = serde_json::from_value(status["waiting"].clone()).ok();
        if let Some(fields) = status.as_object_mut() {
            if serde_json::from_value::<maptask::api::TaskPhase>(serde_json::Value::from(phase.as_str())).is_err() {
                fields.remove("phase");
            }
        } else {
            status = serde_json::json!({});
        }
        let status = serde_json::from_value(status).map_err(|error| D::Error::custom(format!("status: {error}")))?;
        Ok(Self { metadata, spec, status, phase, waiting })
    }
}

impl Task {
    /// The task of that name.
    pub async fn get(session: &Session, name: &str) -> Result<Self, Failure> {
        match session.api::<Self>().get(name).await {
            Ok(task) => Ok(task),
            Err(error) => {
                if crate::error::code(&error) == Some(404) {
                    session.check_namespace().await?;
                }
                let failure = Failure::from(error);
                let hint = format!("see what there is: kubectl maptask list -n {}", session.namespace);
                Err(if failure.message.contains("not found") { failure.hint(hint) } else { failure })
            }
        }
    }

    /// The name of the newest task of the namespace.
    pub async fn newest(session: &Session) -> Result<String, Failure> {
        let api = session.api::<Self>();
        let mut next = Some(ListParams::default().limit(PAGE));
        let mut newest: Option<(Option<Timestamp>, String)> = None;
        while let Some(params) = next {
            let page = api.list_metadata(&params).await?;
            for task in &page.items {
                let made = task.creation_timestamp().map(|time| time.0);
                if newest.as_ref().is_none_or(|(time, _)| made > *time) {
                    newest = Some((made, task.name_any()));
                }
            }
            next = next_page(params, &page.metadata);
        }
        if let Some((_, name)) = newest {
            return Ok(name);
        }
        session.check_namespace().await?;
        Err(Failure::new(format!("no task in the namespace {}", session.namespace))
            .hint("look in all namespaces: kubectl maptask list -A"))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its namespace and name.
    pub fn key(&self) -> TaskKey {
        TaskKey::new(self.metadata.namespace.as_deref().unwrap_or_default(), self.name())
    }

    /// Its UID: another task of the same name has another.
    pub fn uid(&self) -> &str {
        self.metadata.uid.as_deref().unwrap_or_default()
    }

    /// When it was made.
    pub fn created(&self) -> Option<Timestamp> {
        self.metadata.creation_timestamp.as_ref().map(|time| time.0)
    }

    /// Whether the operator has accepted or refused it.
    pub fn is_seen(&self) -> bool {
        self.status.observed_generation.is_some_and(|generation| generation >= 0)
    }

    /// Whether it has ended, and the operator has seen the last change of its spec, such as a rerun.
    pub fn is_settled(&self) -> bool {
        // Generations of another cluster say nothing here.
        let is_seen = if self.spec.is_ours() {
            self.status.observed_generation >= self.metadata.generation
        } else {
            self.spec.pending_rerun(&self.status).is_none()
        };
        self.has_ended() && is_seen && self.status.pending_rerun.is_none()
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.status.phase.is_some_and(maptask::api::TaskPhase::is_terminal)
    }

    /// Whether it has ended with success.
    pub fn has_succeeded(&self) -> bool {
        self.status.phase == Some(maptask::api::TaskPhase::Succeeded)
    }

    /// Number of items, if it is known.
    pub fn count(&self) -> Option<u32> {
        self.status.items.and_then(|count| u32::try_from(count).ok())
    }

    /// Number of items in each phase.
    pub fn counts(&self) -> ItemCounts {
        self.status.counts.unwrap_or_default()
    }

    /// Items that ended with a result or failed.
    pub fn ended(&self) -> i32 {
        let counts = self.counts();
        counts.succeeded.saturating_add(counts.cached).saturating_add(counts.failed)
    }

    /// Items that may fail without the task failing.
    pub fn allowed_failures(&self) -> Option<i32> {
        Some(self.status.items?.saturating_sub(self.status.required?))
    }

    /// The phase and the attempts of every item; `None` before the task was accepted.
    pub fn decode(&self) -> Result<Option<(Phases, Attempts)>, Failure> {
        let (Some(count), Some(text)) = (self.count(), &self.status.phases) else { return Ok(None) };
        let count = ItemCount::new(count.into())
            .ok_or_else(|| Failure::new(format!("status.items is {count}: more than a task may have")))?;
        let decoded = phases::decode(
            text,
            self.status.attempts.as_deref(),
            count,
            Attempt::first_after(self.status.attempt_base),
        );
        decoded.map(Some).map_err(|error| {
            Failure::new(format!("status.phases of {} can't be read: {error}", self.name()))
                .hint("a newer operator may have written it: use the kubectl-maptask of its version")
        })
    }

    /// The condition of this type, if it is True: its reason and message.
    pub fn condition(&self, type_: &str) -> Option<(&str, &str)> {
        let found = self.status.conditions.iter().find(|condition| condition.type_ == type_);
        found.filter(|condition| condition.status == "True").map(|c| (c.reason.as_str(), c.message.as_str()))
    }
}

/// The name of a task, also as `mt/NAME` or `maptask.maptask.dev/NAME`.
pub fn name_of(text: &str) -> Result<String, Failure> {
    let name = match text.split_once('/') {
        None => text,
        Some(("mt" | "maptask" | "maptasks" | "maptask.maptask.dev" | "maptasks.maptask.dev", name)) => name,
        Some((kind, _)) => {
            return Err(Failure::usage(format!("{kind} is not a MapTask")).hint("write NAME or maptask/NAME"));
        }
    };
    if name.is_empty() { Err(Failure::usage("the name is empty")) } else { Ok(name.to_owned()) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// A task with this spec and status.
    pub(crate) fn task(spec: &Value, status: &Value) -> Task {
        let mut all = json!({ "template": {}, "items": { "count": 3 } });
        for (key, value) in spec.as_object().unwrap() {
            all[key] = value.clone();
        }
        let meta = json!({ "name": "t", "namespace": "ns", "uid": "u-1", "creationTimestamp": "2026-03-01T14:00:00Z" });
        serde_json::from_str(&json!({ "metadata": meta, "spec": all, "status": status }).to_string()).unwrap()
    }

    #[test]
    fn words_of_a_later_version_are_kept() {
        let waiting = json!({ "reason": "Eclipse", "message": "no sun" });
        let task = task(&json!({}), &json!({ "phase": "Dreaming", "waiting": waiting, "counts": null }));
        assert_eq!((task.phase.as_str(), task.status.phase), ("Dreaming", None));
        assert_eq!(task.waiting.as_ref().map(|w| w.reason.as_str()), Some("Eclipse"));
        assert!(!task.has_ended() && !task.is_seen());
    }

    #[test]
    fn the_end_of_a_task_of_another_cluster_does_not_go_by_its_generation() {
        let ended = |manager: &str, rerun: Option<&str>, done: Option<&str>| {
            let rerun = rerun.map(|id| json!({ "id": id, "items": "All" }));
            let done = done.map(|id| json!({ "id": id, "items": 3 }));
            let status = json!({ "phase": "Succeeded", "observedGeneration": 1, "rerun": done });
            let mut task = task(&json!({ "managedBy": manager, "rerun": rerun }), &status);
            task.metadata.generation = Some(3);
            task.is_settled()
        };
        let multikueue = "kueue.x-k8s.io/multikueue";
        assert!(!ended("maptask.dev/operator", None, None), "the operator has not seen its last change");
        assert!(ended(multikueue, None, None) && ended(multikueue, Some("1"), Some("1")));
        assert!(!ended(multikueue, Some("2"), Some("1")), "it is yet to run again");
    }

    #[test]
    fn numbers_of_items_keep_their_text() {
        let text = r#"{"metadata":{"name":"t"},"spec":{"template":{},"items":{"values":[3.10]}}}"#;
        let task: Task = serde_json::from_str(text).unwrap();
        assert_eq!(task.spec.items.values.unwrap()[0].text(), "3.10");
        assert_eq!(task.phase, "Pending");
    }

    #[test]
    fn a_name_may_have_its_kind() {
        for text in ["a", "mt/a", "maptask/a", "maptask.maptask.dev/a"] {
            assert_eq!(name_of(text).unwrap(), "a");
        }
        assert!(name_of("pod/a").is_err() && name_of("mt/").is_err());
    }
}
