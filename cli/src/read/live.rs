//! Many tasks, live: the API server's table of them and a watch of it, which never has the phases of items.

use std::convert::Infallible;
use std::time::Duration;

use futures::TryStreamExt;
use kube::core::WatchEvent;
use tokio::time::{Instant, timeout_at};

use super::list::{Columns, Listed, Snapshot, Table, Tasks};
use crate::error::{Failure, code};

/// Seconds after which the API server ends a watch; it is opened again.
const WATCH: u32 = 290;
/// A watch or a list that lasts longer has lost its connection, as when the machine slept: nobody else notices.
const PATIENCE: Duration = Duration::from_mins(5);
/// Between two attempts, doubling.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// The answer of the API server to a version that it no longer has.
const GONE: u16 = 410;

/// What has changed.
pub enum News {
    /// These are all tasks; what was there before and is not among them is gone.
    All(Vec<Listed>),
    /// This one is new or different.
    Changed(Box<Listed>),
    /// This one is gone: its namespace and name.
    Gone(String, String),
    /// The watch is interrupted, and is tried again.
    Lost(Box<kube::Error>),
    /// It is back.
    Live,
}

/// Hears the news. An error ends the watch.
pub type Hear<'a> = &'a mut (dyn FnMut(News) -> Result<(), Failure> + Send);

impl Tasks {
    /// Tells the list and all news of it, until the hearer has an error.
    pub async fn follow(&self, first: Snapshot, hear: Hear<'_>) -> Result<Infallible, Failure> {
        self.follow_with(PATIENCE, first, hear).await
    }

    async fn follow_with(&self, patience: Duration, first: Snapshot, hear: Hear<'_>) -> Result<Infallible, Failure> {
        let Snapshot { tasks, mut version } = first;
        hear(News::All(tasks))?;
        let (mut wait, mut is_lost) = (FIRST_WAIT, false);
        loop {
            let end = Instant::now() + patience;
            let error = match self.watch(end, &mut version, &mut is_lost, &mut wait, hear).await {
                Err(Stop::Hearer(failure)) => return Err(failure),
                // The end of a watch is not the end of the list: it is resumed.
                Ok(()) => {
                    tokio::time::sleep(FIRST_WAIT).await;
                    continue;
                }
                Err(Stop::Watch(error)) => error,
            };
            // A version that is too old is no interruption: the list is read again, and nothing is missed.
            let is_old = code(&error) == Some(GONE);
            if !is_old && !std::mem::replace(&mut is_lost, true) {
                hear(News::Lost(Box::new(error)))?;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            match until(Instant::now() + patience, self.read()).await {
                Ok(snapshot) => {
                    version = snapshot.version;
                    if std::mem::take(&mut is_lost) {
                        hear(News::Live)?;
                    }
                    hear(News::All(snapshot.tasks))?;
                }
                Err(error) if !std::mem::replace(&mut is_lost, true) => hear(News::Lost(Box::new(error)))?,
                Err(_) => {}
            }
        }
    }

    async fn watch(
        &self,
        end: Instant,
        version: &mut String,
        is_lost: &mut bool,
        wait: &mut Duration,
        hear: Hear<'_>,
    ) -> Result<(), Stop> {
        let request = self.watched(version, WATCH)?;
        let mut events = std::pin::pin!(until(end, self.session.client.request_events::<Table>(request)).await?);
        if std::mem::take(is_lost) {
            hear(News::Live)?;
        }
        let mut columns = Columns::default();
        while let Some(event) = until(end, events.try_next()).await? {
            let (mut table, is_gone) = match event {
                WatchEvent::Added(table) | WatchEvent::Modified(table) => (table, false),
                WatchEvent::Deleted(table) => (table, true),
                WatchEvent::Bookmark(mark) => {
                    *version = mark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status).into()),
            };
            *wait = FIRST_WAIT;
            // Only the first table of a watch names its columns.
            table.keep_columns(&mut columns);
            for task in table.tasks() {
                hear(if is_gone { News::Gone(task.namespace, task.name) } else { News::Changed(Box::new(task)) })?;
            }
            if let Some(newer) = table.row_version() {
                newer.clone_into(version);
            }
        }
        Ok(())
    }
}

/// What the API server answers up to this time.
async fn until<T>(end: Instant, answer: impl Future<Output = Result<T, kube::Error>>) -> Result<T, kube::Error> {
    let late = |_| Err(kube::Error::Service("the connection is silent".into()));
    timeout_at(end, answer).await.unwrap_or_else(late)
}

/// Why a watch has stopped.
enum Stop {
    Watch(kube::Error),
    Hearer(Failure),
}

impl From<kube::Error> for Stop {
    fn from(error: kube::Error) -> Self {
        Self::Watch(error)
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        Self::Hearer(failure)
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
