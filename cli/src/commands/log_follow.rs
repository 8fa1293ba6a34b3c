//! `logs -f`: until the item has ended, over all its attempts.

use std::collections::BTreeSet;
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
    let mut known = BTreeSet::new();
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
                }
            }
            _ = look.tick() => {
                // Once more after the end: what came last may not have been read.
                if was_over && (logs.is_empty() || task.spec.workers.is_some()) {
                    return Ok(Exit::Done);
                }
                attach(app, args, &task, index, &mut known, &mut logs).await?;
                task = Task::get(&app.session, task.name()).await?;
                was_over = is_over(&task, index)?;
            }
            () = &mut stop => return Ok(Exit::Interrupted),
        }
    }
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
