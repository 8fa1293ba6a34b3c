//! What is shown of a task: a few lines for people, or fields for programs.

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::read::left::{Left, left, rate, rate_words};
use crate::read::task::Task;
use crate::read::waiting::to_do;
use crate::read::why::{title, words};
use crate::terminal::bar::{bar, percent};
use crate::terminal::words::{age, counted, number, seconds_between, span};
use crate::terminal::{Line, Style};

/// Most characters of a line; a wider terminal is easier to read with less.
const WIDTH: usize = 100;
/// Cells of the bar.
const CELLS: usize = 70;
/// Most groups of failures; `failures` has all.
const GROUPS: usize = 5;

/// The task in a few lines.
pub fn view(task: &Task, now: Timestamp, width: usize) -> Vec<Line> {
    let width = width.clamp(40, WIDTH);
    let mut lines = vec![headline(task, now)];
    if task.status.items.is_some() {
        lines.extend(picture(task, width));
    }
    lines.extend(manager(task).into_iter().flat_map(|text| wrapped("manager", &text, width)));
    lines.extend(origin(task).map(|text| labelled("list", text)));
    lines.extend(pace(task, now));
    lines.extend(allowance(task));
    lines.extend(reasons(task, now, width));
    lines.extend(groups(task, width));
    lines.extend(next(task).map(|text| labelled("next", text)));
    lines
}

fn labelled(label: &str, text: impl Into<String>) -> Line {
    Line::default().and(Style::Dim, format!("{label:<10}")).and(Style::Plain, text)
}

fn phase_style(phase: &str) -> Style {
    match phase {
        "Succeeded" => Style::Good,
        "Failed" => Style::Bad,
        "Running" | "Listing" | "Reducing" => Style::Busy,
        _ => Style::Bold,
    }
}

fn headline(task: &Task, now: Timestamp) -> Line {
    let status = &task.status;
    let mut parts = Vec::new();
    parts.extend(status.items.map(|items| counted(items, "item", "items")));
    let started = status.start_time.as_ref().map(|time| time.0);
    let ended = status.completion_time.as_ref().map(|time| time.0).filter(|_| task.has_ended());
    if let Some(ended) = ended {
        parts.push(format!("ended {} ago", span(seconds_between(ended, now))));
        parts.extend(started.map(|started| format!("ran {}", span(seconds_between(started, ended)))));
    } else {
        parts.extend(task.spec.concurrency.map(|most| format!("{} at once", number(most))));
        parts.extend(started.or(task.created()).map(|since| span(seconds_between(since, now))));
    }
    let line = Line::default().and(Style::Bold, task.name()).and(Style::Plain, "  ");
    line.and(phase_style(&task.phase), &task.phase).and(Style::Plain, format!("  {}", parts.join(", ")))
}

fn picture(task: &Task, width: usize) -> Vec<Line> {
    let counts = task.counts();
    let share = percent(task.ended(), task.status.items.unwrap_or(0));
    let bar = bar(counts, CELLS.min(width.saturating_sub(8))).and(Style::Plain, format!("  {share:>2} %"));
    let words = [
        ('#', counts.succeeded, "succeeded", Style::Good),
        ('=', counts.cached, "cached", Style::Cached),
        ('>', counts.running, "running", Style::Busy),
        ('.', counts.pending, "pending", Style::Plain),
        ('-', counts.cancelled, "cancelled", Style::Plain),
        ('x', counts.failed, "failed", Style::Bad),
    ];
    let mut line = Line::default();
    for (sign, count, word, style) in words.into_iter().filter(|(_, count, ..)| *count > 0) {
        line = line.and(Style::Plain, " ").and(style, format!("{sign} {} {word}", number(count)));
    }
    let none = counts == maptask::api::ItemCounts::default();
    if none { vec![bar] } else { vec![bar, line] }
}

/// Who runs the task, if not this operator.
fn manager(task: &Task) -> Option<String> {
    let manager = task.spec.managed_by.as_ref().filter(|_| !task.spec.is_ours())?;
    Some(if task.spec.is_of_multikueue() {
        let name = task.name();
        format!("{manager} runs it in another cluster: kubectl get workloads -l maptask.dev/name={name} -o wide")
    } else {
        format!("{manager} runs it and writes its status")
    })
}

/// Where the list came from that a pod computes, or how far it is.
fn origin(task: &Task) -> Option<String> {
    let listing = task.status.listing.as_ref()?;
    let pod = format!("{}-list-{}", task.name(), listing.attempt);
    Some(match &listing.list {
        Some(list) => format!(
            "{} of pod {pod}, in {}",
            counted(list.items, "item", "items"),
            counted(list.pieces, "ConfigMap", "ConfigMaps")
        ),
        None if task.has_ended() => format!("pod {pod} has given none"),
        None => format!("pod {pod} computes it"),
    })
}

fn pace(task: &Task, now: Timestamp) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(rate) = rate(task, now).filter(|rate| *rate > 0.0 && !task.has_ended()) {
        let each = f64::from(task.counts().running) / rate;
        let each = if each > 0.0 { format!(", {each:.1} s an item") } else { String::new() };
        lines.push(labelled("rate", format!("{} items/s in the last minute{each}", rate_words(rate))));
    }
    match left(task, now) {
        _ if !task.is_seen() => {}
        Left::About(seconds) => {
            let at = now.checked_add(jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0)));
            let at = at.map(|at| format!(" ({} UTC)", at.strftime("%H:%M"))).unwrap_or_default();
            lines.push(labelled("left", format!("about {}{at}", span(seconds))));
        }
        Left::Unknown(why) => lines.push(labelled("left", format!("unknown: {why}"))),
        Left::Nothing => {}
    }
    lines
}

fn allowance(task: &Task) -> Option<Line> {
    let (required, allowed) = (task.status.required?, task.allowed_failures()?);
    let failed = task.counts().failed;
    if task.has_ended() || (failed == 0 && allowed == 0) {
        return None;
    }
    let text = if required == 0 {
        "any number of failures: all items run".to_owned()
    } else {
        format!(
            "{} of {} used; {} must succeed",
            number(failed),
            counted(allowed, "failure", "failures"),
            number(required)
        )
    };
    Some(labelled("allowed", text))
}

fn reasons(task: &Task, now: Timestamp, width: usize) -> Vec<Line> {
    let mut lines = Vec::new();
    if task.has_ended() {
        let label = if task.has_succeeded() { "" } else { "why" };
        let text = task.status.message.as_deref().filter(|_| !label.is_empty());
        lines.extend(text.map(|text| wrapped(label, text, width)).into_iter().flatten());
    } else if let Some(waiting) = &task.waiting {
        let since =
            waiting.since.map(|since| format!(" for {}", span(seconds_between(since, now)))).unwrap_or_default();
        let message = waiting.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
        lines.extend(wrapped("waiting", &format!("{}{since}{message}", waiting.reason), width));
        lines.extend(to_do(&waiting.reason).map(|text| labelled("do", text)));
    } else if !task.is_seen()
        && task.spec.is_ours()
        && task.created().is_some_and(|made| seconds_between(made, now) > 5)
    {
        lines.push(labelled("waiting", "no operator has seen the task"));
        lines.push(labelled("do", "kubectl maptask doctor"));
    } else if task.spec.suspend {
        lines.push(labelled("waiting", "spec.suspend keeps items from starting"));
        lines.push(labelled("do", format!("kubectl maptask resume {}", task.name())));
    }
    if let Some((_, message)) = task.condition("ResultsDamaged") {
        lines.extend(wrapped("damaged", message, width));
    }
    if let Some(rerun) = &task.status.pending_rerun {
        lines.extend(wrapped("rerun", &rerun.message, width));
    }
    lines
}

fn groups(task: &Task, width: usize) -> Vec<Line> {
    let groups = &task.status.failures;
    if groups.is_empty() {
        return Vec::new();
    }
    let attempts = groups.iter().fold(0_i64, |sum, group| sum + i64::from(group.attempts));
    let head = format!("{} in {}", counted(attempts, "attempt", "attempts"), counted(len(groups), "group", "groups"));
    let mut sorted: Vec<_> = groups.iter().collect();
    sorted.sort_by_key(|group| -group.attempts);
    let mut lines = vec![labelled("failures", head)];
    let titles = sorted.iter().take(GROUPS).map(|group| title(group).chars().count()).max().unwrap_or(0);
    for group in sorted.iter().take(GROUPS) {
        let line = Line::new(format!("{:>5}  ", number(group.attempts)));
        let line = line.and(Style::Bad, format!("{:<titles$}", title(group)));
        lines.push(line.and(Style::Plain, format!("  {:<18}  {}", group.indexes, words(group))).cut(width));
    }
    let more = format!("kubectl maptask failures {}", task.name());
    lines.push(labelled("more", more));
    lines
}

fn len<T>(all: &[T]) -> i64 {
    i64::try_from(all.len()).unwrap_or(i64::MAX)
}

fn next(task: &Task) -> Option<String> {
    let counts = task.counts();
    let name = task.name();
    if !task.has_ended() || task.has_succeeded() {
        return None;
    }
    if task.spec.cancel && counts.cancelled > 0 {
        return Some(format!("kubectl maptask rerun {name} --cancelled       # to run the rest"));
    }
    if task.status.reason.as_deref() == Some("ItemsPodFailed") {
        return Some(format!("kubectl maptask rerun {name} --list       # to compute the list again"));
    }
    (counts.failed > 0).then(|| format!("kubectl maptask rerun {name} --failed       # after the cause is fixed"))
}

/// A text under a label, in lines of the width.
fn wrapped(label: &str, text: &str, width: usize) -> Vec<Line> {
    let room = width.saturating_sub(10).max(20);
    let mut rows = vec![String::new()];
    for word in text.split_whitespace() {
        let row = rows.last_mut().map_or(0, |row| row.chars().count());
        if row > 0 && row + 1 + word.chars().count() > room {
            rows.push(String::new());
        }
        if let Some(row) = rows.last_mut() {
            if !row.is_empty() {
                row.push(' ');
            }
            row.push_str(word);
        }
    }
    rows.into_iter().enumerate().map(|(n, row)| labelled(if n == 0 { label } else { "" }, row)).collect()
}

/// The task as JSON.
pub fn fields(task: &Task, now: Timestamp) -> Value {
    let status = &task.status;
    let waiting = task.waiting.as_ref().map(|waiting| {
        json!({ "reason": waiting.reason, "message": waiting.message, "since": waiting.since.map(|t| t.to_string()),
            "action": to_do(&waiting.reason) })
    });
    let (seconds, why) = match left(task, now) {
        Left::About(seconds) => (Some(seconds), None),
        Left::Unknown(why) => (None, Some(why)),
        Left::Nothing => (Some(0), None),
    };
    json!({
        "namespace": task.metadata.namespace, "name": task.name(), "uid": task.uid(), "phase": task.phase,
        "items": status.items, "counts": status.counts, "required": status.required,
        "listing": status.listing, "allowedFailures": task.allowed_failures(), "concurrency": task.spec.concurrency,
        "itemsPerSecond": rate(task, now), "secondsLeft": seconds, "secondsLeftUnknown": why,
        "waiting": waiting, "reason": status.reason, "message": status.message, "failures": status.failures,
        "failedIndexes": status.failed_indexes, "startTime": status.start_time, "completionTime": status.completion_time,
        "age": age(task.created(), now), "result": status.result, "conditions": status.conditions,
    })
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
