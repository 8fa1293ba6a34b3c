//! From the API server's watches to events of the core.

pub mod pods;
pub mod tasks;

use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::core::port::Event;
use crate::plain::plain;

/// Events that wait for the core. A full queue holds the watches back; the API server buffers for them.
pub const QUEUE: usize = 4096;
/// A watch is renewed after this many seconds: below the idle limit of common load balancers.
const WATCH_SECONDS: u32 = 180;

/// How both watches are opened. Streaming lists keep memory low, and came with Kubernetes 1.34.
pub fn config(server_minor: u32) -> watcher::Config {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    if server_minor >= 34 { config.streaming_lists() } else { config }
}

/// Passes a watch on as events, until it is stopped or nobody listens.
pub(crate) async fn forward<K>(
    what: &'static str,
    stream: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send,
    translate: impl Fn(watcher::Event<K>) -> Option<Event> + Send,
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
) where
    K: Send + 'static,
{
    let stream = stream.default_backoff();
    let mut stream = std::pin::pin!(stream);
    loop {
        let item = tokio::select! {
            () = stop.cancelled() => return,
            item = stream.next() => item,
        };
        match item {
            None => return,
            Some(Err(error)) => tracing::warn!(what, error = plain(&error), "watch failed, will try again"),
            Some(Ok(event)) => {
                if let Some(event) = translate(event)
                    && events.send(event).await.is_err()
                {
                    return;
                }
            }
        }
    }
}
