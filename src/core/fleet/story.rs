//! A fleet of one task whose creates, writes and deletes are answered well at once.

use serde_json::json;

use super::plan::{Action, CheckOutcome, CreateOutcome, DeleteOutcome, WriteOutcome};
use super::{Fleet, Limits};
use crate::core::ids::{Attempt, Index, TaskKey, Time};
use crate::core::pod::{PodSeen, PodStatus, pod_name};
use crate::core::task::TaskSeen;

/// A fleet of one task, `ns/t`.
pub struct Story {
    pub fleet: Fleet,
    pub now: Time,
    pub version: u64,
}

pub fn key() -> TaskKey {
    TaskKey::new("ns", "t")
}

impl Story {
    pub fn new(limits: Limits, spec: &serde_json::Value) -> Self {
        let mut story = Self { fleet: Fleet::new(limits, 1), now: Time(0), version: 1 };
        story.fleet.handle_tasks_listing();
        story.fleet.handle_tasks_listed(story.now);
        story.fleet.handle_pods_listing();
        story.fleet.handle_pods_listed(story.now);
        let mut spec = spec.clone();
        spec["template"] = json!({ "spec": { "containers": [{ "name": "main", "image": "x" }] } });
        let task = TaskSeen {
            key: key(),
            uid: "u".to_owned(),
            resource_version: 1,
            generation: 1,
            deleting: false,
            spec: serde_json::from_value(spec).unwrap(),
            status: crate::api::MapTaskStatus::default(),
        };
        story.fleet.handle_task(story.now, task);
        story
    }

    /// What is planned after so many milliseconds; creates, writes and deletes are answered well at once.
    pub fn plan(&mut self, millis: u64) -> Vec<String> {
        self.now = self.now.plus_millis(millis);
        let plan = self.fleet.poll_plan(self.now);
        for action in &plan.actions {
            match action {
                Action::Create(create) => {
                    self.fleet.handle_created(self.now, &create.id(), "u", CreateOutcome::Created);
                }
                Action::Write(_) => {
                    self.version += 1;
                    self.fleet.handle_written(self.now, &key(), "u", &WriteOutcome::Written(self.version));
                }
                Action::Delete(delete) => self.fleet.handle_deleted(self.now, &delete.id, DeleteOutcome::Taken),
                Action::Check(_) => self.fleet.handle_checked(self.now, &key(), "u", CheckOutcome::Good),
                Action::Look(_) | Action::Reread(_) | Action::Tell(_) | Action::Fetch(_) | Action::Expire(..) => {}
            }
        }
        plan.to_string().lines().map(str::to_owned).collect()
    }

    pub fn pod(index: u32, attempt: u32, status: &serde_json::Value) -> PodSeen {
        let status: PodStatus = serde_json::from_value(status.clone()).unwrap();
        PodSeen {
            namespace: "ns".into(),
            name: pod_name("t", Index(index), Attempt(attempt)),
            uid: format!("{index}-{attempt}"),
            version: 1,
            task: "t".into(),
            owner_uid: Some("u".to_owned()),
            created: None,
            deleted: None,
            node: None,
            status,
        }
    }

    pub fn runs(&mut self, index: u32, attempt: u32) {
        let status =
            json!({ "phase": "Running", "containerStatuses": [{ "name": "main", "state": { "running": {} } }] });
        let pod = PodSeen { version: 2, ..Self::pod(index, attempt, &status) };
        self.fleet.handle_pod(self.now, pod);
    }

    pub fn ends(&mut self, index: u32, attempt: u32, exit_code: i32) {
        let phase = if exit_code == 0 { "Succeeded" } else { "Failed" };
        let terminated = json!({ "exitCode": exit_code, "message": "7" });
        let status =
            json!({ "phase": phase, "containerStatuses": [{ "name": "main", "state": { "terminated": terminated } }] });
        let pod = Self::pod(index, attempt, &status);
        self.fleet.handle_pod(self.now, pod);
    }
}

pub const LIMITS: Limits = Limits { max_pods: 10, max_pods_per_namespace: None, pods_per_second: None, kept_pods: 1 };
