//! The list of tasks for a page: what is new of it, as events.

use std::sync::Arc;

use serde_json::json;

use super::outbox::Outbox;
use super::wire;
use crate::error::Failure;
use crate::read::list::{Snapshot, Tasks};
use crate::read::live::News;

/// Puts the list and all news of it into the outbox, until it is dropped.
pub async fn follow(tasks: Tasks, first: Snapshot, outbox: Arc<Outbox>) {
    let mut hear = |news| {
        put(&outbox, news);
        Ok(())
    };
    // Nothing here fails, so that it has no end.
    let _ = tasks.follow(first, &mut hear).await;
}

fn put(outbox: &Outbox, news: News) {
    match news {
        News::All(tasks) => {
            // A row of before that was not read yet would be taken for one of this list.
            outbox.drop_but("state");
            outbox.put("start".to_owned(), "start", &json!({}));
            for task in tasks {
                outbox.put(format!("{}/{}", task.namespace, task.name), "row", &wire::row(&task));
            }
            outbox.put("ready".to_owned(), "ready", &json!({}));
        }
        News::Changed(task) => {
            outbox.put(format!("{}/{}", task.namespace, task.name), "row", &wire::row(&task));
        }
        News::Gone(namespace, name) => {
            outbox.put(format!("{namespace}/{name}"), "gone", &json!({ "namespace": namespace, "name": name }));
        }
        News::Lost(error) => {
            outbox.put("state".to_owned(), "lost", &json!({ "message": Failure::from(*error).message }));
        }
        News::Live => outbox.put("state".to_owned(), "live", &json!({})),
    }
}
