//! What the page gets: rows, tasks and items as JSON. docs/reference/page.md describes the shapes.

use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::Timestamp;
use maptask::api::{FailureGroup, ItemCounts, Items};
use maptask::core::items::ExternalSource;
use serde_json::{Value, json};

use crate::read::left::{Left, left, rate};
use crate::read::list::Listed;
use crate::read::waiting::to_do;
use crate::read::why::title;
use crate::read::{ItemRow, Task};
use crate::terminal::words::seconds_between;

/// Most characters of a value or result in the table. The item itself has all.
const CELL: usize = 300;

/// A row of the list.
pub fn row(task: &Listed) -> Value {
    json!({
        "namespace": task.namespace, "name": task.name, "phase": task.phase,
        "created": task.created.map(|time| time.to_string()),
        "ended": task.ended, "items": task.items, "running": task.running, "failed": task.failed,
        "rate": task.per_minute.map(|rate| f64::from(rate) / 60.0), "left": task.left(),
        "reason": task.reason, "duration": task.duration, "message": task.message,
    })
}

/// Names the content of the phases: the page reads them again when it differs.
pub fn phases_key(task: &Task) -> Option<String> {
    let text = task.status.phases.as_ref()?;
    let mut hasher = DefaultHasher::new();
    (task.uid(), text).hash(&mut hasher);
    Some(format!("{:016x}", hasher.finish()))
}

/// One task.
pub fn task(task: &Task, now: Timestamp) -> Value {
    let (status, spec) = (&task.status, &task.spec);
    let time =
        |time: Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| time.map(|time| time.0.to_string());
    let (seconds, unknown) = match left(task, now) {
        Left::About(seconds) => (Some(seconds), None),
        Left::Unknown(why) => (None, Some(why)),
        Left::Nothing => (None, None),
    };
    let duration = match (&status.start_time, &status.completion_time) {
        (Some(start), Some(end)) => Some(seconds_between(start.0, end.0)),
        _ => None,
    };
    let waiting = task.waiting.as_ref().map(|waiting| {
        json!({ "reason": waiting.reason, "message": waiting.message, "action": to_do(&waiting.reason),
            "since": waiting.since.map(|time| time.to_string()) })
    });
    let conditions = status.conditions.iter().map(|c| {
        json!({ "type": c.type_, "status": c.status, "reason": c.reason, "message": c.message,
            "time": c.last_transition_time.0.to_string() })
    });
    json!({
        "namespace": task.metadata.namespace, "name": task.name(), "uid": task.uid(),
        "generation": task.metadata.generation, "phases": phases_key(task), "phase": task.phase,
        "created": task.created().map(|time| time.to_string()), "started": time(status.start_time.as_ref()),
        "completed": time(status.completion_time.as_ref()), "duration": duration,
        "items": status.items, "required": status.required, "ended": task.ended(), "counts": counts(task.counts()),
        "running": task.counts().running, "failed": task.counts().failed,
        "source": source(&spec.items), "workers": spec.workers.is_some(), "concurrency": spec.concurrency,
        "suspend": spec.suspend, "cancel": spec.cancel, "hasResults": status.results.is_some(),
        "rate": rate(task, now), "left": seconds, "leftUnknown": unknown, "waiting": waiting,
        "reason": status.reason, "message": status.message,
        "failures": status.failures.iter().map(failure).collect::<Vec<_>>(), "progress": progress(task),
        "conditions": conditions.collect::<Vec<_>>(),
        "reduce": status.reduce, "rerun": status.pending_rerun.as_ref().map(|rerun| &rerun.message),
        "result": status.result.as_ref().map(|result| status.result_text.as_deref().unwrap_or(result.text())),
    })
}

fn counts(counts: ItemCounts) -> Value {
    serde_json::to_value(counts).unwrap_or_default()
}

/// Where the items come from, in words.
fn source(items: &Items) -> String {
    if let Some(source) = ExternalSource::of(items) {
        return source.to_string();
    }
    let words = [
        (items.values.is_some(), "spec.items.values"),
        (items.count.is_some(), "spec.items.count"),
        (items.range.is_some(), "spec.items.range"),
        (items.matrix.is_some(), "spec.items.matrix"),
        (items.pod.is_some(), "the pod of spec.items.pod"),
    ];
    words.into_iter().find(|(has, _)| *has).map_or_else(|| "no source".to_owned(), |(_, words)| words.to_owned())
}

fn failure(group: &FailureGroup) -> Value {
    let title = title(group);
    let detail = title.strip_prefix(group.category.as_str()).unwrap_or_default().trim();
    let words = group.pattern.as_deref().or(group.sample.message.as_deref()).unwrap_or("no message");
    json!({
        "title": title, "category": group.category, "detail": detail, "attempts": group.attempts,
        "items": group.items, "indexes": group.indexes, "words": words,
        "sample": { "index": group.sample.index, "attempt": group.sample.attempt, "node": group.sample.node,
            "message": group.sample.message },
    })
}

/// The samples of the status as sums from the start on.
fn progress(task: &Task) -> Option<Value> {
    let progress = task.status.progress.as_ref()?;
    let mut sums = [0_i64; 3];
    let mut samples = Vec::new();
    for sample in progress.samples.split(';').filter(|text| !text.is_empty()) {
        let mut parts = sample.split(',').map(|part| part.parse::<i64>().unwrap_or(0));
        for sum in &mut sums {
            *sum = sum.saturating_add(parts.next().unwrap_or(0));
        }
        samples.push(sums);
    }
    let time =
        |time: &Option<k8s_openapi::apimachinery::pkg::apis::meta::v1::Time>| time.as_ref().map(|t| t.0.to_string());
    Some(json!({ "start": time(&progress.start_time), "time": time(&progress.time), "samples": samples }))
}

/// How much of a value is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Its beginning, for a table.
    Cell,
    /// All of it.
    Whole,
}

/// One item.
pub fn item(row: &ItemRow, extent: Extent) -> Value {
    let text = |text: &str| match text.char_indices().nth(CELL) {
        Some((end, _)) if extent == Extent::Cell => format!("{}…", &text[..end]),
        _ => text.to_owned(),
    };
    json!({
        "index": row.index, "phase": row.phase.as_str(), "attempts": row.attempts, "why": row.why,
        "value": row.value.as_ref().map(|value| text(value.text())), "result": row.result.as_deref().map(text),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task as of;
    use maptask::core::phases::ItemPhase;

    fn now() -> Timestamp {
        "2026-03-01T14:18:30Z".parse().unwrap()
    }

    #[test]
    fn samples_become_sums_from_the_start_on() {
        let progress =
            json!({ "startTime": "2026-03-01T14:00:00Z", "strideSeconds": 1, "samples": "0,0,0;60,500,2;60,480,0" });
        let sent = task(&of(&json!({}), &json!({ "progress": progress })), now());
        assert_eq!(sent["progress"]["samples"], json!([[0, 0, 0], [60, 500, 2], [120, 980, 2]]));
        assert_eq!(sent["progress"]["start"], "2026-03-01T14:00:00Z");
    }

    #[test]
    fn a_task_that_nobody_has_seen_yet_has_nulls_and_not_zeros() {
        let sent = task(&of(&json!({ "items": { "matrix": { "a": [1] } } }), &json!({})), now());
        for field in ["items", "required", "phases", "rate", "waiting", "progress", "started", "result", "rerun"] {
            assert_eq!(sent[field], Value::Null, "{field}");
        }
        assert_eq!((sent["phase"].as_str(), sent["source"].as_str()), (Some("Pending"), Some("spec.items.matrix")));
        assert_eq!(sent["leftUnknown"], "no item has ended yet");
    }

    #[test]
    fn what_a_task_waits_for_comes_with_what_to_do() {
        let waiting = json!({ "reason": "Quota", "message": "exceeded quota", "since": "2026-03-01T14:11:00Z" });
        let sent = task(&of(&json!({}), &json!({ "waiting": waiting })), now());
        assert_eq!(sent["waiting"]["since"], "2026-03-01T14:11:00Z");
        assert!(sent["waiting"]["action"].as_str().unwrap().contains("larger quota"));
        let later = task(&of(&json!({}), &json!({ "waiting": { "reason": "Eclipse" } })), now());
        assert_eq!((&later["waiting"]["reason"], &later["waiting"]["action"]), (&json!("Eclipse"), &Value::Null));
    }

    #[test]
    fn other_phases_have_another_key_and_so_has_another_task() {
        let key = |phases: &str| phases_key(&of(&json!({}), &json!({ "phases": phases })));
        assert_eq!(key("AQAA"), key("AQAA"));
        assert_ne!(key("AQAA"), key("AQAB"));
        assert_eq!(phases_key(&of(&json!({}), &json!({}))), None);
    }

    #[test]
    fn a_long_value_is_cut_in_the_table_and_whole_in_the_item() {
        let long = "ä".repeat(1000);
        let value = serde_json::from_value(json!(long)).unwrap();
        let row =
            ItemRow { index: 7, phase: ItemPhase::Failed, attempts: 3, value: Some(value), result: None, why: None };
        let length = |extent| item(&row, extent)["value"].as_str().unwrap().chars().count();
        assert_eq!((length(Extent::Cell), length(Extent::Whole)), (CELL + 1, 1002));
    }
}
