//! Watches of some namespaces instead of all.
//!
//! A namespace that is gone, or in which the operator has no rights, is left out until that changes, so that it holds
//! up no other: a list is complete only when that of each namespace is. Then all are listed again without it, or with
//! it. Tasks come last: a task that is loaded before its pods takes them for lost, and one that is loaded before its
//! Workload stops its pods. So tasks of a namespace that is left out are forgotten first.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use super::joint::of_each;
use super::pods::LeanPod;
use super::tasks::GuardedTask;
use super::workloads::LeanWorkload;
use super::{AbortOnDrop, forward, pods, tasks, workloads};
use crate::api::{MapTask, labels};
use crate::core::port::Event;
use crate::plain::plain;

/// How often a namespace that was left out is asked again, and how long a refusal must last until one is left out: a
/// Role that is replaced is missing for a moment.
const AGAIN: Duration = Duration::from_secs(10);

/// Some namespaces, and where their news goes.
pub(super) struct Namespaces {
    pub(super) client: Client,
    pub(super) names: Vec<String>,
    pub(super) config: watcher::Config,
    /// Whether Workloads of Kueue are watched, too.
    pub(super) kueue: bool,
    pub(super) events: mpsc::Sender<Event>,
    pub(super) stop: CancellationToken,
}

/// The watches of some namespaces, until one of these is left out or another one can be read.
struct Round {
    /// One of the watches was refused.
    refused: Arc<Notify>,
    /// Whether no list was complete before.
    is_first: bool,
}

impl Namespaces {
    /// Watches until it is stopped.
    pub(super) async fn watch(self) {
        self.watch_and_ask(AGAIN).await;
    }

    async fn watch_and_ask(self, again: Duration) {
        let mut is_first = true;
        loop {
            let (mut good, mut left_out) = (Vec::new(), Vec::new());
            for name in &self.names {
                match self.is_open(name).await {
                    Ok(()) => good.push(name.clone()),
                    Err(error) => {
                        let error = plain(&error);
                        tracing::error!(namespace = name, error, "left out until the operator may read it");
                        left_out.push(name.clone());
                    }
                }
            }
            // Nobody listens any more only when the operator ends.
            let names = left_out.iter().map(|name| name.as_str().into()).collect();
            let _ = self.events.send(Event::LeftOut(names)).await;
            let round = Round { refused: Arc::default(), is_first };
            is_first = false;
            // They run until they are dropped.
            let running = async {
                let _watches = self.start(&good, &round).await;
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                () = self.stop.cancelled() => return,
                never = running => match never {},
                name = self.opens(&left_out, again), if !left_out.is_empty() => {
                    tracing::info!(namespace = name, "the operator may read it now");
                }
                () = self.closes(&good, &round.refused, again) => {}
            }
        }
    }

    /// Returns when one of those that were left out can be read.
    async fn opens<'a>(&self, left_out: &'a [String], again: Duration) -> &'a str {
        loop {
            tokio::time::sleep(again).await;
            for name in left_out {
                if self.is_open(name).await.is_ok() {
                    return name;
                }
            }
        }
    }

    /// Returns when one of those that are watched can't be read any more. Asked only after a watch was refused.
    async fn closes(&self, good: &[String], refused: &Notify, again: Duration) {
        loop {
            refused.notified().await;
            tokio::time::sleep(again).await;
            for name in good {
                if self.is_open(name).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Starts to watch pods and Workloads, and tasks once these have been listed.
    async fn start(&self, names: &[String], round: &Round) -> Vec<AbortOnDrop> {
        let ours = self.config.clone().labels(labels::NAME);
        let (pods_listed, workloads_listed) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let says = Arc::clone(&pods_listed);
        let watch = self.each::<LeanPod>(names, &ours, round).inspect(move |item| {
            if matches!(item, Ok(watcher::Event::InitDone)) {
                says.notify_one();
            }
        });
        let mut watches = vec![self.run("pods", watch, pods::translate)];
        if self.kueue {
            let (says, is_first) = (Arc::clone(&workloads_listed), round.is_first);
            // Without Kueue there is no such list, and tasks without a queue don't wait for it. Nor do they for a list
            // that fails, as long as the core has never had one: then it knows that it has none.
            let watch = self.each::<LeanWorkload>(names, &ours, round).inspect(move |item| {
                let is_over = match item {
                    Ok(event) => matches!(event, watcher::Event::InitDone),
                    Err(error) => is_first || code(error) == Some(404),
                };
                if is_over {
                    says.notify_one();
                }
            });
            watches.push(self.run("workloads", watch, workloads::translate));
            workloads_listed.notified().await;
        }
        pods_listed.notified().await;
        let watch = self.each::<GuardedTask>(names, &self.config, round);
        watches.push(self.run("maptasks", watch, tasks::translate));
        watches
    }

    /// The watches of all these namespaces as one.
    fn each<K>(
        &self,
        names: &[String],
        config: &watcher::Config,
        round: &Round,
    ) -> impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + use<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let refused = Arc::clone(&round.refused);
        of_each::<K>(&self.client, names, config).inspect(move |item| {
            if item.as_ref().is_err_and(|error| code(error) == Some(403)) {
                refused.notify_one();
            }
        })
    }

    fn run<K: Send + 'static>(
        &self,
        what: &'static str,
        watch: impl Stream<Item = watcher::Result<watcher::Event<K>>> + Send + 'static,
        translate: impl Fn(watcher::Event<K>) -> Option<Event> + Send + 'static,
    ) -> AbortOnDrop {
        AbortOnDrop(tokio::spawn(forward(what, watch, translate, self.events.clone(), self.stop.clone())))
    }

    /// Whether what is watched can be read in a namespace. Trouble that passes, such as an API server that does not
    /// answer, counts as that it can: the watches try again. So does a cluster without Kueue, where only tasks with a
    /// queue wait.
    async fn is_open(&self, name: &str) -> Result<(), kube::Error> {
        let one = ListParams::default().limit(1);
        let tasks: Api<MapTask> = Api::namespaced(self.client.clone(), name);
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), name);
        for answer in [tasks.list_metadata(&one).await.map(drop), pods.list_metadata(&one).await.map(drop)] {
            match answer {
                Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => {
                    return Err(kube::Error::Api(status));
                }
                _ => {}
            }
        }
        if self.kueue {
            let workloads: Api<LeanWorkload> = Api::namespaced(self.client.clone(), name);
            if let Err(kube::Error::Api(status)) = workloads.list_metadata(&one).await
                && status.code == 403
            {
                return Err(kube::Error::Api(status));
            }
        }
        Ok(())
    }
}

/// The code with which the API server has refused a watch.
fn code(error: &watcher::Error) -> Option<u16> {
    use watcher::Error::{InitialListFailed, WatchError, WatchFailed, WatchStartFailed};
    match error {
        InitialListFailed(kube::Error::Api(status))
        | WatchStartFailed(kube::Error::Api(status))
        | WatchFailed(kube::Error::Api(status))
        | WatchError(status) => Some(status.code),
        _ => None,
    }
}

#[cfg(test)]
#[path = "namespaces_tests.rs"]
mod tests;
