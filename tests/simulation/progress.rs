//! What must hold of `status.progress`: a curve that only grows, and ends where the counts of the items are.

use maptask::api::progress::Progress;
use maptask::api::status::MapTaskStatus;
use maptask::api::{TaskPhase, status::ItemCounts};
use maptask::core::port::TaskSeen;

use crate::check::number;

/// Most samples in a status.
const MAX_SAMPLES: usize = 64;
/// Least seconds that a rate is of: no more items can have ended in a minute than all of them in this time.
const RATE_SECONDS: u32 = 5;

/// A point of the curve: seconds since its start, items that have ended, and those that have failed.
type Point = (u32, u32, u32);

fn curve(progress: &Progress) -> Option<Vec<Point>> {
    let mut at = (0, 0, 0);
    let points = progress.samples.split(';').map(|sample| {
        let numbers: Vec<u32> = sample.split(',').map(|n| n.parse().ok()).collect::<Option<_>>()?;
        let [seconds, ended, failed] = numbers.as_slice() else { return None };
        at = (at.0 + seconds, at.1 + ended, at.2 + failed);
        Some(at)
    });
    points.collect()
}

fn ended(counts: &ItemCounts) -> u32 {
    number(counts.succeeded) + number(counts.cached) + number(counts.failed)
}

/// SAFETY: each status with items has a curve. It shows no end that the counts do not, continues the previous one
/// unless items run again, and at the end of the task has all ends.
pub fn check_write(task: &TaskSeen, new: &MapTaskStatus, rerun: bool) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{}: {what}: {:?} after {:?}", task.key, new.progress, task.status.progress));
    let (Some(counts), Some(_)) = (&new.counts, &new.phases) else { return Ok(()) };
    let Some((progress, points)) = new.progress.as_ref().and_then(|progress| Some((progress, curve(progress)?))) else {
        return wrong("no curve");
    };
    let Some(&(seconds, last_ended, last_failed)) = points.last() else { return wrong("an empty curve") };
    let (ended, failed) = (ended(counts), number(counts.failed));
    let is_terminal = new.phase.is_some_and(TaskPhase::is_terminal);
    if points.len() > MAX_SAMPLES || last_ended > ended || last_failed > failed {
        return wrong("a curve beyond its bounds");
    }
    if is_terminal && (last_ended, last_failed) != (ended, failed) {
        return wrong("a curve that does not come to the end");
    }
    let second = |time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| time.map(|t| t.0.as_second());
    let (start, time) = (second(progress.start_time.as_ref()), second(progress.time.as_ref()));
    if start.is_none() || start.map(|start| start + i64::from(seconds)) > time {
        return wrong("samples of the future");
    }
    // The last sample of a task that ends, and of one that did before a rerun, may come early.
    let early = points.windows(2).filter(|two| two[1].0 - two[0].0 < number(progress.stride_seconds)).count();
    if early > usize::from(is_terminal) && task.spec.rerun.is_none() {
        return wrong("samples too close");
    }
    if progress.items_per_minute.is_some_and(|rate| is_terminal || number(rate) > ended * 60 / RATE_SECONDS) {
        return wrong("a rate that can't be");
    }
    let Some(old) = task.status.progress.as_ref().filter(|_| !rerun) else { return Ok(()) };
    let before = curve(old).and_then(|points| points.last().copied()).unwrap_or_default();
    let grows = (before.1, before.2) <= (last_ended, last_failed) && before.0 <= seconds;
    if second(old.start_time.as_ref()) != start || second(old.time.as_ref()) > time || !grows {
        return wrong("another curve");
    }
    Ok(())
}
