//! `logs -f`: until the item has ended, over all its attempts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{BoxStream, SelectAll};
use kube::api::LogParams;
use maptask::core::ids::Index;

use super::log_args::Args;
use crate::app::App;
use crate::error::{Exit, Failure, code};
use crate::follow::interrupted;
use crate::read::Task;
use crate::read::logs::{Lines, LogPod, pods};

/// Between two looks for pods of the item.
const LOOK: Duration = Duration::from_secs(1);
/// Most logs that are followed at a time.
const MOST: usize = 50;

type Followed = SelectAll<BoxStream<'static, Result<(LogPod, Vec<u8>), Failure>>>;

/// Follows an item's log to its end.
pub(super) async fn run(app: &mut App, args: &Args, mut task: Task, index: u32) -> Result<Exit, Failure> {
    let (mut known, mut shown) = (BTreeSet::new(), BTreeMap::new());
    let mut logs: Followed = SelectAll::new();
    let stop = interrupted();
    tokio::pin!(stop);
    let mut look = tokio::time::interval(LOOK);
    let mut was_over = false;
    loop {
        tokio::select! {
            Some(line) = logs.next(), if !logs.is_empty() => {
                let (pod, line) = line?;
                if let Some((_, text)) = pod.line(&line).filter(|(of, _)| *of == index) {
                    app.out.log("", text)?;
                    app.out.flush()?;
                    *shown.entry(pod.name.clone()).or_insert(0) += 1;
                }
            }
            _ = look.tick() => {
                let shared = task.spec.workers.is_some();
                if was_over && (logs.is_empty() || shared) {
                    drop(logs);
                    if shared {
                        rest(app, args, &task, index, &known, shown).await?;
                    }
                    return Ok(Exit::Done);
                }
                task = Task::get(&app.session, task.name()).await?;
                was_over = is_over(&task, index)?;
                // After the end was seen, so that the pod of a short item is found.
                attach(app, args, &task, index, &mut known, &mut logs).await?;
            }
            () = &mut stop => return Ok(Exit::Interrupted),
        }
    }
}

/// Writes what the logs of workers have of the item beyond the lines that were shown: the log of a worker does not end
/// with its item, so that nothing says when it has come so far.
async fn rest(
    app: &mut App,
    args: &Args,
    task: &Task,
    index: u32,
    known: &BTreeSet<String>,
    mut shown: BTreeMap<String, usize>,
) -> Result<(), Failure> {
    for pod in pods(&app.session, task, Some(index)).await?.iter().filter(|pod| known.contains(&pod.name)) {
        // Gone by now: it was followed.
        let Ok(mut lines) = Lines::open(&app.session, &pod.name, &args.params(task, pod)).await else { continue };
        let before = shown.remove(&pod.name).unwrap_or(0);
        let mut number = 0;
        while let Some(line) = lines.next().await? {
            let Some((_, text)) = pod.line(&line).filter(|(of, _)| *of == index) else { continue };
            number += 1;
            if number > before {
                app.out.log("", text)?;
            }
        }
    }
    app.out.flush()
}

/// Whether the item runs no more.
fn is_over(task: &Task, index: u32) -> Result<bool, Failure> {
    let phase = task.decode()?.and_then(|(phases, _)| phases.get(Index(index)));
    Ok(phase.is_some_and(maptask::core::phases::ItemPhase::is_terminal) || task.is_settled())
}

/// Follows the logs of pods that have begun since the last look.
async fn attach(
    app: &App,
    args: &Args,
    task: &Task,
    index: u32,
    known: &mut BTreeSet<String>,
    logs: &mut Followed,
) -> Result<(), Failure> {
    for pod in pods(&app.session, task, Some(index)).await? {
        if pod.phase == "Pending" || known.contains(&pod.name) || !args.wants(&pod) {
            continue;
        }
        known.insert(pod.name.clone());
        if known.len() > MOST {
            app.talk.say(format!("{} is not followed: {MOST} pods are", pod.name));
            continue;
        }
        let params = LogParams { follow: true, ..args.params(task, &pod) };
        match Lines::open(&app.session, &pod.name, &params).await {
            Ok(lines) => {
                let of = pod.clone();
                let lines = lines.stream().map(move |line| line.map(|line| (of.clone(), line)));
                logs.push(lines.boxed());
            }
            // Its container has not begun: at the next look.
            Err(error) if code(&error) == Some(400) => {
                known.remove(&pod.name);
            }
            Err(error) if code(&error) == Some(404) => {}
            Err(error) => return Err(Failure::from(error).at(&format!("pod {}", pod.name))),
        }
    }
    Ok(())
}
