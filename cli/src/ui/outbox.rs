//! What a page has yet to read. Of each thing only the newest version is kept, so that a slow page costs no memory.

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::Stream;
use hyper::body::{Bytes, Frame};
use serde_json::Value;
use tokio::sync::Notify;

/// Between two signs of life.
const PING: Duration = Duration::from_secs(15);

/// News for one page.
#[derive(Default)]
pub struct Outbox {
    waiting: Mutex<Waiting>,
    news: Notify,
}

#[derive(Default)]
struct Waiting {
    order: VecDeque<String>,
    frames: HashMap<String, Bytes>,
}

impl Outbox {
    /// Puts an event in. One of the same key that was not read yet is replaced.
    pub fn put(&self, key: String, event: &str, data: &Value) {
        let frame = Bytes::from(format!("event: {event}\ndata: {data}\n\n"));
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.frames.insert(key.clone(), frame).is_none() {
                waiting.order.push_back(key);
            }
        }
        self.news.notify_one();
    }

    /// Drops what was not read yet, but for events of this key: all of it is old.
    pub fn drop_but(&self, kept: &str) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.order.retain(|key| key == kept);
        waiting.frames.retain(|key, _| key == kept);
    }

    /// The oldest event that was not read yet.
    pub fn take(&self) -> Option<Bytes> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let key = waiting.order.pop_front()?;
        waiting.frames.remove(&key)
    }

    async fn next(&self) -> Bytes {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            if tokio::time::timeout(PING, self.news.notified()).await.is_err() {
                return Bytes::from_static(b"event: ping\ndata: {}\n\n");
            }
        }
    }
}

/// The events as a body. `held` is dropped with it: what feeds the outbox ends when nobody reads.
pub fn stream<T: Send + 'static>(
    outbox: Arc<Outbox>,
    held: T,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send {
    futures::stream::unfold((outbox, held), |(outbox, held)| async move {
        let frame = outbox.next().await;
        Some((Ok(Frame::data(frame)), (outbox, held)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn a_slow_page_gets_only_the_newest_version_of_each_task() {
        let outbox = Outbox::default();
        for version in 0..1000 {
            outbox.put("a".to_owned(), "task", &json!(version));
            outbox.put("b".to_owned(), "row", &json!({ "text": "a\nb" }));
        }
        assert_eq!(outbox.next().await, "event: task\ndata: 999\n\n");
        assert_eq!(outbox.next().await, "event: row\ndata: {\"text\":\"a\\nb\"}\n\n", "a line, whatever the text has");
        assert_eq!(outbox.take(), None);
        outbox.put("state".to_owned(), "live", &json!({}));
        outbox.put("a".to_owned(), "row", &json!(1));
        outbox.drop_but("state");
        assert_eq!(outbox.next().await, "event: live\ndata: {}\n\n");
        assert_eq!(outbox.take(), None);
    }
}
