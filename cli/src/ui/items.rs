//! Items of a task: a page of them for the table, one with its pods, the last lines of its log.

use http::StatusCode;
use kube::api::LogParams;
use maptask::core::ids::Index;
use maptask::core::phases::ItemPhase;
use serde_json::{Value, json};

use super::reply::Problem;
use super::wire::{self, Extent};
use crate::cluster::Session;
use crate::error::code;
use crate::read::items::WithResults;
use crate::read::logs::{self, Lines, LogPod, Whose, container};
use crate::read::{ItemRow, Items, Selection, Task};

/// Most rows of one answer.
const MOST_ROWS: usize = 500;
/// Last lines of a log, and most bytes of them.
const LINES: i64 = 200;
const LOG_BYTES: i64 = 256 * 1024;
/// Lines of a worker among which those of an item are looked for: it writes those of all its items.
const WORKER_LINES: i64 = 20_000;
const WORKER_BYTES: i64 = 4 * 1024 * 1024;
/// Most pods of one item, or of workers, that are looked at.
const PODS: usize = 50;

/// Items from an index on, in these phases (all, if there are none).
pub async fn page(
    session: &Session,
    task: &Task,
    from: u32,
    limit: usize,
    phases: &[ItemPhase],
) -> Result<Value, Problem> {
    let items = Items::read(session, task).await?;
    let wanted = Selection::new(&[(from, u32::MAX)], phases);
    let mut found: Vec<u32> =
        wanted.of(items.phases()).map(|(index, _)| index.0).take(limit.clamp(1, MOST_ROWS) + 1).collect();
    let next = if found.len() > limit.clamp(1, MOST_ROWS) { found.pop() } else { None };
    let rows = rows(session, task, &items, &found).await?;
    let rows: Vec<Value> = rows.iter().map(|row| wire::item(row, Extent::Cell)).collect();
    Ok(json!({ "items": rows, "next": next, "unknown": items.unknown() }))
}

async fn rows(session: &Session, task: &Task, items: &Items, indexes: &[u32]) -> Result<Vec<ItemRow>, Problem> {
    if indexes.is_empty() {
        return Ok(Vec::new());
    }
    let ranges: Vec<(u32, u32)> = indexes.iter().map(|index| (*index, *index)).collect();
    let mut rows = Vec::with_capacity(indexes.len());
    let mut each = |row| {
        rows.push(row);
        Ok(())
    };
    items.for_each(session, task, &Selection::new(&ranges, &[]), WithResults::Yes, &mut each).await?;
    Ok(rows)
}

/// One item, with the pods that there are.
pub async fn one(session: &Session, task: &Task, index: u32) -> Result<Value, Problem> {
    let items = Items::read(session, task).await?;
    if items.phases().get(Index(index)).is_none() {
        return Err(no_item(index));
    }
    let row = rows(session, task, &items, &[index]).await?.into_iter().next().ok_or_else(|| no_item(index))?;
    let mut item = wire::item(&row, Extent::Whole);
    item["unknown"] = json!(items.unknown());
    // Of a worker's pod nobody knows which items it has had.
    let pods =
        if task.spec.workers.is_some() { Vec::new() } else { pods(session, task, index).await.unwrap_or_default() };
    item["pods"] = pods.iter().map(pod_json).collect();
    Ok(item)
}

fn no_item(index: u32) -> Problem {
    Problem::not_found(format!("there is no item {index}"))
}

/// The last pods of an item, or of workers: as many as are looked at.
async fn pods(session: &Session, task: &Task, index: u32) -> Result<Vec<LogPod>, kube::Error> {
    let mut pods = logs::pods(session, task, Some(index)).await?;
    pods.drain(..pods.len().saturating_sub(PODS));
    Ok(pods)
}

fn pod_json(pod: &LogPod) -> Value {
    let attempt = match pod.of {
        Whose::Attempt(_, attempt) => attempt,
        Whose::Worker(number) => number,
    };
    json!({ "name": pod.name, "phase": pod.phase, "node": pod.node, "attempt": attempt })
}

/// The last lines of an item's log, or why there are none.
pub async fn log(session: &Session, task: &Task, index: u32) -> Result<Value, Problem> {
    let found = match &task.spec.workers {
        Some(_) => worker_lines(session, task, index).await,
        None => own_lines(session, task, index).await,
    };
    match found {
        Ok(found) => Ok(found),
        Err(problem) if problem.status == StatusCode::FORBIDDEN => {
            Ok(nothing(&format!("you may not read it: {}", problem.failure.message)))
        }
        Err(problem) => Err(problem),
    }
}

fn nothing(note: &str) -> Value {
    json!({ "pod": null, "container": null, "lines": [], "note": note })
}

async fn own_lines(session: &Session, task: &Task, index: u32) -> Result<Value, Problem> {
    let pods = pods(session, task, index).await?;
    let Some(pod) = pods.last() else {
        return Ok(nothing(
            "No pod of this item exists. Finished pods go a minute after their end (spec.finishedPods).",
        ));
    };
    let container = container(task);
    let params = LogParams {
        container: container.clone(),
        tail_lines: Some(LINES),
        limit_bytes: Some(LOG_BYTES),
        ..LogParams::default()
    };
    match lines(session, pod, &params, index).await {
        Ok(lines) => {
            let note = if lines.is_empty() { json!("The log is empty.") } else { Value::Null };
            Ok(json!({ "pod": pod.name, "container": container, "lines": lines, "note": note }))
        }
        // A container that has not started has none.
        Err(problem) if problem.status == StatusCode::BAD_GATEWAY => Ok(nothing(&problem.failure.message)),
        Err(problem) => Err(problem),
    }
}

async fn worker_lines(session: &Session, task: &Task, index: u32) -> Result<Value, Problem> {
    for pod in pods(session, task, index).await?.iter().rev() {
        let params = LogParams {
            container: container(task),
            tail_lines: Some(WORKER_LINES),
            limit_bytes: Some(WORKER_BYTES),
            ..LogParams::default()
        };
        let found = lines(session, pod, &params, index).await;
        let Ok(mut lines) = found else { continue };
        if !lines.is_empty() {
            let most = usize::try_from(LINES).unwrap_or(0);
            lines.drain(..lines.len().saturating_sub(most));
            return Ok(json!({ "pod": pod.name, "container": params.container, "lines": lines, "note": null }));
        }
    }
    Ok(nothing("No worker that still exists has lines of this item among its last ones."))
}

/// The lines of an item in a pod's log.
async fn lines(session: &Session, pod: &LogPod, params: &LogParams, index: u32) -> Result<Vec<String>, Problem> {
    let mut reader = Lines::open(session, &pod.name, params).await.map_err(|error| match code(&error) {
        Some(400) => Problem::new(StatusCode::BAD_GATEWAY, crate::error::Failure::from(error).message),
        _ => error.into(),
    })?;
    let mut found = Vec::new();
    while let Some(line) = reader.next().await? {
        let of_item = pod.line(&line).filter(|(item, _)| *item == index);
        found.extend(of_item.map(|(_, line)| String::from_utf8_lossy(line).into_owned()));
    }
    Ok(found)
}
