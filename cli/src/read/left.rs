//! How long will it take? From the rate of the last minute, as the status has it; and why that can't be known.

use jiff::Timestamp;

use super::task::Task;
use super::waiting::is_steady;
use crate::terminal::words::{number, seconds_between};

/// Fewest ends that tell a rate.
const FEWEST: i32 = 10;
/// Seconds after which the rate of a status is that of a minute ago.
const STALE: u64 = 60;

/// How long a task has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// About this many seconds.
    About(u64),
    /// Not known, with the reason.
    Unknown(&'static str),
    /// Nothing: it has ended.
    Nothing,
}

/// Items that end in a second, if the status has a rate of the last minute.
pub fn rate(task: &Task, now: Timestamp) -> Option<f64> {
    let progress = task.status.progress.as_ref()?;
    let is_fresh = progress.time.as_ref().is_some_and(|time| seconds_between(time.0, now) <= STALE);
    progress.items_per_minute.filter(|_| is_fresh).map(|rate| f64::from(rate) / 60.0)
}

/// How long this task has left.
pub fn left(task: &Task, now: Timestamp) -> Left {
    if task.has_ended() {
        return Left::Nothing;
    }
    let counts = task.counts();
    let reason = task.waiting.as_ref().map(|waiting| waiting.reason.as_str());
    if task.spec.suspend {
        return Left::Unknown("it is suspended");
    }
    if reason.is_some_and(|reason| !is_steady(reason)) {
        return Left::Unknown("it waits");
    }
    let ended = counts.succeeded.saturating_add(counts.failed);
    if ended == 0 {
        return Left::Unknown("no item has ended yet");
    }
    if ended < FEWEST {
        return Left::Unknown("fewer than 10 items have ended");
    }
    let Some(rate) = rate(task, now).filter(|rate| *rate > 0.0) else {
        return Left::Unknown("no item has ended in the last minute");
    };
    // Little: what runs takes running / rate.
    Left::About(round(f64::from(remaining(task)) / rate + f64::from(counts.running) / rate))
}

/// Items that have yet to start for the task to end: only those that it takes, where success cancels the rest.
fn remaining(task: &Task) -> i32 {
    use maptask::api::remaining_items::OnSuccess;
    let counts = task.counts();
    let pending = counts.pending;
    if task.spec.remaining_items.on_success == OnSuccess::Run || task.status.required.is_none_or(|n| n <= 0) {
        return pending;
    }
    let good = counts.succeeded.saturating_add(counts.cached).saturating_add(counts.running);
    task.status.required.map_or(pending, |required| required.saturating_sub(good).clamp(0, pending))
}

/// Seconds below a minute, minutes below an hour, then five minutes.
fn round(seconds: f64) -> u64 {
    let step = match seconds {
        s if s < 60.0 => 1.0,
        s if s < 3_600.0 => 60.0,
        _ => 300.0,
    };
    // Bounded: a million items at one a minute are two years.
    let seconds = (seconds / step).ceil() * step;
    std::time::Duration::try_from_secs_f64(seconds).map_or(0, |time| time.as_secs())
}

/// A rate for people: `14.2`, `402`, `0.05`.
pub fn rate_words(rate: f64) -> String {
    match rate {
        r if r >= 100.0 => number(std::time::Duration::from_secs_f64(r).as_secs().try_into().unwrap_or(i64::MAX)),
        r if r >= 1.0 => format!("{r:.1}"),
        r => format!("{r:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use serde_json::{Value, json};

    fn running(counts: &[i32; 4], rate: Option<i32>, more: &Value) -> Task {
        let [pending, running, succeeded, failed] = counts;
        let mut status = json!({ "phase": "Running", "items": 20_000, "required": 0,
            "counts": { "pending": pending, "running": running, "succeeded": succeeded, "failed": failed,
                        "cached": 0, "cancelled": 0, "retried": 0 },
            "progress": { "time": "2026-03-01T14:18:00Z", "strideSeconds": 1, "samples": "" } });
        if let Some(rate) = rate {
            status["progress"]["itemsPerMinute"] = json!(rate);
        }
        for (key, value) in more.as_object().unwrap() {
            status[key] = value.clone();
        }
        task(&json!({}), &status)
    }

    fn now() -> Timestamp {
        "2026-03-01T14:18:30Z".parse().unwrap()
    }

    #[test]
    fn time_left_is_what_is_pending_and_what_runs_at_the_rate_of_the_last_minute() {
        // 4,764 / 14.2 + 64 / 14.2 = 340 s
        let task = running(&[4_764, 64, 15_000, 118], Some(852), &json!({}));
        assert_eq!(left(&task, now()), Left::About(360));
        let quota = running(&[4_764, 64, 15_000, 118], Some(852), &json!({ "waiting": { "reason": "Quota" } }));
        assert_eq!(left(&quota, now()), Left::About(360));
        let few = running(&[10, 10, 100, 0], Some(60), &json!({}));
        assert_eq!(left(&few, now()), Left::About(20));
    }

    #[test]
    fn with_cancellation_only_the_successes_still_required_count() {
        let task = running(&[900, 50, 50, 0], Some(60), &json!({ "required": 150 }));
        assert_eq!(left(&task, now()), Left::About(120), "50 more and 50 that run");
    }

    #[test]
    fn what_can_not_be_known_says_why() {
        let unknown = |task: &Task| match left(task, now()) {
            Left::Unknown(why) => why,
            known => panic!("{known:?}"),
        };
        assert_eq!(unknown(&running(&[56, 8, 0, 0], None, &json!({}))), "no item has ended yet");
        assert_eq!(unknown(&running(&[56, 8, 9, 0], Some(9), &json!({}))), "fewer than 10 items have ended");
        assert_eq!(unknown(&running(&[5, 8, 90, 0], Some(0), &json!({}))), "no item has ended in the last minute");
        let waits = running(&[5, 8, 90, 0], Some(9), &json!({ "waiting": { "reason": "NoCapacity" } }));
        assert_eq!(unknown(&waits), "it waits");
        let later = "2026-03-01T14:20:00Z".parse().unwrap();
        assert_eq!(rate(&running(&[5, 8, 90, 0], Some(9), &json!({})), later), None, "of a minute ago");
    }

    #[test]
    fn rates_have_three_digits() {
        assert_eq!([402.4, 14.24, 0.05].map(rate_words), ["402", "14.2", "0.05"]);
        assert_eq!([0.2, 59.5, 61.0, 3_700.0].map(round), [1, 60, 120, 3_900]);
    }
}
