//! Sees every version of a namespace's pods and tasks, past the proxy, and keeps them in the order of their making.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::http::Request;
use futures::StreamExt;
use kube::Client;
use kube::core::WatchEvent;
use maptask::api::status::MapTaskStatus;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::kubelet::now_nanos;
use crate::runs::TASK;

/// Stands for the reduce where an item has its index.
pub const REDUCE: u32 = u32::MAX;
/// Stands for a worker in the same place.
const WORKER: u32 = u32::MAX - 1;

/// How a version came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Added,
    Modified,
    Deleted,
    /// Found by a list after the watch had missed something: when it came to be is not known.
    Listed,
}

/// A version of a pod.
#[derive(Clone, Debug)]
pub struct PodVersion {
    pub version: u64,
    pub change: Change,
    pub name: String,
    pub uid: String,
    pub index: u32,
    pub attempt: u32,
    pub phase: String,
    pub deleting: bool,
    pub message: Option<String>,
}

impl PodVersion {
    pub fn is_live(&self) -> bool {
        self.change != Change::Deleted && self.phase != "Succeeded" && self.phase != "Failed"
    }
}

/// A version of a task.
#[derive(Clone, Debug)]
pub struct TaskVersion {
    pub version: u64,
    /// When it was seen, in nanoseconds since 1970.
    pub seen: u128,
    pub status: MapTaskStatus,
    pub gone: bool,
}

/// All that was seen.
#[derive(Default)]
pub struct Log {
    pub pods: Vec<PodVersion>,
    /// Those of workers.
    pub workers: Vec<PodVersion>,
    pub tasks: Vec<TaskVersion>,
    /// Pods of another task, which is to have none.
    pub strays: Vec<String>,
    /// Watches that missed something.
    pub gaps: usize,
}

/// The two watches, until it is dropped.
pub struct Witness {
    log: Arc<Mutex<Log>>,
    watches: [JoinHandle<()>; 2],
}

type Note = fn(&mut Log, Change, u64, &Value);

impl Witness {
    /// Watches from now on: what is there must be nothing.
    pub async fn start(client: &Client, namespace: &str) -> Self {
        let log: Arc<Mutex<Log>> = Arc::default();
        let pods = format!("/api/v1/namespaces/{namespace}/pods?labelSelector=maptask.dev/name");
        let tasks = format!("/apis/maptask.dev/v1alpha1/namespaces/{namespace}/maptasks?");
        let mut watches = Vec::new();
        for (path, note) in [(pods, note_pod as Note), (tasks, note_task as Note)] {
            // A kind that was made a moment ago is not served at once.
            let (first, items) = loop {
                match list(client, &path).await {
                    Ok(answer) => break answer,
                    Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
                }
            };
            assert!(items.is_empty(), "{path} has something before the run");
            watches.push(tokio::spawn(watch(client.clone(), path, first, Arc::clone(&log), note)));
        }
        Self { log, watches: watches.try_into().unwrap() }
    }

    pub fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.watches.iter().for_each(JoinHandle::abort);
    }
}

/// The version of a list and what is in it.
pub async fn list(client: &Client, path: &str) -> Result<(u64, Vec<Value>), kube::Error> {
    let request = Request::get(path).body(Vec::new()).unwrap();
    let mut list: Value = client.request(request).await?;
    let version = version_of(&list);
    let items = list["items"].as_array_mut().map(std::mem::take).unwrap_or_default();
    Ok((version, items))
}

fn version_of(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().and_then(|version| version.parse().ok()).unwrap_or(0)
}

fn uid_of(object: &Value) -> String {
    object["metadata"]["uid"].as_str().unwrap_or_default().to_owned()
}

async fn watch(client: Client, path: String, first: u64, log: Arc<Mutex<Log>>, note: Note) {
    let (mut last, mut there) = (first, BTreeMap::<String, Value>::new());
    loop {
        if let Err(problem) = follow(&client, &path, &mut last, &mut there, &log, note).await {
            tokio::time::sleep(Duration::from_millis(50)).await;
            // What is between can't be had any more. Anything else, and the watch is resumed.
            if !matches!(problem, Some(410)) {
                continue;
            }
            let Ok((version, items)) = list(&client, &path).await else { continue };
            let mut log = log.lock().unwrap();
            log.gaps += 1;
            let now: BTreeMap<String, Value> = items.into_iter().map(|item| (uid_of(&item), item)).collect();
            for (uid, object) in &there {
                if !now.contains_key(uid) {
                    note(&mut log, Change::Deleted, version, object);
                }
            }
            for (uid, object) in &now {
                if there.get(uid).map(version_of) != Some(version_of(object)) {
                    note(&mut log, Change::Listed, version_of(object), object);
                }
            }
            (last, there) = (version, now);
        }
    }
}

fn code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}

/// Follows one watch to its end; the API server's code if it breaks off.
async fn follow(
    client: &Client,
    path: &str,
    last: &mut u64,
    there: &mut BTreeMap<String, Value>,
    log: &Mutex<Log>,
    note: Note,
) -> Result<(), Option<u16>> {
    let uri = format!("{path}&watch=true&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion={last}");
    let request = Request::get(uri).body(Vec::new()).unwrap();
    let events = client.request_events::<Value>(request).await.map_err(|error| code(&error))?;
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        let (change, object) = match event.map_err(|error| code(&error))? {
            WatchEvent::Added(object) => (Change::Added, object),
            WatchEvent::Modified(object) => (Change::Modified, object),
            WatchEvent::Deleted(object) => (Change::Deleted, object),
            WatchEvent::Bookmark(mark) => {
                *last = mark.metadata.resource_version.parse().unwrap_or(*last);
                continue;
            }
            WatchEvent::Error(status) => return Err(Some(status.code)),
        };
        *last = version_of(&object);
        note(&mut log.lock().unwrap(), change, *last, &object);
        if change == Change::Deleted {
            there.remove(&uid_of(&object));
        } else {
            there.insert(uid_of(&object), object);
        }
    }
    Ok(())
}

fn note_pod(log: &mut Log, change: Change, version: u64, object: &Value) {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    let (labels, name) = (&metadata["labels"], metadata["name"].as_str().unwrap().to_owned());
    if labels["maptask.dev/name"] != TASK {
        return log.strays.push(name);
    }
    let number = |label: &str| match labels[label].as_str() {
        Some("reduce") => Some(REDUCE),
        Some("worker") => Some(WORKER),
        text => text.and_then(|n| n.parse().ok()),
    };
    let pod = PodVersion {
        version,
        change,
        name,
        uid: uid_of(object),
        index: number("maptask.dev/index").expect("a pod of a task has its index"),
        attempt: number("maptask.dev/attempt").expect("a pod of a task has its attempt"),
        phase: status["phase"].as_str().unwrap_or_default().to_owned(),
        deleting: metadata["deletionTimestamp"].is_string(),
        message: status["containerStatuses"][0]["state"]["terminated"]["message"].as_str().map(str::to_owned),
    };
    if pod.index == WORKER { log.workers.push(pod) } else { log.pods.push(pod) }
}

fn note_task(log: &mut Log, change: Change, version: u64, object: &Value) {
    if object["metadata"]["name"] != TASK {
        return;
    }
    let status = serde_json::from_value(object["status"].clone()).unwrap_or_default();
    log.tasks.push(TaskVersion { version, seen: now_nanos(), status, gone: change == Change::Deleted });
}
