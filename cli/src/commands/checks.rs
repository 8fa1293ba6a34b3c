//! The checks of `doctor`. What the user may not see is skipped, and said.

use std::collections::BTreeSet;

use jiff::Timestamp;
use maptask::core::quantity::Quantity;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cluster::Session;
use crate::error::{Failure, code};
use crate::read::Task;
use crate::read::list::{Scope, Tasks};
use crate::read::waiting::{is_steady, to_do};
use crate::terminal::words::{counted, seconds_between, short};

const JSON: &str = "application/json";
/// Seconds after which a lease that nobody has renewed means that nobody leads.
const LEASE_SECONDS: u64 = 60;
/// Most fields that are named.
const NAMED: usize = 6;

/// What a check has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked, in a word.
    pub name: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub message: String,
    /// What to do about it.
    pub to_do: Option<String>,
}

/// How a check has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Ok,
    /// Not known, for want of a right.
    Skip,
    /// Something is wrong.
    Fail,
}

impl Verdict {
    /// The word, four characters wide.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok  ",
            Self::Skip => "skip",
            Self::Fail => "FAIL",
        }
    }
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, verdict: Verdict::Ok, message: message.into(), to_do: None }
    }

    fn skip(name: &'static str, message: impl Into<String>) -> Self {
        Self { verdict: Verdict::Skip, ..Self::ok(name, message) }
    }

    /// Something is wrong, and this is to be done.
    pub fn fail(name: &'static str, message: impl Into<String>, to_do: impl Into<String>) -> Self {
        Self { verdict: Verdict::Fail, to_do: Some(to_do.into()), ..Self::ok(name, message) }
    }
}

async fn post<T: Serialize>(session: &Session, path: &str, body: &T) -> Result<Value, kube::Error> {
    let body = serde_json::to_vec(body).map_err(kube::Error::SerdeError)?;
    let request = http::Request::post(path).header(http::header::CONTENT_TYPE, JSON).body(body);
    session.client.request(request.map_err(kube::Error::HttpError)?).await
}

/// What a right is missing for, or another error.
fn not_seen(name: &'static str, what: &str, error: kube::Error) -> Check {
    match code(&error) {
        Some(403) => Check::skip(name, format!("no right to {what}")),
        _ => Check::fail(name, Failure::from(error).message, "try again; look at the API server"),
    }
}

/// The API server answers, and says who the user is. The only check without which there are no others.
pub async fn cluster(session: &Session) -> Result<Check, Failure> {
    let version: Value = session.get("/version", JSON).await?;
    let review = json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview" });
    let who = post(session, "/apis/authentication.k8s.io/v1/selfsubjectreviews", &review).await;
    let who = who.ok().and_then(|review| review["status"]["userInfo"]["username"].as_str().map(str::to_owned));
    let who = who.map(|who| format!(", as {who}")).unwrap_or_default();
    let minor = version["gitVersion"].as_str().unwrap_or("of unknown version").trim_start_matches('v').to_owned();
    let text = format!("{}, Kubernetes {minor}{who} in {}", session.server, session.namespace);
    Ok(match session.check_namespace().await {
        Ok(()) => Check::ok("cluster", text),
        Err(failure) => Check::fail("cluster", failure.message, failure.hint.unwrap_or_default()),
    })
}

/// The CRD knows every field of this client. Read from the API's own description, which every user may read.
pub async fn crd(session: &Session) -> Check {
    let found: Value = match session.get("/openapi/v3/apis/maptask.dev/v1alpha1", JSON).await {
        Ok(found) => found,
        Err(error) if code(&error) == Some(404) => {
            return Check::fail(
                "CRD",
                "the cluster does not know MapTasks",
                "install the operator: docs/operations/install.md",
            );
        }
        Err(error) => return not_seen("CRD", "read the API's description", error),
    };
    let missing = missing(&found);
    if missing.is_empty() {
        let version = env!("CARGO_PKG_VERSION");
        return Check::ok("CRD", format!("v1alpha1, knows every field that this client ({version}) uses"));
    }
    let named: Vec<&str> = missing.iter().take(NAMED).map(String::as_str).collect();
    let more = missing.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("an older one, without {}{more}", named.join(", "));
    Check::fail(
        "CRD",
        text,
        "helm upgrade the operator, or kubectl apply --server-side --force-conflicts -f crds/maptasks.yaml",
    )
}

/// Fields of spec and status that the cluster's description lacks.
fn missing(openapi: &Value) -> Vec<String> {
    let schemas = openapi["components"]["schemas"].as_object();
    let of_kind = |schema: &&Value| {
        let kinds = schema["x-kubernetes-group-version-kind"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] == "MapTask"))
    };
    let Some(theirs) = schemas.and_then(|schemas| schemas.values().find(of_kind)) else { return Vec::new() };
    let ours = serde_json::to_value(maptask::api::crd()).unwrap_or_default();
    let ours = &ours["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut known = BTreeSet::new();
    paths("", theirs, &mut known);
    let mut used = BTreeSet::new();
    paths("", ours, &mut used);
    let is_new =
        |path: &&String| !known.contains(*path) && ["spec.", "status."].iter().any(|half| path.starts_with(half));
    let missing: Vec<String> = used.iter().filter(is_new).cloned().collect();
    // Of a field that is missing, its own fields are as well.
    let is_top = |path: &&String| !missing.iter().any(|other| path.starts_with(&format!("{other}.")));
    missing.iter().filter(is_top).cloned().collect()
}

fn paths(place: &str, schema: &Value, found: &mut BTreeSet<String>) {
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        // A pod template is Kubernetes' own.
        if name != "template" && path != "metadata" {
            paths(&path, inner, found);
        }
        found.insert(path);
    }
}

/// Of these Deployments, the one whose operator watches a namespace. Its container's arguments say so.
fn watching<'a>(deployments: &'a [Value], namespace: &str) -> Option<&'a Value> {
    deployments.iter().find(|deployment| {
        let containers = deployment["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten();
        let args = containers.filter(|container| container["name"] == "operator").map(|container| &container["args"]);
        let mut args = args.filter_map(Value::as_array).flatten().filter_map(Value::as_str);
        let names = args.find_map(|arg| arg.strip_prefix("--namespace=")).unwrap_or_default();
        names.is_empty() || names.split(',').any(|name| name.trim() == namespace)
    })
}

/// The Deployment of the operator that watches the namespace is ready, and one of its pods leads.
pub async fn operator(session: &Session, now: Timestamp) -> Check {
    let path = "/apis/apps/v1/deployments?labelSelector=maptask.dev%2Fcomponent%3Doperator&limit=500";
    let found: Value = match session.get(path, JSON).await {
        Ok(found) => found,
        Err(error) => return not_seen("operator", "list deployments of all namespaces", error),
    };
    let deployments = found["items"].as_array().cloned().unwrap_or_default();
    if deployments.is_empty() {
        return Check::fail(
            "operator",
            "no Deployment of it in any namespace",
            "helm install maptask-operator …: docs/operations/install.md",
        );
    }
    let Some(deployment) = watching(&deployments, &session.namespace) else {
        return Check::fail(
            "operator",
            format!("no operator watches namespace {}", session.namespace),
            "add it to watchNamespaces of the chart: docs/operations/install.md",
        );
    };
    let metadata = &deployment["metadata"];
    let (namespace, name) = (metadata["namespace"].as_str().unwrap_or("?"), metadata["name"].as_str().unwrap_or("?"));
    let version = metadata["labels"]["app.kubernetes.io/version"].as_str().unwrap_or("unknown").to_owned();
    let wanted = deployment["spec"]["replicas"].as_i64().unwrap_or(1);
    let ready = deployment["status"]["readyReplicas"].as_i64().unwrap_or(0);
    let text = format!("{version}, {ready} of {} ready in {namespace}", counted(wanted, "replica", "replicas"));
    if ready == 0 {
        return Check::fail(
            "operator",
            text,
            format!("kubectl -n {namespace} describe pods -l maptask.dev/component=operator"),
        );
    }
    let lease = format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}");
    let leader = match session.get::<Value>(&lease, JSON).await {
        Ok(lease) => leading(&lease["spec"], now),
        // Most users may not look.
        Err(_) => Ok(String::new()),
    };
    let client = env!("CARGO_PKG_VERSION");
    match leader {
        Err(silence) => Check::fail(
            "operator",
            format!("{text}, but {silence}"),
            format!("kubectl -n {namespace} logs deploy/{name}"),
        ),
        Ok(leader) if version == client => Check::ok("operator", format!("{text}{leader}")),
        Ok(leader) => Check::ok("operator", format!("{text}{leader}; this client is {client}")),
    }
}

/// Since when somebody leads, or that nobody does.
fn leading(lease: &Value, now: Timestamp) -> Result<String, String> {
    let time = |name: &str| lease[name].as_str().and_then(|text| text.parse::<Timestamp>().ok());
    let Some(renewed) = time("renewTime") else { return Ok(String::new()) };
    let silence = seconds_between(renewed, now);
    if silence > LEASE_SECONDS {
        return Err(format!("nobody has led for {}", short(silence)));
    }
    let since = time("acquireTime").map(|since| short(seconds_between(since, now)));
    Ok(since.map(|since| format!(", leader since {since}")).unwrap_or_default())
}

/// What the user may do. Who may only read is well, as long as all can be read.
pub async fn rights(session: &Session) -> Check {
    const READ: [(&str, &str, &str, &str); 6] = [
        ("maptask.dev", "maptasks", "", "get"),
        ("maptask.dev", "maptasks", "", "list"),
        ("maptask.dev", "maptasks", "", "watch"),
        ("", "pods", "", "list"),
        ("", "pods", "log", "get"),
        ("", "configmaps", "", "get"),
    ];
    const WRITE: [(&str, &str, &str, &str); 4] = [
        ("maptask.dev", "maptasks", "", "create"),
        ("maptask.dev", "maptasks", "", "patch"),
        ("maptask.dev", "maptasks", "", "delete"),
        ("", "configmaps", "", "create"),
    ];
    let mut denied = [Vec::new(), Vec::new()];
    for (place, rights) in [READ.as_slice(), WRITE.as_slice()].into_iter().enumerate() {
        for (group, resource, subresource, verb) in rights {
            let attributes = json!({ "namespace": session.namespace, "group": group, "resource": resource,
                "subresource": subresource, "verb": verb });
            let review = json!({ "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
                "spec": { "resourceAttributes": attributes } });
            match post(session, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &review).await {
                Ok(answer) if answer["status"]["allowed"] == true => {}
                Ok(_) => {
                    denied[place].push(format!("{verb} {}", [*resource, *subresource].join("/").trim_end_matches('/')));
                }
                Err(error) => return not_seen("rights", "ask for your rights", error),
            }
        }
    }
    let [reading, writing] = denied;
    if !reading.is_empty() {
        let text = format!("you may not {}", reading.join(", "));
        return Check::fail("rights", text, format!("ask for the role view or edit in {}", session.namespace));
    }
    if writing.is_empty() {
        return Check::ok("rights", "maptasks: create patch delete; pods, logs, configmaps: read");
    }
    Check::ok("rights", format!("read all; you may not {}", writing.join(", ")))
}

/// Quotas of the namespace that are full.
pub async fn quotas(session: &Session) -> Check {
    let path = format!("/api/v1/namespaces/{}/resourcequotas?limit=50", session.namespace);
    let found: Value = match session.get(&path, JSON).await {
        Ok(found) => found,
        Err(error) => return not_seen("quotas", "list resourcequotas", error),
    };
    let quotas = found["items"].as_array().cloned().unwrap_or_default();
    let full: Vec<String> = quotas.iter().flat_map(full).collect();
    if !full.is_empty() {
        return Check::fail(
            "quotas",
            full.join("; "),
            "items wait until pods end: ask for a larger quota, or request less",
        );
    }
    let count = i64::try_from(quotas.len()).unwrap_or(0);
    Check::ok(
        "quotas",
        if count == 0 { "none".to_owned() } else { format!("{}, none is full", counted(count, "quota", "quotas")) },
    )
}

fn full(quota: &Value) -> Vec<String> {
    let name = quota["metadata"]["name"].as_str().unwrap_or("?");
    let hard = quota["status"]["hard"].as_object().cloned().unwrap_or_default();
    let is_full = |resource: &String, hard: &Value| {
        let amount = |value: &Value| value.as_str().and_then(Quantity::parse);
        match (amount(&quota["status"]["used"][resource]), amount(hard)) {
            (Some(used), Some(hard)) => used >= hard,
            _ => false,
        }
    };
    let full = hard.iter().filter(|(resource, hard)| is_full(resource, hard));
    full.map(|(resource, hard)| format!("{name} is full: {resource} {}", hard.as_str().unwrap_or("?"))).collect()
}

/// Most tasks that no operator seems to have seen and that are looked at.
const MOST_UNSEEN: usize = 20;

/// Tasks of the namespace that wait for something that does not pass by itself.
pub async fn tasks(session: &Session, now: Timestamp) -> Check {
    let asked = Tasks { session: session.clone(), scope: Scope::Namespace, selector: None };
    let tasks = match asked.read().await {
        Ok(snapshot) => snapshot.tasks,
        Err(error) => return Check::skip("tasks", Failure::from(error).message),
    };
    let unseen = tasks.iter().filter(|task| task.phase == "Pending" && task.ended.is_none() && task.reason.is_empty());
    let late = unseen.filter(|task| task.created.is_some_and(|made| seconds_between(made, now) > 10));
    let mut unseen = Vec::new();
    for name in late.map(|task| task.name.as_str()).take(MOST_UNSEEN) {
        // The table does not say who manages a task.
        let is_others = Task::get(session, name).await.is_ok_and(|task| !task.spec.is_ours());
        unseen.extend((!is_others).then_some(name));
    }
    if !unseen.is_empty() {
        return Check::fail(
            "tasks",
            format!("no operator has seen {}", unseen.join(", ")),
            "look at the operator's log; does it watch this namespace?",
        );
    }
    let blocked: Vec<_> = tasks
        .iter()
        .filter(|task| !task.has_ended() && !task.reason.is_empty() && !is_steady(&task.reason))
        .filter(|task| !to_do(&task.reason).is_some_and(|text| text.starts_with("nothing")))
        .collect();
    let Some(first) = blocked.first() else {
        let running = tasks.iter().filter(|task| !task.has_ended()).count();
        return Check::ok(
            "tasks",
            format!("{}, none is blocked", counted(i64::try_from(running).unwrap_or(0), "task", "tasks")),
        );
    };
    let others: Vec<String> = blocked.iter().map(|task| format!("{} waits: {}", task.name, task.reason)).collect();
    let text = to_do(&first.reason).map_or_else(|| format!("kubectl maptask status {}", first.name), str::to_owned);
    Check::fail("tasks", others.join("; "), text)
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
