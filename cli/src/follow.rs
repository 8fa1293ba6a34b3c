//! Following a task to its end: what is shown meanwhile, and the exit code.

use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use tokio::signal::unix::{SignalKind, signal};

use crate::app::{App, Format, ProgressMode};
use crate::cluster::Session;
use crate::error::{Exit, Failure, watch_code};
use crate::read::Task;
use crate::read::left::{Left, left, rate, rate_words};
use crate::read::why::{title, words};
use crate::terminal::bar::{bar, percent};
use crate::terminal::out::size;
use crate::terminal::screen::{Bar, Screen};
use crate::terminal::words::{number, seconds_between, span};
use crate::terminal::{Line, Style, Talk};
use crate::view::{fields, view};

/// Between two looks at what has changed.
const TICK: Duration = Duration::from_secs(1);
/// The first line of progress comes after this time.
const FIRST_LINE: Duration = Duration::from_secs(3);
/// Between two lines of progress, so that no CI takes the command for dead.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Cells of the bar in one line of progress.
const CELLS: usize = 46;

/// How a task is followed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Follow {
    /// Longest wait.
    pub timeout: Option<Duration>,
    /// Whether the failures are listed at the end of a task that failed.
    pub explain: bool,
}

/// How following has ended.
enum End {
    Ended(Box<Task>),
    Deleted,
    Timeout,
    Interrupted,
}

/// Until Ctrl-C, or SIGTERM.
pub async fn interrupted() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminated => {}
    }
}

/// Follows a task with progress on standard error.
pub async fn task(app: &mut App, name: &str, follow: &Follow) -> Result<Exit, Failure> {
    let mut progress = Progress::new(app.options.progress, app.talk);
    let see = &mut |task: &Task| {
        progress.see(task, Timestamp::now());
        Ok(())
    };
    let end = Box::pin(watch(&app.session, app.talk, name, follow.timeout, see)).await?;
    drop(progress);
    finish(app, name, end, follow.explain)
}

/// Follows a task with its status in place on a terminal, or one JSON document for each change.
pub async fn status(app: &mut App, name: &str, format: Option<Format>) -> Result<Exit, Failure> {
    let in_place = app.out.is_terminal() && format.is_none();
    let mut progress = Progress::new(if in_place { ProgressMode::None } else { app.options.progress }, app.talk);
    let (mut screen, mut last) = (Screen::default(), None);
    let (session, talk) = (app.session.clone(), app.talk);
    let see = &mut |task: &Task| {
        let now = Timestamp::now();
        if in_place {
            return screen.draw(&mut app.out, &view(task, now, size().0));
        }
        progress.see(task, now);
        let version = task.metadata.resource_version.clone();
        if format.is_some() && last != version {
            last = version;
            app.document(Format::Jsonl, "TaskStatus", &fields(task, now))?;
            app.out.flush()?;
        }
        Ok(())
    };
    let end = Box::pin(watch(&session, talk, name, None, see)).await?;
    drop(progress);
    if let End::Ended(task) = &end
        && !in_place
        && format.is_none()
    {
        for line in view(task, app.now(), size().0) {
            app.out.line(line)?;
        }
        app.out.flush()?;
    }
    finish(app, name, end, false)
}

/// Watches a task until it has ended, and shows it at most once a second. A watch that is closed is resumed.
async fn watch(
    session: &Session,
    talk: Talk,
    name: &str,
    timeout: Option<Duration>,
    see: &mut (dyn FnMut(&Task) -> Result<(), Failure> + Send),
) -> Result<End, Failure> {
    let stream = watch_object(session.api::<Task>(), name).default_backoff();
    let (stop, mut ticks) = (interrupted(), tokio::time::interval(TICK));
    let time_is_over = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(stream, stop, time_is_over);
    let mut latest: Option<Task> = None;
    let mut has_complained = false;
    loop {
        tokio::select! {
            event = stream.next() => match event {
                Some(Ok(Some(task))) => {
                    if latest.as_ref().is_some_and(|known| known.uid() != task.uid()) {
                        return Ok(End::Deleted);
                    }
                    has_complained = false;
                    if task.is_settled() {
                        see(&task)?;
                        return Ok(End::Ended(Box::new(task)));
                    }
                    if latest.is_none() {
                        see(&task)?;
                    }
                    latest = Some(task);
                }
                Some(Ok(None)) if latest.is_some() => return Ok(End::Deleted),
                Some(Ok(None)) => {
                    // The same words as of every command.
                    Task::get(session, name).await?;
                }
                Some(Err(error)) => {
                    if latest.is_none() || matches!(watch_code(&error), Some(401 | 403 | 404)) {
                        return Err(error.into());
                    }
                    if !std::mem::replace(&mut has_complained, true) {
                        talk.say(format!("{}; trying again", Failure::from(error).message));
                    }
                }
                None => return Err(Failure::new("the watch has ended")),
            },
            _ = ticks.tick() => if let Some(task) = &latest { see(task)?; },
            () = &mut time_is_over => return Ok(End::Timeout),
            () = &mut stop => return Ok(End::Interrupted),
        }
    }
}

fn finish(app: &App, name: &str, end: End, explain: bool) -> Result<Exit, Failure> {
    match end {
        End::Ended(task) => {
            app.talk.say(sentence(&task));
            if task.has_succeeded() {
                return Ok(Exit::Done);
            }
            if explain {
                let lines = view(&task, app.now(), size().0).into_iter();
                lines.skip_while(|line| !line.plain().starts_with("failures")).for_each(|line| app.talk.say(line));
            }
            Ok(Exit::Failed)
        }
        End::Deleted => Err(Failure { exit: Exit::Deleted, ..Failure::new(format!("{name} was deleted")) }),
        End::Timeout => {
            let failure = Failure::new(format!("{name} has not ended within the timeout; it continues"));
            let hint = format!("see its state: kubectl maptask status {name}");
            Err(Failure { exit: Exit::Timeout, ..failure.hint(hint) })
        }
        End::Interrupted => {
            app.talk.say(format!("{name} continues. Follow it:  kubectl maptask status {name} --watch"));
            app.talk.say(format!("{:width$}Stop it:    kubectl maptask cancel {name}", "", width = name.len() + 12));
            Ok(Exit::Interrupted)
        }
    }
}

/// How a task has ended: `fetch succeeded: 4,110 of 4,112 items in 11 s (4,030 required)`.
pub fn sentence(task: &Task) -> String {
    let (status, counts, name) = (&task.status, task.counts(), task.name());
    let seconds = match (&status.start_time, &status.completion_time) {
        (Some(start), Some(end)) => Some(seconds_between(start.0, end.0)),
        _ => None,
    };
    let time = |word: &str| seconds.map(|seconds| format!(" {word} {}", span(seconds))).unwrap_or_default();
    let items = status.items.unwrap_or(0);
    if task.has_succeeded() {
        let good = counts.succeeded.saturating_add(counts.cached);
        let required = status.required.filter(|required| *required < items);
        let required = required.map(|n| format!(" ({} required)", number(n))).unwrap_or_default();
        return format!("{name} succeeded: {} of {} items{}{required}", number(good), number(items), time("in"));
    }
    let why = status.message.as_deref().unwrap_or("no message");
    format!("{name} failed{}: {why}", time("after"))
}

/// What is said while a task runs.
struct Progress {
    mode: ProgressMode,
    bar: Bar,
    began: Instant,
    last_line: Option<Instant>,
    groups: Option<usize>,
    waiting: Option<String>,
}

impl Progress {
    fn new(mode: ProgressMode, talk: Talk) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let mode = match mode {
            ProgressMode::Auto if talk.is_terminal() && !set("CI") && !is_dumb => ProgressMode::Bar,
            ProgressMode::Auto => ProgressMode::Lines,
            mode => mode,
        };
        let (last_line, groups, waiting) = (None, None, None);
        Self { mode, bar: Bar::new(talk), began: Instant::now(), last_line, groups, waiting }
    }

    fn see(&mut self, task: &Task, now: Timestamp) {
        if self.mode == ProgressMode::None {
            return;
        }
        self.news(task, now);
        if task.has_ended() {
            return;
        }
        if self.mode == ProgressMode::Bar {
            self.bar.set(&bar_line(task, now));
            return;
        }
        let is_due = match self.last_line {
            Some(last) => last.elapsed() >= HEARTBEAT,
            None => self.began.elapsed() >= FIRST_LINE,
        };
        if is_due {
            self.last_line = Some(Instant::now());
            self.say(task, now, &progress_words(task, now));
        }
    }

    /// New groups of failures, and another reason to wait. What was there at the beginning is not new.
    fn news(&mut self, task: &Task, now: Timestamp) {
        let groups = &task.status.failures;
        let known = self.groups.unwrap_or(groups.len()).min(groups.len());
        for group in &groups[known..] {
            let text = format!("failure: item {}, {}: {}", group.sample.index, title(group), words(group));
            self.say(task, now, &text);
        }
        self.groups = Some(groups.len());
        // Concurrency comes and goes with each item.
        let waiting = task.waiting.as_ref().filter(|waiting| waiting.reason != "Concurrency");
        let reason = waiting.map(|waiting| waiting.reason.clone());
        if reason.is_some() && reason != self.waiting {
            let message =
                waiting.and_then(|waiting| waiting.message.as_ref()).map(|m| format!(": {m}")).unwrap_or_default();
            self.say(task, now, &format!("waits: {}{message}", reason.clone().unwrap_or_default()));
        }
        self.waiting = reason.or(self.waiting.take());
    }

    fn say(&mut self, task: &Task, now: Timestamp, text: &str) {
        let time =
            if self.mode == ProgressMode::Lines { format!("{} ", now.strftime("%H:%M:%S")) } else { String::new() };
        self.bar.say(format!("{time}{} {text}", task.name()));
    }
}

fn pace_words(task: &Task, now: Timestamp) -> Vec<String> {
    let mut parts = Vec::new();
    parts.extend(rate(task, now).filter(|rate| *rate > 0.0).map(|rate| format!("{}/s", rate_words(rate))));
    if let Left::About(seconds) = left(task, now) {
        parts.push(format!("about {} left", span(seconds)));
    }
    parts
}

fn progress_words(task: &Task, now: Timestamp) -> String {
    let counts = task.counts();
    let Some(items) = task.status.items else { return format!("is {}", task.phase) };
    let mut parts = vec![format!("{}/{items} done", task.ended()), format!("{} failed", counts.failed)];
    parts.push(format!("{} running", counts.running));
    parts.extend(pace_words(task, now));
    parts.join(", ")
}

fn bar_line(task: &Task, now: Timestamp) -> Line {
    if task.status.items.is_none() {
        return Line::new(format!("{} is {}", task.name(), task.phase));
    }
    let share = percent(task.ended(), task.status.items.unwrap_or(0));
    let pace = pace_words(task, now).join(", ");
    bar(task.counts(), CELLS).and(Style::Plain, format!("  {share:>2} %  {pace}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;
    use serde_json::json;

    fn ended(phase: &str) -> Task {
        let counts = json!({ "succeeded": 4_000, "cached": 110, "failed": 2, "running": 0, "pending": 0, "cancelled": 0,
            "retried": 0 });
        task(
            &json!({}),
            &json!({ "phase": phase, "observedGeneration": 1, "items": 4_112, "required": 4_030, "counts": counts,
                "startTime": "2026-03-01T14:00:00Z", "completionTime": "2026-03-01T14:00:11Z",
                "message": "401 of 20000 items failed" }),
        )
    }

    #[test]
    fn the_end_is_one_sentence() {
        assert_eq!(sentence(&ended("Succeeded")), "t succeeded: 4,110 of 4,112 items in 11 s (4,030 required)");
        assert_eq!(sentence(&ended("Failed")), "t failed after 11 s: 401 of 20000 items failed");
    }

    #[test]
    fn a_line_of_progress_has_what_is_known() {
        let now = "2026-03-01T14:00:12Z".parse().unwrap();
        assert_eq!(progress_words(&ended("Running"), now), "4112/4112 done, 2 failed, 0 running");
        let new = task(&json!({}), &json!({ "phase": "Pending" }));
        assert_eq!(progress_words(&new, now), "is Pending");
        assert_eq!(bar_line(&ended("Running"), now).plain(), format!("[{}=x]  100 %  ", "#".repeat(44)));
    }
}
