//! The list of tasks, live: the API server's table and a watch of it, which never has the phases of items.

use std::sync::Arc;
use std::time::Duration;

use futures::TryStreamExt;
use kube::core::WatchEvent;
use serde_json::json;

use super::outbox::Outbox;
use super::wire;
use crate::cluster::Session;
use crate::error::Failure;
use crate::read::list::{Columns, Listed, Scope, Table, encoded};

/// Seconds after which the API server ends a watch; it is opened again.
const WATCH: u32 = 290;
/// Between two attempts, doubling.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A list with the version from which it is watched.
pub struct Snapshot {
    tasks: Vec<Listed>,
    version: String,
}

/// Which tasks.
#[derive(Clone)]
pub struct Tasks {
    /// The API server, and the namespace.
    pub session: Session,
    /// One namespace or all.
    pub scope: Scope,
}

impl Tasks {
    /// Reads the list.
    pub async fn read(&self) -> Result<Snapshot, kube::Error> {
        let (mut tasks, mut next) = (Vec::new(), String::new());
        loop {
            let more = if next.is_empty() { String::new() } else { format!("&continue={}", encoded(&next)) };
            let page = Table::page(&self.session, self.scope, &more).await?;
            tasks.extend(page.tasks());
            page.next().clone_into(&mut next);
            if next.is_empty() {
                // All pages are of the same version.
                return Ok(Snapshot { tasks, version: page.version().to_owned() });
            }
        }
    }

    /// Puts the list and all news of it into the outbox, until it is dropped.
    pub async fn follow(self, first: Snapshot, outbox: Arc<Outbox>) {
        let (mut snapshot, mut wait) = (Some(first), FIRST_WAIT);
        let mut version = String::new();
        loop {
            if let Some(snapshot) = snapshot.take() {
                put_all(&snapshot, &outbox);
                version = snapshot.version;
            }
            match self.watch(&mut version, &outbox, &mut wait).await {
                // The end of a watch is not the end of the list: it is resumed.
                Ok(()) => tokio::time::sleep(FIRST_WAIT).await,
                Err(error) => {
                    let message = Failure::from(error).message;
                    outbox.put("state".to_owned(), "lost", &json!({ "message": message }));
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                    snapshot = self.read().await.ok();
                }
            }
        }
    }

    async fn watch(&self, version: &mut String, outbox: &Outbox, wait: &mut Duration) -> Result<(), kube::Error> {
        let request = Table::watch(&self.session, self.scope, version, WATCH)?;
        let mut events = std::pin::pin!(self.session.client.request_events::<Table>(request).await?);
        let mut columns = Columns::default();
        while let Some(event) = events.try_next().await? {
            *wait = FIRST_WAIT;
            let (mut table, is_gone) = match event {
                WatchEvent::Added(table) | WatchEvent::Modified(table) => (table, false),
                WatchEvent::Deleted(table) => (table, true),
                WatchEvent::Bookmark(mark) => {
                    *version = mark.metadata.resource_version;
                    continue;
                }
                WatchEvent::Error(status) => return Err(kube::Error::Api(status)),
            };
            // Only the first table of a watch names its columns.
            table.keep_columns(&mut columns);
            for task in table.tasks() {
                let key = format!("{}/{}", task.namespace, task.name);
                if is_gone {
                    outbox.put(key, "gone", &json!({ "namespace": task.namespace, "name": task.name }));
                } else {
                    outbox.put(key, "row", &wire::row(&task));
                }
            }
            if let Some(newer) = table.row_version() {
                newer.clone_into(version);
            }
        }
        Ok(())
    }
}

fn put_all(snapshot: &Snapshot, outbox: &Outbox) {
    outbox.put("state".to_owned(), "live", &json!({}));
    outbox.put("start".to_owned(), "start", &json!({}));
    for task in &snapshot.tasks {
        outbox.put(format!("{}/{}", task.namespace, task.name), "row", &wire::row(task));
    }
    outbox.put("ready".to_owned(), "ready", &json!({}));
}
