//! The Workload that is created for a task.

use serde_json::{Value, json};

use super::{Wanted, WantedSet};
use crate::api::{annotations, labels};
use crate::core::ids::TaskKey;
use crate::core::pod::parts::owner_reference;

/// The label by which Kueue finds the Workloads of a job.
const JOB_UID: &str = "kueue.x-k8s.io/job-uid";
/// Characters of the task's UID in the name: another task of the same name has another Workload.
const UID_CHARACTERS: usize = 8;

/// The name of the Workload of a task, whose own is at most 63 characters long.
pub fn name(task: &TaskKey, uid: &str) -> String {
    format!("maptask-{}-{}", task.name, uid.chars().take(UID_CHARACTERS).collect::<String>())
}

/// The Workload of a task. Each set comes with the pod that stands for all of it.
///
/// It has no finalizer: it must not keep a task from being deleted when no operator runs. Who deletes it frees its
/// quota at once, while its pods are being stopped.
pub fn manifest(task: &TaskKey, uid: &str, wanted: &Wanted, sets: &[(&WantedSet, Value)]) -> Value {
    let pod_sets: Vec<Value> = sets
        .iter()
        .map(|(set, pod)| {
            let mut json = json!({
                "name": set.name,
                "count": set.count(),
                "template": { "spec": pod["spec"] },
            });
            if let Some(least) = set.least.filter(|least| *least < set.count()) {
                json["minCount"] = json!(least);
            }
            json
        })
        .collect();
    let mut workload = json!({
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "Workload",
        "metadata": {
            "name": name(task, uid),
            "namespace": &*task.namespace,
            "labels": labels_of(task, uid),
            "ownerReferences": [owner_reference(&task.name, uid)],
        },
        "spec": { "queueName": wanted.queue, "priority": wanted.priority, "podSets": pod_sets },
    });
    if let Some(id) = &wanted.rerun {
        workload["metadata"]["annotations"] = json!({ annotations::RERUN: id });
    }
    workload
}

/// What makes the task the owner of a Workload that was made for it.
pub fn adoption(task: &TaskKey, uid: &str) -> Value {
    json!({ "labels": labels_of(task, uid), "ownerReferences": [owner_reference(&task.name, uid)] })
}

fn labels_of(task: &TaskKey, uid: &str) -> Value {
    json!({
        labels::NAME: &*task.name,
        labels::CONTROLLER_UID: uid,
        labels::MANAGED_BY: labels::OPERATOR,
        JOB_UID: uid,
    })
}
