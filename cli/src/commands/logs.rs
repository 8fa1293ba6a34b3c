//! `logs`: of an item, whatever ran it, or of all failed ones.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use kube::api::LogParams;
use maptask::core::ids::Index;
use maptask::core::phases::ItemPhase;

use super::{log_args::Args, log_follow};
use crate::app::App;
use crate::cluster::Session;
use crate::error::{Exit, Failure, code};
use crate::read::logs::{Lines, LogPod, Tail, Whose, pods};
use crate::read::selection::Selection;
use crate::read::task::{Task, name_of};
use crate::terminal::words::counted;

/// Logs that are read at the same time.
const AT_ONCE: usize = 8;
/// Lines of each failed attempt, if --tail does not say.
const FAILED_TAIL: i64 = 20;
/// Most bytes of a failed attempt's log that are read.
const FAILED_BYTES: i64 = 1 << 20;

/// Runs it.
pub async fn run(app: &mut App, args: &Args) -> Result<Exit, Failure> {
    let name = name_of(&args.name)?;
    let task = Task::get(&app.session, &name).await?;
    let shared = task.spec.workers.as_ref();
    if shared.is_some_and(|workers| !workers.prefix_log) {
        return Err(Failure::new(
            "the lines of its workers do not say which item they are of (workers.prefixLog: false)",
        )
        .hint(format!("read the whole logs: kubectl logs -l maptask.dev/name={name} --tail=-1")));
    }
    let Some(index) = args.index else { return failed(app, args, &task).await };
    if task.count().is_some_and(|count| index >= count) {
        let last = task.count().unwrap_or(0).saturating_sub(1);
        return Err(Failure::new(format!("{name} has no item {index}")).hint(format!("its items are 0 to {last}")));
    }
    if args.follow {
        return log_follow::run(app, args, task, index).await;
    }
    app.page();
    let found = pods(&app.session, &task, Some(index)).await?;
    let (mut shown, mut read) = (0_usize, 0_usize);
    let mut problem = None;
    for pod in found.iter().filter(|pod| args.wants(pod)) {
        match Lines::open(&app.session, &pod.name, &args.params(&task, pod)).await {
            Ok(mut lines) => {
                shown += usize::from(one(app, args, pod, index, &mut lines).await?);
                read += 1;
            }
            Err(error) => problem = Some((pod.name.clone(), error)),
        }
    }
    app.out.flush()?;
    if shown > 0 {
        return Ok(Exit::Done);
    }
    Err(gone(&task, index, read, problem))
}

/// Writes the lines of a pod that are of the item; whether there were any, or the pod is the item's own.
async fn one(app: &mut App, args: &Args, pod: &LogPod, index: u32, lines: &mut Lines) -> Result<bool, Failure> {
    let mut any = matches!(pod.of, Whose::Attempt(..));
    let mut kept = Tail::default();
    // Of a worker the server can't count the lines of one item.
    let limit = args.tail.filter(|_| !any).map(|tail| usize::try_from(tail).unwrap_or(usize::MAX));
    while let Some(line) = lines.next().await? {
        let Some((of, line)) = pod.line(&line) else { continue };
        if of != index {
            continue;
        }
        any = true;
        let Some(limit) = limit else {
            app.out.log(&args.prefix(pod, index, 0), line)?;
            continue;
        };
        kept.add(line, limit);
    }
    kept.lines().try_for_each(|line| app.out.log(&args.prefix(pod, index, 0), &line))?;
    Ok(any)
}

/// Why there is no log, with what the task knows instead. `read`: logs of workers that have no line of the item.
fn gone(task: &Task, index: u32, read: usize, problem: Option<(String, kube::Error)>) -> Failure {
    if let Some((pod, error)) = problem
        && code(&error) != Some(404)
    {
        return Failure::from(error).at(&format!("pod {pod}"));
    }
    let name = task.name();
    let phase = task.decode().ok().flatten().and_then(|(phases, _)| phases.get(Index(index)));
    let failure = Failure::new(format!("no log of item {index} of {name}"));
    match phase {
        _ if read > 0 => failure.hint("it wrote nothing, or the worker that ran it is gone"),
        Some(ItemPhase::Pending) => failure.hint(format!("it has not started: kubectl maptask status {name}")),
        Some(ItemPhase::Cached) => failure.hint("its result came from the cache, so that nothing ran"),
        Some(ItemPhase::Failed) => failure.hint(format!(
            "its pod is gone; the failures have a message of each group: kubectl maptask failures {name}"
        )),
        _ => failure.hint("its pod is gone: finished pods stay for a minute, some longer (spec.finishedPods)"),
    }
}

/// The log of one pod, as far as it is of failed items.
type Found = (LogPod, Vec<(u32, Vec<u8>)>);

/// The logs of all failed items that are still there, in the order of the items.
async fn failed(app: &mut App, args: &Args, task: &Task) -> Result<Exit, Failure> {
    let Some((phases, _)) = task.decode()? else {
        app.talk.say(format!("{} has not been accepted: no item has failed", task.name()));
        return Ok(Exit::Done);
    };
    let selection = Selection::new(&[], &[ItemPhase::Failed]);
    let count = phases.counts().failed;
    let is_failed = |index: u32| phases.get(Index(index)).is_some_and(|phase| selection.has(Index(index), phase));
    let wanted = |pod: &LogPod| match pod.of {
        Whose::Attempt(index, _) => is_failed(index),
        Whose::Worker(_) => true,
    };
    let found: Vec<LogPod> = pods(&app.session, task, None).await?.into_iter().filter(wanted).collect();
    let width = phases.count().get().to_string().len() + 3;
    app.page();
    let (session, tail) = (app.session.clone(), args.tail.unwrap_or(FAILED_TAIL));
    let read = |pod: LogPod| read_failed(&session, args, task, tail, pod, &is_failed);
    let mut logs = stream::iter(found).map(read).buffered(AT_ONCE);
    let mut items = BTreeSet::new();
    while let Some((pod, lines)) = logs.next().await.transpose()? {
        for (index, line) in lines {
            app.out.log(&args.prefix(&pod, index, width), &line)?;
            items.insert(index);
        }
        if let Whose::Attempt(index, _) = pod.of {
            items.insert(index);
        }
    }
    app.out.flush()?;
    let exist = items.len();
    app.talk.say(format!("logs of {exist} of {} exist", counted(count, "failed item", "failed items")));
    if count > 0 && exist == 0 {
        let hint = format!("the failures have a message of each group: kubectl maptask failures {}", task.name());
        return Err(Failure::new("the pods of the failed items are gone").hint(hint));
    }
    Ok(Exit::Done)
}

/// The last lines of each failed item in a pod's log. A pod that is gone has none.
async fn read_failed(
    session: &Session,
    args: &Args,
    task: &Task,
    tail: i64,
    pod: LogPod,
    is_failed: &(dyn Fn(u32) -> bool + Sync),
) -> Result<Found, Failure> {
    let mut params = args.params(task, &pod);
    if matches!(pod.of, Whose::Attempt(..)) {
        params = LogParams { tail_lines: Some(tail), limit_bytes: Some(FAILED_BYTES), ..params };
    }
    let mut lines = match Lines::open(session, &pod.name, &params).await {
        Ok(lines) => lines,
        Err(error) if matches!(code(&error), Some(400 | 404)) => return Ok((pod, Vec::new())),
        Err(error) => return Err(Failure::from(error).at(&format!("pod {}", pod.name))),
    };
    let most = usize::try_from(tail).unwrap_or(usize::MAX);
    let mut by_item: BTreeMap<u32, Tail> = BTreeMap::new();
    while let Some(line) = lines.next().await? {
        let Some((index, line)) = pod.line(&line).filter(|(index, _)| is_failed(*index)) else { continue };
        by_item.entry(index).or_default().add(line, most);
    }
    let lines = by_item.into_iter().flat_map(|(index, tail)| tail.lines().map(move |line| (index, line)));
    Ok((pod, lines.collect()))
}
