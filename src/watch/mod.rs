//! From the API server's watches to events of the core.

mod joint;
mod namespaces;
pub mod pods;
pub mod tasks;
pub mod workloads;

use futures::{Stream, StreamExt};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use self::namespaces::Namespaces;
use crate::api::labels;
use crate::core::port::Event;
use crate::plain::plain;

/// Events that wait for the core. A full queue holds the watches back; the API server buffers for them.
pub const QUEUE: usize = 4096;
/// A watch is renewed after this many seconds: below the idle limit of common load balancers.
const WATCH_SECONDS: u32 = 180;

/// How watches are opened. Streaming lists keep memory low, and came with Kubernetes 1.34.
pub fn config(server_minor: u32) -> watcher::Config {
    let config = watcher::Config::default().timeout(WATCH_SECONDS);
    if server_minor >= 34 { config.streaming_lists() } else { config }
}

/// Ends a watch when it is dropped.
pub(crate) struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Watches tasks and pods, and with `kueue` the Workloads of tasks; of these namespaces or, if there are none, of the
/// whole cluster. As long as Workloads can't be read, tasks with a queue wait.
pub(crate) fn start(
    client: &Client,
    namespaces: &[String],
    config: watcher::Config,
    kueue: bool,
    events: &mpsc::Sender<Event>,
    stop: &CancellationToken,
) -> Vec<AbortOnDrop> {
    if !namespaces.is_empty() {
        let (client, names) = (client.clone(), namespaces.to_vec());
        let watch = Namespaces { client, names, config, kueue, events: events.clone(), stop: stop.clone() }.watch();
        return vec![AbortOnDrop(tokio::spawn(watch))];
    }
    let ours = config.clone().labels(labels::NAME);
    let all: Api<pods::LeanPod> = Api::all(client.clone());
    let watch = watcher(all, ours.clone()).default_backoff();
    let pods = forward("pods", watch, pods::translate, events.clone(), stop.clone());
    let all: Api<tasks::GuardedTask> = Api::all(client.clone());
    let watch = watcher(all, config).default_backoff();
    let tasks = forward("maptasks", watch, tasks::translate, events.clone(), stop.clone());
    let mut watches = vec![AbortOnDrop(tokio::spawn(tasks)), AbortOnDrop(tokio::spawn(pods))];
    if kueue {
        let all: Api<workloads::LeanWorkload> = Api::all(client.clone());
        let watch = watcher(all, ours).default_backoff();
        let workloads = forward("workloads", watch, workloads::translate, events.clone(), stop.clone());
        watches.push(AbortOnDrop(tokio::spawn(workloads)));
    }
    watches
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
