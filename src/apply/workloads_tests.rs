//! Requests about Workloads against an API server that keeps objects.

use std::sync::{Arc, Mutex};

use super::*;
use crate::core::ids::TaskKey;
use crate::core::workload::StatusPatch;
use crate::fake_api::{Objects, client};

const PATH: &str = "/apis/kueue.x-k8s.io/v1beta2/namespaces/ns/workloads/w";

fn request(change: WorkloadChange) -> ChangeWorkload {
    ChangeWorkload { key: TaskKey::new("ns", "t"), uid: "u".to_owned(), name: "w".to_owned(), change }
}

#[tokio::test]
async fn a_workload_is_created_once_and_patched_only_as_the_version_that_was_seen() {
    let objects = Arc::new(Mutex::new(Objects::default()));
    let shared = Arc::clone(&objects);
    let client =
        client(move |method, path, body| shared.lock().unwrap().answer(method, path.trim_end_matches("/status"), body));
    let create = request(WorkloadChange::Create(json!({ "metadata": { "name": "w" }, "spec": {} })));
    assert_eq!(super::change(&client, &create).await, WorkloadOutcome::Done);
    assert_eq!(super::change(&client, &create).await, WorkloadOutcome::Done, "it is there already");
    let reclaim = StatusPatch::Reclaim(vec![("main".to_owned(), 3)]);
    let patch = request(WorkloadChange::Patch(1, reclaim));
    assert_eq!(super::change(&client, &patch).await, WorkloadOutcome::Done);
    assert_eq!(super::change(&client, &patch).await, WorkloadOutcome::Indeterminate, "it has another version");
    assert_eq!(objects.lock().unwrap().by_path[PATH]["status"]["reclaimablePods"][0]["count"], 3);
}

#[tokio::test]
async fn a_workload_that_was_made_for_a_task_becomes_its_own_unless_it_has_another_owner() {
    let objects = Arc::new(Mutex::new(Objects::default()));
    let shared = Arc::clone(&objects);
    let client = client(move |method, path, body| shared.lock().unwrap().answer(method, path, body));
    let adopt = |uid: &str| {
        let owner = json!({ "kind": "MapTask", "name": "t", "uid": uid, "apiVersion": "maptask.dev/v1alpha1", "controller": true });
        let metadata = json!({ "labels": { "a": "b" }, "ownerReferences": [owner] });
        ChangeWorkload { uid: uid.to_owned(), ..request(WorkloadChange::Adopt(metadata)) }
    };
    let refused = |outcome: WorkloadOutcome, why: &str| match outcome {
        WorkloadOutcome::Refused(message) => assert!(message.contains(why), "{message}"),
        other => panic!("{other:?}"),
    };
    refused(super::change(&client, &adopt("u")).await, "prebuilt-workload-name names the Workload w: there is none");
    let create = request(WorkloadChange::Create(json!({ "metadata": { "name": "w", "labels": { "c": "d" } } })));
    assert_eq!(super::change(&client, &create).await, WorkloadOutcome::Done);
    assert_eq!(super::change(&client, &adopt("u")).await, WorkloadOutcome::Done);
    let found = objects.lock().unwrap().by_path[PATH]["metadata"].clone();
    assert_eq!((&found["labels"], &found["ownerReferences"][0]["uid"]), (&json!({ "a": "b", "c": "d" }), &json!("u")));
    assert_eq!(super::change(&client, &adopt("u")).await, WorkloadOutcome::Done, "it is its own already");
    refused(super::change(&client, &adopt("v")).await, "it belongs to another object");
}

#[tokio::test]
async fn a_cluster_without_kueue_is_told_from_a_workload_that_is_gone() {
    let client = client(|_, _, _| crate::fake_api::refuse(404, "NotFound"));
    let create = request(WorkloadChange::Create(json!({ "metadata": { "name": "w" } })));
    let WorkloadOutcome::Refused(message) = super::change(&client, &create).await else { panic!("not refused") };
    assert!(message.contains("no Workloads of kueue.x-k8s.io/v1beta2"), "{message}");
    let delete = request(WorkloadChange::Delete("uid".to_owned()));
    assert_eq!(super::change(&client, &delete).await, WorkloadOutcome::Done);
}

#[tokio::test]
async fn flavors_are_read_all_or_none() {
    let client = client(|_, path, _| match path.rsplit('/').next() {
        Some("spot") => (200, json!({ "spec": { "nodeLabels": { "type": "spot" }, "tolerations": [{ "key": "k" }] } })),
        _ => crate::fake_api::refuse(404, "NotFound"),
    });
    let read = |names: &[&str]| ReadFlavors {
        key: TaskKey::new("ns", "t"),
        uid: "u".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
    };
    let FlavorsOutcome::Found(found) = flavors(&client, &read(&["spot"])).await else { panic!("not found") };
    assert_eq!((found[0].node_labels["type"].as_str(), found[0].tolerations.len()), ("spot", 1));
    let FlavorsOutcome::Failed(message) = flavors(&client, &read(&["spot", "gone"])).await else { panic!("found") };
    assert!(message.contains("ResourceFlavor gone can't be read"), "{message}");
}
