//! One task, live.

use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use jiff::Timestamp;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event, watcher};
use serde_json::json;

use super::latest::Latest;
use super::outbox::Outbox;
use super::wire;
use crate::cluster::Session;
use crate::error::Failure;
use crate::read::Task;

/// The rate of the last minute and the time left grow old without news.
const AGAIN: Duration = Duration::from_secs(15);

/// Puts the task and all news of it into the outbox, until it is dropped.
pub async fn follow(session: Session, name: String, latest: Latest, outbox: Arc<Outbox>) {
    let config = Config::default().fields(&format!("metadata.name={name}"));
    let events = watcher(session.api::<Task>(), config).default_backoff();
    feed(events, &latest, &outbox, &session.namespace, &name).await;
}

async fn feed(
    events: impl Stream<Item = Result<Event<Task>, watcher::Error>>,
    latest: &Latest,
    outbox: &Outbox,
    namespace: &str,
    name: &str,
) {
    let put = |task: &Task| outbox.put("task".to_owned(), "task", &wire::task(task, Timestamp::now()));
    let state = |event: &str, message: &str| outbox.put("state".to_owned(), event, &json!({ "message": message }));
    let gone = || outbox.put("task".to_owned(), "gone", &json!({ "namespace": namespace, "name": name }));
    let mut again = tokio::time::interval(AGAIN);
    let (mut is_lost, mut is_seen) = (false, false);
    tokio::pin!(events);
    loop {
        tokio::select! {
            event = events.next() => {
                let Some(event) = event else { return };
                if is_lost && event.is_ok() {
                    state("live", "");
                }
                is_lost = event.is_err();
                match event {
                    Ok(Event::Init) => is_seen = false,
                    Ok(Event::InitApply(task) | Event::Apply(task)) => {
                        is_seen = true;
                        put(&task);
                        latest.set(task);
                    }
                    Ok(Event::InitDone) if is_seen => {}
                    Ok(Event::InitDone | Event::Delete(_)) => {
                        latest.clear();
                        gone();
                    }
                    Err(error) => state("lost", &Failure::from(error).message),
                }
            }
            _ = again.tick() => if let Some(task) = latest.get().filter(|task| !task.has_ended()) { put(&task) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::task::tests::task;

    /// The names of the events that a page reads after these of the watch.
    async fn read(events: Vec<Result<Event<Task>, watcher::Error>>) -> Vec<String> {
        let (latest, outbox) = (Latest::default(), Outbox::default());
        feed(futures::stream::iter(events), &latest, &outbox, "ns", "t").await;
        let mut names = Vec::new();
        while let Some(frame) = outbox.take() {
            let text = String::from_utf8(frame.to_vec()).unwrap();
            names.push(text.lines().next().unwrap().trim_start_matches("event: ").to_owned());
        }
        names
    }

    fn some() -> Task {
        task(&json!({}), &json!({ "phase": "Running" }))
    }

    #[tokio::test]
    async fn a_task_that_is_deleted_is_gone_and_one_made_again_is_shown() {
        assert_eq!(read(vec![Ok(Event::Init), Ok(Event::InitApply(some())), Ok(Event::InitDone)]).await, ["task"]);
        assert_eq!(read(vec![Ok(Event::Init), Ok(Event::InitDone)]).await, ["gone"]);
        assert_eq!(read(vec![Ok(Event::Apply(some())), Ok(Event::Delete(some()))]).await, ["gone"]);
        assert_eq!(read(vec![Ok(Event::Delete(some())), Ok(Event::Apply(some()))]).await, ["task"]);
        let missed = vec![Ok(Event::Apply(some())), Ok(Event::Init), Ok(Event::InitDone)];
        assert_eq!(read(missed).await, ["gone"], "deleted while the watch was interrupted");
    }

    #[tokio::test]
    async fn an_interruption_of_the_watch_is_said_and_so_is_its_end() {
        let lost = || Err(watcher::Error::NoResourceVersion);
        assert_eq!(read(vec![Ok(Event::Apply(some())), lost()]).await, ["task", "lost"]);
        assert_eq!(read(vec![lost(), Ok(Event::Apply(some()))]).await, ["live", "task"]);
    }
}
