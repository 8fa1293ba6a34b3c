//! Creates, deletes and gets pods.

use http::Method;
use kube::Client;
use serde::de::IgnoredAny;
use serde_json::json;

use super::answer::{Meaning, meaning};
use super::request::{Failure, Partial, send};
use crate::api::FIELD_MANAGER;
use crate::core::phases::Raises;
use crate::core::pod::{Holder, WorkerHome, prefer_other_nodes};
use crate::core::port::{Check, CheckOutcome, Create, CreateOutcome, Delete, DeleteOutcome, GetPodOutcome, PodId};
use crate::watch::pods::{LeanPod, is_map_task};

const JSON: &str = "application/json";

/// A dry run of the first pod of each template. Strict about unknown fields, as `kubectl apply` is about those that it
/// knows.
pub(super) async fn check(client: &Client, check: &Check, home: Option<&WorkerHome>) -> CheckOutcome {
    let query = format!("?dryRun=All&fieldValidation=Strict&fieldManager={FIELD_MANAGER}");
    let path = format!("{}{query}", collection(&check.key.namespace));
    for blueprint in &check.blueprints {
        let (place, pod) = (blueprint.field(), blueprint.pod_at(blueprint.first(), Raises::NONE, home, Some(0)));
        match send::<IgnoredAny>(client, Method::POST, &path, JSON, Some(&pod)).await.map_err(|e| meaning(&e)) {
            // A name may be free by the time the pod is wanted.
            Ok(_) | Err(Meaning::AlreadyExists) => {}
            Err(Meaning::Quota(message)) => return CheckOutcome::Quota(message),
            Err(Meaning::Invalid(message)) => return CheckOutcome::Invalid(refused(place, &message)),
            Err(meaning @ (Meaning::Refused(_) | Meaning::Failed(_))) => {
                return CheckOutcome::Refused(refused(place, &meaning.words()));
            }
            Err(other) => return CheckOutcome::Indeterminate(other.words()),
        }
    }
    CheckOutcome::Good
}

/// Creates the pod of an attempt. One that is there already is a success, if the task owns it.
pub(super) async fn create(client: &Client, create: &Create, home: Option<&WorkerHome>) -> CreateOutcome {
    let mut pod = create.blueprint.pod_at(create.role, create.memory_raises, home, create.epoch);
    prefer_other_nodes(&mut pod, &create.avoid);
    if let Some(placement) = &create.placement {
        placement.apply(&mut pod);
    }
    let path =
        format!("{}?fieldValidation=Ignore&fieldManager={FIELD_MANAGER}", collection(&create.blueprint.key.namespace));
    match send::<IgnoredAny>(client, Method::POST, &path, JSON, Some(&pod)).await.map_err(|e| meaning(&e)) {
        Ok(_) => CreateOutcome::Created,
        Err(Meaning::AlreadyExists) => whose(client, create).await,
        Err(Meaning::Quota(message)) => CreateOutcome::Quota(message),
        Err(Meaning::Contended) => CreateOutcome::Contended,
        Err(Meaning::Throttled(pause)) => CreateOutcome::Throttled(pause),
        Err(Meaning::Refused(message)) => CreateOutcome::Refused(message),
        Err(Meaning::Invalid(message)) => CreateOutcome::Invalid(message),
        Err(Meaning::NoAnswer(message)) => {
            tracing::debug!(pod = %create.id(), message, "create without an answer");
            CreateOutcome::Indeterminate
        }
        Err(Meaning::NotFound) => {
            CreateOutcome::Failed { message: "the namespace does not exist".to_owned(), may_exist: false }
        }
        Err(Meaning::Failed(message)) => CreateOutcome::Failed { message, may_exist: false },
        // Nobody else writes a pod that is being created: a gateway's doing, which may have passed the request on.
        Err(other @ (Meaning::Indeterminate(_) | Meaning::Conflict)) => {
            CreateOutcome::Failed { message: other.words(), may_exist: true }
        }
    }
}

fn refused(place: &str, message: &str) -> String {
    format!("the API server refuses the first pod of {place}: {message}")
}

async fn whose(client: &Client, create: &Create) -> CreateOutcome {
    let path = object(&create.id());
    match send::<Partial>(client, Method::GET, &path, JSON, None).await {
        Ok(pod) if pod.owner_uid() == Some(&create.blueprint.uid) => CreateOutcome::Created,
        Ok(pod) => CreateOutcome::NameTaken(holder(&pod, &create.blueprint.key.name)),
        Err(_) => CreateOutcome::Indeterminate,
    }
}

/// What to report about a pod of another owner that has the name.
fn holder(pod: &Partial, task: &str) -> Holder {
    let owners = pod.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().find(|owner| owner.controller == Some(true));
    Holder {
        owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
        left_over: owner.is_some_and(|owner| is_map_task(owner) && owner.name == task),
        terminating: pod.metadata.deletion_timestamp.is_some(),
        finalizers: pod.metadata.finalizers.clone().unwrap_or_default(),
    }
}

/// Deletes a pod; one that has ended at once, others with the grace that their template gives.
pub(super) async fn delete(client: &Client, delete: &Delete) -> DeleteOutcome {
    let mut options = json!({
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "preconditions": { "uid": delete.uid },
        "propagationPolicy": "Background",
    });
    if let Some(version) = delete.version {
        options["preconditions"]["resourceVersion"] = json!(version.to_string());
    }
    if delete.ended {
        options["gracePeriodSeconds"] = json!(0);
    }
    let answer = send::<IgnoredAny>(client, Method::DELETE, &object(&delete.id), JSON, Some(&options)).await;
    match answer.map_err(|e| meaning(&e)) {
        Err(Meaning::Conflict) if delete.version.is_some() => DeleteOutcome::Changed,
        // A conflict means that the pod of this name is another one by now.
        Ok(_) | Err(Meaning::NotFound | Meaning::Conflict) => DeleteOutcome::Taken,
        Err(problem) => {
            tracing::debug!(pod = %delete.id, problem = problem.words(), "delete failed, will try again");
            DeleteOutcome::Failed
        }
    }
}

/// Asks whether a pod exists.
pub(super) async fn get(client: &Client, id: &PodId) -> GetPodOutcome {
    match send::<LeanPod>(client, Method::GET, &object(id), JSON, None).await.map_err(|e: Failure| meaning(&e)) {
        Ok(pod) => pod.seen().map_or(GetPodOutcome::NotFound, |pod| GetPodOutcome::Found(Box::new(pod))),
        Err(Meaning::NotFound) => GetPodOutcome::NotFound,
        Err(_) => GetPodOutcome::Indeterminate,
    }
}

fn collection(namespace: &str) -> String {
    format!("/api/v1/namespaces/{namespace}/pods")
}

fn object(id: &PodId) -> String {
    format!("{}/{}", collection(&id.key.namespace), id.pod_name())
}
